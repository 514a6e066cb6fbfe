"""The first administrator: let in once, by the link that the server printed."""

from typing import Final
from weakref import WeakSet

from server.audit import service as audit
from server.audit.models import Subject
from server.core.bus import announce
from server.core.call import Actor, Call
from server.core.db import Database, Tx
from server.core.ids import random_hex
from server.identity import people, queries, sessions
from server.identity.errors import AdminExists, BadSetupLink
from server.identity.events import UserCreated
from server.identity.models import Browser, NewPerson, SignedIn
from server.identity.permissions import BUILT_IN
from server.settings import service as settings

_LINKS_KEPT: Final = 5
#: Databases that have an administrator: the last one cannot be removed, so this never turns back.
_set_up: WeakSet[Database] = WeakSet()


async def is_needed(call: Call) -> bool:
    """Tell whether nobody administers this server yet; free once somebody does."""
    if call.db in _set_up:
        return False
    if await queries.has_admin(call.db):
        _set_up.add(call.db)
        return False
    return True


async def new_link(call: Call, base_url: str) -> str | None:
    """Return a new link for the first administrator, or ``None`` when there is one already.

    Earlier links stay good (several servers start at once), but only the newest few.
    """
    if not await is_needed(call):
        return None
    token = random_hex(24)
    async with call.transaction() as tx:
        await queries.insert_setup_link(tx, call.world.box.verifier(token), call.now)
        await queries.trim_setup_links(tx, _LINKS_KEPT)
        await audit.record(tx, call, "identity.setup_link_created")
    return f"{base_url.rstrip('/')}/setup?token={token}"


async def is_good_link(call: Call, token: str) -> bool:
    """Tell whether this is the token of a link that was given out and not used."""
    return bool(token) and await queries.is_setup_link(call.db, call.world.box.verifier(token))


async def create_first_admin(
    call: Call, person: NewPerson, token: str, browser: Browser, server_url: str = ""
) -> SignedIn:
    """Make the first administrator, close the set-up for good, and open a session.

    Of several at the same moment one succeeds. The order of refusals: ``AdminExists``, ``BadSetupLink``, then what is
    wrong with the person; a refused attempt does not use up the link.
    """
    await demand_open(call, token)
    url_parts = settings.server_url_parts(server_url) if server_url else {}
    password_hash = await people.checked_hash(call, person, names_required=True)
    async with call.transaction() as tx:
        opened = await insert_admin(tx, call, person, password_hash, browser)
        await queries.delete_setup_links(tx)
    if url_parts:
        await settings.change(call.acting_as(themselves(call, opened)), url_parts)
    return opened


async def demand_open(call: Call, token: str) -> None:
    """Raise ``AdminExists`` or ``BadSetupLink`` unless this token may make the first administrator."""
    if not await is_needed(call):
        raise AdminExists
    if not await is_good_link(call, token):
        raise BadSetupLink


async def insert_admin(tx: Tx, call: Call, person: NewPerson, password_hash: str, browser: Browser) -> SignedIn:
    """Make the first administrator and open a session, unless somebody was faster: ``AdminExists`` (step)."""
    decided = await settings.effective(call)
    await queries.lock_setup(tx)
    if await queries.has_admin(tx):
        raise AdminExists
    user = await people.insert(tx, person, password_hash, "superadmin", call.now)
    await queries.mark_signed_in(tx, user.id, call.now)
    opened = await sessions.open_session(tx, call, user, browser, decided)
    await audit.record(tx, call, "identity.first_admin_created", Subject("user", user.id, user.username))
    tx.after_commit(announce(UserCreated(user.id, user.username, browser.address, user.username)))
    return opened


def themselves(call: Call, opened: SignedIn) -> Actor:
    """Return the actor of a session that was just opened for the first administrator."""
    user = opened.user
    return Actor(
        "person",
        user.id,
        user.username,
        user.role,
        BUILT_IN["superadmin"],
        via=opened.session_id,
        address=call.actor.address,
    )
