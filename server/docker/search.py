"""What of Docker the search finds: containers and images, by name."""

from collections.abc import Sequence
from typing import Final

from server.core.call import Call
from server.core.paging import Window
from server.docker import fleet
from server.docker.views import Asked
from server.identity import service as identity
from server.web.searching import Hit, Searcher

_MODULE: Final = "docker"


async def _containers(call: Call, words: str, limit: int) -> Sequence[Hit]:
    if _MODULE not in await identity.modules(call):
        return []
    page = await fleet.containers(call, Asked(search=words, sort="name", window=Window(1, limit)))
    return [Hit(one.name, one.url, f"{one.status} on {one.host.name}", one.id) for one in page.items]


async def _images(call: Call, words: str, limit: int) -> Sequence[Hit]:
    if _MODULE not in await identity.modules(call):
        return []
    page = await fleet.images(call, Asked(search=words, window=Window(1, limit)))
    return [Hit(one.name, one.url, one.update and f"newer: {one.update}", one.id) for one in page.items]


SEARCHERS: Final = (
    Searcher("Containers", "box", "can_view_hosts", _containers, kind="docker_container", order=1),
    Searcher("Images", "stack-2", "can_view_hosts", _images, kind="docker_image", order=1),
)
