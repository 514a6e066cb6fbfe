"""The pages before and after signing in: set-up, sign in, profile, tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from aiohttp import web

from server.core.call import Call
from server.core.errors import Problem
from server.identity import cookies, entrance, forms, preferences, rules, schemas, sessions, setup
from server.identity.doorkeeper import SESSION_COOKIE
from server.identity.models import SecondStep
from server.identity.pages.two_factor import SecondStepPage, code_fields
from server.settings import service as settings
from server.web import flash
from server.web.fields import Field, filled
from server.web.forms import read_form
from server.web.problems import status_of
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, open_to_all

routes: Final = Routes()

Complaints = Sequence[tuple[str, str] | str]


@dataclass(frozen=True, slots=True)
class LoginPage(Page):
    """templates/identity/login.html."""

    template: ClassVar[str] = "identity/login.html"
    title: ClassVar[str] = "Sign in"
    fields: list[Field]
    complaints: Complaints
    return_to: str
    providers: Sequence[tuple[str, str]] = ()


@routes.get("/login")
@open_to_all("this is how one gets in")
async def login_form(request: web.Request) -> web.Response:
    """Show the sign-in form, or lead to the set-up while there is no administrator."""
    asked = call(request)
    return_to = rules.safe_next(request.query.get("next", "/"))
    if await setup.is_needed(asked):
        raise web.HTTPSeeOther("/setup")
    if asked.actor.kind == "person":
        raise web.HTTPSeeOther(return_to)
    ended = ("Invalid or expired session",) if SESSION_COOKIE in request.cookies else ()
    return render(request, LoginPage(list(forms.LOGIN), ended, return_to, await _other_ways(asked)))


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
        page = LoginPage(
            fields=fields, complaints=(str(refused),), return_to=return_to, providers=await _other_ways(asked)
        )
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
    await sessions.sign_out(call(request))
    answer = web.HTTPSeeOther("/login")
    cookies.take(answer)
    raise answer


async def _other_ways(asked: Call) -> Sequence[tuple[str, str]]:
    return (("Sign up", "/signup"),) if (await settings.effective(asked)).signup_enabled else ()


def _back(request: web.Request, target: str, text: str) -> web.HTTPSeeOther:
    answer = web.HTTPSeeOther(target)
    flash.say(answer, request, "good", text)
    return answer
