"""The order of middlewares, and what every answer carries."""

import asyncio
import re
import secrets
from collections.abc import Awaitable
from http.cookies import SimpleCookie
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from server.core.call import NOBODY, Call
from server.core.log import get_log, request_id_var
from server.web import assets, compression, cors, csrf, limits, meters, problems
from server.web.proxy import origin
from server.web.routing import CALL, FORM_COOKIE, REQUEST_ID, Handler, world

log = get_log(__name__)

STATIC: Final = assets.FOLDER
_REQUEST_SECONDS: Final = 30.0
_REQUEST_ID: Final = re.compile(r"^[A-Za-z0-9._-]{1,64}$")
_POLICY: Final = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "X-XSS-Protection": "1; mode=block",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
#: Handlers that stay open (streams, sockets) state this name in their route's ``name``.
_LONG: Final = frozenset({"stream", "socket", "download", "upload"})


def middlewares(doorkeeper: Middleware) -> list[Middleware]:
    """Return the middlewares, outermost first."""
    return [
        request_id,
        meters.metered,
        problems.problems,
        cors.cors,
        limits.limits,
        deadline,
        doorkeeper,
        csrf.csrf,
    ]


@web.middleware
async def request_id(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Give the request its id and start, echo the id, and log the answer."""
    given = request.headers.get("X-Request-ID", "")
    identifier = given if _REQUEST_ID.match(given) else secrets.token_hex(16)
    request_id_var.set(identifier)
    request[CALL] = Call(world(request), NOBODY, request_id=identifier)
    request[REQUEST_ID] = identifier
    response = await handler(request)
    # Not a middleware of its own: an agent's socket keeps the whole chain alive for weeks.
    compression.compress(request, response)
    log.debug("request", method=request.method, path=request.path, status=response.status)
    return response


@web.middleware
def deadline(request: web.Request, handler: Handler) -> Awaitable[web.StreamResponse]:
    """End a handler after 30 s with 504, except streams, sockets and downloads.

    No coroutine itself: an agent's socket keeps every one of the chain alive for weeks.
    """
    name = (request.match_info.route.name or "").rsplit(".", 1)[-1]
    return handler(request) if name in _LONG else _ended_in_time(request, handler)


async def _ended_in_time(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        async with asyncio.timeout(_REQUEST_SECONDS):
            return await handler(request)
    except TimeoutError as error:
        raise web.HTTPGatewayTimeout from error


async def headers(request: web.Request, response: web.StreamResponse) -> None:
    """Add what every answer carries; a signal, because streams send their headers before the handler returns."""
    if REQUEST_ID in request:
        response.headers["X-Request-ID"] = request[REQUEST_ID]
    # Not which program in which version: that only helps who looks for a hole.
    response.headers[hdrs.SERVER] = "PatchMon"
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    for name, value in cors.headers(request).items():
        if name == hdrs.VARY:
            compression.vary(response, value)
        else:
            response.headers[name] = value
    if request.path.startswith(assets.PREFIX) and response.status < 400:  # noqa: PLR2004 (refusals are not kept)
        # Modules import each other by plain names, so browsers ask for them each time; unchanged files cost a 304.
        response.headers.setdefault("Cache-Control", assets.caching(request.path, request.query.get("v", "")))
    # What an answer says is for the asker, unless it says otherwise.
    response.headers.setdefault("Cache-Control", "no-store")
    if world(request).env.hsts:
        response.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
    if FORM_COOKIE in request and response.content_type == "text/html":
        response.headers.add("Set-Cookie", _form_cookie(request))


def _form_cookie(request: web.Request) -> str:
    # As a header: by now the answer's own cookies are already written.
    cookie: SimpleCookie = SimpleCookie({csrf.COOKIE: request[FORM_COOKIE]})
    morsel = cookie[csrf.COOKIE]
    morsel["path"], morsel["samesite"] = "/", "Lax"
    morsel["httponly"], morsel["secure"] = True, origin(request).secure
    return morsel.OutputString()
