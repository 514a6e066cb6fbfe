"""One project: its playbooks, its files, how it was synchronised, and who may do what with it."""

from dataclasses import dataclass
from typing import ClassVar, Final

from aiohttp import web

from server.automation import service as automation
from server.automation.models import Playbook
from server.core.errors import Invalid
from server.library import files, rules, schemas, service
from server.library.models import FileEntry, Finding, Grant, Project, Sync
from server.library.pages.frame import CRUMB, LEVELS, MANAGE, VIEW, back, subjects, ticked
from server.web.forms import form_values, parse, posted
from server.web.proxy import origin
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()

_TABS: Final = ("playbooks", "files", "syncs", "rights")


@dataclass(frozen=True, slots=True)
class PlaybookRow:
    """A playbook of the project: what can be done with it, and how many mistakes its file has."""

    name: str
    file: str
    title: str
    description: str
    approval: bool
    questions: int
    problems: int
    may_launch: bool


@dataclass(frozen=True, slots=True)
class GrantRow:
    """Who may do what; ``words`` names them."""

    grant: Grant
    words: str
    level: str


@dataclass(frozen=True, slots=True)
class ProjectPage(Page):
    """templates/library/project.html.

    Attributes:
        busy: it is being published just now, or waits for it.
        failed: why the last synchronisation failed; empty when it did not.
        secret: the webhook's new secret, shown once.
    """

    template: ClassVar[str] = "library/project.html"
    title: ClassVar[str] = "Project"
    project: Project
    tab: str
    tabs: list[dict[str, object]]
    playbooks: list[PlaybookRow]
    files: list[FileEntry]
    removed: list[str]
    findings: list[Finding]
    syncs: list[Sync]
    grants: list[GrantRow]
    subjects: list[tuple[str, str]]
    levels: list[tuple[str, str]]
    default_level: str
    busy: bool
    failed: str
    can_edit: bool
    can_sync: bool
    webhook_url: str
    secret: str


@routes.get("/projects/{project}")
@gated(VIEW)
async def show(request: web.Request) -> web.Response:
    """Show one project."""
    return await _show(request)


async def _show(request: web.Request, secret: str = "") -> web.Response:
    asked = call(request)
    found = await service.fetch(asked, path_text(request, "project"))
    held = await service.level(asked, found)
    entries, findings = await files.listed(asked, found), await service.findings(asked, found)
    syncs = await service.syncs(asked, found)
    can_edit = rules.reaches(held, "edit") and asked.actor.may(MANAGE)
    tab = "syncs" if secret else request.query.get("tab", "")
    names = [one for one in _TABS if one != "rights" or can_edit]
    tab = tab if tab in names else "playbooks"
    playbooks = await _playbooks(request, found, findings)
    page = ProjectPage(
        project=found,
        tab=tab,
        tabs=_tabs(found, names, tab, {"playbooks": len(playbooks), "files": len(entries)}),
        playbooks=playbooks,
        files=entries if tab == "files" else [],
        removed=await files.removed(asked, found) if tab == "files" and can_edit else [],
        findings=findings,
        syncs=syncs,
        grants=await _grants(request, found) if tab == "rights" else [],
        subjects=await subjects(request) if tab == "rights" else [],
        levels=list(LEVELS),
        default_level=dict(LEVELS)[found.default_level],
        busy=any(one.status in {"queued", "running"} for one in syncs[:2]),
        failed=next((one.reason for one in syncs[:1] if one.status == "failed"), ""),
        can_edit=can_edit,
        can_sync=found.kind == "git" and rules.reaches(held, "launch"),
        webhook_url=f"{origin(request).url}/api/v1/projects/{found.slug}/webhook",
        secret=secret,
    )
    return render(request, page, breadcrumbs=(CRUMB, (found.title, "")))


def _tabs(project: Project, names: list[str], tab: str, counts: dict[str, int]) -> list[dict[str, object]]:
    words = {"playbooks": "Playbooks", "files": "Files", "syncs": "Log", "rights": "Rights"}
    return [
        {
            "name": name,
            "title": words[name],
            "url": f"/projects/{project.slug}{'' if name == 'playbooks' else f'?tab={name}'}",
            "active": name == tab,
            "count": counts.get(name),
        }
        for name in names
    ]


async def _playbooks(request: web.Request, project: Project, findings: list[Finding]) -> list[PlaybookRow]:
    asked = call(request)
    launchable = {one.name for one in await automation.launchable(asked)}
    said = await service.said_of_all(asked, project)
    rows = []
    for one in await automation.playbooks(asked):
        if one.name.partition("/")[0] == project.slug and one.origin != "builtin":
            wrong = sum(1 for finding in findings if finding.path == one.file and finding.kind == "error")
            approval = one.file in said and said[one.file].approval
            rows.append(_row(one, wrong, approval=approval, may_launch=one.name in launchable))
    return rows


def _row(one: Playbook, wrong: int, *, approval: bool, may_launch: bool) -> PlaybookRow:
    return PlaybookRow(one.name, one.file, one.title, one.description, approval, len(one.fields), wrong, may_launch)


async def _grants(request: web.Request, project: Project) -> list[GrantRow]:
    names = dict(await subjects(request))
    return [
        GrantRow(one, names.get(f"{one.subject_kind}:{one.subject}", one.subject), dict(LEVELS)[one.level])
        for one in await service.grants(call(request), project)
    ]


@routes.post("/projects/{project}/sync")
@gated(VIEW)
async def sync(request: web.Request) -> web.Response:
    """Fetch a git project again."""
    slug = path_text(request, "project")
    await service.sync(call(request), slug)
    return back(f"/projects/{slug}?tab=syncs", request, "The project is being synchronised.")


@routes.post("/projects/{project}/delete")
@gated(MANAGE)
async def delete(request: web.Request) -> web.Response:
    """Delete a project."""
    await service.delete(call(request), path_text(request, "project"))
    return back("/projects", request, "The project was deleted. Jobs that ran keep what they ran.")


@routes.post("/projects/{project}/upload", name="projects.upload")
@gated(MANAGE)
async def upload(request: web.Request) -> web.Response:
    """Put uploaded files into a project."""
    slug = path_text(request, "project")
    given = (await posted(request)).get("file")
    here = f"/projects/{slug}?tab=files"
    if not isinstance(given, web.FileField) or not given.filename:
        return back(here, request, "Choose a file first.", "attention")
    values = await form_values(request)
    data = given.file.read()
    try:
        changed = await files.upload(
            call(request), slug, given.filename, data, why=str(values.get("why") or ""),
            replace_all=ticked(values, "replace"),
        )  # fmt: skip
    except Invalid as refused:
        return back(here, request, f"{given.filename[:80]}: {refused}", "bad")
    return back(here, request, f"{changed} files changed." if changed != 1 else "1 file changed.")


@routes.post("/projects/{project}/webhook")
@gated(MANAGE)
async def renew_webhook(request: web.Request) -> web.Response:
    """Make a new secret for the webhook and show it once, or switch the webhook off."""
    slug = path_text(request, "project")
    values = await form_values(request)
    if values.get("off") == "true":
        await service.renew_webhook(call(request), slug, off=True)
        return back(f"/projects/{slug}?tab=syncs", request, "The webhook is switched off.")
    return await _show(request, await service.renew_webhook(call(request), slug))


@routes.post("/projects/{project}/rights")
@gated(MANAGE)
async def give(request: web.Request) -> web.Response:
    """Let somebody do something, or take it back."""
    slug = path_text(request, "project")
    here = f"/projects/{slug}?tab=rights"
    values = await form_values(request)
    kind, _, subject = str(values.get("subject") or "").partition(":")
    try:
        body = parse(schemas.GrantBody, {**values, "subject_kind": kind, "subject": subject})
        if values.get("take") == "true":
            await service.revoke(call(request), slug, body.grant())
            return back(here, request, "The right was taken back.")
        await service.grant(call(request), slug, body.grant())
    except Invalid as refused:
        return back(here, request, next(iter(refused.complaints.values()), str(refused)), "bad")
    return back(here, request, "The right was given.")
