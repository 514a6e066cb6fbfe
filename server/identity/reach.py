"""Pure decisions about how much of the fleet a person sees and changes: host groups, or ``None`` for all of it."""

from collections.abc import Collection
from typing import Final

from server.core.call import Actor
from server.core.errors import Problem, Refused
from server.identity.errors import ModuleOff, RoleUnknown
from server.identity.permissions import ADMIN_ROLES

Reach = frozenset[str] | None

#: Permissions over the server as a whole: through them a limited person would reach the rest of the fleet, so they do
#: not hold for who is limited.
WHOLE_SERVER: Final = frozenset({"can_manage_settings", "can_manage_superusers", "can_manage_billing"})


def remaining(held: frozenset[str], groups: Reach) -> frozenset[str]:
    """Return the permissions that are left of ``held`` for who is limited to these groups."""
    return held if groups is None else held - WHOLE_SERVER


def of(role: str, role_groups: Collection[str] | None, user_groups: Collection[str] | None) -> Reach:
    """Return the host groups of a person whose role and whose account are limited to these (``None``: no limit).

    Where both are limited, what they have in common is left. The limit of a role never holds for administrators, and
    no limit holds for superadministrators: somebody has to be able to lift one.
    """
    if role == "superadmin":
        return None
    by_role = None if role_groups is None or role in ADMIN_ROLES else frozenset(role_groups)
    by_user = None if user_groups is None else frozenset(user_groups)
    if by_role is None or by_user is None:
        return by_role if by_user is None else by_user
    return by_role & by_user


def refusal(
    actor: Actor, permissions: Collection[str], module: str, switched_off: Collection[str]
) -> type[Problem] | None:
    """Return why a gate does not let somebody pass who is signed in; ``None`` when it does.

    Args:
        actor: who asks.
        permissions: any one of these is enough; none named lets everybody pass.
        module: the part of the product that the gate belongs to; empty for none.
        switched_off: the parts that the operator switched off.
    """
    if permissions and not actor.role:
        return RoleUnknown
    if permissions and not any(actor.may(permission) for permission in permissions):
        return Refused
    return ModuleOff if module and module in switched_off else None


def within(inner: Reach, outer: Reach) -> bool:
    """Tell whether whoever reaches ``inner`` reaches nothing beyond ``outer``."""
    return outer is None or (inner is not None and inner <= outer)
