"""The pages of hosts, one module per noun."""

from typing import Final

from server.hosts.pages import bulk, cells, detail, fleet, groups, joining, upkeep

routes: Final = (
    *fleet.routes,
    *bulk.routes,
    *cells.routes,
    *joining.routes,
    *groups.routes,
    *detail.routes,
    *upkeep.routes,
)
ENTRIES: Final = (*fleet.ENTRIES, *groups.ENTRIES)
ACTIONS: Final = groups.ACTIONS
HOST_TABS: Final = (*detail.HOST_TABS, *upkeep.HOST_TABS)
