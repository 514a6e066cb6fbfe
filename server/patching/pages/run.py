"""One run: its state, what it did, what it printed; live while it is under way, complete when it is opened late."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

from aiohttp import web

from server.core.errors import Conflict, Invalid
from server.patching import history, rollback, rules, service
from server.patching.models import Status
from server.patching.pages import words
from server.patching.pages.frame import CRUMB, MANAGE, MODULE, RUNS, VIEW, is_on, may_manage, off
from server.patching.recorded import Difference
from server.web import csrf
from server.web.flash import back
from server.web.forms import form_values
from server.web.render import Page, fragment, render
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()

#: So much of what was printed stands on the page; the rest is copied and downloaded.
_SHOWN_CHARACTERS: Final = 400_000
_POLL_SECONDS: Final = {Status.QUEUED: 3, Status.PENDING_VALIDATION: 3, Status.RUNNING: 3}
_WAITS: Final = frozenset({Status.QUEUED, Status.RUNNING})


@dataclass(frozen=True, slots=True)
class WayBack:
    """How a run can be taken back, or was: how many packages, and the jobs that tried and did it, if there are any."""

    packages: int
    dry_url: str
    real_url: str


@dataclass(frozen=True, slots=True)
class RunView:
    """A run at the top of its page and beside it.

    Attributes:
        version: another one whenever anything but the output differs.
        poll_seconds: how often the page looks again; 0 is never.
        report: ``awaited``, ``received`` or nothing: the report after a real run.
        facts: pairs of label and text.
        extra: how many packages were not asked for.
    """

    id: str
    url: str
    host_name: str
    host_url: str
    what: str
    dry_run: bool
    status: str
    word: str
    state: words.State
    live: bool
    version: str
    poll_seconds: int
    report: str
    error: str
    facts: list[tuple[str, str]]
    notes: list[str]
    initiated_by: str
    approved_by: str
    created_at: datetime
    scheduled_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None
    validation_url: str
    execution_url: str
    job_url: str
    policy: str
    changes: list[dict[str, Any]]
    extra: int
    compared: bool
    differences: list[Difference]
    can_approve: bool
    can_retry: bool
    can_stop: bool
    can_delete: bool
    can_copy: bool
    way_back: WayBack | None
    again_url: str


@dataclass(frozen=True, slots=True)
class RunPage(Page):
    """templates/patching/run.html; ``cut`` is how many characters of the output are left out at its beginning."""

    template: ClassVar[str] = "patching/run.html"
    title: ClassVar[str] = "Patch run"
    run: RunView
    output: str
    cut: int
    stream_url: str


@routes.get("/patching/runs/{run}")
@gated(VIEW)
async def show(request: web.Request) -> web.Response:
    """Show one run."""
    if not await is_on(request):
        return off(request)
    told = await history.told(call(request), path_text(request, "run"))
    text = _printed(told.row)
    run = view(told, manages=may_manage(request))
    page = RunPage(
        run=run,
        output=text[-_SHOWN_CHARACTERS:],
        cut=max(0, len(text) - _SHOWN_CHARACTERS),
        stream_url=f"/api/v1{run.url}/events/stream",
    )
    return render(request, page, breadcrumbs=(CRUMB, RUNS, (run.host_name, "")))


@routes.get("/patching/runs/{run}/parts")
@gated(VIEW, module=MODULE)
async def parts(request: web.Request) -> web.Response:
    """Answer what changes on the page of a run except the output, as the page itself has it."""
    told = await history.told(call(request), path_text(request, "run"), output=False)
    run = view(told, manages=may_manage(request))
    text = fragment(request, "patching/_run_parts.html", run=run, form_token=csrf.token(request))
    return web.Response(text=text, content_type="text/html", headers={"Cache-Control": "no-store"})


@routes.get("/patching/runs/{run}/output")
@gated(VIEW, module=MODULE)
async def output(request: web.Request) -> web.Response:
    """Answer everything a run printed, as text."""
    row = await service.fetch(call(request), path_text(request, "run"))
    name = "".join(one if one.isalnum() or one in "-_." else "_" for one in f"patch-{row['friendly_name']}")
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    if "inline" not in request.query:
        headers["Content-Disposition"] = f'attachment; filename="{name[:80]}-{str(row["id"])[:8]}.txt"'
    body = str(row["shell_output"]).encode("utf-8", "replace")
    return web.Response(body=body, content_type="text/plain", charset="utf-8", headers=headers)


@routes.get("/patching/runs/{run}/tail")
@gated(VIEW, module=MODULE)
async def tail(request: web.Request) -> web.Response:
    """Answer the end of what a run printed, for lists that open it where it stands."""
    row = await service.fetch(call(request), path_text(request, "run"))
    text = fragment(request, "patching/_tail.html", output=_printed(row)[-8000:], url=f"/patching/runs/{row['id']}")
    return web.Response(text=text, content_type="text/html", headers={"Cache-Control": "no-store"})


@routes.post("/patching/runs/{run}/stop")
@gated(MANAGE, module=MODULE)
async def stop(request: web.Request) -> web.Response:
    """Ask the host to end a run."""
    run = path_text(request, "run")
    try:
        await service.stop(call(request), run)
    except (Conflict, Invalid) as refused:
        return back(request, f"/patching/runs/{run}", "attention", str(refused))
    return back(request, f"/patching/runs/{run}", "good", "The host was asked to stop.")


@routes.post("/patching/runs/{run}/rollback")
@gated(MANAGE, module=MODULE)
async def roll_back(request: web.Request) -> web.Response:
    """Start a job that puts back what a run replaced: tried dry unless the form says that it is meant."""
    run = path_text(request, "run")
    dry_run = (await form_values(request)).get("dry_run") != "false"
    try:
        begun = await rollback.begin(call(request), run, dry_run=dry_run)
    except (Conflict, Invalid) as refused:
        return back(request, f"/patching/runs/{run}", "attention", str(refused))
    return web.Response(status=303, headers={"Location": f"/jobs/{begun.job}"})


@routes.post("/patching/runs/{run}/delete")
@gated(MANAGE, module=MODULE)
async def delete(request: web.Request) -> web.Response:
    """Delete a run that has not begun."""
    run = path_text(request, "run")
    try:
        gone = await service.delete(call(request), run)
    except (Conflict, Invalid) as refused:
        return back(request, f"/patching/runs/{run}", "attention", str(refused))
    return back(request, RUNS[1], "good", f"The run of {gone.host_name} was deleted.")


def _printed(row: Mapping[str, Any]) -> str:
    return str(row["shell_output"]).replace("\r\n", "\n").replace("\r", "\n")


def view(told: history.Told, *, manages: bool) -> RunView:
    """Return what the page of a run shows."""
    row = told.row
    status = Status(row["status"])
    word, state = words.status_word(status)
    run = str(row["id"])
    report, changes = _report(row, status), words.changes(row["packages_affected"])
    return RunView(
        id=run,
        url=f"/patching/runs/{run}",
        host_name=row["friendly_name"] or row["hostname"] or str(row["host_id"]),
        host_url=f"/hosts/{row['host_id']}",
        what=words.type_word(row["patch_type"], row["package_names"], security_only=row["security_only"]),
        dry_run=row["dry_run"],
        status=status,
        word=word,
        state=state,
        live=status == Status.RUNNING,
        version=f"{status}.{row['updated_at'].timestamp()}.{report}.{bool(told.execution)}.{bool(told.job)}",
        poll_seconds=3 if report == "awaited" else _POLL_SECONDS.get(status, 0),
        report=report,
        error=row["error_message"],
        facts=[one for one in words.options(row) if one[0] != "Security only"],
        notes=list(row["notes"]),
        initiated_by=row["initiated_by"] or "",
        approved_by=row["approved_by"] or "",
        created_at=row["created_at"],
        scheduled_at=row["scheduled_at"],
        started_at=row["started_at"],
        completed_at=row["completed_at"],
        validation_url=f"/patching/runs/{row['validation_run_id']}" if row["validation_run_id"] else "",
        execution_url=f"/patching/runs/{told.execution}" if told.execution else "",
        job_url=told.job,
        policy=words.policy_in_effect(row["policy_snapshot"]),
        changes=changes,
        extra=sum(not one["requested"] for one in changes) if row["extra_deps"] else 0,
        compared=told.compared,
        differences=told.differences,
        **_may(row, status, manages=manages),
    )


def _may(row: Mapping[str, Any], status: Status, *, manages: bool) -> dict[str, Any]:
    """Return what can be done with a run in this state, by who manages runs or not."""
    return {
        "can_approve": manages and status in rules.APPROVABLE,
        "can_retry": manages and status == Status.PENDING_VALIDATION and row["dry_run"],
        "can_stop": manages and status in rules.STOPPABLE,
        "can_delete": manages and status in rules.DELETABLE,
        "can_copy": status not in _WAITS,
        "way_back": _way_back(row) if manages else None,
        "again_url": words.again_url(row) if manages and status in rules.FINISHED else "",
    }


def _way_back(row: Mapping[str, Any]) -> WayBack | None:
    if rollback.why_not(row):
        return None
    dry, real = (f"/jobs/{row[key]}" if row[key] else "" for key in ("rollback_dry_job", "rollback_job"))
    return WayBack(len(rollback.earlier(row["packages_affected"])), dry, real)


def _report(row: Mapping[str, Any], status: Status) -> str:
    """Return whether the host's report after a real run is awaited, or has come."""
    if status != Status.COMPLETED or row["dry_run"]:
        return ""
    if row["awaiting_post_patch_report"]:
        return "awaited"
    seen, ended = row["host_last_update"], row["completed_at"]
    return "received" if seen is not None and ended is not None and seen > ended else ""
