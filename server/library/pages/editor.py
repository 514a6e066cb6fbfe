"""Writing a file in the browser: the text, what changes before it is saved, what was there before."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from aiohttp import web

from server.core.errors import Conflict, Invalid
from server.library import archives, files, rules, service
from server.library.errors import BadFile
from server.library.models import Finding, Project, Version
from server.library.pages.frame import CRUMB, MANAGE, VIEW, back
from server.web.forms import form_values
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()

_NEW: Final = """\
- name: Say what this play does
  hosts: all
  tasks:
    - name: Say what this task does
      ansible.builtin.debug:
        msg: Hello
"""
_SHOWN_VERSIONS: Final = 50


@dataclass(frozen=True, slots=True)
class EditorPage(Page):
    """templates/library/editor.html.

    Attributes:
        path: empty for a new file.
        version: the one that the text was made from.
        text: ``None`` when the file is no text, or too long.
        diff: what would change, once somebody asked for it; ``reviewed`` says that.
        complaint: why it was not saved.
    """

    template: ClassVar[str] = "library/editor.html"
    title: ClassVar[str] = "Editor"
    project: Project
    path: str
    name: str
    version: int
    text: str | None
    size: int
    diff: list[str]
    reviewed: bool
    why: str
    findings: list[Finding]
    complaint: str
    can_edit: bool
    is_playbook: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A version of a file and what it changed."""

    version: Version
    diff: list[str]
    newest: bool


@dataclass(frozen=True, slots=True)
class HistoryPage(Page):
    """templates/library/history.html."""

    template: ClassVar[str] = "library/history.html"
    title: ClassVar[str] = "History"
    project: Project
    path: str
    changes: list[Change]
    exists: bool
    can_edit: bool


@routes.get("/projects/{project}/new-file")
@gated(MANAGE)
async def new(request: web.Request) -> web.Response:
    """Show an empty editor."""
    project = await service.fetch(call(request), path_text(request, "project"), "edit")
    return await _editor(request, project, "", {"name": request.query.get("name", ""), "text": _NEW}, 0)


@routes.get("/projects/{project}/edit/{path:.+}")
@gated(VIEW)
async def edit(request: web.Request) -> web.Response:
    """Show a file, to be changed where it is written here."""
    project = await service.fetch(call(request), path_text(request, "project"))
    path = path_text(request, "path")
    content, version = await files.read(call(request), project, path)
    return await _editor(request, project, path, {"name": path, "text": files.text_of(content)}, version, len(content))


@routes.post("/projects/{project}/new-file")
@gated(MANAGE)
async def create(request: web.Request) -> web.Response:
    """Review or save a new file."""
    return await _posted(request, "")


@routes.post("/projects/{project}/edit/{path:.+}")
@gated(MANAGE)
async def save(request: web.Request) -> web.Response:
    """Review or save a file."""
    return await _posted(request, path_text(request, "path"))


async def _posted(request: web.Request, path: str) -> web.Response:
    asked = call(request)
    project = await service.fetch(asked, path_text(request, "project"), "edit")
    values = await form_values(request)
    name = path or str(values.get("name") or "").strip().replace("\0", "")
    text = str(values.get("text") or "").replace("\r\n", "\n").replace("\0", "")
    version = int(raw) if (raw := str(values.get("version") or "0")).isdecimal() and len(raw) < 10 else 0  # noqa: PLR2004 (keeps int() small)
    shown: dict[str, Any] = {**values, "name": name, "text": text}
    try:
        archives.checked(name)
        if values.get("step") == "review":
            before = await _stored(request, project, name)
            return await _editor(request, project, path, shown, version, diff=files.diff(before, text, name))
        if values.get("step") == "edit":
            return await _editor(request, project, path, shown, version)
        await files.save(asked, project.slug, name, text, version=version, why=str(values.get("why") or ""))
    except Conflict as refused:
        before = await _stored(request, project, name)
        now = (await files.read(asked, project, name))[1] if before else version
        told = f"{refused}. What changes against their version stands below; saving now takes its place."
        changes = files.diff(before, text, name)
        return await _editor(request, project, path, shown, now, diff=changes, complaint=told, status=409)
    except BadFile as refused:
        return await _editor(request, project, path, shown, version, complaint=str(refused), status=400)
    except Invalid as refused:
        return await _editor(request, project, path, shown, version, complaint=str(refused), status=400)
    return back(f"/projects/{project.slug}/edit/{name}", request, f"{name} was saved and is being checked.")


async def _stored(request: web.Request, project: Project, path: str) -> str:
    known = {one.path for one in await files.listed(call(request), project)}
    return (files.text_of((await files.read(call(request), project, path))[0]) or "") if path in known else ""


async def _editor(
    request: web.Request,
    project: Project,
    path: str,
    shown: Mapping[str, Any],
    version: int,
    size: int = 0,
    *,
    diff: list[str] | None = None,
    complaint: str = "",
    status: int = 200,
) -> web.Response:
    asked = call(request)
    held = await service.level(asked, project)
    name, text = str(shown.get("name") or ""), shown.get("text")
    found = [one for one in await service.findings(asked, project) if one.path == path]
    page = EditorPage(
        project=project,
        path=path,
        name=name,
        version=version,
        text=text,
        size=size,
        diff=diff or [],
        reviewed=diff is not None,
        why=str(shown.get("why") or ""),
        findings=found,
        complaint=complaint,
        can_edit=project.kind == "own" and rules.reaches(held, "edit") and asked.actor.may(MANAGE),
        is_playbook="/" not in path and bool(rules.PLAYBOOK_FILE.fullmatch(path)),
    )
    crumbs = (CRUMB, (project.title, f"/projects/{project.slug}?tab=files"), (path or "New file", ""))
    return render(request, page, status=status, breadcrumbs=crumbs)


@routes.get("/projects/{project}/history/{path:.+}")
@gated(VIEW)
async def history(request: web.Request) -> web.Response:
    """Show who changed a file when and why, and what."""
    asked = call(request)
    project = await service.fetch(asked, path_text(request, "project"))
    path = path_text(request, "path")
    versions = await files.history(asked, project, path)
    exists = any(one.path == path for one in await files.listed(asked, project))
    changes = [
        Change(one, _difference(versions[place + 1] if place + 1 < len(versions) else None, one), place == 0)
        for place, one in enumerate(versions[:_SHOWN_VERSIONS])
    ]
    can_edit = rules.reaches(await service.level(asked, project), "edit") and asked.actor.may(MANAGE)
    page = HistoryPage(project, path, changes, exists, can_edit)
    crumbs = (CRUMB, (project.title, f"/projects/{project.slug}?tab=files"), (path, ""), ("History", ""))
    return render(request, page, breadcrumbs=crumbs)


def _difference(before: Version | None, after: Version) -> list[str]:
    old = files.text_of(before.content or b"") if before is not None else ""
    new = files.text_of(after.content or b"")
    return files.diff(old, new, after.path) if old is not None and new is not None else []


@routes.post("/projects/{project}/restore/{path:.+}")
@gated(MANAGE)
async def restore(request: web.Request) -> web.Response:
    """Make an earlier version the newest one."""
    slug, path = path_text(request, "project"), path_text(request, "path")
    raw = str((await form_values(request)).get("version") or "")
    if not raw.isdecimal() or len(raw) > 9:  # noqa: PLR2004 (keeps int() small)
        raise BadFile(reason="Choose a version")
    await files.restore(call(request), slug, path, int(raw))
    return back(f"/projects/{slug}/edit/{path}", request, f"Version {raw} of {path} is there again.")


@routes.post("/projects/{project}/remove/{path:.+}")
@gated(MANAGE)
async def remove(request: web.Request) -> web.Response:
    """Take a file away."""
    slug, path = path_text(request, "project"), path_text(request, "path")
    await files.remove(call(request), slug, path)
    return back(f"/projects/{slug}?tab=files", request, f"{path} was deleted; its versions stay.")
