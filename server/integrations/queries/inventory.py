"""Statements that read the fleet as an Ansible inventory, the JSON made by the database."""

from typing import Any, Final

from server.core.db import Database
from server.integrations.models import InventoryFilter, InventoryPage

#: Prefixed as they stand in an inventory: nothing in between renames 10,000 rows.
_VARIABLES: Final = """
               select h.ip as ansible_host, h.uuid as patchmon_id, h.friendly_name as patchmon_friendly_name,
                      h.hostname as patchmon_hostname, h.ip as patchmon_ip, h.status as patchmon_status,
                      case when h.last_update >= %(overdue_before)s then 'reporting'
                           when h.last_update >= %(inactive_before)s then 'overdue'
                           else 'stale' end as patchmon_reporting_state,
                      to_char(h.last_update at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as patchmon_last_update,
                      h.os_type as patchmon_os_type, h.os_version as patchmon_os_version,
                      h.architecture as patchmon_architecture, h.kernel_version as patchmon_kernel_version,
                      h.package_manager as patchmon_package_manager, h.agent_version as patchmon_agent_version,
                      h.needs_reboot as patchmon_needs_reboot, h.reboot_reason as patchmon_reboot_reason,
                      coalesce(i.packages, 0) as patchmon_packages, coalesce(i.updates, 0) as patchmon_updates,
                      coalesce(i.security_updates, 0) as patchmon_security_updates,
                      c.score as patchmon_compliance_score,
                      coalesce(g.names, '[]') as patchmon_groups, coalesce(t.pairs, '{}') as patchmon_tags
"""
_JOINED: Final = f"""
          from hosts h
          left join host_inventory i on i.host_id = h.id
          left join (select m.host_id, json_agg(g.name order by lower(g.name)) as names
                       from host_group_members m join host_groups g on g.id = m.host_group_id
                      group by m.host_id) g on g.host_id = h.id
          left join (select host_id, json_object_agg(key, value order by key) as pairs
                       from host_tags group by host_id) t on t.host_id = h.id
          left join (select host_id, round(avg(score)::numeric, 1)::float8 as score
                       from compliance_latest group by host_id) c on c.host_id = h.id
          cross join lateral ({_VARIABLES}) v
"""  # noqa: S608 (only constants are put together)
_WANTED: Final = """
         where (%(after)s::uuid is null or h.uuid > %(after)s::uuid)
           and (%(groups)s::text[] is null
                or exists (select from host_group_members c join host_groups k on k.id = c.host_group_id
                            where c.host_id = h.id
                              and (k.name = any(%(groups)s::text[]) or k.uuid::text = any(%(groups)s::text[]))))
           and (%(tags)s::text[] is null
                or exists (select from host_tags k
                            where k.host_id = h.id
                              and (k.key = any(%(tags)s::text[]) or k.key || '=' || k.value = any(%(tags)s::text[]))))
           and (%(systems)s::text[] is null
                or lower(h.os_type) = any(%(systems)s::text[])
                or lower(h.os_type || ' ' || h.os_version) = any(%(systems)s::text[]))
           and (%(needs_reboot)s::bool is null or h.needs_reboot = %(needs_reboot)s)
           and (%(outdated)s::bool is null or (coalesce(i.updates, 0) > 0) = %(outdated)s)
           and (%(security)s::bool is null or (coalesce(i.security_updates, 0) > 0) = %(security)s)
           and (%(stale)s::bool is null
                or (h.last_update is null or h.last_update < %(inactive_before)s) = %(stale)s)
"""


async def list_page(db: Database, wanted: InventoryFilter, page: InventoryPage) -> dict[str, Any]:
    """Return ``hosts`` as one JSON text, their number as ``total``, and the id of the last one as ``last``."""
    row = await db.one(
        f"""
        select coalesce(json_agg(json_build_object('name', p.name, 'variables', p.variables)), '[]')::text as hosts,
               count(*)::int as total, max(p.uuid::text) as last
          from (select h.uuid, coalesce(nullif(h.hostname, ''), h.friendly_name) as name, to_json(v) as variables
                {_JOINED} {_WANTED}
                 order by h.uuid
                 limit %(limit)s) as p
        """,  # noqa: S608 (only constants are put together)
        after=page.after,
        limit=page.limit,
        overdue_before=page.overdue_before,
        inactive_before=page.inactive_before,
        groups=_listed(wanted.groups),
        tags=_listed(wanted.tags),
        systems=_listed(wanted.systems),
        needs_reboot=wanted.needs_reboot,
        outdated=wanted.outdated,
        security=wanted.security,
        stale=wanted.stale,
    )
    assert row is not None
    return row


def _listed(words: tuple[str, ...]) -> list[str] | None:
    return list(words) or None
