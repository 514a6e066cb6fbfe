"""New agent files reach the fleet in two steps: some hosts first, and the others once those are back."""

from typing import Any, Final

from server.audit import service as audit
from server.audit.models import Subject
from server.core.bus import announce
from server.core.call import Call
from server.core.errors import Invalid
from server.hosts.binaries import AgentFile
from server.hosts.errors import NoSuchRollout
from server.hosts.events import AgentRolloutStopped
from server.hosts.models import AgentHost
from server.hosts.queries import rollouts as queries
from server.hosts.turns import PATIENCE, Rollout, RolloutRule, comes_first, next_state

_SHOWN_HOSTS: Final = 20
_MOST_PERCENT: Final = 100
_LONGEST_WAIT_MINUTES: Final = 10_080


async def offers(call: Call, host: AgentHost, file: AgentFile) -> bool:
    """Say whether it is this host's turn to take a file, and remember that it was told so."""
    rollout = await _of(call, file)
    if rollout.state == "stopped":
        return False
    if rollout.state == "first":
        if await queries.is_offered(call.db, rollout.id, host.id):
            return True
        rollout = await _gone_on(call, rollout)
        rule = await queries.fetch_rule(call.db)
        if rollout.state == "stopped" or (
            rollout.state == "first" and rollout.offered and not comes_first(host.api_id, file.sha256, rule)
        ):
            return False
    await queries.offer(call.db, rollout.id, host.id, call.now)
    return True


async def _of(call: Call, file: AgentFile) -> Rollout:
    found = await queries.find(call.db, file.name, file.sha256)
    if found is None:
        await queries.begin(call.db, file.name, file.version, file.sha256, call.now)
        found = await queries.find(call.db, file.name, file.sha256)
    if found is None:
        raise NoSuchRollout
    return found


async def _gone_on(call: Call, rollout: Rollout) -> Rollout:
    """Return a roll-out as it is now: who waits for it moves it on, nobody else has to."""
    now = call.now
    counted = (await queries.list_rollouts(call.db, now - PATIENCE, rollout.id))[0]
    state, reason = next_state(counted, await queries.fetch_rule(call.db), now)
    if state != counted.state and await queries.change_state(call.db, counted.id, state, reason, now):
        if state == "stopped":
            await announce(AgentRolloutStopped(counted.file, counted.version, reason))(call.world)
        return (await queries.list_rollouts(call.db, now - PATIENCE, rollout.id))[0]
    return counted


async def taken_back(call: Call, host: AgentHost, version: str) -> None:
    """A host says that a version did not reach the server from it: nobody else takes it until a person decides."""
    reason = f"{host.friendly_name} took version {version} back"
    for rollout_id in await queries.take_back(call.db, host.id, version, call.now):
        if await queries.change_state(call.db, rollout_id, "stopped", reason, call.now):
            file = (await queries.list_rollouts(call.db, call.now, rollout_id))[0].file
            await announce(AgentRolloutStopped(file, version, reason))(call.world)


async def shown(call: Call) -> list[tuple[Rollout, list[dict[str, Any]]]]:
    """Return the newest roll-out of each file, each with hosts that do not run its version yet."""
    found = await queries.list_rollouts(call.db, call.now - PATIENCE)
    return [
        (one, await queries.list_missing(call.db, call.actor.scope, one.id, _SHOWN_HOSTS))
        for one in [await _gone_on(call, each) for each in found]
    ]


async def rule(call: Call) -> RolloutRule:
    """Return who comes first and for how long the others wait."""
    return await queries.fetch_rule(call.db)


async def change_rule(call: Call, first_percent: int, wait_minutes: int) -> None:
    """Decide who comes first and for how long the others wait. Raises ``Invalid``."""
    wrong = {}
    if not 1 <= first_percent <= _MOST_PERCENT:
        wrong["first_percent"] = f"Must be from 1 to {_MOST_PERCENT}"
    if not 0 <= wait_minutes <= _LONGEST_WAIT_MINUTES:
        wrong["wait_minutes"] = f"Must be from 0 to {_LONGEST_WAIT_MINUTES}"
    if wrong:
        raise Invalid(wrong)
    async with call.transaction() as tx:
        await queries.store_rule(tx, RolloutRule(first_percent, wait_minutes))
        told = {"first_percent": first_percent, "wait_minutes": wait_minutes}
        await audit.record(tx, call, "hosts.rollout_rule_changed", Subject("agent_rollout", "", "rule"), told)


async def decide(call: Call, rollout_id: int, *, go_on: bool) -> None:
    """Let a version go everywhere now, or stop it. Raises ``NoSuchRollout``."""
    async with call.transaction() as tx:
        state = "everywhere" if go_on else "stopped"
        reason = "" if go_on else f"stopped by {call.actor.name}"
        found = await queries.list_rollouts(call.db, call.now, rollout_id)
        if not found:
            raise NoSuchRollout
        await queries.change_state(tx, rollout_id, state, reason, call.now)
        subject = Subject("agent_rollout", str(rollout_id), f"{found[0].file} {found[0].version}")
        await audit.record(tx, call, "hosts.rollout_changed", subject, {"state": state})
