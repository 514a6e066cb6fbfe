"""Packages and repositories in the browser, one module per page."""

from typing import Final

from server.packages.pages import fleet, host, package, repositories, repository
from server.web.navigation import Entry

routes: Final = (*fleet.routes, *package.routes, *repositories.routes, *repository.routes, *host.routes)

ENTRIES: Final = (
    Entry("Fleet", "Packages", "/packages", "package", 30, "can_view_packages"),
    Entry("Fleet", "Repositories", "/repositories", "stack-2", 40, "can_view_hosts"),
)
HOST_TABS: Final = host.HOST_TABS
