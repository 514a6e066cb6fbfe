"""What is in force, kept for a moment; and changing it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from weakref import WeakKeyDictionary

from server.audit import service as audit
from server.audit.models import Subject
from server.core import log as logs
from server.core.bus import announce
from server.core.call import Call, World, system
from server.core.db import Database, DatabaseError, is_away
from server.core.env import BadEnvironment, Env, refusal
from server.settings import queries, rules, variables
from server.settings.errors import BadSetting, ReadOnlyVariable, UnknownVariable
from server.settings.events import SettingsChanged
from server.settings.models import Effective, Settings, Variable

# A lost bell, or a change made directly in the database, costs at most this.
_FRESH: Final = timedelta(seconds=5)
_RELOOK_SECONDS: Final = 60.0

#: Said after every change of a variable; most count at once, and a restart never harms.
SAVED: Final = "Restart the application for changes to take effect"


@dataclass(frozen=True, slots=True)
class _Kept:
    effective: Effective
    read_at: datetime


_kept: WeakKeyDictionary[Database, _Kept] = WeakKeyDictionary()


async def effective(call: Call) -> Settings:
    """Return the settings in force: environment, else stored, else default; read at most every few seconds."""
    return (await decided(call)).settings


async def decided(call: Call) -> Effective:
    """Return the settings in force together with who decided each."""
    kept = _kept.get(call.db)
    # Also what was read after this call began is fresh: a crowd of calls must not read it once each.
    if kept is None or abs(call.now - kept.read_at) >= _FRESH:
        if kept is not None:
            # Whoever comes while this call reads makes do with what was kept.
            _kept[call.db] = _Kept(kept.effective, call.now)
        stored = await queries.fetch_stored(call.db)
        kept = _Kept(rules.effective(call.world.env.given.reveal(), stored), call.now)
        _kept[call.db] = kept
    return kept.effective


def modules_off(world: World) -> tuple[str, ...]:
    """Return the modules that were switched off when this process last looked."""
    kept = _kept.get(world.db)
    return kept.effective.settings.disabled_modules if kept else ()


async def anew(call: Call) -> Settings:
    """Return the settings in force as they are stored now, for who just heard that some changed."""
    _kept.pop(call.db, None)
    return await effective(call)


async def at_the_edge(call: Call) -> Effective:
    """Return the settings in force also while the database is away: then those of before, or without stored ones."""
    try:
        return await decided(call)
    except DatabaseError as error:
        if not is_away(error):
            raise
        kept = _kept.get(call.db)
        return kept.effective if kept else rules.effective(call.world.env.given.reveal(), {})


async def change(call: Call, changes: Mapping[str, Any]) -> Settings:
    """Store new values for the named settings; unknown names are ignored.

    A setting that the environment decides can be stored too: it takes effect when the variable is removed.
    Raises ``BadSetting`` with a complaint for every value that cannot be taken; then nothing is stored.
    """
    values, wrong = rules.checked(changes)
    if wrong:
        raise BadSetting(wrong)
    await _store(call, values)
    return await effective(call)


async def _store(call: Call, values: dict[str, Any]) -> None:
    async with call.transaction() as tx:
        before = await queries.lock_stored(tx, list(values))
        changed = await queries.store(tx, values, call.now, call.actor.name)
        for name in sorted(changed):
            detail = {"from": before.get(name), "to": values[name]}
            await audit.record(tx, call, "settings.changed", Subject("setting", name, name), detail)
        if changed:
            tx.after_commit(_Forget())
            tx.after_commit(announce(SettingsChanged(tuple(sorted(changed)))))


async def environment(call: Call) -> list[Variable]:
    """Return every environment variable that the server reads, in the order of the page."""
    given, stored = call.world.env.given.reveal(), await queries.fetch_stored(call.db)
    effective = rules.effective(given, stored)
    return [variables.described(known, given, effective, stored) for known in variables.VARIABLES]


async def variable(call: Call, key: str) -> Variable:
    """Return one environment variable; raises ``UnknownVariable``."""
    found = next((one for one in await environment(call) if one.key == key), None)
    if found is None:
        raise UnknownVariable
    return found


async def change_variable(call: Call, key: str, value: object) -> None:
    """Store a value for a variable; it counts unless the environment decides. Raises ``BadSetting`` under its key."""
    name = _stored_name(key)
    if name == key:
        await _store(call, {key: _usable_at_start(key, value)})
        return
    try:
        await change(call, {name: value})
    except BadSetting as refused:
        raise BadSetting({key: refused.complaints[name]}) from refused


async def clear_variable(call: Call, key: str) -> None:
    """Forget what is stored for a variable, so that the environment or the default counts."""
    name = _stored_name(key)
    async with call.transaction() as tx:
        before = await queries.forget(tx, name)
        if before is not None:
            detail = {"from": before, "to": None}
            await audit.record(tx, call, "settings.changed", Subject("setting", name, name), detail)
            tx.after_commit(_Forget())
            tx.after_commit(announce(SettingsChanged((name,))))


def _usable_at_start(key: str, value: object) -> str:
    text = variables.as_text(value).strip() if isinstance(value, str | int | bool) else ""
    complaint = refusal(key, text) if text else "must not be empty"
    if complaint:
        raise BadSetting({key: complaint})
    return text


def _stored_name(key: str) -> str:
    """Return the name under which a variable is stored: its setting's, or its own when it is read at the start."""
    known = variables.BY_KEY.get(key)
    if known is None:
        raise UnknownVariable
    if known.storable:
        return key
    if not known.setting or rules.BY_NAME[known.setting].apart:
        raise ReadOnlyVariable(key=key)
    return known.setting


async def change_server_url(call: Call, url: str) -> Settings:
    """Store the URL under which agents and people reach this server."""
    return await change(call, server_url_parts(url))


def server_url_parts(url: str) -> dict[str, Any]:
    """Return the settings that a URL stands for; raises ``BadSetting`` when it is not one."""
    try:
        return rules.url_parts(url)
    except ValueError as error:
        raise BadSetting({"server_url": str(error)}) from error


async def last_change(call: Call) -> datetime | None:
    """Return when a setting was last changed, or ``None`` when all are defaults."""
    return await queries.last_change(call.db)


def complaints(given: Mapping[str, str]) -> list[str]:
    """Return one sentence for every operator variable that has an unusable value."""
    return rules.complaints(given)


def demand_usable(env: Env) -> None:
    """Raise ``BadEnvironment`` with every operator variable that has an unusable value."""
    if wrong := complaints(env.given.reveal()):
        raise BadEnvironment(wrong)


async def keep_fresh(world: World) -> None:
    """Forget what is kept as soon as another process changes a setting, and log as is decided; runs until cancelled."""
    async with world.bus.following(SettingsChanged.name) as bell:
        while True:
            # Also while the database is away: what is known then counts on.
            decided = (await at_the_edge(Call(world, system("settings")))).settings
            logs.follow(decided.log_level, enabled=decided.enable_logging, zone=decided.timezone)
            await bell.ring(within=_RELOOK_SECONDS)
            _kept.pop(world.db, None)


class _Forget:
    """The effect that makes this process read the settings again."""

    async def __call__(self, world: World) -> None:
        _kept.pop(world.db, None)
