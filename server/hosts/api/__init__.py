"""Hosts and groups as JSON for people's programs, one module per noun."""

from typing import Final

from server.hosts.api import fleet, groups, host, links

routes: Final = (*fleet.routes, *host.routes, *groups.routes, *links.routes)
