"""Statements that read hosts in the shapes of the scoped API."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from server.core.db import Database

#: The moment as RFC 3339 in UTC.
_MOMENT: Final = """to_char({at} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')"""
_GROUPS: Final = """
               (select coalesce(json_agg(json_build_object('id', g.uuid, 'name', g.name) order by lower(g.name)), '[]')
                  from host_group_members m join host_groups g on g.id = m.host_group_id
                 where m.host_id = h.id)
"""
_PLAIN: Final = f"""
        select h.uuid as id, h.friendly_name, h.hostname, h.ip, {_GROUPS} as host_groups
          from hosts h
"""  # noqa: S608 (only constants are put together)
_WITH_STATS: Final = f"""
        select h.uuid as id, h.friendly_name, h.hostname, h.ip, {_GROUPS} as host_groups, h.os_type, h.os_version,
               {_MOMENT.format(at="coalesce(h.last_update, h.created_at)")} as last_update, h.status,
               case when h.status = 'active' and h.last_update < %(inactive_before)s then 'inactive' else h.status end
                    as effective_status,
               h.needs_reboot,
               coalesce(i.updates, 0) as updates_count, coalesce(i.security_updates, 0) as security_updates_count,
               coalesce(i.packages, 0) as total_packages,
               case when h.last_update >= %(overdue_before)s then 'reporting'
                    when h.last_update >= %(inactive_before)s then 'overdue'
                    else 'stale' end as reporting_state,
               case when i.security_updates > 0 then 'security_required'
                    when i.updates > 0 then 'updates_pending'
                    else 'up_to_date' end as update_state
          from hosts h
          left join host_inventory i on i.host_id = h.id
"""  # noqa: S608 (as above)
#: Names as they are written, ids in any spelling of theirs.
_CHOSEN: Final = """
         where %(chosen)s::text[] is null
            or exists (select from host_group_members c join host_groups k on k.id = c.host_group_id
                        where c.host_id = h.id
                          and (k.name = any(%(chosen)s::text[])
                               or k.uuid::text in (select lower(value) from unnest(%(chosen)s::text[]) as v(value))))
"""


async def list_plain(db: Database, chosen: Sequence[str] | None) -> tuple[str, int]:
    """Return the hosts of these groups (``None``: all hosts) as one JSON text, and their number."""
    row = await db.one(
        f"""
        select coalesce(json_agg(t order by t.friendly_name, t.id), '[]')::text as hosts, count(*)::int as total
          from ({_PLAIN} {_CHOSEN}) as t
        """,  # noqa: S608 (only constants are put together)
        chosen=None if chosen is None else list(chosen),
    )
    assert row is not None
    return row["hosts"], row["total"]


async def list_with_stats(
    db: Database, chosen: Sequence[str] | None, overdue_before: datetime, inactive_before: datetime
) -> tuple[str, int]:
    """Return the same with what each host's last reports say."""
    row = await db.one(
        f"""
        select coalesce(json_agg(t order by t.friendly_name, t.id), '[]')::text as hosts, count(*)::int as total
          from ({_WITH_STATS} {_CHOSEN}) as t
        """,  # noqa: S608 (as above)
        chosen=None if chosen is None else list(chosen),
        overdue_before=overdue_before,
        inactive_before=inactive_before,
    )
    assert row is not None
    return row["hosts"], row["total"]


async def find_host(db: Database, uuid: str) -> dict[str, Any] | None:
    """Return what one host said about itself, and its notes and groups."""
    return await db.one(
        f"""
        select h.id as key, h.uuid as id, h.machine_id, h.friendly_name, h.hostname, h.ip, h.os_type, h.os_version,
               h.agent_version, h.gateway_ip, h.dns_servers, h.network_interfaces, h.architecture, h.kernel_version,
               h.installed_kernel_version, h.selinux_status, h.system_uptime, h.boot_time, h.cpu_model, h.cpu_cores,
               h.ram_installed, h.swap_size, h.load_average, h.disk_details, h.needs_reboot, h.reboot_reason, h.notes,
               h.docker_enabled, coalesce(d.containers, 0) as containers_count, coalesce(d.volumes, 0) as volumes_count,
               coalesce(d.networks, 0) as networks_count, {_GROUPS} as host_groups
          from hosts h
          left join docker_hosts d on d.host_id = h.id
         where h.uuid = %(uuid)s
        """,  # noqa: S608 (as above)
        uuid=uuid,
    )


async def count_packages(db: Database, uuid: str) -> dict[str, Any]:
    """Return a host's counts; of an unknown host zeros."""
    row = await db.one(
        """
        select coalesce(sum(i.packages), 0)::int as total_installed_packages,
               coalesce(sum(i.updates), 0)::int as outdated_packages,
               coalesce(sum(i.security_updates), 0)::int as security_updates,
               (select count(*)::int from host_repositories r join hosts o on o.id = r.host_id
                 where o.uuid = %(uuid)s) as total_repos
          from hosts h
          join host_inventory i on i.host_id = h.id
         where h.uuid = %(uuid)s
        """,
        uuid=uuid,
    )
    assert row is not None
    return row


async def list_packages(db: Database, host: int, *, updates_only: bool) -> tuple[str, int]:
    """Return a host's packages as one JSON text, security updates first, then other updates; and their number."""
    row = await db.one(
        f"""
        select coalesce(json_agg(t), '[]')::text as packages, count(*)::int as total
          from (select md5('host package ' || r.host_id || ' ' || r.package_id)::uuid as id, p.name, p.description,
                       p.category, r.current_version, nullif(r.available_version, '') as available_version,
                       r.needs_update, r.is_security_update, {_MOMENT.format(at="r.last_checked")} as last_checked
                  from host_packages r
                  join packages p on p.id = r.package_id
                 where r.host_id = %(host)s and (r.needs_update or not %(updates_only)s)
                 order by r.needs_update and r.is_security_update desc, r.needs_update desc, p.name) as t
        """,  # noqa: S608 (as above)
        host=host,
        updates_only=updates_only,
    )
    assert row is not None
    return row["packages"], row["total"]


async def list_reports(db: Database, uuid: str, limit: int) -> list[dict[str, Any]]:
    """Return a host's newest reports, newest first; check-ins are none."""
    return await db.all(
        """
        select md5('report ' || a.host_id || ' ' || a.id)::uuid as id,
               case when a.kind = 'error' then 'error' else 'success' end as status, a.at as date,
               coalesce(a.packages, 0) as total_packages, coalesce(a.updates, 0) as outdated_packages,
               coalesce(a.security_updates, 0) as security_updates,
               round(a.payload_kb::numeric, 2)::float8 as payload_kb,
               a.agent_ms / 1000.0::float8 as execution_time_seconds, nullif(a.error, '') as error_message
          from hosts h
          join host_activity a on a.host_id = h.id
         where h.uuid = %(uuid)s and a.kind <> 'ping'
         order by a.id desc
         limit %(limit)s
        """,
        uuid=uuid,
        limit=limit,
    )


async def count_queue(db: Database, host: int) -> dict[str, Any]:
    """Count a host's jobs, and what its agent was asked, by what they are doing."""
    row = await db.one(
        """
        select (count(*) filter (where status in ('queued', 'awaiting_approval', 'waiting')))::int as waiting,
               (count(*) filter (where status in ('dispatched', 'running', 'rebooting', 'active')))::int as active,
               (count(*) filter (where status = 'scheduled'))::int as delayed,
               (count(*) filter (where status in ('failed', 'timed_out', 'lost', 'unreachable')))::int as failed
          from (select status from job_hosts where host_id = %(host)s
                union all
                select status from agent_commands where host_id = %(host)s) as asked
        """,
        host=host,
    )
    assert row is not None
    return row


async def list_jobs(db: Database, host: int, limit: int) -> list[dict[str, Any]]:
    """Return a host's newest jobs and what its agent was asked, newest first."""
    return await db.all(
        """
        select * from (
        (select r.uuid as id, j.uuid as job_id, j.playbook as job_name,
               case when r.status = 'succeeded' then 'completed'
                    when r.status in ('queued', 'scheduled', 'awaiting_approval') then 'delayed'
                    when r.status in ('dispatched', 'running', 'rebooting') then 'active'
                    else 'failed' end as status,
               1 as attempt, j.created_at, r.finished_at as completed_at,
               case when r.status in ('failed', 'cancelled', 'timed_out', 'lost', 'unreachable')
                    then coalesce(nullif(r.reason, ''), replace(r.status, '_', ' ')) end as error_message,
               null as output
          from job_hosts r
          join jobs j on j.id = r.job_id
         where r.host_id = %(host)s
         order by r.id desc
         limit %(limit)s)
        union all
        (select c.uuid, c.uuid, c.kind, c.status, 1, c.created_at, c.finished_at, nullif(c.error, ''), null
           from agent_commands c
          where c.host_id = %(host)s
          order by c.id desc
          limit %(limit)s)
        ) as asked
         order by created_at desc
         limit %(limit)s
        """,
        host=host,
        limit=limit,
    )
