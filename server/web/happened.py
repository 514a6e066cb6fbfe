"""What happened to a thing, as told by rooms above the one that shows the thing."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from aiohttp import web

from server.core.call import Call


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that was done to it on a host; ``url`` says all about it, an empty version is one that is not there."""

    at: datetime
    host_id: str
    host_name: str
    word: str
    state: Literal["good", "attention", "bad", "neutral"]
    url: str
    before: str
    after: str


DeedsReader = Callable[[Call, str], Awaitable[Sequence[Deed]]]
#: Who tells what was done to the package of a name, newest first; a room above sets it.
PACKAGE_DEEDS: Final[web.AppKey[DeedsReader]] = web.AppKey("package_deeds")
