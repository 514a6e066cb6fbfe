"""Containers, images, volumes and networks for people's programs."""

from typing import Final

from server.docker.api import lists, records

routes: Final = (*lists.routes, *records.routes)
