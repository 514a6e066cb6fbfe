"""Somebody whom another service recognised: their account is found, linked or made, kept up to date, and opened."""

from dataclasses import dataclass

from server.audit import service as audit
from server.audit.models import Subject
from server.core.bus import announce
from server.core.call import Call
from server.core.db import IntegrityError, Tx
from server.core.log import get_log
from server.identity import permissions, queries, sessions, setup
from server.identity.errors import WrongCredentials
from server.identity.events import UserCreated, UserRoleChanged
from server.identity.models import Browser, Profile, SignedIn, User
from server.identity.queries import sso as stored
from server.identity.sso import rules
from server.identity.sso.errors import AddressClaimed, EmailNotVerified, LinkedToAnother, NoAccount, NoEmail
from server.identity.sso.models import Arrival, Config, Identity
from server.settings import service as settings

log = get_log(__name__)

_TRIES = 2


@dataclass(frozen=True, slots=True)
class Welcome:
    """What happens to people the service sends.

    Attributes:
        creates: unknown people get an account.
        role: of a new account.
        config: how groups decide about the role afterwards; ``None`` when they do not.
        unknown: the refusal of who has no account.
    """

    creates: bool
    role: str
    config: Config | None = None
    unknown: type[NoAccount] = NoAccount


async def enter(call: Call, arrival: Arrival, browser: Browser, welcome: Welcome) -> SignedIn:
    """Open a session for the person; a session that the browser already had ends.

    Raises ``NoAccount``, ``NoEmail``, ``EmailNotVerified``, ``AddressClaimed``, ``LinkedToAnother`` or, for an
    inactive account, ``WrongCredentials``.
    """
    for attempt in range(1, _TRIES + 1):
        try:
            async with call.transaction() as tx:
                user = await find_or_make(tx, call, arrival, welcome)
                return await open_session(tx, call, user.id, arrival, browser)
        except IntegrityError:
            # Somebody took the same name or address at the same moment, in a form here.
            if attempt == _TRIES:
                raise
    raise AssertionError


async def recognise(call: Call, arrival: Arrival, welcome: Welcome) -> User:
    """Return the person's account and open nothing: a second factor may be missing. Refuses as ``enter`` does."""
    async with call.transaction() as tx:
        return await find_or_make(tx, call, arrival, welcome)


async def open_session(tx: Tx, call: Call, user_id: str, arrival: Arrival, browser: Browser) -> SignedIn:
    """Open a session for an account that this arrival may use (step)."""
    decided = await settings.effective(call)
    # A lock against guessed passwords keeps nobody out who needs none.
    await stored.lift_lock(tx, user_id)
    opened = await sessions.enter(
        tx, call, user_id, browser, decided, method=arrival.service, id_token=arrival.id_token
    )
    if opened is None:
        raise WrongCredentials
    return opened


async def find_or_make(tx: Tx, call: Call, arrival: Arrival, welcome: Welcome) -> User:
    """Return the person's account as it is after this arrival (step); see ``enter``."""
    # One arrival at a time, and none beside a change of accounts: roles are counted, names are compared.
    await queries.lock_admins(tx)
    identity = await stored.find_identity(tx, arrival.service, arrival.issuer, arrival.subject)
    if identity is not None:
        await stored.mark_identity_used(tx, identity.id, arrival.name, call.now)
        user_id = identity.user_id
    else:
        user_id = await _link_or_make(tx, call, arrival, welcome)
    before = await queries.find_user_for_change(tx, user_id)
    if before is None or not before.is_active:
        raise WrongCredentials
    await stored.update_names(tx, user_id, arrival.first_name, arrival.last_name, call.now)
    if welcome.config is not None and identity is not None:
        await _sync_role(tx, call, before, rules.synced_role(welcome.config, before.role, arrival.groups))
    after = await queries.find_user(tx, user_id)
    assert after is not None
    return after


async def _link_or_make(tx: Tx, call: Call, arrival: Arrival, welcome: Welcome) -> str:
    namesake = await stored.find_namesake(tx, arrival.email) if arrival.email else None
    if namesake is not None and not arrival.email_verified:
        raise EmailNotVerified
    if namesake is not None and namesake.email_by == "owner":
        # Who registered it may have waited for its true owner to come and fill it.
        log.warning("sign-in refused: whoever has the account typed this address themselves", user_id=namesake.id)
        raise AddressClaimed
    known = namesake.id if namesake else None
    if known is None and not welcome.creates:
        raise welcome.unknown
    if known is None and not arrival.email:
        raise NoEmail
    user_id = known or await _make(tx, call, arrival, welcome)
    await link(tx, call, arrival, user_id)
    if known and welcome.config is not None and (user := await queries.find_user_for_change(tx, user_id)):
        await _sync_role(tx, call, user, rules.synced_role(welcome.config, user.role, arrival.groups))
    return user_id


async def link(tx: Tx, call: Call, arrival: Arrival, user_id: str) -> None:
    """Link the identity to the account (step); raises ``LinkedToAnother`` when either belongs to another already."""
    identity = Identity("", user_id, arrival.service, arrival.issuer, arrival.subject, arrival.name, call.now, call.now)
    if not await stored.save_identity(tx, user_id, identity):
        raise LinkedToAnother
    detail = {"provider": arrival.service, "issuer": arrival.issuer, "subject": arrival.subject}
    await audit.record(tx, call, "identity.account_linked", Subject("user", user_id, arrival.username), detail)


async def _make(tx: Tx, call: Call, arrival: Arrival, welcome: Welcome) -> str:
    # Nobody administers this server yet: whoever comes first does, as with the wizard.
    await queries.lock_setup(tx)
    first = welcome.config is not None and not await queries.has_admin(tx)
    role = "superadmin" if first else welcome.role
    if permissions.held(role, await queries.find_role(tx, role)) is None:
        role = "user"
    wanted = rules.safe_name(arrival.username)
    username = rules.free_name(wanted, set(await stored.list_names_like(tx, wanted)).__contains__)
    profile = Profile(username, arrival.email, arrival.first_name, arrival.last_name)
    user_id = await stored.insert_guest(tx, profile, role, call.now)
    if first:
        await queries.delete_setup_links(tx)
    detail = {"role": role, "method": arrival.service}
    await audit.record(tx, call, "identity.user_created", Subject("user", user_id, username), detail)
    tx.after_commit(announce(UserCreated(user_id, username, call.actor.address, arrival.service)))
    return user_id


async def _sync_role(tx: Tx, call: Call, before: User, role: str) -> None:
    if role == before.role:
        return
    if await _is_last(tx, before, role):
        log.warning("OIDC groups would take the last administrator away: the role stays", user=before.username)
        return
    await stored.update_role(tx, before.id, role, call.now)
    # Also the sessions of other browsers end; the one that is about to be opened comes after this.
    await queries.delete_sessions(tx, before.id)
    detail = {"role": {"before": before.role, "after": role}, "method": "oidc"}
    await audit.record(tx, call, "identity.user_changed", Subject("user", before.id, before.username), detail)
    tx.after_commit(announce(UserRoleChanged(before.id, before.username, call.actor.address, "oidc")))


async def _is_last(tx: Tx, before: User, role: str) -> bool:
    if before.role == "superadmin":
        return not await queries.count_other_active(tx, before.id, ["superadmin"])
    if before.role != "admin" or role in permissions.ADMIN_ROLES:
        return False
    return not await queries.count_other_active(tx, before.id, ["superadmin", "admin"])


async def needs_setup(call: Call) -> bool:
    """Tell whether the set-up page comes first: not when the first one to arrive becomes the administrator."""
    decided = await settings.effective(call)
    if decided.oidc_enabled and decided.oidc_auto_create_users:
        return False
    return await setup.is_needed(call)
