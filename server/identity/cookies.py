"""The cookies that carry a session."""

from typing import Final

from aiohttp import web

from server.core.call import Call
from server.identity.doorkeeper import REFRESH_COOKIE, RENEWED, SESSION_COOKIE
from server.identity.models import Browser, SignedIn, Trust
from server.settings import service as settings
from server.web import routing
from server.web.proxy import origin

#: What a browser keeps that is not asked for a code.
TRUST_COOKIE: Final = "patchmon_device_trust"


async def give(request: web.Request, call: Call, answer: web.StreamResponse, opened: SignedIn) -> None:
    """Give the browser its session: out of reach for scripts, and only over https when the request came so."""
    decided = await settings.effective(call)
    # Both stay as long as the session may live: with the first one gone nobody could say why it has to be renewed.
    left = int((opened.ends_at - call.now).total_seconds())
    seconds = None if decided.browser_session_cookies else left
    for name, value in ((SESSION_COOKIE, opened.token), (REFRESH_COOKIE, opened.refresh_token)):
        answer.set_cookie(
            name, value, httponly=True, samesite="Lax", secure=origin(request).secure, path="/", max_age=seconds
        )


def take(answer: web.StreamResponse) -> None:
    """Take the session's cookies away."""
    answer.del_cookie(SESSION_COOKIE, path="/")
    answer.del_cookie(REFRESH_COOKIE, path="/")


async def give_renewed(request: web.Request, answer: web.StreamResponse) -> None:
    """Give the browser what its session was renewed with on the way, unless the answer says something else itself."""
    renewed = request.get(RENEWED)
    if renewed is None or SESSION_COOKIE in answer.cookies:
        return
    await give(request, routing.call(request), answer, renewed)
    for name in (SESSION_COOKIE, REFRESH_COOKIE):
        # The answer's cookies have become headers already.
        answer.headers.add("Set-Cookie", answer.cookies[name].OutputString())


def remaining_seconds(call: Call, opened: SignedIn) -> int:
    """Return how long the access token is good from now on."""
    return int((opened.expires_at - call.now).total_seconds())


def browser(request: web.Request) -> Browser:
    """Return which program asks."""
    return Browser(origin(request).address, request.headers.get("User-Agent", ""))


def trust(request: web.Request) -> str:
    """Return what this browser keeps to be trusted, empty when nothing."""
    return request.cookies.get(TRUST_COOKIE, "")


def give_trust(request: web.Request, call: Call, answer: web.StreamResponse, given: Trust) -> None:
    """Let the browser keep that it is trusted; it outlives its sessions."""
    seconds = int((given.expires_at - call.now).total_seconds())
    answer.set_cookie(
        TRUST_COOKIE,
        given.token,
        httponly=True,
        samesite="Lax",
        secure=origin(request).secure,
        path="/",
        max_age=seconds,
    )


def take_trust(answer: web.StreamResponse) -> None:
    """Let the browser forget that it was trusted."""
    answer.del_cookie(TRUST_COOKIE, path="/")
