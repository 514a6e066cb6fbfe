"""Statements about how new agent files reach the fleet."""

from datetime import datetime
from typing import Any

from server.core.db import Database, Tx
from server.core.scope import Groups, in_scope
from server.hosts.turns import Rollout, RolloutRule


async def fetch_rule(db: Database) -> RolloutRule:
    """Return who comes first and for how long the others wait."""
    found = await db.all("select first_percent, wait_minutes from agent_rollout_rule", RolloutRule)
    return found[0] if found else RolloutRule()


async def store_rule(tx: Tx, rule: RolloutRule) -> None:
    """Write who comes first and for how long the others wait."""
    await tx.execute(
        """
        insert into agent_rollout_rule (first_percent, wait_minutes)
        values (%(first_percent)s, %(wait_minutes)s)
            on conflict (is_only) do update set first_percent = excluded.first_percent,
               wait_minutes = excluded.wait_minutes
        """,
        first_percent=rule.first_percent,
        wait_minutes=rule.wait_minutes,
    )


async def begin(db: Database, file: str, version: str, sha256: str, now: datetime) -> None:
    """Note a file that was never offered before; one that was stays as it is."""
    await db.execute(
        """
        insert into agent_rollouts (file, version, sha256, state, begun_at, changed_at)
        values (%(file)s, %(version)s, %(sha256)s, 'first', %(now)s, %(now)s)
            on conflict (file, sha256) do nothing
        """,
        file=file,
        version=version,
        sha256=sha256,
        now=now,
    )


async def find(db: Database, file: str, sha256: str) -> Rollout | None:
    """Return how a file is rolled out, without its numbers."""
    found = await db.all(
        """
        select id, file, version, state, reason, begun_at, changed_at
          from agent_rollouts
         where file = %(file)s and sha256 = %(sha256)s
        """,
        Rollout,
        file=file,
        sha256=sha256,
    )
    return found[0] if found else None


async def list_rollouts(db: Database, overdue_before: datetime, only_id: int | None = None) -> list[Rollout]:
    """Return the newest roll-out of each file with its numbers, or one by its id."""
    return await db.all(
        """
        select r.id, r.file, r.version, r.state, r.reason, r.begun_at, r.changed_at,
               count(o.host_id) as offered,
               count(o.host_id) filter (where o.failed_at is null and h.agent_version = r.version) as back,
               count(o.failed_at) as failed,
               count(o.host_id) filter (where o.failed_at is null and h.agent_version is distinct from r.version
                                          and o.offered_at < %(overdue_before)s) as overdue
          from agent_rollouts r
          left join agent_offers o on o.rollout_id = r.id
          left join hosts h on h.id = o.host_id
         where case when %(only_id)s::bigint is null
                    then r.id = (select max(n.id) from agent_rollouts n where n.file = r.file)
                    else r.id = %(only_id)s end
         group by r.id
         order by r.file
        """,
        Rollout,
        overdue_before=overdue_before,
        only_id=only_id,
    )


async def list_missing(db: Database, groups: Groups, rollout_id: int, most: int) -> list[dict[str, Any]]:
    """Return hosts that were offered a version and do not run it, those that took it back first."""
    return await db.all(
        f"""
        select h.uuid as id, h.friendly_name as name, h.agent_version, o.offered_at, o.failed_at
          from agent_offers o
          join agent_rollouts r on r.id = o.rollout_id
          join hosts h on h.id = o.host_id
         where o.rollout_id = %(rollout_id)s and {in_scope("h.id")}
           and (o.failed_at is not null or h.agent_version is distinct from r.version)
         order by o.failed_at nulls last, o.offered_at, h.friendly_name
         limit %(most)s
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        rollout_id=rollout_id,
        most=most,
    )


async def is_offered(db: Database, rollout_id: int, host_id: int) -> bool:
    """Say whether a host was offered this version already."""
    found: bool = await db.value(
        "select exists (select 1 from agent_offers where rollout_id = %(rollout_id)s and host_id = %(host_id)s)",
        rollout_id=rollout_id,
        host_id=host_id,
    )
    return found


async def offer(db: Database, rollout_id: int, host_id: int, now: datetime) -> None:
    """Note that a host was offered a version; the first time counts."""
    await db.execute(
        """
        insert into agent_offers (rollout_id, host_id, offered_at)
        values (%(rollout_id)s, %(host_id)s, %(now)s)
            on conflict (rollout_id, host_id) do nothing
        """,
        rollout_id=rollout_id,
        host_id=host_id,
        now=now,
    )


async def take_back(db: Database, host_id: int, version: str, now: datetime) -> list[int]:
    """Note that a host took a version back; return the roll-outs that learn of it now."""
    return await db.column(
        """
        update agent_offers o
           set failed_at = %(now)s
          from agent_rollouts r
         where r.id = o.rollout_id and r.version = %(version)s and o.host_id = %(host_id)s and o.failed_at is null
        returning o.rollout_id
        """,
        host_id=host_id,
        version=version,
        now=now,
    )


async def change_state(db: Database | Tx, rollout_id: int, state: str, reason: str, now: datetime) -> int:
    """Let a roll-out go on or stop; return 1 unless it was so already or does not exist."""
    return await db.execute(
        """
        update agent_rollouts
           set state = %(state)s, reason = %(reason)s, changed_at = %(now)s
         where id = %(rollout_id)s and state <> %(state)s
        """,
        rollout_id=rollout_id,
        state=state,
        reason=reason,
        now=now,
    )
