"""The forms that limit a person or a role to host groups."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from aiohttp import web

from server.core.call import Call
from server.core.errors import Problem
from server.identity import accounts, forms, permissions, roles, scope_schemas, scopes
from server.identity.models import Role, User
from server.web import flash
from server.web.forms import read_form
from server.web.problems import status_of
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text

routes: Final = Routes()

_MODULE: Final = "rbac_custom"


@dataclass(frozen=True, slots=True)
class HostGroups:
    """templates/settings/_host_groups.html; ``inherited`` says what the role adds to the limit of a person."""

    url: str
    limited: bool
    choices: Sequence[tuple[str, str, bool]]
    inherited: str = ""
    complaints: Sequence[tuple[str, str] | str] = ()


@dataclass(frozen=True, slots=True)
class HostGroupsPage(Page):
    """templates/settings/host_groups.html."""

    template: ClassVar[str] = "settings/host_groups.html"
    title: ClassVar[str] = "Hosts"
    heading: str
    subtitle: str
    back_url: str
    form: HostGroups


async def form_of_user(
    asked: Call, user: User, typed: Collection[str] | None = None, wrong: Sequence[str] = ()
) -> HostGroups | None:
    """Return the form of a person; ``None`` for oneself and for whom no limit holds."""
    if user.id == asked.actor.id or user.role == "superadmin":
        return None
    limits = await scopes.of_user(asked, user.id)
    inherited = ""
    if limits.role_groups is not None and user.role not in permissions.ADMIN_ROLES:
        names = dict(await scopes.choices(asked))
        told = ", ".join(sorted(names[one] for one in limits.role_groups if one in names)) or "no host group"
        inherited = f"The role {permissions.word(user.role)} is limited to {told}; only what both allow is left."
    return await _form(
        asked, f"/settings/users/{user.id}/groups", typed if wrong else limits.user_groups, inherited, wrong
    )


async def form_of_role(
    asked: Call, role: str, typed: Collection[str] | None = None, wrong: Sequence[str] = ()
) -> HostGroups | None:
    """Return the form of a role; ``None`` for administrators, whom no role limits."""
    if role in permissions.ADMIN_ROLES:
        return None
    chosen = typed if wrong else await scopes.of_role(asked, role)
    return await _form(asked, f"/settings/roles/{role}/groups", chosen, "", wrong)


async def _form(
    asked: Call, url: str, chosen: Collection[str] | None, inherited: str, wrong: Sequence[str]
) -> HostGroups:
    choices = [(uuid, name, uuid in (chosen or ())) for uuid, name in await scopes.choices(asked)]
    return HostGroups(url, chosen is not None, choices, inherited, wrong)


@routes.post("/settings/users/{user_id}/groups")
@gated("can_manage_users")
async def limit_user(request: web.Request) -> web.StreamResponse:
    """Choose which hosts a person sees and changes."""
    asked = call(request)
    user = await accounts.find(asked, path_text(request, "user_id"))
    form = await read_form(request, scope_schemas.HostGroupsForm)
    try:
        await scopes.limit_user(asked, user.id, form.wanted)
    except Problem as refused:
        shown = await form_of_user(asked, user, form.wanted, _sentences(refused))
        return _refused(request, refused, user.username, f"/settings/users/{user.id}", shown)
    raise _back(
        request, f"/settings/users/{user.id}", f"The hosts of {user.username} are saved. They hold from now on."
    )


@routes.get("/settings/roles/{role}/groups")
@gated("can_manage_settings", module=_MODULE)
async def show_role(request: web.Request) -> web.Response:
    """Show which hosts people with a role see and change."""
    asked = call(request)
    role = await roles.find(asked, path_text(request, "role"))
    form = await form_of_role(asked, role.role)
    if form is None:
        raise _back(request, "/settings/roles", f"{permissions.word(role.role)} always sees all hosts.")
    return render(request, _role_page(role, form))


@routes.post("/settings/roles/{role}/groups")
@gated("can_manage_settings", module=_MODULE)
async def limit_role(request: web.Request) -> web.StreamResponse:
    """Choose which hosts people with a role see and change."""
    asked = call(request)
    role = await roles.find(asked, path_text(request, "role"))
    form = await read_form(request, scope_schemas.HostGroupsForm)
    try:
        await scopes.limit_role(asked, role.role, form.wanted)
    except Problem as refused:
        shown = await form_of_role(asked, role.role, form.wanted, _sentences(refused))
        return _refused(request, refused, permissions.word(role.role), "/settings/roles", shown)
    raise _back(
        request, "/settings/roles", f"The hosts of {permissions.word(role.role)} are saved. They hold from now on."
    )


def _role_page(role: Role, form: HostGroups) -> HostGroupsPage:
    subtitle = "Everybody with this role, from their next click on."
    return HostGroupsPage(permissions.word(role.role), subtitle, "/settings/roles", form)


def _refused(
    request: web.Request, refused: Problem, name: str, back_url: str, form: HostGroups | None
) -> web.StreamResponse:
    if form is None:
        raise refused
    page = HostGroupsPage(name, "Nothing was changed.", back_url, form)
    return render(request, page, status=status_of(refused))


def _sentences(refused: Problem) -> list[str]:
    return [text if text[:1].isupper() else f"Host groups {text}" for text in forms.complaints_of(refused).values()]


def _back(request: web.Request, url: str, text: str) -> web.HTTPSeeOther:
    answer = web.HTTPSeeOther(url)
    flash.say(answer, request, "good", text)
    return answer
