"""Short messages that survive one redirect, in a signed cookie."""

import base64
from typing import Final

import orjson
from aiohttp import web

from server.web.proxy import origin
from server.web.routing import world

COOKIE: Final = "patchmon_flash"


def say(response: web.StreamResponse, request: web.Request, kind: str, text: str) -> None:
    """Show ``text`` on the next page; ``kind`` is good, attention or bad."""
    body = base64.urlsafe_b64encode(orjson.dumps([kind, text])).decode()
    response.set_cookie(
        COOKIE,
        f"{body}.{world(request).box.sign('flash:' + body)}",
        httponly=True,
        samesite="Lax",
        secure=origin(request).secure,
        max_age=60,
    )


def back(request: web.Request, url: str, kind: str, text: str) -> web.Response:
    """Lead to a page, and say there what happened."""
    answer = web.Response(status=303, headers={"Location": url})
    say(answer, request, kind, text)
    return answer


def heard(request: web.Request) -> list[tuple[str, str]]:
    """Return the messages to show now."""
    body, _, signature = request.cookies.get(COOKIE, "").partition(".")
    if not body or not world(request).box.signed("flash:" + body, signature):
        return []
    kind, text = orjson.loads(base64.urlsafe_b64decode(body))
    return [(str(kind), str(text))]
