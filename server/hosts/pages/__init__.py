"""The pages of hosts, one module per noun."""

from typing import Final

from server.hosts.pages import bulk, cells, detail, fleet, groups, joining, rollouts, upkeep

routes: Final = (
    *fleet.routes,
    *bulk.routes,
    *cells.routes,
    *joining.routes,
    *groups.routes,
    *detail.routes,
    *upkeep.routes,
    *rollouts.routes,
)
ENTRIES: Final = (*fleet.ENTRIES, *groups.ENTRIES, *rollouts.ENTRIES)
ACTIONS: Final = groups.ACTIONS
HOST_TABS: Final = (*detail.HOST_TABS, *upkeep.HOST_TABS)
