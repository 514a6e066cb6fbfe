"""Refusals become answers here, and only here: the one place with status numbers."""

from typing import Final
from urllib.parse import quote

import orjson
from aiohttp import web

from server.core.db import is_away
from server.core.errors import Conflict, Invalid, Missing, Problem, Refused, TooLarge, TooMany, Unavailable, Unknown
from server.core.log import get_log
from server.web.render import ErrorPage, render
from server.web.routing import Handler, wants_html

log = get_log(__name__)

_AWAY_SECONDS: Final = "30"
STATUS: Final[dict[type, int]] = {
    Missing: 404,
    Unknown: 401,
    Refused: 403,
    Conflict: 409,
    TooLarge: 413,
    Invalid: 400,
    TooMany: 429,
    Unavailable: 503,
}


def status_of(problem: Problem) -> int:
    """Return the status of the nearest kind in the problem's ancestry."""
    return next((STATUS[kind] for kind in type(problem).__mro__ if kind in STATUS), 400)


def json_answer(value: object, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    """Answer compact JSON with a trailing newline, as existing clients expect it."""
    body = orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what was raised below into an answer a person or a program can act on."""
    try:
        return await handler(request)
    except Problem as problem:
        return await refusal(request, problem)
    except web.HTTPException as error:
        if error.status < 400 or isinstance(error, web.HTTPMethodNotAllowed):  # noqa: PLR2004 (redirects pass)
            raise
        return await _answer(request, error.status, error.reason, {"error": error.reason})
    except Exception as error:
        if is_away(error):
            log.warning("database_away", method=request.method, path=request.path, reason=str(error).strip())
            return await refusal(request, Unavailable())
        log.exception("request_failed", method=request.method, path=request.path)
        text = "Internal Server Error"
        return await _answer(request, 500, text, {"error": text})


async def refusal(request: web.Request, problem: Problem) -> web.StreamResponse:
    """Answer one refusal."""
    status = status_of(problem)
    body: dict[str, object] = {"error": str(problem)}
    headers: dict[str, str] = {}
    if problem.code not in {"unauthorized", "not_found", "invalid_body", "too_large"}:
        body["code"] = problem.code
    if isinstance(problem, Invalid) and problem.complaints:
        body["complaints"] = problem.complaints
    if isinstance(problem, TooMany):
        body = {"message": str(problem), **problem.facts}
        headers["Retry-After"] = str(problem.after_seconds)
    if isinstance(problem, Unavailable):
        headers["Retry-After"] = _AWAY_SECONDS
    if status == 401 and wants_html(request) and request.method == "GET":  # noqa: PLR2004 (the table above)
        raise web.HTTPSeeOther(f"/login?next={quote(request.path_qs, safe='/')}" if request.path != "/" else "/login")
    return await _answer(request, status, str(problem), body, headers)


async def _answer(
    request: web.Request, status: int, text: str, body: dict[str, object], headers: dict[str, str] | None = None
) -> web.StreamResponse:
    if not wants_html(request):
        return json_answer(body, status, headers)
    details = body.get("complaints")
    page = ErrorPage(status=status, text=text, details=dict(details) if isinstance(details, dict) else {})
    return render(request, page, status=status, headers=headers)
