"""The rule that people have to have a second factor: whom it binds, and from when on it shuts them out."""

from dataclasses import replace
from datetime import datetime, timedelta

from server.core.call import Actor, Call
from server.identity import permissions, queries
from server.identity.errors import BadPerson
from server.identity.models import Enrolment
from server.settings import service as settings
from server.settings.models import Settings


def binds(decided: Settings, role: str) -> bool:
    """Tell whether people with this role have to have a second factor."""
    if decided.two_factor_required == "everyone":
        return True
    return decided.two_factor_required == "roles" and role in decided.two_factor_roles


def deadline(decided: Settings, asked_at: datetime) -> datetime:
    """Return until when somebody who was first asked then may go on without."""
    return asked_at + timedelta(days=decided.two_factor_grace_days)


async def judged(call: Call, actor: Actor) -> Actor:
    """Return the actor with the day until which they have to set up a second factor, where that is demanded of them.

    Their days of grace begin when they are first seen under the rule, not while they are away.
    """
    if actor.kind not in {"person", "token"} or actor.has_second_factor:
        return actor
    decided = await settings.effective(call)
    if not binds(decided, actor.role):
        return actor
    asked_at = actor.factor_asked_at or await queries.mark_asked(call.db, actor.id, call.now)
    return replace(actor, enrol_by=deadline(decided, asked_at))


def is_overdue(call: Call, actor: Actor) -> bool:
    """Tell whether the actor may do nothing but set up a second factor."""
    return actor.enrol_by is not None and call.now >= actor.enrol_by


async def enrolments(call: Call) -> dict[str, Enrolment]:
    """Return how everybody bound by the rule stands who has no second factor yet, by user id."""
    decided = await settings.effective(call)
    return {
        one.user_id: replace(one, due_at=deadline(decided, one.asked_at) if one.asked_at else None)
        for one in await queries.list_enrolments(call.db)
        if not one.has_second_factor and binds(decided, one.role)
    }


async def choose(call: Call, required: str, roles: list[str], grace_days: object) -> None:
    """Decide who has to have a second factor; raises ``BadPerson`` or ``BadSetting``.

    Who is no longer bound gets new days of grace should they be bound again.
    """
    known = set(await _role_names(call))
    if required == "roles" and not roles:
        raise BadPerson({"two_factor_roles": "Choose at least one role"})
    if unknown := sorted(set(roles) - known):
        raise BadPerson({"two_factor_roles": f"There is no role {', '.join(unknown)}"})
    decided = await settings.change(
        call,
        {"two_factor_required": required, "two_factor_roles": sorted(roles), "two_factor_grace_days": grace_days},
    )
    bound = [role for role in known if binds(decided, role)]
    async with call.transaction() as tx:
        await queries.forget_asked(tx, bound)


async def _role_names(call: Call) -> list[str]:
    return [role for role, _ in await queries.list_roles(call.db)] or list(permissions.BUILT_IN)
