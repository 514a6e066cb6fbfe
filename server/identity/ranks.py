"""Pure decisions about who may do what to whom: ranks, roles that may be given, what a role may hold."""

from collections.abc import Collection
from typing import Final

from server.core.call import Actor
from server.identity.permissions import ADMIN_ROLES, BUILT_IN, KEYS, PERMISSIONS, SUPERUSERS

_RANKS: Final = {"superadmin": 100, "admin": 90, "host_manager": 50, "user": 20, "readonly": 10}
_CUSTOM: Final = 30
#: Permissions that change who may do what; nobody passes them on without holding them.
ADMINISTRATION: Final = frozenset(one.key for one in PERMISSIONS if one.tier == "Administration")


def rank(role: str) -> int:
    """Return how high a role stands; all custom roles stand on one step."""
    return _RANKS.get(role, _CUSTOM)


def may_touch(actor: Actor, role: str) -> bool:
    """Tell whether the actor may change, reset or delete a person with this role, beside the permission for it."""
    # Whoever gives somebody a password can be that person. What a custom role holds is not asked here.
    if actor.partial and not may_grant(actor, BUILT_IN.get(role, KEYS)):
        return False
    return actor.kind == "system" or actor.may(SUPERUSERS) or rank(role) <= _standing(actor)


def may_give(actor: Actor, role: str, held: Collection[str]) -> bool:
    """Tell whether the actor may give somebody this role, which holds ``held``."""
    if actor.partial and not may_grant(actor, held):
        return False
    if actor.kind == "system" or actor.may(SUPERUSERS):
        return True
    if role in ADMIN_ROLES or rank(role) > _standing(actor):
        return False
    # All custom roles stand on one step, so for them it counts what they hold.
    return role in BUILT_IN or may_grant(actor, held)


def may_grant(actor: Actor, wanted: Collection[str]) -> bool:
    """Tell whether the actor may put these permissions into a role or hand them out with one."""
    wanted = frozenset(wanted) & KEYS
    if actor.partial:
        # What a token was not given cannot be had through somebody it makes or changes.
        return wanted <= actor.permissions
    if actor.kind == "system" or actor.role == "superadmin":
        return True
    if SUPERUSERS in wanted:
        return False
    return actor.role == "admin" or not (wanted & ADMINISTRATION) - actor.permissions


def _standing(actor: Actor) -> int:
    return _CUSTOM if actor.partial else rank(actor.role)
