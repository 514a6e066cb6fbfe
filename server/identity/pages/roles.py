"""The page of roles: what each holds, and making and changing roles of one's own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from aiohttp import web

from server.core.call import Call
from server.core.errors import Problem
from server.core.words import counted
from server.identity import forms, permissions, ranks, roles, schemas, scopes, service
from server.identity.models import Role
from server.identity.permissions import Permission
from server.identity.sso import discovery
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
    Entry(
        "Settings",
        "Roles",
        "/settings/roles",
        "lock",
        order=20,
        permission="can_manage_settings",
        group="User Management",
    ),
)

_HOME: Final = "/settings/roles"
_MODULE: Final = "rbac_custom"


@dataclass(frozen=True, slots=True)
class Column:
    """One role of the matrix; ``hosts`` says in words which it reaches."""

    role: str
    word: str
    held: frozenset[str]
    editable: bool
    hosts: str
    limitable: bool


@dataclass(frozen=True, slots=True)
class Editor:
    """What is being edited below the matrix; ``role`` is empty for a new one."""

    role: str
    word: str
    ticked: frozenset[str]
    deletable: bool
    fields: list[Field]
    complaints: Sequence[tuple[str, str] | str]


@dataclass(frozen=True, slots=True)
class RolesPage(Page):
    """templates/settings/roles.html; without the module only that is said.

    ``synced``: groups at the identity provider decide who has which role, so roles are not changed here.
    """

    template: ClassVar[str] = "settings/roles.html"
    title: ClassVar[str] = "Roles"
    available: bool
    columns: Sequence[Column]
    tiers: Sequence[tuple[str, str, Sequence[Permission]]]
    presets: Sequence[tuple[str, str, str]]
    editor: Editor | None
    synced: bool = False


@routes.get("/settings/roles")
@gated("can_manage_settings")
async def matrix(request: web.Request) -> web.Response:
    """Show the matrix, with the editor when one is asked for (``edit``, ``new`` and its ``preset``)."""
    asked = call(request)
    editor = None
    if await discovery.roles_are_synced(asked):
        pass
    elif "new" in request.query:
        ticked = next((held for name, _, held in permissions.PRESETS if name == request.query.get("preset")), None)
        editor = _editor("", ticked or frozenset())
    elif wanted := request.query.get("edit"):
        found = await roles.find(asked, wanted)
        editor = _editor(found.role, found.permissions) if found.role not in permissions.FIXED else None
    return render(request, await _page(asked, editor))


@routes.post("/settings/roles")
@gated("can_manage_settings", module=_MODULE)
async def create_role(request: web.Request) -> web.StreamResponse:
    """Make a role."""
    form = await read_form(request, schemas.RoleForm)
    return await _save(request, form.role.strip(), form, new=True)


@routes.post("/settings/roles/{role}")
@gated("can_manage_settings", module=_MODULE)
async def change_role(request: web.Request) -> web.StreamResponse:
    """Change what a role holds."""
    found = await roles.find(call(request), path_text(request, "role"))
    return await _save(request, found.role, await read_form(request, schemas.RoleForm), new=False)


@routes.post("/settings/roles/{role}/delete")
@gated("can_manage_settings", module=_MODULE)
async def delete_role(request: web.Request) -> web.StreamResponse:
    """Remove a role that nobody has."""
    asked = call(request)
    found = await roles.find(asked, path_text(request, "role"))
    try:
        await roles.remove(asked, found.role)
    except Problem as refused:
        editor = _editor(found.role, found.permissions, {"": str(refused)})
        return render(request, await _page(asked, editor), status=status_of(refused))
    raise _back(request, f"{permissions.word(found.role)} is deleted.")


async def _save(request: web.Request, role: str, form: schemas.RoleForm, *, new: bool) -> web.StreamResponse:
    asked = call(request)
    try:
        await roles.save(asked, role, form.permissions, new=new)
    except Problem as refused:
        editor = _editor("" if new else role, frozenset(form.permissions), forms.complaints_of(refused), typed=role)
        return render(request, await _page(asked, editor), status=status_of(refused))
    raise _back(request, f"{permissions.word(role)} is saved. It holds from now on.")


async def _page(asked: Call, editor: Editor | None) -> RolesPage:
    found = sorted(await service.roles(asked), key=lambda one: (-ranks.rank(one.role), one.role))
    limits = await scopes.of_roles(asked)
    return RolesPage(
        available=_MODULE not in (await settings.effective(asked)).disabled_modules,
        columns=[_column(one, limits.get(one.role)) for one in found],
        tiers=[
            (tier, risk, [one for one in permissions.PERMISSIONS if one.tier == tier])
            for tier, risk in permissions.TIERS
        ],
        presets=[(name, word, " ".join(sorted(held))) for name, word, held in permissions.PRESETS],
        editor=editor,
        synced=await discovery.roles_are_synced(asked),
    )


def _column(one: Role, groups: list[str] | None) -> Column:
    limitable = one.role not in permissions.ADMIN_ROLES
    hosts = counted(len(groups), "group") if groups is not None and limitable else "All"
    word = permissions.word(one.role)
    return Column(one.role, word, one.permissions, one.role not in permissions.FIXED, hosts, limitable)


def _editor(role: str, ticked: frozenset[str], wrong: dict[str, str] | None = None, typed: str = "") -> Editor:
    fields = [] if role else filled(forms.ROLE, {"role": typed}, wrong or {})
    return Editor(
        role,
        permissions.word(role) if role else "",
        ticked,
        bool(role) and role not in permissions.BUILT_IN,
        fields,
        complained(fields, wrong or {}),
    )


def _back(request: web.Request, text: str) -> web.HTTPSeeOther:
    answer = web.HTTPSeeOther(_HOME)
    flash.say(answer, request, "good", text)
    return answer
