"""The pages before and after signing in: set-up, sign in, profile, tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from aiohttp import web

from server.core.call import Call
from server.core.errors import Problem
from server.identity import cookies, entrance, forms, preferences, rules, schemas, sessions
from server.identity.doorkeeper import SESSION_COOKIE
from server.identity.models import SecondStep
from server.identity.pages import sso
from server.identity.pages.two_factor import SecondStepPage, code_fields
from server.identity.sso import arrivals, offers, oidc
from server.identity.sso import rules as sso_rules
from server.web.fields import Field, filled
from server.web.forms import read_form
from server.web.problems import status_of
from server.web.proxy import origin
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, open_to_all

routes: Final = Routes()

Complaints = Sequence[tuple[str, str] | str]


@dataclass(frozen=True, slots=True)
class LoginPage(Page):
    """templates/identity/login.html.

    Attributes:
        providers: other ways in, as pairs of title and URL.
        local: name and password count.
        failure: heading and sentence about a sign-in elsewhere that came to nothing.
    """

    template: ClassVar[str] = "identity/login.html"
    title: ClassVar[str] = "Sign in"
    fields: list[Field]
    complaints: Complaints
    return_to: str
    providers: Sequence[tuple[str, str]] = ()
    local: bool = True
    failure: tuple[str, str] | None = None


@routes.get("/login")
@open_to_all("this is how one gets in")
async def login_form(request: web.Request) -> web.Response:
    """Show the sign-in form, or lead to the set-up while there is no administrator."""
    asked = call(request)
    return_to = rules.safe_next(request.query.get("next", "/"))
    if await arrivals.needs_setup(asked):
        raise web.HTTPSeeOther("/setup")
    if asked.actor.kind == "person":
        raise web.HTTPSeeOther(return_to)
    ended = ("Invalid or expired session",) if SESSION_COOKIE in request.cookies else ()
    failure = sso_rules.failure(request.query.get("error", ""))
    return render(request, await _login_page(asked, list(forms.LOGIN), ended, return_to, failure))


@routes.post("/login")
@open_to_all("this is how one gets in", limit="auth")
async def login(request: web.Request) -> web.StreamResponse:
    """Sign in and go where the person wanted to."""
    asked = call(request)
    form = await read_form(request, schemas.Login)
    return_to = rules.safe_next(str((await request.post()).get("return_to", "/")))
    try:
        opened = await entrance.sign_in(
            asked, form.username, form.password, cookies.browser(request), cookies.trust(request)
        )
    except Problem as refused:
        fields = filled(forms.LOGIN, {"username": form.username}, {})
        page = await _login_page(asked, fields, (str(refused),), return_to)
        return render(request, page, status=status_of(refused))
    if isinstance(opened, SecondStep):
        return render(
            request,
            SecondStepPage(await code_fields(asked), (), opened.ticket, return_to, has_passkeys=opened.has_passkeys),
        )
    answer = web.HTTPSeeOther(await preferences.way_in(asked, opened.user.id, return_to))
    await cookies.give(request, asked, answer, opened)
    raise answer


@routes.post("/logout")
@gated(while_enrolling=True)
async def logout(request: web.Request) -> web.StreamResponse:
    """End this session on the server and in the browser."""
    asked, here = call(request), origin(request).url
    ended = await sessions.sign_out(asked)
    if ended.method == "oidc":
        elsewhere = await oidc.sign_out_url(asked, ended.id_token, here)
        return sso.left(request, elsewhere or await oidc.after_sign_out(asked, here))
    answer = web.HTTPSeeOther("/login")
    cookies.take(answer)
    raise answer


async def _login_page(
    asked: Call,
    fields: list[Field],
    complaints: Complaints,
    return_to: str,
    failure: tuple[str, str] | None = None,
) -> LoginPage:
    found = await offers.offers(asked, return_to)
    providers = [*found.services, *((("Sign up", "/signup"),) if found.signup else ())]
    return LoginPage(fields, complaints, return_to, providers, found.local, failure)
