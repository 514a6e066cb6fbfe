"""The pages of hosts, one module per noun."""

from typing import Final

from server.hosts.pages import detail, fleet, joining

routes: Final = (*fleet.routes, *joining.routes, *detail.routes)
ENTRIES: Final = fleet.ENTRIES
HOST_TABS: Final = detail.HOST_TABS
