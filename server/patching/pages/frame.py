"""What stands around the pages of patching: whether the module is on, and the way back."""

from dataclasses import dataclass
from typing import ClassVar, Final

from aiohttp import web

from server.identity import service as identity
from server.web.render import Page, render
from server.web.routing import call

VIEW: Final = "can_view_hosts"
MANAGE: Final = "can_manage_patching"
MODULE: Final = "patching"
POLICIES: Final = "patching_policies"
CRUMB: Final = ("Patching", "/patching")
RUNS: Final = ("Runs & History", "/patching?tab=runs")


@dataclass(frozen=True, slots=True)
class OffPage(Page):
    """templates/patching/off.html; ``tab`` is the one that was asked for, empty when there are no tabs either."""

    template: ClassVar[str] = "patching/off.html"
    title: ClassVar[str] = "Patching"
    name: str
    sentence: str
    tab: str
    can_switch: bool


async def is_on(request: web.Request, module: str = MODULE) -> bool:
    """Tell whether a module is switched on."""
    return module in await identity.modules(call(request))


def off(request: web.Request, tab: str = "") -> web.Response:
    """Show that patching (with a tab: its policies) is switched off."""
    can_switch = call(request).actor.may("can_manage_settings")
    page = (
        OffPage("Patch policies", "Policies say when the runs of hosts and groups begin.", tab, can_switch)
        if tab
        else OffPage(
            "Patching", "Runs that update the packages of hosts, tried first, approved and live.", "", can_switch
        )
    )
    return render(request, page)


def may_manage(request: web.Request) -> bool:
    """Tell whether this person starts, approves, stops and deletes runs."""
    return call(request).actor.may(MANAGE)
