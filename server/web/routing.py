"""Routes that state their gate; a route without one is closed and stops the start."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeVar

from aiohttp import web

from server.core.call import NOBODY, Actor, Call, World
from server.core.queue import Task

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
H = TypeVar("H", bound=Handler)

WORLD: Final = web.AppKey("world", World)
#: Who asks, when, over what; the request's id; and the value of a form cookie that this answer sets.
CALL: Final = web.RequestKey("call", Call)
REQUEST_ID: Final = web.RequestKey("request_id", str)
FORM_COOKIE: Final = web.RequestKey("form_cookie", str)

#: The one page among the programs' routes.
API_DOCS: Final = "/api/v1/api-docs"

GateKind = Literal["permission", "signed_in", "open", "agent"]
#: How often one address may pass in a while; each group counts for itself, and each has its own settings.
LimitGroup = Literal["general", "auth", "agent", "password"]
_GATE: Final = "__gate__"


@dataclass(frozen=True, slots=True)
class Gate:
    """Who may pass.

    Attributes:
        kind: permission (signed in and holding one of ``permissions``), signed_in, open, agent (host credentials).
        permissions: any one of these is enough.
        module: capability module that must be switched on.
        reason: why a route is open to all.
        plain: refusals are plain text (the agent socket's contract).
        while_enrolling: open also to who must first set up a second factor.
        missing: what an agent without credentials reads, where that is another sentence than everywhere.
        limits: the groups in which a request counts; who is over in any of them is sent away with 429.
    """

    kind: GateKind
    permissions: tuple[str, ...] = ()
    module: str = ""
    reason: str = ""
    plain: bool = False
    limits: tuple[LimitGroup, ...] = ()
    while_enrolling: bool = False
    missing: str = ""


def gated(
    *permissions: str,
    module: str = "",
    limit: LimitGroup | None = None,
    while_enrolling: bool = False,
    counted: bool = True,
) -> Callable[[H], H]:
    """Let in signed-in people and tokens holding any of ``permissions``; none named: everyone signed in.

    Every such request counts as general, unless it is one of thousands that a single play makes (``counted``);
    ``limit`` names a narrower group on top. ``while_enrolling`` lets in also who must first set up a second factor.
    """
    limits: tuple[LimitGroup, ...] = ("general",) if counted else ()
    limits = limits if limit is None else (*limits, limit)
    kind: GateKind = "permission" if permissions else "signed_in"
    return _mark(Gate(kind, permissions, module, limits=limits, while_enrolling=while_enrolling))


def open_to_all(reason: str, *, limit: LimitGroup | None = None) -> Callable[[H], H]:
    """Let everyone in, and say why; without ``limit`` as often as they like."""
    return _mark(Gate("open", reason=reason, limits=() if limit is None else (limit,)))


def agent_only(*, plain: bool = False, limit: LimitGroup | None = None, missing: str = "") -> Callable[[H], H]:
    """Let in hosts with valid ``X-API-ID`` and ``X-API-KEY``; without ``limit`` as often as they like."""
    return _mark(Gate("agent", plain=plain, limits=() if limit is None else (limit,), missing=missing))


def _mark(gate: Gate) -> Callable[[H], H]:
    def mark(handler: H) -> H:
        setattr(handler, _GATE, gate)
        return handler

    return mark


def gate_of(handler: object) -> Gate | None:
    """Return the gate stated on a handler."""
    return getattr(handler, _GATE, None)


class Routes(web.RouteTableDef):
    """A room's routes, collected where the handlers stand."""


def ungated(app: web.Application) -> list[str]:
    """Return every route of our own that states no gate; the static files are the one exception."""
    return [
        f"{route.method} {route.resource.canonical if route.resource else '?'}"
        for route in app.router.routes()
        if gate_of(route.handler) is None and not isinstance(route.resource, web.StaticResource)
    ]


def world(request: web.Request) -> World:
    """Return the opened resources."""
    return request.config_dict[WORLD]


def work(request: web.Request) -> tuple[Task, ...]:
    """Return every room's background work."""
    return request.config_dict[WORK]


def call(request: web.Request) -> Call:
    """Return who asks, when, over what: what every use case takes."""
    found: Call | None = request.get(CALL)
    return found if found is not None else Call(world(request), NOBODY)


def set_actor(request: web.Request, actor: Actor) -> None:
    """Record who the doorkeeper found; once per request."""
    request[CALL] = call(request).acting_as(actor)


def path_text(request: web.Request, name: str) -> str:
    """Return a part of the path."""
    return request.match_info[name]


def wants_html(request: web.Request) -> bool:
    """Tell whether a browser asked for a page rather than a program for JSON."""
    is_page = not request.path.startswith("/api/") or request.path.startswith(API_DOCS)
    return is_page and "text/html" in request.headers.get("Accept", "text/html")


def is_fragment(request: web.Request) -> bool:
    """Tell whether htmx asked for a part of the page."""
    return request.headers.get("HX-Request") == "true"


Verifier = Callable[[Call, str, str], Awaitable[Actor]]
#: How the doorkeeper turns X-API-ID and X-API-KEY into an actor; the hosts room sets it.
AGENT_VERIFIER: Final[web.AppKey[Verifier]] = web.AppKey("agent_verifier")

Relayer = Callable[[web.Request, Call], Awaitable[web.StreamResponse]]
#: How whoever was recognised by other credentials than the doorkeeper's relays; the automation room sets it.
RELAYER: Final[web.AppKey[Relayer]] = web.AppKey("relayer")

#: Every room's background work (``core.queue.Task``), for the room that shows it.
WORK: Final[web.AppKey[tuple[Task, ...]]] = web.AppKey("work", tuple)

#: Where upper rooms register for agent messages before the channel opens: each entry opens an inbox
#: (``channel.models.OpenInbox``).
AGENT_INBOXES: Final = web.AppKey("agent_inboxes", list)
#: Who turns jobs into commands of existing agents; the automation room says what each looks like.
TRANSLATORS: Final = web.AppKey("translators", list)
