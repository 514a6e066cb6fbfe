"""What the operator decided about the edge of the server: read by the porch, provided by the settings."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web

from server.core.call import Call
from server.web.routing import LimitGroup, call


@dataclass(frozen=True, slots=True)
class Budget:
    """How many requests one address may make within a window."""

    most: int
    window_ms: int


@dataclass(frozen=True, slots=True)
class EdgePolicy:
    """The decisions.

    Attributes:
        budgets: what each group may do; a group that is not named here has no limit.
        origins: origins (``https://a.example:8443``) whose pages may use the API; "*" allows any, without cookies.
        hosts: names under which the API is reached; empty means any.
    """

    budgets: Mapping[LimitGroup, Budget] = field(default_factory=dict)
    origins: tuple[str, ...] = ()
    hosts: frozenset[str] = frozenset()


EdgeReader = Callable[[Call], Awaitable[EdgePolicy]]
#: Where the policy comes from; the settings room sets it. Read at every request, so it has to be quick.
EDGE: Final[web.AppKey[EdgeReader]] = web.AppKey("edge")


async def policy(request: web.Request) -> EdgePolicy:
    """Return what holds now."""
    return await request.config_dict[EDGE](call(request))
