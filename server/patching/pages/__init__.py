"""The pages of patching."""

from collections.abc import Sequence
from typing import Final

from aiohttp import web

from server.core.call import Call
from server.identity import service as identity
from server.patching import history
from server.patching.pages import host, overview, policies, run, runs, wizard, words
from server.patching.pages.frame import MANAGE, MODULE, POLICIES, VIEW
from server.web.happened import PACKAGE_DEEDS, Deed
from server.web.navigation import Action, Entry

routes: Final = (*overview.routes, *runs.routes, *run.routes, *policies.routes, *host.routes, *wizard.routes)
ENTRIES: Final = (Entry("Change", "Patching", "/patching", "shield-check", 10, VIEW, module=MODULE), *policies.ENTRIES)
HOST_TABS: Final = host.HOST_TABS
ACTIONS: Final = (
    Action(
        "Patch hosts", "/patching/new?type=patch_all", "package", MANAGE, "update upgrade packages security run", MODULE
    ),
    Action("Create a patch policy", "/patching?tab=policies&new=1", "plus", MANAGE, "new schedule delay", POLICIES),
)


def set_up(app: web.Application) -> None:
    """Tell the pages of packages which runs had them in their hands."""
    app[PACKAGE_DEEDS] = _deeds


async def _deeds(call: Call, package: str) -> Sequence[Deed]:
    if MODULE not in await identity.modules(call):
        return ()
    found = []
    for one in await history.upgrades(call, package):
        word, state = words.status_word(one.status)
        url = f"/patching/runs/{one.run}"
        found.append(Deed(one.at, one.host_id, one.host_name, word, state, url, one.before, one.after))
    return found
