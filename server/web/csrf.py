"""Protection against forged forms: a token bound to the browser's session, or to its pre-session cookie."""

import secrets
from collections.abc import Awaitable
from typing import Final

from aiohttp import web

from server.core.errors import Refused
from server.web.forms import posted
from server.web.routing import FORM_COOKIE, Handler, call, gate_of, world

COOKIE: Final = "patchmon_form"
_SALT_BYTES: Final = 8
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class ForgedForm(Refused):
    """A form that did not come from one of our pages."""

    code = "csrf"
    text = "This form is no longer valid. Reload the page and try again."


def token(request: web.Request) -> str:
    """Return the token for forms on this page.

    Every answer spells it differently, so that the size of compressed pages gives nothing of it away.
    """
    salt = secrets.token_hex(_SALT_BYTES)
    return salt + world(request).box.sign(_text(request, salt))


def _is_genuine(request: web.Request, given: str) -> bool:
    salt, signature = given[: 2 * _SALT_BYTES], given[2 * _SALT_BYTES :]
    return world(request).box.signed(_text(request, salt), signature)


def _text(request: web.Request, salt: str) -> str:
    return f"csrf:{salt}:{_subject(request)}"


def _subject(request: web.Request) -> str:
    # Signed in: the session; before that: a random cookie, so that the sign-in form is protected as well. The two are
    # told apart: whoever learns a session's id must not get its token by bringing that id as the cookie.
    session = call(request).actor.via
    return f"session {session}" if session else f"form {request.get(FORM_COOKIE) or request.cookies.get(COOKIE, '')}"


@web.middleware
def csrf(request: web.Request, handler: Handler) -> Awaitable[web.StreamResponse]:
    """Demand the token on every change asked for by a browser; programs with credentials in headers are exempt.

    No coroutine itself: an agent's socket keeps every one of the chain alive for weeks.
    """
    if COOKIE not in request.cookies:
        request[FORM_COOKIE] = secrets.token_urlsafe(24)
    return handler(request) if request.method in _SAFE else _genuine(request, handler)


async def _genuine(request: web.Request, handler: Handler) -> web.StreamResponse:
    if await _needs_token(request):
        given = request.headers.get("X-CSRF-Token") or str((await posted(request)).get("csrf", ""))
        if not _is_genuine(request, given):
            raise ForgedForm
    return await handler(request)


async def _needs_token(request: web.Request) -> bool:
    gate = gate_of(request.match_info.handler)
    if gate is not None and gate.kind == "agent":
        return False
    if request.path.startswith("/api/"):
        # A cookie alone must not be enough for a program's route either, unless the page says where it comes from;
        # nor may a foreign form sign anybody in, and forms cannot send JSON as what it is.
        return (
            (call(request).actor.kind == "person" or request.content_type != "application/json")
            and "Authorization" not in request.headers
            and not _same_origin(request)
        )
    return True


def _same_origin(request: web.Request) -> bool:
    fetch_site = request.headers.get("Sec-Fetch-Site")
    if fetch_site is not None:
        return fetch_site in {"same-origin", "none"}
    origin = request.headers.get("Origin")
    return origin is None or origin.split("://", 1)[-1] == request.host
