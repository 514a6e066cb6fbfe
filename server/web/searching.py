"""Search across rooms: each room that has something to find lists its ``SEARCHERS`` in its ``search.py``."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from aiohttp import web

from server.core.call import Call

#: So many hits of each kind.
LIMIT: Final = 6
LEAST_LETTERS: Final = 2
_MOST_LETTERS: Final = 100


@dataclass(frozen=True, slots=True)
class Hit:
    """Something found: its name, its page, what tells it apart from others of that name, and its id for programs."""

    title: str
    url: str
    note: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Searcher:
    """What a room can find.

    Attributes:
        title: what the hits are, in the plural.
        search: takes the call, the words and how many hits are wanted, best first; only what the actor may see.
        more: where a list of all hits is; the words are appended.
        kind: what programs call one hit.
        order: who is higher stands lower; things that are often named after others let those go first.
    """

    title: str
    icon: str
    permission: str
    search: Callable[[Call, str, int], Awaitable[Sequence[Hit]]]
    more: str = ""
    kind: str = ""
    order: int = 0


Found = list[tuple[Searcher, Sequence[Hit]]]
SEARCH: Final = web.AppKey("searchers", tuple[Searcher, ...])


async def hits(call: Call, searchers: Sequence[Searcher], typed: str) -> Found:
    """Return what every room finds, in the order of the rooms; nothing for less than two letters."""
    words = " ".join(typed.replace("\x00", "").split())[:_MOST_LETTERS]
    if len(words) < LEAST_LETTERS:
        return []
    found = [
        (searcher, await searcher.search(call, words, LIMIT))
        for searcher in searchers
        if call.actor.may(searcher.permission)
    ]
    return [(searcher, some) for searcher, some in found if some]
