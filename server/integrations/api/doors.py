"""What these doors have in common: refusals in the contract's words, and Basic credentials."""

import base64
import binascii
import functools
from collections.abc import Awaitable, Callable

from aiohttp import web

from server.core.call import Call
from server.core.db import DatabaseError
from server.core.errors import Problem, TooMany
from server.core.log import get_log
from server.core.secretbox import Secret
from server.integrations import rules, schemas, service
from server.integrations.errors import BadCredentials, HeaderNeeded
from server.integrations.models import Caller, Token
from server.web.problems import json_answer, status_of
from server.web.proxy import origin
from server.web.routing import call

log = get_log(__name__)

Door = Callable[[web.Request], Awaitable[web.Response]]
_BASIC = "basic "


def worded(failure: str) -> Callable[[Door], Door]:
    """Answer refusals as the contract has them, and ``failure`` with 500 when the database does not answer."""

    def wrap(door: Door) -> Door:
        @functools.wraps(door)
        async def guarded(request: web.Request) -> web.Response:
            try:
                return await door(request)
            except Problem as refused:
                headers = {"Retry-After": str(refused.after_seconds)} if isinstance(refused, TooMany) else None
                return json_answer(schemas.refusal(refused), status_of(refused), headers)
            except DatabaseError:
                log.exception("integration_failed", path=request.path)
                return json_answer({"error": failure}, 500)

        return guarded

    return wrap


async def asking(request: web.Request, usage: str, action: str = "", resource: str = "host") -> tuple[Call, Token]:
    """Return the call of the program that asks with Basic credentials; ``action`` is what it wants to do with what."""
    asked, caller = call(request), _basic(request)
    try:
        token = await service.recognise(asked, caller, usage)
    except DatabaseError as error:
        log.exception("integration_not_authenticated")
        raise web.HTTPInternalServerError(reason="Authentication failed") from error
    if action:
        rules.demand_scope(token.scopes, resource, action)
    return service.acting(asked, token, caller.address), token


def _basic(request: web.Request) -> Caller:
    given = request.headers.get("Authorization", "")
    if not given.lower().startswith(_BASIC):
        raise HeaderNeeded
    try:
        text = base64.b64decode(given[len(_BASIC) :].strip(), validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise BadCredentials from error
    key, colon, secret = text.partition(":")
    if not (key and colon and secret):
        raise BadCredentials
    return Caller(key, Secret(secret), origin(request).address)
