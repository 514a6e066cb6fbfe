"""Statements behind the lists of every host for programs: plain columns, as they are told, nothing of it JSON yet.

Ten thousand lines as ``row_to_json`` cost PostgreSQL twice as much as reading them; orjson does it in a tenth of that.
"""

from datetime import datetime
from typing import Any, Final

from server.core.db import Database
from server.core.scope import Groups, among, in_scope
from server.hosts.listed import Listed
from server.hosts.queries.fleet import KEPT, NEEDED, ONLINE, ORDERS, STATUS, parameters


def _moment(column: str) -> str:
    """As it is told: text, because reading it as a time only to write it again takes longer than all the rest."""
    return f"replace(({column} at time zone 'utc')::text, ' ', 'T') || 'Z'"


_TIMES: Final = f"""{_moment("h.last_update")} as last_update, {_moment("h.created_at")} as created_at,
           {_moment("f.last_success_at")} as last_patched_at"""
_NUMBERS: Final = """coalesce(i.updates, 0) as updates_count, coalesce(i.security_updates, 0) as security_updates_count,
           coalesce(i.packages, 0) as total_packages, h.id as key"""

_PLAIN: Final = f"""
    select h.uuid as id, h.friendly_name, h.hostname, h.ip, h.api_id, h.status, {STATUS} as effective_status,
           {ONLINE} as connected, h.os_type, h.os_version, h.architecture, h.kernel_version, h.agent_version,
           h.needs_reboot, {_TIMES}, {_NUMBERS}
      from hosts h
      {KEPT}
     where {in_scope("h.id")}
     order by lower(h.friendly_name), h.id
"""  # noqa: S608 (only constants are put together)

_LISTED: Final = f"""
    select h.uuid as id, h.friendly_name, h.hostname, h.ip, h.api_id, h.os_type, h.os_version, h.agent_version,
           h.auto_update, {ONLINE} as connected, {ONLINE} and h.link_secure as secure, {STATUS} as status,
           h.needs_reboot, h.reboot_reason, {_TIMES}, {_NUMBERS}, coalesce(t.tags, '{{}}') as tags,
           h.unfinished_packages, nullif(f.last_status, '') as last_patch_status,
           coalesce(f.consecutive_failures, 0) as patch_failures, nullif(f.cause, '') as patch_failure_cause,
           (h.report_failed or h.status <> 'pending')
           and coalesce(f.last_success_at, h.created_at) < %(unpatched_before)s as patch_stale
      from hosts h
      {KEPT}
      left join (select host_id, json_object_agg(key, value order by key)::text as tags
                   from host_tags
                  group by host_id) t on t.host_id = h.id
     {NEEDED}
     order by {{order}}
"""  # noqa: S608 (only constants are put together)


async def list_plain(db: Database, groups: Groups, inactive_before: datetime) -> list[dict[str, Any]]:
    """Return every host by name with its key; times are text in UTC."""
    return await db.all(_PLAIN, groups=groups, inactive_before=inactive_before)


async def list_listed(
    db: Database, groups: Groups, asked: Listed, times: tuple[datetime, datetime], unpatched_before: datetime
) -> list[dict[str, Any]]:
    """Return every host that matches; times as above, ``tags`` is JSON text."""
    way = "desc" if asked.direction == "desc" else "asc"
    order = ORDERS.get(asked.sort, ORDERS["name"]).replace("{way}", way)
    return await db.all(
        _LISTED.replace("{order}", order),
        groups=groups,
        unpatched_before=unpatched_before,
        **parameters(asked, times),
    )


async def list_sets(db: Database) -> dict[int, str]:
    """Return the groups of each host that is in some, by the host's key, as the text of the groups' keys.

    The fleet has few different sets of groups: each is spelled out once.
    """
    rows = await db.all(
        """
        select host_id, array_agg(host_group_id order by host_group_id)::text as keys
          from host_group_members
         group by host_id
        """
    )
    return {row["host_id"]: row["keys"] for row in rows}


async def list_group_marks(db: Database, groups: Groups) -> list[dict[str, Any]]:
    """Return key, UUID, name and colour of the groups that the asker sees, by name."""
    return await db.all(
        f"""
        select id as key, uuid as id, name, color from host_groups where {among("uuid")} order by lower(name)
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
    )
