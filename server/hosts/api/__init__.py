"""Hosts and groups as JSON for people's programs, one module per noun."""

from typing import Final

from server.hosts.api import bulk, changes, fleet, groups, host, links, listing, switches

routes: Final = (
    *listing.routes,
    *bulk.routes,
    *fleet.routes,
    *host.routes,
    *groups.routes,
    *links.routes,
    *changes.routes,
    *switches.routes,
)
