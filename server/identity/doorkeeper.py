"""The one middleware that finds out who asks and enforces the gate of every route; what states no gate is closed."""

from dataclasses import replace
from typing import Final
from urllib.parse import quote, urlsplit

from aiohttp import web

from server.core.call import NOBODY, Actor, Call
from server.core.db import DatabaseError
from server.core.errors import Problem, Refused, Unknown
from server.core.log import get_log
from server.identity import factors, reach, rules, sessions, tokens
from server.identity.errors import AccessExpired, AgentUnnamed, SecondFactorDue
from server.identity.models import SignedIn
from server.identity.sso import arrivals
from server.settings import service as settings
from server.web import badges
from server.web.problems import refusal, status_of
from server.web.proxy import origin
from server.web.routing import (
    AGENT_VERIFIER,
    Gate,
    Handler,
    call,
    gate_of,
    is_fragment,
    set_actor,
    wants_html,
)

log = get_log(__name__)

#: The cookie that carries a session's token.
SESSION_COOKIE: Final = "token"
#: The cookie that carries what renews it.
REFRESH_COOKIE: Final = "refresh_token"
#: New tokens of this request's session, to be given to the browser with whatever the answer is.
RENEWED: Final = web.RequestKey("renewed", SignedIn)
#: Where who has to have a second factor sets one up.
ENROLMENT: Final = "/settings/two-factor"
_BEARER: Final = "bearer "
#: What an agent's socket is told before the upgrade, in plain text; the second also when the key cannot be checked.
_NO_CREDENTIALS: Final = "Missing API credentials"
_WRONG_CREDENTIALS: Final = "Invalid API credentials"


@web.middleware
async def doorkeeper(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let in whom the route's gate lets in, and record who that is."""
    gate = gate_of(request.match_info.handler)
    asked = call(request).acting_as(replace(NOBODY, address=origin(request).address))
    if gate is None:
        _demand_not_ours(request)
        if request.match_info.http_exception is not None and wants_html(request):
            # There is no such page: who is signed in reads that within the frame they know.
            set_actor(request, await _whoever(request, asked))
        return await handler(request)
    if gate.kind == "agent":
        return await _agent(request, handler, gate, asked)
    if gate.kind == "open":
        set_actor(request, await _whoever(request, asked))
        return await handler(request)
    try:
        actor = await _somebody(request, asked)
    except Unknown as refused:
        return await _way_in(request, asked) or await _turned_away(request, refused)
    actor = await factors.judged(asked, actor)
    set_actor(request, actor)
    if not gate.while_enrolling and factors.is_overdue(asked, actor):
        return _way_to_enrolment(request)
    await _demand_permission(gate, asked, actor)
    # Here, and not in a middleware of its own: an agent's socket keeps the whole chain alive for weeks.
    await badges.read(request)
    return await handler(request)


def _demand_not_ours(request: web.Request) -> None:
    # Unknown paths and static files state no gate. The application does not start with a route of ours that has none,
    # and should one slip through it stays closed.
    route = request.match_info.route
    if request.match_info.http_exception is None and not isinstance(route.resource, web.StaticResource):
        log.error("route_without_gate", method=request.method, path=request.path)
        raise Refused


async def _agent(request: web.Request, handler: Handler, gate: Gate, asked: Call) -> web.StreamResponse:
    verifier = request.config_dict[AGENT_VERIFIER]
    api_id, api_key = request.headers.get("X-API-ID", ""), request.headers.get("X-API-KEY", "")
    try:
        actor = await verifier(asked, api_id, api_key)
    except Problem as problem:
        if gate.plain:
            text = _WRONG_CREDENTIALS if api_id and api_key else _NO_CREDENTIALS
            return web.Response(status=status_of(problem), text=text)
        if gate.missing and not (api_id and api_key):
            raise AgentUnnamed(text=gate.missing) from problem
        raise
    except DatabaseError as error:
        if not gate.plain:
            raise
        log.warning("agent_not_recognised", reason=str(error).strip())
        return web.Response(status=401, text=_WRONG_CREDENTIALS)
    set_actor(request, replace(actor, address=actor.address or asked.actor.address))
    # An agent's socket stays for weeks: what is known of the host must not stay with it.
    del actor
    return await handler(request)


async def _whoever(request: web.Request, asked: Call) -> Actor:
    try:
        return await _somebody(request, asked)
    except Unknown:
        return asked.actor
    except DatabaseError as error:
        # Open doors stay open: the health page has to say that the database is gone.
        log.warning("asker_not_recognised", reason=str(error).strip())
        return asked.actor


async def _somebody(request: web.Request, asked: Call) -> Actor:
    given = request.headers.get("Authorization", "")
    bearer = given[len(_BEARER) :].strip() if given.lower().startswith(_BEARER) else ""
    if bearer.startswith(tokens.PREFIX):
        return await tokens.recognise(asked, bearer)
    active = rules.is_activity(request.method, request.path, request.headers)
    if bearer:
        return await sessions.recognise(asked, bearer, active=active)
    token = request.cookies.get(SESSION_COOKIE, "")
    refresh_token = request.cookies.get(REFRESH_COOKIE, "") if _is_browsing(request) else ""
    if not token and not refresh_token:
        raise Unknown
    try:
        if token:
            return await sessions.recognise(asked, token, active=active)
    except AccessExpired:
        # Only what ran out is renewed: what is forged or ended stays so.
        if not refresh_token:
            raise
    renewed, actor = await sessions.renew(asked, refresh_token, active=active)
    request[RENEWED] = renewed
    return actor


def _is_browsing(request: web.Request) -> bool:
    # Programs that keep cookies renew by themselves; our own pages' links to the API are followed by a browser.
    return not request.path.startswith("/api/") or request.headers.get("Sec-Fetch-Site") == "same-origin"


async def _way_in(request: web.Request, asked: Call) -> web.Response | None:
    """Return the answer that leads a browser to where it can be let in; ``None`` for programs."""
    if not wants_html(request) or request.method not in {"GET", "HEAD"}:
        return None
    if is_fragment(request):
        # A part of a page must not become the sign-in form: the whole page goes there.
        current = urlsplit(request.headers.get("HX-Current-URL", "")).path
        return web.Response(status=401, headers={"HX-Redirect": login_path(current)})
    target = "/setup" if await arrivals.needs_setup(asked) else login_path(request.path_qs)
    return web.Response(status=303, headers={"Location": target, "Cache-Control": "no-store"})


def _way_to_enrolment(request: web.Request) -> web.Response:
    """Return the answer that leads a browser to where a second factor is set up; programs are refused."""
    if not wants_html(request) or request.method not in {"GET", "HEAD"}:
        raise SecondFactorDue
    if is_fragment(request):
        return web.Response(status=403, headers={"HX-Redirect": ENROLMENT})
    return web.Response(status=303, headers={"Location": ENROLMENT, "Cache-Control": "no-store"})


async def _turned_away(request: web.Request, refused: Unknown) -> web.StreamResponse:
    answer = await refusal(request, refused)
    if isinstance(answer, web.Response) and answer.content_type == "application/json":
        # The words are JSON, the label is not: existing clients know it so.
        answer.content_type, answer.charset = "text/plain", "utf-8"
    return answer


def login_path(target: str) -> str:
    """Return the sign-in page that leads back to ``target``."""
    wanted = rules.safe_next(target)
    return f"/login?next={quote(wanted, safe='/')}" if wanted != "/" else "/login"


async def _demand_permission(gate: Gate, asked: Call, actor: Actor) -> None:
    switched_off = (await settings.effective(asked)).disabled_modules if gate.module else ()
    if refused := reach.refusal(actor, gate.permissions, gate.module, switched_off):
        raise refused
