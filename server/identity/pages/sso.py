"""The ways that browsers take to other services and back, and the pictures that came from there."""

from dataclasses import dataclass
from typing import ClassVar, Final
from urllib.parse import urlencode

from aiohttp import web

from server.core.errors import Problem
from server.identity import cookies, preferences, rules, sessions
from server.identity.models import SignedIn
from server.identity.pages.two_factor import SecondStepPage, code_fields
from server.identity.sso import avatars, discord, linked, oidc
from server.identity.sso.errors import HttpsNeeded, SaidElsewhere, SignOnExpired
from server.identity.sso.models import Departure
from server.web import flash
from server.web.problems import json_answer, status_of
from server.web.proxy import origin
from server.web.render import ErrorPage, Page, render
from server.web.routing import Routes, call, gated, open_to_all, path_text

routes: Final = Routes()

_PATH: Final = "/api/v1/auth"
OIDC_COOKIE: Final = "oidc_state"
DISCORD_COOKIE: Final = "discord_state"
#: What a person without a picture is shown: nothing, over their initials.
_NOTHING: Final = b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'
_PICTURE_HEADERS: Final = {
    "Cache-Control": "private, max-age=300",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True, slots=True)
class LeavingPage(Page):
    """templates/identity/leaving.html: a form may not lead to another site, so a page in between does."""

    template: ClassVar[str] = "identity/leaving.html"
    title: ClassVar[str] = "One moment"
    heading: str
    sentence: str
    url: str


@routes.get("/api/v1/auth/oidc/login")
@open_to_all("this is how one gets in", limit="auth")
async def start_oidc(request: web.Request) -> web.StreamResponse:
    """Send the browser to the provider."""
    return_to = rules.safe_next(request.query.get("next", "/"))
    try:
        departure = await oidc.begin(call(request), return_to, secure=origin(request).secure)
    except HttpsNeeded as refused:
        return _in_the_open(request, refused)
    except Problem as refused:
        return _back_to_login(request, refused)
    return _depart(request, departure, OIDC_COOKIE)


@routes.get("/api/v1/auth/oidc/callback")
@open_to_all("the provider sends people back here; state, code and signature are what lets in", limit="auth")
async def finish_oidc(request: web.Request) -> web.StreamResponse:
    """Sign in who comes back from the provider."""
    asked = call(request)
    try:
        opened, return_to = await oidc.finish(
            asked,
            request.cookies.get(OIDC_COOKIE, ""),
            request.query,
            cookies.browser(request),
            secure=origin(request).secure,
        )
    except HttpsNeeded as refused:
        return _in_the_open(request, refused)
    except SignOnExpired as refused:
        # Another site may have sent the browser here: the way that it really is on stays good.
        return _back_to_login(request, refused)
    except Problem as refused:
        linking = asked.actor.kind == "person"
        answer = _back_to_profile(request, refused) if linking else _back_to_login(request, refused)
        return _without(OIDC_COOKIE, answer)
    if opened is None:
        answer = _to(f"{return_to}?oidc_linked=true")
        flash.say(answer, request, "good", "Your single sign-on account is linked.")
        return _without(OIDC_COOKIE, answer)
    return _without(OIDC_COOKIE, await _welcomed(request, opened, return_to, "/?oidc=success"))


@routes.get("/api/v1/auth/oidc/logout")
@open_to_all("who is not signed in here may still be at the provider", limit="auth")
async def leave(request: web.Request) -> web.StreamResponse:
    """Sign out here and at the provider; another site cannot make a browser do the first."""
    asked = call(request)
    ours = request.headers.get("Sec-Fetch-Site", "none") in {"none", "same-origin"}
    signed_in = asked.actor.kind == "person"
    if signed_in and not ours:
        return _to("/")
    id_token = (await sessions.sign_out(asked)).id_token if signed_in else ""
    here = origin(request).url
    answer = _to(await oidc.sign_out_url(asked, id_token, here) or await oidc.after_sign_out(asked, here))
    cookies.take(answer)
    return answer


@routes.get("/api/v1/auth/discord/login")
@open_to_all("this is how one gets in", limit="auth")
async def start_discord(request: web.Request) -> web.StreamResponse:
    """Send the browser to Discord."""
    return_to = rules.safe_next(request.query.get("next", "/"))
    try:
        departure = await discord.begin(call(request), return_to)
    except Problem as refused:
        return _back_to_login(request, refused)
    return _depart(request, departure, DISCORD_COOKIE)


@routes.get("/api/v1/auth/discord/callback")
@open_to_all("Discord sends people back here; state and code are what lets in", limit="auth")
async def finish_discord(request: web.Request) -> web.StreamResponse:
    """Sign in who comes back from Discord, or link their account."""
    asked = call(request)
    try:
        found = await discord.finish(
            asked,
            request.cookies.get(DISCORD_COOKIE, ""),
            request.query,
            cookies.browser(request),
            cookies.trust(request),
        )
    except Problem as refused:
        linking = asked.actor.kind == "person"
        answer = _back_to_profile(request, refused) if linking else _back_to_login(request, refused)
        return answer if isinstance(refused, SignOnExpired) else _without(DISCORD_COOKIE, answer)
    if found.opened is not None:
        return _without(DISCORD_COOKIE, await _welcomed(request, found.opened, found.return_to, "/"))
    if found.step is not None:
        fields, step = await code_fields(asked), found.step
        page = SecondStepPage(fields, (), step.ticket, found.return_to, has_passkeys=step.has_passkeys)
        return _without(DISCORD_COOKIE, render(request, page))
    answer = _to(f"{found.return_to}?discord_linked=true")
    flash.say(answer, request, "good", "Your Discord account is linked.")
    return _without(DISCORD_COOKIE, answer)


@routes.post("/api/v1/auth/discord/link")
@gated()
async def link_discord(request: web.Request) -> web.StreamResponse:
    """Answer where to send the asker's browser for linking their Discord account."""
    departure = await discord.begin_link(call(request))
    answer = json_answer({"url": departure.url})
    _keep(request, answer, departure, DISCORD_COOKIE)
    return answer


@routes.post("/settings/linked/discord")
@gated()
async def link_from_profile(request: web.Request) -> web.StreamResponse:
    """Send the browser to Discord for linking an account."""
    try:
        departure = await discord.begin_link(call(request))
    except Problem as refused:
        return _back_to_profile(request, refused)
    page = LeavingPage("On to Discord", "Discord asks whether this server may know who you are.", departure.url)
    answer = render(request, page)
    _keep(request, answer, departure, DISCORD_COOKIE)
    return answer


@routes.post("/settings/linked/oidc")
@gated()
async def link_provider_from_profile(request: web.Request) -> web.StreamResponse:
    """Send the browser to the identity provider for linking an account there."""
    try:
        departure = await oidc.begin_link(call(request), secure=origin(request).secure)
    except Problem as refused:
        return _back_to_profile(request, refused)
    sentence = "Your identity provider asks who you are, and that account is linked to yours here."
    answer = render(request, LeavingPage("On to your identity provider", sentence, departure.url))
    _keep(request, answer, departure, OIDC_COOKIE)
    return answer


@routes.post("/settings/linked/discord/unlink")
@gated()
async def unlink_from_profile(request: web.Request) -> web.StreamResponse:
    """Unlink Discord from one's account."""
    try:
        await linked.unlink(call(request), "discord")
    except Problem as refused:
        return _back_to_profile(request, refused)
    answer = _to("/settings/profile")
    flash.say(answer, request, "good", "Your Discord account is unlinked.")
    return answer


@routes.get("/avatars/{user_id}")
@gated(while_enrolling=True)
async def avatar(request: web.Request) -> web.Response:
    """Show a person's picture; without one an empty image, so that their initials stay visible."""
    found = await avatars.find(call(request), path_text(request, "user_id"))
    if found is None:
        return web.Response(body=_NOTHING, content_type="image/svg+xml", headers=_PICTURE_HEADERS)
    return web.Response(body=found.content, content_type=found.content_type, headers=_PICTURE_HEADERS)


def left(request: web.Request, url: str) -> web.Response:
    """Return the page that goes on to sign out at the provider; this server's session has ended."""
    page = LeavingPage("You are signed out here", "Your identity provider signs you out next.", url)
    answer = render(request, page)
    cookies.take(answer)
    return answer


def _depart(request: web.Request, departure: Departure, cookie: str) -> web.Response:
    answer = _to(departure.url)
    _keep(request, answer, departure, cookie)
    return answer


def _keep(request: web.Request, answer: web.StreamResponse, departure: Departure, cookie: str) -> None:
    answer.set_cookie(
        cookie,
        departure.handle,
        httponly=True,
        samesite="Lax",
        secure=origin(request).secure,
        path=_PATH,
        max_age=departure.life_seconds,
    )


def _without(cookie: str, answer: web.Response) -> web.Response:
    answer.del_cookie(cookie, path=_PATH)
    return answer


async def _welcomed(request: web.Request, opened: SignedIn, return_to: str, otherwise: str) -> web.Response:
    asked = call(request)
    target = await preferences.way_in(asked, opened.user.id, return_to)
    answer = _to(target if target != "/" else otherwise)
    await cookies.give(request, asked, answer, opened)
    return answer


def _back_to_login(request: web.Request, refused: Problem) -> web.Response:
    if not _is_browser(request) and refused.code in {"sign_on_off", "sign_on_not_ready", "discord_incomplete"}:
        raise refused
    answer = _to("/login?" + urlencode({"error": str(refused)}))
    if isinstance(refused, SaidElsewhere):
        flash.say(answer, request, "bad", f"Your identity provider said: {refused.said}")
    return answer


def _in_the_open(request: web.Request, refused: HttpsNeeded) -> web.Response:
    if not _is_browser(request):
        raise refused
    status = status_of(refused)
    return render(request, ErrorPage(status=status, text=str(refused)), status=status)


def _is_browser(request: web.Request) -> bool:
    # Browsers come here by links of ours, although the paths are those of programs.
    return "text/html" in request.headers.get("Accept", "")


def _back_to_profile(request: web.Request, refused: Problem) -> web.Response:
    answer = _to("/settings/profile")
    flash.say(answer, request, "bad", refused.said if isinstance(refused, SaidElsewhere) else str(refused))
    return answer


def _to(url: str) -> web.Response:
    return web.Response(status=302, headers={"Location": url, "Cache-Control": "no-store"})
