"""Statements behind the wizard: which hosts can be chosen, and how the dry runs of what was tried together stand."""

from collections.abc import Sequence
from typing import Any, Final, cast

from server.core.db import Queries, containing
from server.core.scope import Groups, among, in_scope

_IS_WINDOWS: Final = "(h.expected_platform = 'windows' or h.os_type ilike '%%windows%%')"
_BEHIND: Final = """
    exists (select
              from host_packages x
              join packages p on p.id = x.package_id
             where x.host_id = h.id and x.needs_update and p.name = any(%(names)s::text[]))
"""
#: The hosts that can be patched from here: with names, those that are behind on one of them.
_CAN_BE: Final = f"""
         {in_scope("h.id")} and not {_IS_WINDOWS} and (%(names)s::text[] = '{{}}' or {_BEHIND})
"""
_FOUND: Final = "(%(find)s = '' or h.friendly_name ilike %(like)s or h.hostname ilike %(like)s)"


async def list_candidates(
    db: Queries, groups: Groups, names: Sequence[str], find: str, chosen: Sequence[str], limit: int
) -> list[dict[str, Any]]:
    """Return hosts to choose from: those that are chosen already, then those with the most to update."""
    return await db.all(
        f"""
        select h.id, h.uuid, h.friendly_name as name, i.updates, coalesce(i.security_updates, 0) as security,
               (select coalesce(array_agg(p.name || ' ' || x.available_version order by p.name), '{{}}')
                  from host_packages x
                  join packages p on p.id = x.package_id
                 where x.host_id = h.id and x.needs_update and p.name = any(%(names)s::text[])) as behind
          from hosts h
          left join host_inventory i on i.host_id = h.id
         where {_CAN_BE} and ({_FOUND} or h.uuid = any(%(chosen)s::uuid[]))
         order by h.uuid = any(%(chosen)s::uuid[]) desc, coalesce(i.updates, 0) > 0 desc, lower(h.friendly_name), h.id
         limit %(limit)s
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        names=list(names),
        find=find,
        like=containing(find),
        chosen=list(chosen),
        limit=limit,
    )


async def count_candidates(db: Queries, groups: Groups, names: Sequence[str]) -> int:
    """Return how many hosts there are to choose from."""
    return cast(
        "int",
        await db.value(
            f"select count(*)::int from hosts h where {_CAN_BE}",  # noqa: S608 (only constants are put together)
            groups=groups,
            names=list(names),
        ),
    )


async def list_groups(db: Queries, groups: Groups, names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the groups with how many of their hosts can be chosen; those without one are left out."""
    return await db.all(
        f"""
        select g.uuid, g.name, g.color, count(*)::int as hosts
          from host_groups g
          join host_group_members m on m.host_group_id = g.id
          join hosts h on h.id = m.host_id
         where {among("g.uuid")} and {_CAN_BE}
         group by g.id
         order by lower(g.name), g.id
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        names=list(names),
    )


async def list_chosen(
    db: Queries,
    groups: Groups,
    names: Sequence[str],
    hosts: Sequence[str],
    host_groups: Sequence[str],
    limit: int,
    *,
    everywhere: bool,
) -> list[dict[str, Any]]:
    """Return the hosts that were chosen, each once: named ones as they are, of groups only those that can be."""
    return await db.all(
        f"""
        select h.id, h.uuid, h.friendly_name as name, {_IS_WINDOWS} as windows, h.reboot_exempt,
               h.patch_hold_patterns as hold_patterns
          from hosts h
         where {in_scope("h.id")}
           and (h.uuid = any(%(hosts)s::uuid[])
                or (%(everywhere)s
                    or h.id in (select m.host_id
                                  from host_groups g
                                  join host_group_members m on m.host_group_id = g.id
                                 where g.uuid = any(%(host_groups)s::uuid[]) and {among("g.uuid")}))
               and {_CAN_BE})
         order by lower(h.friendly_name), h.id
         limit %(limit)s
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        names=list(names),
        hosts=list(hosts),
        host_groups=list(host_groups),
        everywhere=everywhere,
        limit=limit,
    )


_TRIED: Final = """
        select r.id as run, r.host_id, h.uuid as host, h.friendly_name as name, r.status, r.dry_run, r.patch_type,
               r.package_names, r.security_only, r.hold_patterns, r.allow_patterns, r.full_upgrade, r.reboot,
               r.snapshot, r.pre_playbook, r.post_playbook, r.extra_deps, r.error_message as error, h.reboot_exempt,
               h.patch_hold_patterns,
               jsonb_array_length(r.packages_affected) as changes, r.created_at
          from patch_runs r
          join hosts h on h.id = r.host_id
"""


async def list_tried(db: Queries, groups: Groups, batches: Sequence[str]) -> list[dict[str, Any]]:
    """Return the newest dry run of each host among what was tried in these batches, by name of host."""
    return await db.all(
        f"""
        select t.*
          from (select distinct on (s.host_id) s.*
                  from ({_TRIED} where r.batch_id = any(%(batches)s::uuid[]) and r.dry_run) s
                 order by s.host_id, s.created_at desc, s.run) t
         where {in_scope("t.host_id")}
         order by lower(t.name), t.run
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        batches=list(batches),
    )


async def list_by_ids(db: Queries, groups: Groups, runs: Sequence[str]) -> list[dict[str, Any]]:
    """Return these runs, by name of host."""
    return await db.all(
        f"""
        {_TRIED}
         where r.id = any(%(runs)s::uuid[]) and {in_scope("r.host_id")}
         order by lower(h.friendly_name), r.created_at, r.id
        """,
        groups=groups,
        runs=list(runs),
    )


async def list_plans(db: Queries, groups: Groups, runs: Sequence[str], letters: int) -> list[dict[str, Any]]:
    """Return what these runs would change, and the last letters of what they printed; empty while they run."""
    return await db.all(
        f"""
        select r.id as run, r.packages_affected as packages, right(r.shell_output, %(letters)s) as output,
               length(r.shell_output) > %(letters)s as cut
          from patch_runs r
         where r.id = any(%(runs)s::uuid[]) and {in_scope("r.host_id")}
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        runs=list(runs),
        letters=letters,
    )
