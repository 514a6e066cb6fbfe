"""Small numbers beside the entries of the navigation, read before a page is made of it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final

from aiohttp import hdrs, web

from server.core.call import Call
from server.web.routing import call, is_fragment, wants_html


@dataclass(frozen=True, slots=True)
class Badge:
    """A number beside an entry, and what it says in words."""

    text: str
    hint: str


BadgesReader = Callable[[Call], Awaitable[Mapping[str, Badge]]]
#: Where they come from, by the address of the entry; a room above sets it.
BADGES: Final[web.AppKey[BadgesReader]] = web.AppKey("badges")
_READ: Final = web.RequestKey("badges_read", dict[str, Badge])


async def read(request: web.Request) -> None:
    """Read what stands beside the navigation of this request's page, if it answers one."""
    reader = request.config_dict.get(BADGES)
    is_page = request.method == hdrs.METH_GET and wants_html(request) and not is_fragment(request)
    if reader is not None and is_page and call(request).actor.kind == "person":
        request[_READ] = dict(await reader(call(request)))


def badges(request: web.Request) -> Mapping[str, Badge]:
    """Return what was read; nothing for what is no page."""
    found: Mapping[str, Badge] = request.get(_READ, {})
    return found
