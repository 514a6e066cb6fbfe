"""The pages before and after signing in: set-up, sign in, profile, tokens."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import ClassVar, Final

from aiohttp import web

from server.core.call import Call
from server.core.errors import Problem
from server.identity import cookies, entrance, forms, people, rules, schemas, service, sessions, setup, tokens
from server.identity.doorkeeper import SESSION_COOKIE
from server.identity.errors import AdminExists
from server.identity.models import ApiToken, SecondStep, Session
from server.identity.pages.two_factor import SecondStepPage, code_fields
from server.settings import service as settings
from server.web import flash
from server.web.fields import Field, complained, filled
from server.web.forms import read_form
from server.web.problems import status_of
from server.web.proxy import origin
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, open_to_all, path_text

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


@dataclass(frozen=True, slots=True)
class SetupPage(Page):
    """templates/identity/setup.html."""

    template: ClassVar[str] = "identity/setup.html"
    title: ClassVar[str] = "First administrator"
    fields: list[Field]
    rules: list[str]
    token: str
    complaints: Complaints


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session in the list."""

    id: str
    current: bool
    device: str
    address: str
    last_seen_at: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ProfilePage(Page):
    """templates/settings/profile.html."""

    template: ClassVar[str] = "settings/profile.html"
    title: ClassVar[str] = "Profile"
    profile_fields: list[Field]
    profile_complaints: Complaints
    password_fields: list[Field]
    password_complaints: Complaints
    rules: list[str]
    sessions: list[SessionRow]


@dataclass(frozen=True, slots=True)
class TokensPage(Page):
    """templates/settings/tokens.html; ``created`` is a new token's text, shown this once."""

    template: ClassVar[str] = "settings/tokens.html"
    title: ClassVar[str] = "API tokens"
    tokens: list[ApiToken]
    fields: list[Field]
    complaints: Complaints
    created: str


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
        return render(request, SecondStepPage(await code_fields(asked), (), opened.ticket, return_to))
    answer = web.HTTPSeeOther(return_to)
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


@routes.get("/setup")
@open_to_all("nobody can sign in before there is an administrator; the one-time token of the link lets in")
async def setup_form(request: web.Request) -> web.Response:
    """Show the set-up form to who has the link, and to others where to find it."""
    asked = call(request)
    if not await setup.is_needed(asked):
        raise web.HTTPSeeOther("/login")
    token = request.query.get("token", "")
    good = await setup.is_good_link(asked, token)
    wrong = ("This set-up link is not valid any more.",) if token and not good else ()
    fields = filled(forms.SETUP, {"server_url": origin(request).url}, {})
    headers = {"Referrer-Policy": "no-referrer"}
    return render(request, await _setup_page(asked, fields, token if good else "", wrong), headers=headers)


@routes.post("/setup")
@open_to_all("the one-time token of the link lets in", limit="auth")
async def create_first_admin(request: web.Request) -> web.StreamResponse:
    """Make the first administrator and sign them in."""
    asked = call(request)
    form = await read_form(request, schemas.FirstAdmin)
    try:
        forms.demand_same(form.password, form.confirm, "confirm")
        opened = await setup.create_first_admin(
            asked, form.person(), form.token, cookies.browser(request), server_url=form.server_url
        )
    except AdminExists:
        raise
    except Problem as refused:
        wrong = forms.complaints_of(refused)
        fields = filled(forms.SETUP, form.model_dump(), wrong)
        token = form.token if await setup.is_good_link(asked, form.token) else ""
        page = await _setup_page(asked, fields, token, complained(fields, wrong))
        return render(request, page, status=status_of(refused), headers={"Referrer-Policy": "no-referrer"})
    answer = web.HTTPSeeOther("/")
    await cookies.give(request, asked, answer, opened)
    raise answer


@routes.get("/profile")
@routes.get("/settings/profile")
@gated()
async def profile(request: web.Request) -> web.Response:
    """Show what a person may change about themselves, and where they are signed in."""
    return render(request, await _profile_page(call(request)))


@routes.post("/settings/profile")
@gated()
async def change_profile(request: web.Request) -> web.StreamResponse:
    """Change name and address."""
    asked = call(request)
    form = await read_form(request, schemas.ProfileForm)
    try:
        await people.change_profile(asked, form.profile())
    except Problem as refused:
        page = await _profile_page(asked, typed=form.model_dump(), profile_wrong=forms.complaints_of(refused))
        return render(request, page, status=status_of(refused))
    raise _back(request, "/settings/profile", "Your profile is saved.")


@routes.post("/settings/profile/password")
@gated(limit="password")
async def change_password(request: web.Request) -> web.StreamResponse:
    """Change the password; other sessions end."""
    asked = call(request)
    form = await read_form(request, schemas.PasswordForm)
    try:
        forms.demand_same(form.new_password, form.confirm, "confirm")
        await people.change_password(asked, form.current_password, form.new_password)
    except Problem as refused:
        page = await _profile_page(asked, password_wrong=forms.complaints_of(refused))
        return render(request, page, status=status_of(refused))
    raise _back(request, "/settings/profile", "Your password is changed. Everywhere else you are signed out.")


@routes.post("/settings/profile/sessions/end-others")
@gated()
async def end_other_sessions(request: web.Request) -> web.StreamResponse:
    """Sign out everywhere else."""
    await sessions.end_others(call(request))
    raise _back(request, "/settings/profile", "Everywhere else you are signed out.")


@routes.post("/settings/profile/sessions/{session_id}/end")
@gated()
async def end_session(request: web.Request) -> web.StreamResponse:
    """Sign out in one other place."""
    await sessions.end(call(request), path_text(request, "session_id"))
    raise _back(request, "/settings/profile", "That session is signed out.")


@routes.get("/settings/tokens")
@gated()
async def show_tokens(request: web.Request) -> web.Response:
    """Show a person's tokens."""
    return render(request, TokensPage(await tokens.mine(call(request)), list(forms.TOKEN), (), ""))


@routes.post("/settings/tokens")
@gated()
async def create_token(request: web.Request) -> web.Response:
    """Make a token and show it once: not after a redirect, so that it is kept nowhere on the way."""
    asked = call(request)
    values = dict(await request.post())
    try:
        form = await read_form(request, schemas.TokenForm)
        _, secret = await tokens.create(asked, await service.me(asked), form.name, form.days)
    except Problem as refused:
        wrong = forms.complaints_of(refused)
        fields = filled(forms.TOKEN, values, wrong)
        page = TokensPage(await tokens.mine(asked), fields, complained(fields, wrong), "")
        return render(request, page, status=status_of(refused))
    return render(request, TokensPage(await tokens.mine(asked), list(forms.TOKEN), (), secret), status=201)


@routes.post("/settings/tokens/{token_id}/revoke")
@gated()
async def revoke_token(request: web.Request) -> web.StreamResponse:
    """Make a token worthless."""
    await tokens.revoke(call(request), path_text(request, "token_id"))
    raise _back(request, "/settings/tokens", "The token is revoked.")


async def _other_ways(asked: Call) -> Sequence[tuple[str, str]]:
    return (("Sign up", "/signup"),) if (await settings.effective(asked)).signup_enabled else ()


def _back(request: web.Request, target: str, text: str) -> web.HTTPSeeOther:
    answer = web.HTTPSeeOther(target)
    flash.say(answer, request, "good", text)
    return answer


async def _setup_page(asked: Call, fields: list[Field], token: str, wrong: Complaints) -> SetupPage:
    return SetupPage(fields=fields, rules=await _policy(asked), token=token, complaints=wrong)


async def _profile_page(
    asked: Call,
    typed: dict[str, object] | None = None,
    profile_wrong: dict[str, str] | None = None,
    password_wrong: dict[str, str] | None = None,
) -> ProfilePage:
    about = filled(forms.PROFILE, typed or asdict(await service.me(asked)), profile_wrong or {})
    password = filled(forms.PASSWORD, {}, password_wrong or {})
    return ProfilePage(
        profile_fields=about,
        profile_complaints=complained(about, profile_wrong or {}),
        password_fields=password,
        password_complaints=complained(password, password_wrong or {}),
        rules=await _policy(asked),
        sessions=[_session_row(one, asked.actor.via) for one in await sessions.mine(asked)],
    )


def _session_row(one: Session, current_id: str) -> SessionRow:
    return SessionRow(
        id=one.id,
        current=one.id == current_id,
        device=rules.device(one.user_agent),
        address=one.address,
        last_seen_at=one.last_activity_at,
        created_at=one.created_at,
    )


async def _policy(asked: Call) -> list[str]:
    return [sentence for _, sentence in rules.policy(await settings.effective(asked))]
