"""The list of campaigns, and one of them with its waves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

from aiohttp import web

from server.campaigns import service
from server.campaigns.models import LIVE, OPEN, Cause, HostState, Listed, Progress, Row, Status
from server.campaigns.pages import words
from server.campaigns.pages.frame import CAMPAIGNS, CRUMB, MANAGE, MODULE, VIEW, back, may_manage
from server.campaigns.rules import Happening as P
from server.web.filters import Filter
from server.web.forms import posted
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text
from server.web.tables import Column, Listing, Table, listing, parse, settled

routes: Final = Routes()

TABLE: Final = Table(
    name="campaigns",
    path="/patching/campaigns",
    noun="campaign",
    columns=(
        Column("name", "Campaign", place="title", fixed=True),
        Column("status", "Status", place="state"),
        Column("hosts", "Hosts"),
        Column("wave", "Wave", numeric=True),
        Column("window", "Window", shown=False),
        Column("by", "By"),
        Column("at", "Begins"),
        Column("finished", "Finished"),
    ),
    filters=(Filter("status", "Status", "choice", words.STATUSES), Filter("window", "Window")),
    search="Search campaigns by name",
    size=25,
    empty="No campaign yet. A campaign patches many hosts in waves, and stops when too many fail.",
    empty_icon="git-branch",
)
#: A wave shows its hosts one by one up to here; above it only their numbers.
SQUARES: Final = 300
#: Rows of the table before somebody asks for all of them.
_HOSTS_SHOWN: Final = 50
_HOSTS_MOST: Final = 2000


@dataclass(frozen=True, slots=True)
class CampaignsPage(Page):
    """templates/campaigns/list.html."""

    template: ClassVar[str] = "campaigns/list.html"
    title: ClassVar[str] = "Campaigns"
    listing: Listing
    rows: list[words.CampaignRow]
    can_manage: bool


@dataclass(frozen=True, slots=True)
class Square:
    """A host of a wave: where it is, and its run."""

    name: str
    word: str
    state: words.State
    url: str
    live: bool


@dataclass(frozen=True, slots=True)
class WaveColumn:
    """A wave as the page shows it; ``squares`` is empty when there are too many hosts."""

    number: int
    hosts: int
    phase: str
    counts: list[tuple[str, int, words.State]]
    squares: list[Square]
    started_at: datetime | None
    finished_at: datetime | None
    check: tuple[str, words.State] | None
    check_url: str
    forgiven: int


@dataclass(frozen=True, slots=True)
class HostRow:
    """A host of a campaign in its table."""

    name: str
    url: str
    wave: int
    word: str
    state: words.State
    reason: str
    packages: int | None
    run_url: str
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class CampaignPage(Page):
    """templates/campaigns/campaign.html.

    Attributes:
        can: what this person can do to it now, by the names of the actions.
        shown: the state whose hosts the table shows; empty for all.
        beyond: how many more hosts there are than rows.
    """

    template: ClassVar[str] = "campaigns/campaign.html"
    title: ClassVar[str] = "Campaign"
    campaign: words.CampaignRow
    row: Row
    progress: Progress
    causes: Sequence[Cause]
    waves: list[WaveColumn]
    facts: list[tuple[str, str]]
    can: set[str]
    hosts: list[HostRow]
    shown: str
    states: list[tuple[str, int, words.State]]
    beyond: int


@routes.get("/patching/campaigns")
@gated(VIEW, module=MODULE)
async def show_list(request: web.Request) -> web.Response:
    """Show the campaigns, newest first."""
    asked = call(request)
    wanted = parse(TABLE, request.query)
    headers = settled(request, wanted)
    window = wanted.window
    sought = Listed(wanted.value("status"), wanted.value("window"), wanted.search, window.size, window.offset)
    rows, total = await service.page(asked, sought)
    shown = CampaignsPage(
        listing=listing(wanted, total, may=asked.actor.may),
        rows=[words.row(one) for one in rows],
        can_manage=may_manage(request),
    )
    return render(request, shown, headers=headers, breadcrumbs=(CRUMB, ("Campaigns", "")))


@routes.get("/patching/campaigns/{campaign}")
@gated(VIEW, module=MODULE)
async def show(request: web.Request) -> web.Response:
    """Show one campaign: its progress, its waves, why hosts failed, and its hosts."""
    asked = call(request)
    found = await service.fetch(asked, path_text(request, "campaign"))
    state = request.query.get("state", "")
    state = state if state in set(HostState) else ""
    hosts = await service.hosts_of(
        asked, found["id"], state=state, limit=_HOSTS_MOST if "all" in request.query else _HOSTS_SHOWN
    )
    total = found["counts"].get(state, 0) if state else sum(found["counts"].values())
    shown = CampaignPage(
        campaign=words.row(found),
        row=found,
        progress=found["progress"],
        causes=found["causes"],
        waves=[await _wave(request, found, wave) for wave in found["wave_list"]],
        facts=words.facts(found["plan"]),
        can=_can(request, found),
        hosts=[_host(one) for one in hosts],
        shown=state,
        states=words.counts(found["counts"]),
        beyond=total - len(hosts),
    )
    return render(request, shown, breadcrumbs=(CRUMB, CAMPAIGNS, (found["name"], "")))


async def _wave(request: web.Request, found: Row, wave: dict[str, Any]) -> WaveColumn:
    few = wave["hosts"] <= SQUARES
    hosts = await service.hosts_of(call(request), found["id"], wave=wave["number"], limit=SQUARES) if few else []
    return WaveColumn(
        number=wave["number"],
        hosts=wave["hosts"],
        phase=_phase(found, wave),
        counts=words.counts(wave["counts"]),
        squares=[_square(one) for one in hosts],
        started_at=wave["started_at"],
        finished_at=wave["finished_at"],
        check=words.check_word(wave["check_status"]),
        check_url=f"/jobs/{wave['check_job']}" if wave["check_job"] else "",
        forgiven=wave["forgiven"],
    )


def _phase(found: Row, wave: dict[str, Any]) -> str:
    """Return where a wave is in one word."""
    if wave["finished_at"] is not None:
        return (
            found["status"]
            if wave["number"] == found["wave"] and found["status"] in {"soaking", "checking"}
            else "done"
        )
    if wave["started_at"] is None:
        return "waiting" if found["status"] in {*LIVE, Status.PAUSED} else "not begun"
    return "running" if found["status"] in LIVE else words.status_word(found["status"])[0].lower()


def _square(host: Row) -> Square:
    word, state = words.HOST_STATES[HostState(host["state"])]
    return Square(host["host_name"], word, state, _run_url(host), host["state"] in OPEN)


def _host(host: Row) -> HostRow:
    word, state = words.HOST_STATES[HostState(host["state"])]
    return HostRow(
        name=host["host_name"],
        url=f"/hosts/{host['host_id']}" if host["host_exists"] else "",
        wave=host["wave"],
        word=word.capitalize(),
        state=state,
        reason=host["reason"] or "",
        packages=host["packages"] if host["finished_at"] is not None else None,
        run_url=_run_url(host) if host["run_id"] else "",
        started_at=host["started_at"],
        finished_at=host["finished_at"],
    )


def _run_url(host: Row) -> str:
    return f"/patching/runs/{host['run_id']}" if host["run_id"] else f"/hosts/{host['host_id']}"


_ACTIONS: Final = {
    "launch": P.LAUNCH,
    "approve": P.APPROVE,
    "pause": P.PAUSE,
    "resume": P.RESUME,
    "relaunch": P.RELAUNCH,
    "abandon": P.ABANDON,
}


def _can(request: web.Request, found: Row) -> set[str]:
    if not may_manage(request):
        return set()
    status = found["status"]
    can = {name for name, happening in _ACTIONS.items() if words.may(status, happening)}
    bad = sum(found["counts"].get(state, 0) for state in ("failed", "cancelled", "withdrawn"))
    if not bad:
        can.discard("relaunch")
    if found["dry_run"] and status in {Status.COMPLETED, Status.STOPPED}:
        can.add("repeat")
    if status in {Status.DRAFT, Status.AWAITING_APPROVAL, Status.SCHEDULED} and found["window_id"] is None:
        can.add("delete")
    return can


# ---------------------------------------------------------------- acting


_DONE: Final = {
    "launch": (service.launch, "The campaign is on its way."),
    "approve": (service.approve, "Approved. It starts when its time has come."),
    "pause": (service.pause, "Paused: nothing more begins. What is on a host goes on."),
    "resume": (service.resume, "The campaign goes on."),
    "relaunch": (service.relaunch, "The hosts that did not succeed run again."),
    "abandon": (service.abandon, "Abandoned: what did not begin was withdrawn."),
}


@routes.post("/patching/campaigns/{campaign}/launch")
@routes.post("/patching/campaigns/{campaign}/approve")
@routes.post("/patching/campaigns/{campaign}/pause")
@routes.post("/patching/campaigns/{campaign}/resume")
@routes.post("/patching/campaigns/{campaign}/relaunch")
@routes.post("/patching/campaigns/{campaign}/abandon")
@gated(MANAGE, module=MODULE)
async def act(request: web.Request) -> web.Response:
    """Do what a button of the page says."""
    await posted(request)
    verb, said = _DONE[request.path.rpartition("/")[2]]
    found = await verb(call(request), path_text(request, "campaign"))
    return back(request, f"/patching/campaigns/{found['id']}", said)


@routes.post("/patching/campaigns/{campaign}/repeat")
@gated(MANAGE, module=MODULE)
async def repeat(request: web.Request) -> web.Response:
    """Make the real campaign after a dry one."""
    await posted(request)
    made = await service.repeat_for_real(call(request), path_text(request, "campaign"))
    return back(request, f"/patching/campaigns/{made['id']}", "This is the real one, with the same hosts and waves.")


@routes.post("/patching/campaigns/{campaign}/delete")
@gated(MANAGE, module=MODULE)
async def delete(request: web.Request) -> web.Response:
    """Remove a campaign that never started."""
    await posted(request)
    await service.delete(call(request), path_text(request, "campaign"))
    return back(request, "/patching/campaigns", "The campaign was deleted. It never began.")
