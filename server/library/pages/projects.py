"""The list of projects, and the form that makes or changes one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from aiohttp import web

from server.core.errors import Invalid
from server.library import credentials, rules, schemas, service
from server.library.models import Listed, Project
from server.library.pages.frame import CRUMB, LEVELS, MANAGE, VIEW, back, many, said
from server.web.fields import Field, complained, filled
from server.web.forms import form_values, parse
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text
from server.web.tables import Column, Listing, Table, listing, settled
from server.web.tables import parse as wanted_of

routes: Final = Routes()

TABLE: Final = Table(
    name="projects",
    path="/projects",
    noun="project",
    columns=(
        Column("title", "Project", place="title", fixed=True),
        Column("state", "State", place="state"),
        Column("source", "From"),
        Column("playbooks", "Playbooks", numeric=True),
        Column("revision", "Revision"),
        Column("synced", "Published"),
    ),
    search="Search projects by name",
    empty="No project yet. Write playbooks here, upload them, or fetch them from git.",
    empty_icon="list-tree",
)
_ABOUT: Final = (
    Field("title", "Name", placeholder="Web shop"),
    Field("slug", "Short name", required=False, placeholder="made of the name",
          help="First part of its playbooks' names, never changed: small letters, digits, - and _."),
    Field("description", "What it is for", "area", required=False),
)  # fmt: skip
_GIT: Final = (
    Field("url", "Address", placeholder="https://git.example.com/ops/playbooks.git",
          help="https, http or ssh. Name and password belong into a credential."),
    Field("branch", "Branch or tag", required=False, help="Empty is the repository's usual branch."),
    Field("credential_id", "Credential", "choice", required=False),
    Field("every_minutes", "Synchronise by itself", "choice", "0",
          choices=tuple((str(minutes), word) for minutes, word in rules.INTERVALS)),
)  # fmt: skip
_RIGHTS: Final = (
    Field("default_level", "Who manages automation may", "choice", "edit", choices=LEVELS,
          help="Others may do only what is given to them on the project's page."),
    Field("vault_ids", "Vault passwords", "choices", required=False,
          help="They open what ansible-vault encrypted in the files. The server opens it; hosts get it sealed."),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ProjectsPage(Page):
    """templates/library/projects.html."""

    template: ClassVar[str] = "library/projects.html"
    title: ClassVar[str] = "Projects"
    listing: Listing
    rows: list[Listed]
    can_create: bool


@dataclass(frozen=True, slots=True)
class ProjectFormPage(Page):
    """templates/library/project_form.html; ``project`` is empty for a new one."""

    template: ClassVar[str] = "library/project_form.html"
    title: ClassVar[str] = "Project"
    project: str
    heading: str
    kind: str
    about: list[Field]
    git: list[Field]
    rights: list[Field]
    complaints: Sequence[tuple[str, str] | str]


@routes.get("/projects")
@gated(VIEW)
async def show_list(request: web.Request) -> web.Response:
    """Show the projects that this person may see."""
    asked = call(request)
    wanted = wanted_of(TABLE, request.query)
    headers = settled(request, wanted)
    words = wanted.search.lower()
    found = [one for one in await service.listed(asked) if words in f"{one.project.title} {one.project.slug}".lower()]
    window = wanted.window
    page = ProjectsPage(
        listing(wanted, len(found), may=asked.actor.may),
        found[window.offset : window.offset + window.size],
        asked.actor.may(MANAGE),
    )
    return render(request, page, headers=headers)


@routes.get("/projects/new")
@gated(MANAGE)
async def new(request: web.Request) -> web.Response:
    """Show the form of a new project."""
    kind = "git" if request.query.get("kind") == "git" else "own"
    return await _form(request, None, kind, {}, {})


@routes.post("/projects/new")
@gated(MANAGE)
async def create(request: web.Request) -> web.Response:
    """Make a project."""
    values = await form_values(request)
    kind = "git" if values.get("kind") == "git" else "own"
    try:
        made = await service.create(call(request), parse(schemas.ProjectBody, _body(values)).wanted())
    except Invalid as refused:
        return await _form(request, None, kind, values, said(refused), 400)
    text = "It is being fetched." if made.kind == "git" else "Write its first playbook, or upload some."
    return back(f"/projects/{made.slug}", request, f"The project {made.title} was made. {text}")


@routes.get("/projects/{project}/edit")
@gated(MANAGE)
async def edit(request: web.Request) -> web.Response:
    """Show the form of a project."""
    found = await service.fetch(call(request), path_text(request, "project"), "edit")
    values = {
        "title": found.title, "description": found.description, "url": found.url, "branch": found.branch,
        "credential_id": found.credential_id or "", "every_minutes": str(found.every_minutes),
        "default_level": found.default_level, "vault_ids": list(found.vault_ids),
    }  # fmt: skip
    return await _form(request, found, found.kind, values, {})


@routes.post("/projects/{project}/edit")
@gated(MANAGE)
async def change(request: web.Request) -> web.Response:
    """Change a project."""
    found = await service.fetch(call(request), path_text(request, "project"), "edit")
    values = await form_values(request)
    try:
        await service.change(call(request), found.slug, parse(schemas.ProjectBody, _body(values)).wanted())
    except Invalid as refused:
        return await _form(request, found, found.kind, values, said(refused), 400)
    return back(f"/projects/{found.slug}", request, "The project was changed.")


def _body(values: Mapping[str, Any]) -> dict[str, Any]:
    return {**values, "vault_ids": many(values, "vault_ids")}


async def _form(
    request: web.Request,
    project: Project | None,
    kind: str,
    values: Mapping[str, Any],
    complaints: Mapping[str, str],
    status: int = 200,
) -> web.Response:
    usable = await credentials.usable(call(request))
    keys = (
        ("", "None: the repository is public"),
        *((one.id, one.name) for one in usable if one.kind in rules.FOR_GIT),
    )
    vaults = tuple((one.id, one.name) for one in usable if one.kind == "vault")
    about = [one for one in _ABOUT if project is None or one.name != "slug"]
    git = [replace(one, choices=keys) if one.name == "credential_id" else one for one in _GIT] if kind == "git" else []
    rights = [replace(one, choices=vaults) if one.name == "vault_ids" else one for one in _RIGHTS]
    about, git = filled(about, values, complaints), filled(git, values, complaints)
    rights = filled([one for one in rights if one.choices], values, complaints)
    page = ProjectFormPage(
        project.slug if project else "",
        f"Change {project.title}" if project else "New project",
        kind, about, git, rights, complained([*about, *git, *rights], complaints),
    )  # fmt: skip
    crumbs = (CRUMB, (project.title, f"/projects/{project.slug}"), ("Change", "")) if project else (CRUMB, ("New", ""))
    return render(request, page, status=status, breadcrumbs=crumbs)
