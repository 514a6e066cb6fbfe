"""Administrators and the accounts of others: list, make, change, reset, remove."""

from collections.abc import Sequence

from server.audit import service as audit
from server.audit.models import Subject
from server.core import passwords
from server.core.bus import announce
from server.core.call import Call
from server.core.db import IntegrityError, Tx
from server.core.ids import is_uuid
from server.identity import people, permissions, queries, ranks, rules, scopes, setup
from server.identity.errors import (
    BadPerson,
    LastAdmin,
    LastSuperadmin,
    NameTaken,
    NotYourself,
    OwnRole,
    PersonInactive,
    PersonMissing,
    PersonsOnly,
    RankTooLow,
    RoleNotYours,
    SignupOff,
    WeakPassword,
)
from server.identity.events import UserDeleted, UserRoleChanged
from server.identity.models import Change, NewPerson, Profile, User
from server.identity.sso import discovery
from server.identity.sso.errors import ManagedByProvider
from server.settings import service as settings

_USERNAME_LEAST = 3


async def everybody(call: Call, limit: int | None = None, offset: int = 0) -> tuple[Sequence[User], int]:
    """Return accounts in the order of their names, and how many there are."""
    return await queries.list_people(call.db, limit, offset), await queries.count_people(call.db)


async def find(call: Call, user_id: str) -> User:
    """Return one account."""
    user = await queries.find_user(call.db, user_id) if is_uuid(user_id) else None
    if user is None:
        raise PersonMissing
    return user


async def create(call: Call, person: NewPerson, role: str) -> User:
    """Make an account that works at once; without a role it gets the default one.

    Raises ``ManagedByProvider``, ``RoleNotYours``, ``BadPerson``, ``WeakPassword`` or ``NameTaken``.
    """
    if await discovery.roles_are_synced(call):
        raise ManagedByProvider
    role = role or (await settings.effective(call)).default_user_role
    await _demand_giveable(call, role)
    _demand_long_name(person)
    return await people.create(call, person, role)


async def register(call: Call, person: NewPerson) -> User:
    """Make the account of somebody who registers themselves, in the default role.

    Raises ``SignupOff``, ``BadPerson``, ``WeakPassword`` or ``NameTaken``.
    """
    decided = await settings.effective(call)
    if not decided.signup_enabled or await setup.is_needed(call) or await discovery.local_is_closed(call):
        raise SignupOff
    _demand_long_name(person)
    # Nobody becomes an administrator by filling in a form, whatever the default says.
    role = decided.default_user_role
    known = role not in permissions.ADMIN_ROLES and await queries.find_role(call.db, role) is not None
    return await people.create(call, person, role if known else "user", by_themselves=True)


async def choose_registration(call: Call, role: str, *, enabled: bool) -> None:
    """Decide whether people may register themselves, and in which role; raises ``RoleNotYours`` or ``BadPerson``."""
    await _demand_giveable(call, role)
    await settings.change(call, {"signup_enabled": enabled, "default_user_role": role})


async def change(call: Call, user_id: str, wanted: Change) -> User:
    """Change an account; another role and deactivation end its sessions at once.

    Raises ``RankTooLow``, ``BeyondYourGroups``, ``OwnRole``, ``RoleNotYours``, ``LastSuperadmin``, ``LastAdmin``,
    ``BadPerson`` or ``NameTaken``.
    """
    if wanted.role is not None and wanted.role != (await find(call, user_id)).role:
        if user_id == call.actor.id:
            raise OwnRole
        if await discovery.roles_are_synced(call):
            raise ManagedByProvider
        await _demand_giveable(call, wanted.role)
    async with call.transaction() as tx:
        before = await _held_still(tx, call, user_id)
        profile = wanted.profile(before)
        role = before.role if wanted.role is None else wanted.role
        is_active = before.is_active if wanted.is_active is None else wanted.is_active
        _demand_sound(call, before, profile, is_active=is_active)
        if before.is_active and (not is_active or role != before.role):
            await _demand_not_last(tx, before, role if is_active else "")
        after = await _update(tx, call, before, profile, role, is_active=is_active)
        # Another role may be limited to other groups.
        await scopes.demand_reach(tx, call, user_id)
        await _revoke(tx, before, after)
        await _record(tx, call, before, after)
    return after


async def reset_password(call: Call, user_id: str, password: str) -> User:
    """Give somebody another password: they sign in anew everywhere, with a code where they have a second step.

    Raises ``RankTooLow``, ``PersonInactive`` or ``WeakPassword``.
    """
    await find(call, user_id)
    if broken := rules.broken(password, await settings.effective(call)):
        raise WeakPassword({"new_password": people.weak(broken)})
    password_hash = await passwords.hashed(password)
    async with call.transaction() as tx:
        user = await _held_still(tx, call, user_id)
        if not user.is_active:
            raise PersonInactive
        await queries.update_password(tx, user_id, password_hash, call.now)
        await _sign_out_everywhere(tx, user_id, trusted=False)
        await audit.record(tx, call, "identity.password_reset", _subject(user))
    return user


async def remove(call: Call, user_id: str) -> None:
    """Remove an account for good.

    Raises ``NotYourself``, ``RankTooLow``, ``LastSuperadmin`` or ``LastAdmin``.
    """
    if user_id == call.actor.id:
        raise NotYourself
    async with call.transaction() as tx:
        user = await _held_still(tx, call, user_id)
        await _demand_not_last(tx, user, "")
        await queries.delete_user(tx, user_id)
        await audit.record(tx, call, "identity.user_deleted", _subject(user), {"role": user.role})
        tx.after_commit(announce(UserDeleted(user_id)))


async def _held_still(tx: Tx, call: Call, user_id: str) -> User:
    # One lock for all: of two administrators who remove each other at the same moment one stays.
    await queries.lock_admins(tx)
    user = await queries.find_user_for_change(tx, user_id) if is_uuid(user_id) else None
    if user is None:
        raise PersonMissing
    if call.actor.kind == "token" and user_id == call.actor.id:
        raise PersonsOnly
    if not ranks.may_touch(call.actor, user.role):
        raise RankTooLow
    await scopes.demand_reach(tx, call, user_id)
    return user


def _demand_long_name(person: NewPerson) -> None:
    if 0 < len(person.profile.username) < _USERNAME_LEAST:
        raise BadPerson({"username": f"must have at least {_USERNAME_LEAST} characters and no blank, @ or /"})


async def _demand_giveable(call: Call, role: str) -> None:
    held = permissions.held(role, await queries.find_role(call.db, role))
    if held is None:
        raise BadPerson({"role": "must be a role that exists"})
    if not ranks.may_give(call.actor, role, held):
        raise RoleNotYours(role=role)


def _demand_sound(call: Call, before: User, profile: Profile, *, is_active: bool) -> None:
    if wrong := rules.complaints(profile, names_required=False):
        raise BadPerson(wrong)
    if before.id == call.actor.id and not is_active:
        raise NotYourself


async def _demand_not_last(tx: Tx, user: User, next_role: str) -> None:
    # Somebody who can sign in has to administer this server, and only an administrator can make another one.
    if user.role == "superadmin" and next_role != "superadmin":
        if not await queries.count_other_active(tx, user.id, ["superadmin"]):
            raise LastSuperadmin
    elif (
        user.role == "admin"
        and next_role not in permissions.ADMIN_ROLES
        and not await queries.count_other_active(tx, user.id, ["superadmin", "admin"])
    ):
        raise LastAdmin


async def _update(tx: Tx, call: Call, before: User, profile: Profile, role: str, *, is_active: bool) -> User:
    try:
        after = await queries.update_account(tx, before.id, profile, role, call.now, is_active=is_active)
    except IntegrityError as error:
        raise NameTaken from error
    assert after is not None
    return after


async def _revoke(tx: Tx, before: User, after: User) -> None:
    if not after.is_active:
        await _sign_out_everywhere(tx, after.id, trusted=False)
    elif before.role != after.role:
        await _sign_out_everywhere(tx, after.id, trusted=True)


async def _sign_out_everywhere(tx: Tx, user_id: str, *, trusted: bool) -> None:
    await queries.delete_sessions(tx, user_id)
    await queries.delete_tickets(tx, user_id)
    if not trusted:
        await queries.delete_devices(tx, user_id)


async def _record(tx: Tx, call: Call, before: User, after: User) -> None:
    names = ("username", "email", "first_name", "last_name", "role", "is_active")
    changed = {
        name: {"before": getattr(before, name), "after": getattr(after, name)}
        for name in names
        if getattr(before, name) != getattr(after, name)
    }
    await audit.record(tx, call, "identity.user_changed", _subject(after), changed)
    if before.role != after.role:
        changed_role = UserRoleChanged(after.id, after.username, call.actor.address, call.actor.name)
        tx.after_commit(announce(changed_role))


def _subject(user: User) -> Subject:
    return Subject("user", user.id, user.username)
