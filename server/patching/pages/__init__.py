"""The pages of patching."""

from typing import Final

from server.patching.pages import host, overview, policies, run, runs, wizard
from server.patching.pages.frame import MANAGE, MODULE, VIEW
from server.web.navigation import Action, Entry

routes: Final = (*overview.routes, *runs.routes, *run.routes, *policies.routes, *host.routes, *wizard.routes)
ENTRIES: Final = (Entry("Change", "Patching", "/patching", "shield-check", 10, VIEW, module=MODULE), *policies.ENTRIES)
HOST_TABS: Final = host.HOST_TABS
ACTIONS: Final = (
    Action("Patch hosts", "/patching/new?type=patch_all", "package", MANAGE, "update upgrade packages security run"),
    Action("Create a patch policy", "/patching?tab=policies&new=1", "plus", MANAGE, "new schedule delay"),
)
