"""The page where administrators decide who has to have a second factor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from aiohttp import web

from server.core.errors import Problem
from server.identity import factors, forms, permissions, ranks, schemas, service
from server.settings import service as settings
from server.web import flash
from server.web.fields import Field, complained, filled
from server.web.forms import read_form
from server.web.navigation import Entry
from server.web.problems import status_of
from server.web.render import Page, render
from server.web.routing import Routes, call, gated

routes: Final = Routes()
ENTRIES: Final = (
    Entry(
        "Settings",
        "Security",
        "/settings/security",
        "shield-check",
        order=30,
        permission="can_manage_settings",
        group="User Management",
    ),
)

_HOME: Final = "/settings/security"
_NAMES: Final = ("two_factor_required", "two_factor_roles", "two_factor_grace_days")


@dataclass(frozen=True, slots=True)
class SecurityPage(Page):
    """templates/settings/security.html.

    Attributes:
        roles: key, word and whether it is ticked.
        missing, overdue: how many people have no second factor yet, and how many of them are shut out by now.
        from_environment: the names of settings that the environment decides.
    """

    template: ClassVar[str] = "settings/security.html"
    title: ClassVar[str] = "Security"
    required: str
    roles: Sequence[tuple[str, str, bool]]
    fields: Sequence[Field]
    complaints: Sequence[tuple[str, str] | str]
    missing: int
    overdue: int
    from_environment: Sequence[str]
    grace_days: int


@routes.get("/settings/security")
@gated("can_manage_settings")
async def show(request: web.Request) -> web.Response:
    """Show who has to have a second factor, and how many do not yet."""
    return render(request, await _page(request))


@routes.post("/settings/security")
@gated("can_manage_settings")
async def choose(request: web.Request) -> web.StreamResponse:
    """Decide who has to have a second factor."""
    form = await read_form(request, schemas.SecurityForm)
    try:
        await factors.choose(call(request), form.two_factor_required, form.two_factor_roles, form.two_factor_grace_days)
    except Problem as refused:
        return render(request, await _page(request, form, forms.complaints_of(refused)), status=status_of(refused))
    answer = web.HTTPSeeOther(_HOME)
    flash.say(answer, request, "good", "Saved. It holds from everybody's next click.")
    raise answer


async def _page(
    request: web.Request, typed: schemas.SecurityForm | None = None, wrong: dict[str, str] | None = None
) -> SecurityPage:
    asked = call(request)
    found = await settings.decided(asked)
    decided = found.settings
    required = typed.two_factor_required if typed else decided.two_factor_required
    ticked = set(typed.two_factor_roles if typed else decided.two_factor_roles)
    days = typed.two_factor_grace_days if typed else decided.two_factor_grace_days
    fields = filled(forms.SECURITY, {"two_factor_grace_days": days}, wrong or {})
    missing = (await factors.enrolments(asked)).values()
    roles = sorted(await service.roles(asked), key=lambda one: (-ranks.rank(one.role), one.role))
    return SecurityPage(
        required=required,
        roles=[(one.role, permissions.word(one.role), one.role in ticked) for one in roles],
        fields=fields,
        complaints=complained(fields, wrong or {}),
        missing=len(missing),
        overdue=sum(1 for one in missing if one.due_at is not None and one.due_at <= asked.now),
        from_environment=[name for name in _NAMES if found.sources[name] == "env"],
        grace_days=decided.two_factor_grace_days,
    )
