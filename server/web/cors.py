"""Which pages in browsers may use the API, and under which names it answers."""

from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from server.core.errors import Refused
from server.web import edge
from server.web.edge import EdgePolicy
from server.web.problems import json_answer
from server.web.proxy import origin
from server.web.routing import Handler, gate_of

_API: Final = "/api/"
_ANY: Final = "*"
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_METHODS: Final = "GET, POST, PUT, PATCH, DELETE, OPTIONS"
_HEADERS: Final = "Content-Type, Authorization, X-API-ID, X-API-KEY, X-Device-ID"
_PREFLIGHT_SECONDS: Final = "300"
_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
#: What the answer says to the browser; decided on the way in, so that refusals carry it too.
_DECIDED: Final = web.RequestKey("cors_headers", dict)


class WrongHost(Refused):
    """The API was called by a name that is not one of its own (a page may have made the browser do that)."""

    code = "host_mismatch"
    text = "Host not allowed: {host}. Add its origin to CORS_ORIGIN."


class WrongForwardedHost(WrongHost):
    """The same for the name that a proxy passes on."""

    code = "cors_mismatch"


@web.middleware
async def cors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer preflights, refuse foreign names and foreign pages' sockets, and note what the answer has to say."""
    # Apart, because an agent's socket stays for weeks and must not keep what was decided about it.
    answer = await _answered_at_the_gate(request) if request.path.startswith(_API) else None
    return await handler(request) if answer is None else answer


async def _answered_at_the_gate(request: web.Request) -> web.Response | None:
    policy = await edge.policy(request)
    demand_known_host(request, policy)
    asker = request.headers.get("Origin", "")
    allowed = not asker or is_allowed(request, policy, asker)
    if asker:
        request[_DECIDED] = {"Vary": "Origin", **(_permission(policy, asker) if allowed else {})}
    if _is_browser_socket(request) and asker and not _may_open_sockets(request, policy, asker):
        return web.Response(status=403, text="Forbidden: origin not allowed")
    if request.method == "OPTIONS":
        return _preflight(allowed=allowed)
    return None


def headers(request: web.Request) -> dict[str, str]:
    """Return what this request's answer has to say to the browser."""
    decided: dict[str, str] = request.get(_DECIDED, {})
    return decided


def demand_known_host(request: web.Request, policy: EdgePolicy) -> None:
    """Refuse an API request made under a name that is not ours; no gate while no origin is configured."""
    if not policy.hosts:
        return
    forwarded = request.headers.get("X-Forwarded-Host")
    if forwarded is not None:
        name = forwarded.rsplit(",", 1)[-1].strip()
        if _name(name) not in policy.hosts:
            raise WrongForwardedHost(host=name)
    elif _name(request.host) not in policy.hosts | _LOOPBACK:
        raise WrongHost(host=request.host)


def is_allowed(request: web.Request, policy: EdgePolicy, asker: str) -> bool:
    """Tell whether pages of this origin may use the API: our own, listed ones, or any when "*" is listed."""
    return _ANY in policy.origins or asker in policy.origins or _is_own(request, asker)


def _may_open_sockets(request: web.Request, policy: EdgePolicy, asker: str) -> bool:
    # Browsers send cookies with every socket, so "*" is not enough here.
    return asker in policy.origins or _is_own(request, asker)


def _permission(policy: EdgePolicy, asker: str) -> dict[str, str]:
    common = {"Access-Control-Allow-Methods": _METHODS, "Access-Control-Allow-Headers": _HEADERS}
    if asker in policy.origins:
        return {**common, "Access-Control-Allow-Origin": asker, "Access-Control-Allow-Credentials": "true"}
    if _ANY in policy.origins:
        return {**common, "Access-Control-Allow-Origin": _ANY}
    return {}


def _preflight(*, allowed: bool) -> web.Response:
    if not allowed:
        return json_answer({"error": "Origin not allowed", "code": "origin_not_allowed"}, status=403)
    return web.Response(status=204, headers={"Access-Control-Max-Age": _PREFLIGHT_SECONDS})


def _is_browser_socket(request: web.Request) -> bool:
    # An agent's socket has credentials of its own and no cookie: its Origin, whatever it says, decides nothing.
    gate = gate_of(request.match_info.handler)
    return request.headers.get("Upgrade", "").lower() == "websocket" and (gate is None or gate.kind != "agent")


def _is_own(request: web.Request, asker: str) -> bool:
    # By name and port: the scheme is lost behind a proxy that is not trusted.
    theirs = urlsplit(asker)
    ours = urlsplit(f"{theirs.scheme}://{origin(request).host}")
    try:
        return bool(theirs.hostname) and (theirs.hostname, _port(theirs.scheme, theirs.port)) == (
            ours.hostname,
            _port(theirs.scheme, ours.port),
        )
    except ValueError:
        return False


def _port(scheme: str, port: int | None) -> int | None:
    return port if port is not None else _PORTS.get(scheme)


def _name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
