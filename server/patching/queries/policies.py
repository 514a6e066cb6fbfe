"""Statements about policies, whom they are given to, and which one holds for a host."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast

from server.core.db import Queries, Tx
from server.core.ids import HostId
from server.core.scope import Groups, among, in_scope
from server.patching.models import Policy, RunOptions

_POLICY: Final = """
    select p.id, p.name, p.description, p.patch_delay_type, p.delay_minutes, p.fixed_time_utc, p.timezone,
           p.security_only, p.hold_patterns, p.allow_patterns, p.full_upgrade, p.reboot, p.snapshot, p.pre_playbook,
           p.post_playbook, p.created_at, p.updated_at,
           (select count(*) from patch_policy_assignments a where a.policy_id = p.id)::int as assignments_count,
           (select count(*) from patch_policy_exclusions e where e.policy_id = p.id)::int as exclusions_count
      from patch_policies p
"""


async def list_effective(db: Queries, host_ids: Sequence[HostId]) -> dict[HostId, Policy]:
    """Return the policy that holds for each host; hosts without one are not in the answer.

    A direct assignment wins, the oldest first; else the oldest of the groups' whose policy does not exclude the host.
    """
    rows = await db.all(
        """
        select h.id as host_id, p.id, p.name, p.patch_delay_type, p.delay_minutes, p.fixed_time_utc, p.timezone,
               p.description, p.security_only, p.hold_patterns, p.allow_patterns, p.full_upgrade, p.reboot, p.snapshot,
               p.pre_playbook, p.post_playbook
          from unnest(%(host_ids)s::int[]) as h(id)
         cross join lateral (
               select f.policy_id
                 from (select a.policy_id, true as direct, a.created_at, a.id
                         from patch_policy_assignments a
                        where a.host_id = h.id
                       union all
                       select a.policy_id, false, a.created_at, a.id
                         from host_group_members m
                         join patch_policy_assignments a on a.host_group_id = m.host_group_id
                        where m.host_id = h.id
                          and not exists (select from patch_policy_exclusions e
                                           where e.policy_id = a.policy_id and e.host_id = h.id)) f
                order by f.direct desc, f.created_at, f.id
                limit 1) found
          join patch_policies p on p.id = found.policy_id
        """,
        host_ids=list(host_ids),
    )
    return {row.pop("host_id"): _policy(row) for row in rows}


def _policy(row: dict[str, Any]) -> Policy:
    said: dict[str, Any] = {name: row.pop(name) for name in RunOptions().told()}
    for name in ("hold_patterns", "allow_patterns"):
        said[name] = None if said[name] is None else tuple(said[name])
    return Policy(**row, options=RunOptions(**said))


async def list_policies(db: Queries) -> list[dict[str, Any]]:
    """Return every policy with its numbers, by name."""
    return await db.all(_POLICY + " order by lower(p.name), p.id")


async def find_policy(db: Queries, policy_id: str) -> dict[str, Any] | None:
    """Return one policy with its numbers."""
    return await db.one(_POLICY + " where p.id = %(policy_id)s", policy_id=policy_id)


async def insert_policy(tx: Tx, policy: Policy, now: datetime) -> str:
    """Add a policy and return its id."""
    return cast(
        "str",
        await tx.value(
            """
            insert into patch_policies (name, description, patch_delay_type, delay_minutes, fixed_time_utc, timezone,
                                        security_only, hold_patterns, allow_patterns, full_upgrade, reboot, snapshot,
                                        pre_playbook, post_playbook, created_at, updated_at)
            values (%(name)s, %(description)s, %(kind)s, %(minutes)s, %(time)s, %(zone)s,
                    %(security_only)s, %(hold_patterns)s::text[], %(allow_patterns)s::text[], %(full_upgrade)s,
                    %(reboot)s, %(snapshot)s, %(pre_playbook)s, %(post_playbook)s, %(now)s, %(now)s)
            returning id
            """,
            name=policy.name,
            description=policy.description,
            kind=policy.patch_delay_type,
            minutes=policy.delay_minutes,
            time=policy.fixed_time_utc,
            zone=policy.timezone,
            now=now,
            **policy.options.told(),
        ),
    )


async def update_policy(tx: Tx, policy: Policy, now: datetime) -> bool:
    """Change a policy; False when there is none."""
    return bool(
        await tx.execute(
            """
            update patch_policies
               set name = %(name)s, description = %(description)s, patch_delay_type = %(kind)s,
                   delay_minutes = %(minutes)s, fixed_time_utc = %(time)s, timezone = %(zone)s,
                   security_only = %(security_only)s, hold_patterns = %(hold_patterns)s::text[],
                   allow_patterns = %(allow_patterns)s::text[], full_upgrade = %(full_upgrade)s, reboot = %(reboot)s,
                   snapshot = %(snapshot)s, pre_playbook = %(pre_playbook)s, post_playbook = %(post_playbook)s,
                   updated_at = %(now)s
             where id = %(id)s
            """,
            id=policy.id,
            name=policy.name,
            description=policy.description,
            kind=policy.patch_delay_type,
            minutes=policy.delay_minutes,
            time=policy.fixed_time_utc,
            zone=policy.timezone,
            now=now,
            **policy.options.told(),
        )
    )


async def delete_policy(tx: Tx, policy_id: str) -> str | None:
    """Remove a policy with its assignments and exclusions; return its name."""
    return cast(
        "str | None",
        await tx.value("delete from patch_policies where id = %(policy_id)s returning name", policy_id=policy_id),
    )


async def list_assignments(db: Queries, groups: Groups, policy_id: str) -> list[dict[str, Any]]:
    """Return whom a policy is given to, oldest first, as far as the asker sees them."""
    return await db.all(
        f"""
        select a.id, a.policy_id, case when h.id is null then 'host_group' else 'host' end as target_type,
               coalesce(h.uuid, g.uuid) as target_id, coalesce(h.friendly_name, g.name) as target_name, a.created_at
          from patch_policy_assignments a
          left join hosts h on h.id = a.host_id
          left join host_groups g on g.id = a.host_group_id
         where a.policy_id = %(policy_id)s
           and (h.id is null or {in_scope("h.id")}) and (g.id is null or {among("g.uuid")})
         order by a.created_at, a.id
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        policy_id=policy_id,
    )


async def list_exclusions(db: Queries, groups: Groups, policy_id: str) -> list[dict[str, Any]]:
    """Return whom a policy leaves out, as far as the asker sees them."""
    return await db.all(
        f"""
        select e.policy_id, h.uuid as host_id, h.friendly_name as host_name, e.created_at
          from patch_policy_exclusions e
          join hosts h on h.id = e.host_id
         where e.policy_id = %(policy_id)s and {in_scope("h.id")}
         order by lower(h.friendly_name), h.id
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        policy_id=policy_id,
    )


async def insert_host_assignment(tx: Tx, groups: Groups, policy_id: str, host: str) -> dict[str, Any] | None:
    """Give a policy to a host; ``id`` is null when it had it already, nothing when the host is unknown."""
    return await tx.one(
        f"""
        with target as (select h.id from hosts h where h.uuid = %(host)s and {in_scope("h.id")}),
             added as (insert into patch_policy_assignments (policy_id, host_id)
                       select %(policy_id)s, id from target on conflict do nothing returning id)
        select (select id from added) as id from target
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        policy_id=policy_id,
        host=host,
    )


async def insert_group_assignment(tx: Tx, groups: Groups, policy_id: str, group: str) -> dict[str, Any] | None:
    """Give a policy to a group; ``id`` is null when it had it already, nothing when the group is unknown."""
    return await tx.one(
        f"""
        with target as (select g.id from host_groups g where g.uuid = %(group)s and {among("g.uuid")}),
             added as (insert into patch_policy_assignments (policy_id, host_group_id)
                       select %(policy_id)s, id from target on conflict do nothing returning id)
        select (select id from added) as id from target
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        policy_id=policy_id,
        group=group,
    )


async def delete_assignment(tx: Tx, groups: Groups, policy_id: str, assignment_id: str) -> bool:
    """Take a policy away from whom the asker sees."""
    return bool(
        await tx.execute(
            f"""
            delete from patch_policy_assignments a
             where a.id = %(id)s and a.policy_id = %(policy_id)s
               and (a.host_id is null or {in_scope("a.host_id")})
               and (a.host_group_id is null
                    or exists (select from host_groups g where g.id = a.host_group_id and {among("g.uuid")}))
            """,  # noqa: S608 (only constants are put together)
            groups=groups,
            policy_id=policy_id,
            id=assignment_id,
        )
    )


async def insert_exclusion(tx: Tx, groups: Groups, policy_id: str, host: str) -> dict[str, Any] | None:
    """Leave a host out of a policy unless it has it directly (``direct``); nothing when the host is unknown."""
    return await tx.one(
        f"""
        with target as (select h.id, exists (select from patch_policy_assignments a
                                              where a.policy_id = %(policy_id)s and a.host_id = h.id) as direct
                          from hosts h where h.uuid = %(host)s and {in_scope("h.id")}),
             added as (insert into patch_policy_exclusions (policy_id, host_id)
                       select %(policy_id)s, id from target where not direct on conflict do nothing)
        select direct from target
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        policy_id=policy_id,
        host=host,
    )


async def delete_exclusion(tx: Tx, groups: Groups, policy_id: str, host: str) -> bool:
    """Let a policy hold for a host again."""
    return bool(
        await tx.execute(
            f"""
            delete from patch_policy_exclusions e
             using hosts h
             where h.id = e.host_id and h.uuid = %(host)s and e.policy_id = %(policy_id)s and {in_scope("h.id")}
            """,  # noqa: S608 (only constants are put together)
            groups=groups,
            policy_id=policy_id,
            host=host,
        )
    )
