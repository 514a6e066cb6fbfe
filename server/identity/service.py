"""What other rooms and the command line ask of identity."""

from dataclasses import replace

from server.core.call import Call, World, system
from server.core.errors import Refused
from server.identity import factors, people, permissions, preferences, queries, sessions, setup, tokens
from server.identity.errors import AccountOff, PersonMissing, SecondFactorDue
from server.identity.models import NewPerson, NewToken, Role, User
from server.settings import service as settings


async def me(call: Call) -> User:
    """Return the person who asks, or for whom a token asks."""
    user = await queries.find_user(call.db, call.actor.id) if call.actor.kind in {"person", "token"} else None
    if user is None:
        raise PersonMissing
    return user


async def again(call: Call, permission: str) -> Call:
    """Return the call with who asks as they are by now, for what stays open longer than a request.

    Raises ``Unknown`` when they are signed out and ``Refused`` when they no longer hold the permission.
    """
    now = Call(call.world, call.actor, request_id=call.request_id)
    if now.actor.kind in {"person", "token"}:
        actor = await (sessions.again(now) if now.actor.kind == "person" else tokens.again(now))
        now = now.acting_as(await factors.judged(now, actor))
        if factors.is_overdue(now, now.actor):
            raise SecondFactorDue
    if not now.actor.may(permission):
        raise Refused
    return now


async def standing_in(call: Call, user_id: str, why: str) -> Call:
    """Return the call as a person would make it now, for what was asked for earlier; ``why`` is shown beside the name.

    Raises ``PersonMissing`` when the account is gone and ``AccountOff`` when it is switched off.
    """
    known = await queries.find_standing(call.db, user_id)
    if known is None:
        raise PersonMissing
    if not known.is_active:
        raise AccountOff(username=known.username)
    return call.acting_as(replace(sessions.actor_of(known, "person", ""), via="", via_name=why))


async def roles(call: Call) -> list[Role]:
    """Return every role with the permissions that hold for it."""
    found = await queries.list_roles(call.db)
    return [
        Role(role, permissions.held(role, stored) or frozenset(), role in permissions.BUILT_IN)
        for role, stored in found
    ]


async def names(call: Call) -> list[tuple[str, str]]:
    """Return every account that may sign in as its id and user name, in the order of the names."""
    return [(one.id, one.username) for one in await queries.list_people(call.db, None, 0) if one.is_active]


async def create_admin(world: World, person: NewPerson) -> User:
    """Make an administrator from the server's own command line, whether or not there is one already."""
    return await people.create(Call(world, system("command line")), person, "superadmin")


async def create_token(world: World, username: str, name: str, days: int | None, access: str = "all") -> str:
    """Make an API token for a person and return the secret, which is shown this once; ``access`` is a preset's key."""
    call = Call(world, system("command line"))
    owner = await queries.find_user_named(call.db, username)
    if owner is None:
        raise PersonMissing
    _, secret = await tokens.create(call, owner, NewToken(name, days, tokens.preset(access)))
    return secret


async def setup_link(world: World, base_url: str) -> str | None:
    """Return a new one-time link for the first administrator, or ``None`` when there is one already."""
    return await setup.new_link(Call(world, system("set-up")), base_url)


async def modules(call: Call) -> list[str]:
    """Return the capability modules that are switched on."""
    off = (await settings.effective(call)).disabled_modules
    return [module for module in permissions.MODULES if module not in off]


async def choose_theme(call: Call, theme: str) -> None:
    """Keep how pages look for the asker: light, dark or auto."""
    await preferences.choose(call, theme=theme)
