"""Accounts: checking what is said about a person, and making one."""

from datetime import datetime

from server.audit import service as audit
from server.audit.models import Subject
from server.core import passwords
from server.core.bus import announce
from server.core.call import Call
from server.core.db import IntegrityError, Tx
from server.identity import queries, rules, scopes
from server.identity.errors import BadPerson, NameTaken, PersonMissing, PersonsOnly, WeakPassword, WrongPassword
from server.identity.events import UserCreated
from server.identity.models import NewPerson, Profile, User
from server.settings import service as settings


async def create(call: Call, person: NewPerson, role: str, *, by_themselves: bool = False) -> User:
    """Make an account that works at once; the caller has decided that the actor may give this role.

    What people who register themselves say is their address is nobody's word but theirs.
    """
    password_hash = await checked_hash(call, person)
    async with call.transaction() as tx:
        email_by = "owner" if by_themselves else "administrator"
        user = await insert(tx, person, password_hash, role, call.now, email_by=email_by)
        await scopes.pass_on(tx, call, user.id)
        await audit.record(tx, call, "identity.user_created", Subject("user", user.id, user.username), {"role": role})
        tx.after_commit(announce(UserCreated(user.id, user.username, call.actor.address, call.actor.name)))
    return user


async def checked_hash(call: Call, person: NewPerson, *, names_required: bool = False) -> str:
    """Return the hash of the password of a person about whom everything is usable.

    Raises ``BadPerson`` with every complaint, or ``WeakPassword`` with every rule that the password breaks.
    """
    wrong = rules.complaints(person.profile, names_required=names_required)
    broken = rules.broken(person.password, await settings.effective(call))
    if wrong:
        raise BadPerson({**wrong, **({"password": weak(broken)} if broken else {})})
    if broken:
        raise WeakPassword({"password": weak(broken)})
    return await passwords.hashed(person.password)


def weak(broken: list[str]) -> str:
    """Return the refusal of a password with every rule it breaks."""
    return f"{WeakPassword.text}: {', '.join(rule[0].lower() + rule[1:] for rule in broken)}"


async def change_profile(call: Call, profile: Profile) -> User:
    """Change what the asker says about themselves; raises ``BadPerson`` or ``NameTaken``."""
    if call.actor.kind != "person":
        raise PersonsOnly
    if wrong := rules.complaints(profile, names_required=False):
        raise BadPerson(wrong)
    async with call.transaction() as tx:
        try:
            user = await queries.update_profile(tx, call.actor.id, profile, call.now)
        except IntegrityError as error:
            raise NameTaken from error
        if user is None:
            raise PersonMissing
        await audit.record(tx, call, "identity.profile_changed", Subject("user", user.id, user.username))
    return user


async def change_password(call: Call, current: str, new: str) -> None:
    """Give the asker another password, end all their other sessions and forget their trusted browsers.

    Raises ``WrongPassword`` or ``WeakPassword``.
    """
    if call.actor.kind != "person":
        raise PersonsOnly
    if broken := rules.broken(new, await settings.effective(call)):
        raise WeakPassword({"new_password": weak(broken)})
    if not await passwords.matches(current, await queries.find_password(call.db, call.actor.id)):
        raise WrongPassword({"current_password": WrongPassword.text})
    password_hash = await passwords.hashed(new)
    async with call.transaction() as tx:
        await queries.update_password(tx, call.actor.id, password_hash, call.now)
        await queries.delete_other_sessions(tx, call.actor.id, call.actor.via)
        await queries.delete_devices(tx, call.actor.id)
        await queries.delete_tickets(tx, call.actor.id)
        subject = Subject("user", call.actor.id, call.actor.name)
        await audit.record(tx, call, "identity.password_changed", subject)


async def insert(
    tx: Tx, person: NewPerson, password_hash: str, role: str, now: datetime, *, email_by: str = "administrator"
) -> User:
    """Add the person (step); raises ``NameTaken``."""
    try:
        return await queries.insert_user(tx, person.profile, password_hash, role, now, email_by=email_by)
    except IntegrityError as error:
        raise NameTaken from error
