"""The page where people change what concerns themselves: name, password, looks, and where they are signed in."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import ClassVar, Final

from aiohttp import web

from server.core.call import Call
from server.core.errors import Problem
from server.identity import (
    forms,
    passkeys,
    people,
    permissions,
    preferences,
    rules,
    schemas,
    service,
    sessions,
    two_factor,
)
from server.identity.models import Session
from server.identity.sso import discord, linked
from server.identity.sso.linked import Linked
from server.settings import service as settings
from server.web import flash
from server.web.fields import Field, complained, filled
from server.web.forms import read_form
from server.web.navigation import Entry
from server.web.problems import status_of
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()
ENTRIES: Final = (
    Entry("Settings", "Profile", "/settings/profile", "user", order=1, group="You"),
    Entry("Settings", "Two-factor", "/settings/two-factor", "shield-check", order=2, group="You"),
)

_HOME: Final = "/settings/profile"
_YEAR_SECONDS: Final = 365 * 86400
_MODULE_WORDS: Final = {
    "ssh_terminal": "SSH terminal",
    "rdp": "Remote desktop",
    "ai": "AI assistant",
    "rbac_custom": "Custom roles",
    "custom_branding": "Custom branding",
    "alerts_advanced": "Advanced alerts",
    "compliance": "Compliance",
    "patching": "Patching",
    "patching_policies": "Patching policies",
    "docker": "Docker",
}

Complaints = Sequence[tuple[str, str] | str]


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
    """templates/settings/profile.html; ``modules`` are pairs of a word and whether it is switched on."""

    template: ClassVar[str] = "settings/profile.html"
    title: ClassVar[str] = "Profile"
    profile_fields: list[Field]
    profile_complaints: Complaints
    password_fields: list[Field]
    password_complaints: Complaints
    looks_fields: list[Field]
    rules: list[tuple[str, str]]
    sessions: list[SessionRow]
    modules: list[tuple[str, bool]]
    factors: list[tuple[str, str, bool]]
    has_password: bool
    may_arrange: bool
    linked: Linked


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
    raise _back(request, "Your profile is saved.")


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
    raise _back(request, "Your password is changed. Everywhere else you are signed out.")


@routes.post("/settings/profile/sessions/end-others")
@gated()
async def end_other_sessions(request: web.Request) -> web.StreamResponse:
    """Sign out everywhere else."""
    await sessions.end_others(call(request))
    raise _back(request, "Everywhere else you are signed out.")


@routes.post("/settings/profile/sessions/{session_id}/end")
@gated()
async def end_session(request: web.Request) -> web.StreamResponse:
    """Sign out in one other place."""
    await sessions.end(call(request), path_text(request, "session_id"))
    raise _back(request, "That session is signed out.")


@routes.post("/settings/profile/preferences")
@gated()
async def change_preferences(request: web.Request) -> web.StreamResponse:
    """Change how pages look, and where signing in leads."""
    asked = call(request)
    form = await read_form(request, schemas.LooksForm)
    await preferences.choose(asked, theme=form.theme, landing=form.landing)
    answer = _back(request, "Your preferences are saved. They follow you to every browser.")
    # For the pages that are seen before signing in.
    answer.set_cookie("theme", form.theme, max_age=_YEAR_SECONDS, samesite="Lax")
    raise answer


async def _profile_page(
    asked: Call,
    typed: dict[str, object] | None = None,
    profile_wrong: dict[str, str] | None = None,
    password_wrong: dict[str, str] | None = None,
) -> ProfilePage:
    about = filled(forms.PROFILE, typed or asdict(await service.me(asked)), profile_wrong or {})
    password = filled(forms.PASSWORD, {}, password_wrong or {})
    decided, on = await settings.effective(asked), await service.modules(asked)
    found = await two_factor.status(asked)
    keys = len(await passkeys.mine(asked))
    return ProfilePage(
        profile_fields=about,
        profile_complaints=complained(about, profile_wrong or {}),
        password_fields=password,
        password_complaints=complained(password, password_wrong or {}),
        looks_fields=filled(forms.LOOKS, asdict(await preferences.mine(asked)), {}),
        rules=rules.policy(decided),
        sessions=[_session_row(one, asked.actor.via) for one in await sessions.mine(asked)],
        modules=[(_MODULE_WORDS[module], module in on) for module in permissions.MODULES],
        factors=[
            *([("Authenticator app", "On" if found.enabled else "Off", found.enabled)] if found.has_password else []),
            ("Passkeys", str(keys) if keys else "None", bool(keys)),
        ],
        has_password=found.has_password,
        may_arrange=asked.actor.may("can_view_dashboard"),
        linked=await linked.mine(asked, offers_discord=await discord.is_offered(asked)),
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


def _back(request: web.Request, text: str) -> web.HTTPSeeOther:
    answer = web.HTTPSeeOther(_HOME)
    flash.say(answer, request, "good", text)
    return answer
