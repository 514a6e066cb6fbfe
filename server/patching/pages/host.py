"""A host's tab of its runs."""

from dataclasses import dataclass, replace
from typing import ClassVar, Final

from aiohttp import web

from server.hosts import service as hosts
from server.hosts.models import Action, HostHead, Tab
from server.patching import history
from server.patching.pages import words
from server.patching.pages.frame import VIEW, is_on, may_manage
from server.patching.pages.runs import HISTORY, sought
from server.web.formats import link
from server.web.navigation import HostTab, host_tabs
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text
from server.web.tables import Column, Listing, Table, Wanted, listing, parse, settled

routes: Final = Routes()
HOST_TABS: Final = (HostTab("patching", "Patching", 45),)

RUNS: Final = Table(
    name="host-runs",
    path="/hosts/{host}/patching",
    noun="run",
    columns=(
        Column("type", "What", place="title", fixed=True),
        Column("status", "Status", sortable=True, place="state"),
        Column("by", "Initiated by"),
        Column("created_at", "Asked for", sortable=True, first="desc"),
        Column("started_at", "Started", sortable=True, first="desc"),
        Column("completed_at", "Completed", sortable=True, first="desc"),
        Column("output", "Output", fixed=True, place="prose"),
    ),
    filters=HISTORY.filters[:2],
    sort="created_at",
    direction="desc",
    size=25,
    empty="No patch run of this host yet.",
    empty_icon="package",
)
_CHIPS: Final = (
    ("queued", "Queued"),
    ("running", "Running"),
    ("completed", "Completed"),
    ("failed", "Failed"),
    ("pending_approval", "Approval pending"),
)


@dataclass(frozen=True, slots=True)
class HostRunsPage(Page):
    """templates/patching/host.html; without its module ``listing`` is ``None``.

    Attributes:
        chips: word, number, the address of the runs it counts, and whether they are what is shown.
        patch_url: where patching this host begins; empty for who may not, and on Windows.
    """

    template: ClassVar[str] = "patching/host.html"
    title: ClassVar[str] = "Patching"
    host: HostHead
    tabs: list[Tab]
    actions: list[Action]
    listing: Listing | None
    rows: list[words.RunRow]
    chips: list[tuple[str, int, str, bool]]
    patch_url: str
    can_switch: bool


@routes.get("/hosts/{host}/patching")
@gated(VIEW)
async def show(request: web.Request) -> web.Response:
    """Show the runs of a host."""
    asked = call(request)
    head, tabs, actions = await hosts.framed(asked, path_text(request, "host"), host_tabs(request), "patching")
    crumbs = (("Hosts", "/hosts"), (head.name, head.url), ("Patching", ""))
    if not await is_on(request):
        switch = asked.actor.may("can_manage_settings")
        return render(request, HostRunsPage(head, tabs, actions, None, [], [], "", switch), breadcrumbs=crumbs)
    wanted = parse(replace(RUNS, path=f"{head.url}/patching"), request.query)
    headers = settled(request, wanted)
    lines, total = await history.page(asked, sought(wanted, head.id))
    counts = await history.counts_of_host(asked, head.id)
    page = HostRunsPage(
        host=head,
        tabs=tabs,
        actions=actions,
        listing=listing(wanted, total, may=asked.actor.may),
        rows=[words.row(line) for line in lines],
        chips=[_chip(wanted, word, counts, status) for status, word in _CHIPS],
        patch_url=_patch_url(head) if may_manage(request) else "",
        can_switch=False,
    )
    return render(request, page, headers=headers, breadcrumbs=crumbs)


def _chip(wanted: Wanted, word: str, counts: dict[str, int], status: str) -> tuple[str, int, str, bool]:
    chosen = wanted.value("status") == status
    return word, counts[status], wanted.address(status=None if chosen else status), chosen


def _patch_url(head: HostHead) -> str:
    windows = "windows" in (head.os_type + head.expected_platform).lower()
    return "" if windows else link("/patching/new", {"type": "patch_all", "host": head.id})
