"""Remediation by playbook: what it would do, trying it, approving it, what came of it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from aiohttp import web
from multidict import MultiMapping

from server.compliance import remedies, service
from server.compliance.errors import RemedyMissing
from server.compliance.models import Remedy, RemedyRule
from server.compliance.pages import frame
from server.compliance.pages.fleet import sought
from server.compliance.pages.frame import CRUMB, MANAGE, MODULE, STATE_WORDS, VIEW
from server.compliance.pages.host import RESULTS
from server.core.call import Call
from server.core.errors import Problem
from server.hosts.models import Tab
from server.web.flash import back
from server.web.forms import posted
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text
from server.web.tables import Wanted, selection

routes: Final = Routes()
HERE: Final = "/compliance/remedies"
_BUSY_SECONDS: Final = 2
_MOST_RULES: Final = 10_000
#: By status: the word, its colour.
STATUSES: Final = {
    "draft": ("Not tried yet", "neutral"),
    "checking": ("Dry run", "neutral"),
    "checked": ("Waits for approval", "attention"),
    "applying": ("Being applied", "neutral"),
    "applied": ("Applied", "good"),
    "failed": ("Failed", "bad"),
    "cancelled": ("Given up", "neutral"),
    "rejected": ("Turned down", "attention"),
}
PREDICTIONS: Final = {
    "": ("", "neutral"),
    "changes": ("Would change", "attention"),
    "nothing": ("Would change nothing", "neutral"),
    "fails": ("Would fail", "bad"),
    "unknown": ("Cannot say", "neutral"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """A rule on the page, with its words and their colours."""

    rule: RemedyRule
    predicted: tuple[str, str]
    before: tuple[str, str]
    after: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class RemedyPage(Page):
    """templates/compliance/remedy.html.

    ``job`` is the one under way, or the last; ``before`` is the host's remediation before it, ``diff`` how they differ.
    """

    template: ClassVar[str] = "compliance/remedy.html"
    title: ClassVar[str] = "Remediation"
    remedy: Remedy
    state: tuple[str, str]
    lines: list[Line]
    left_out: list[RemedyRule]
    job: str | None
    seconds: int
    can_manage: bool
    may_approve: bool
    before: Remedy | None
    diff: list[str]


@dataclass(frozen=True, slots=True)
class RemediesPage(Page):
    """templates/compliance/remedies.html; rows are remediations with their state in words."""

    template: ClassVar[str] = "compliance/remedies.html"
    title: ClassVar[str] = "Remediations"
    tabs: list[Tab]
    rows: list[tuple[Remedy, tuple[str, str]]]


@routes.get(HERE)
@gated(VIEW)
async def show_all(request: web.Request) -> web.Response:
    """Show the newest remediations."""
    if not await frame.is_on(request):
        return frame.off(request)
    found = await remedies.newest(call(request))
    page = RemediesPage(frame.tabs("remedies"), [(one, STATUSES[one.status]) for one in found])
    return render(request, page, breadcrumbs=(CRUMB, ("Remediations", "")))


@routes.get(f"{HERE}/{{remedy}}")
@gated(VIEW)
async def show(request: web.Request) -> web.Response:
    """Show one."""
    if not await frame.is_on(request):
        return frame.off(request)
    one = await remedies.fetch(call(request), path_text(request, "remedy"))
    before, diff = await remedies.difference(call(request), one) or (None, [])
    page = RemedyPage(
        remedy=one,
        state=STATUSES[one.status],
        lines=[_line(rule) for rule in one.fixable],
        left_out=[rule for rule in one.rules if rule.left_out],
        job=one.apply_job or one.check_job,
        seconds=_BUSY_SECONDS if one.status in {"checking", "applying"} else 0,
        can_manage=frame.may_manage(request),
        may_approve=await remedies.may_approve(call(request), one),
        before=before,
        diff=diff,
    )
    crumbs = (CRUMB, ("Remediations", HERE), (one.host_name, ""))
    return render(request, page, breadcrumbs=crumbs)


def _line(rule: RemedyRule) -> Line:
    after = STATE_WORDS[rule.after] if rule.after else None
    return Line(rule, PREDICTIONS[rule.predicted], STATE_WORDS[rule.before], after)


@routes.post("/compliance/hosts/{host}/remedy")
@gated(MANAGE, module=MODULE)
async def draft(request: web.Request) -> web.Response:
    """Compose what fixes the chosen rules of a host."""
    await posted(request)
    host = path_text(request, "host")
    form: MultiMapping[Any] = await request.post()
    chosen = selection(RESULTS, form)
    await service.target(call(request), host)
    if chosen.matching is None and not chosen.ids:
        return back(request, f"/compliance/hosts/{host}", "attention", "No rule was chosen.")
    refs = list(chosen.ids) if chosen.matching is None else await _matching(call(request), host, chosen.matching)
    try:
        made = await remedies.draft(call(request), host, refs)
    except Problem as refused:
        return back(request, f"/compliance/hosts/{host}", "bad", str(refused))
    raise web.HTTPSeeOther(f"{HERE}/{made.id}")


async def _matching(asked: Call, host: str, wanted: Wanted) -> list[str]:
    """Return the failing rules of a host that the list was narrowed to; waived ones only where it asks for them."""
    scan = next((one for one in await service.latest(asked, host) if one["kind"] == "openscap"), None)
    if scan is None:
        return []
    everything = replace(sought(wanted, extra="waived"), limit=_MOST_RULES, offset=0)
    found, _ = await service.results(asked, scan["id"], everything)
    waived = wanted.value("waived") == "yes"
    return [row["ref"] for row in found if row["state"] == "f" and (waived or row["waived_until"] is None)]


async def _do(request: web.Request, deed: Callable[[str], Awaitable[Remedy]], said: str) -> web.Response:
    await posted(request)
    here = f"{HERE}/{path_text(request, 'remedy')}"
    try:
        await deed(path_text(request, "remedy"))
    except RemedyMissing:
        # Nothing to go back to.
        raise
    except Problem as refused:
        return back(request, here, "bad", str(refused))
    return back(request, here, "good", said)


@routes.post(f"{HERE}/{{remedy}}/check")
@gated(MANAGE, module=MODULE)
async def check(request: web.Request) -> web.Response:
    """Try it."""
    return await _do(request, lambda one: remedies.check(call(request), one), "The dry run is on its way.")


@routes.post(f"{HERE}/{{remedy}}/apply")
@gated(MANAGE, module=MODULE)
async def apply(request: web.Request) -> web.Response:
    """Approve and apply it."""
    return await _do(request, lambda one: remedies.apply(call(request), one), "Approved. It is being applied.")


@routes.post(f"{HERE}/{{remedy}}/cancel")
@gated(MANAGE, module=MODULE)
async def cancel(request: web.Request) -> web.Response:
    """Give it up."""
    return await _do(request, lambda one: remedies.cancel(call(request), one), "Given up; nothing was changed.")


@routes.post(f"{HERE}/{{remedy}}/reject")
@gated(MANAGE, module=MODULE)
async def reject(request: web.Request) -> web.Response:
    """Turn it down."""
    reason = str((await posted(request)).get("reason", ""))
    return await _do(
        request, lambda one: remedies.reject(call(request), one, reason), "Turned down; nothing was changed."
    )
