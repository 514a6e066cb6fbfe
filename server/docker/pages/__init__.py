"""Containers, images, volumes and networks in the browser, one module per kind of page."""

from typing import Final

from server.docker.pages import deeds, detail, fleet, host
from server.docker.pages.frame import MODULE, VIEW
from server.web.navigation import Entry

routes: Final = (*fleet.routes, *host.routes, *detail.routes, *deeds.routes)
ENTRIES: Final = (Entry("Fleet", "Docker", "/docker", "brand-docker", 50, VIEW, module=MODULE),)
HOST_TABS: Final = host.HOST_TABS
