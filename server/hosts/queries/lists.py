"""Statements that read hosts for people."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from server.core.db import Database, as_json
from server.core.scope import Groups, among, in_scope
from server.hosts.models import LinkState
from server.hosts.views import Counts, Listed

#: Orders a person may choose, as clauses over the list's columns.
ORDERS: Final = {
    ("name", "asc"): "lower(h.friendly_name), h.id",
    ("name", "desc"): "lower(h.friendly_name) desc, h.id",
    ("state", "asc"): "h.status, coalesce(h.last_connected_at > coalesce(h.last_disconnected_at, '-infinity'), false),"
    " lower(h.friendly_name)",
    (
        "state",
        "desc",
    ): "h.status desc, coalesce(h.last_connected_at > coalesce(h.last_disconnected_at, '-infinity'), false) desc,"
    " lower(h.friendly_name)",
    ("os", "asc"): "h.os_type, h.os_version, lower(h.friendly_name)",
    ("os", "desc"): "h.os_type desc, h.os_version desc, lower(h.friendly_name)",
    ("updates", "asc"): "coalesce(i.updates, 0), lower(h.friendly_name)",
    ("updates", "desc"): "coalesce(i.updates, 0) desc, lower(h.friendly_name)",
    ("security", "asc"): "coalesce(i.security_updates, 0), lower(h.friendly_name)",
    ("security", "desc"): "coalesce(i.security_updates, 0) desc, lower(h.friendly_name)",
    ("last_seen", "asc"): "h.last_update nulls first, lower(h.friendly_name)",
    ("last_seen", "desc"): "h.last_update desc nulls last, lower(h.friendly_name)",
    ("agent", "asc"): "h.agent_version, lower(h.friendly_name)",
    ("agent", "desc"): "h.agent_version desc, lower(h.friendly_name)",
}


#: A limited person sees their own groups on a host, and its others not even by name.
_GROUP_NAMES: Final = f"""
           (select coalesce(array_agg(g.name order by lower(g.name)), '{{}}')
              from host_group_members m join host_groups g on g.id = m.host_group_id
             where m.host_id = h.id and {among("g.uuid")})
"""  # noqa: S608 (only constants are put together)

_LIST: Final = (
    """
    select h.uuid as id, h.friendly_name, h.hostname, h.ip, h.api_id, h.os_type, h.os_version, h.status, h.last_update,
           h.needs_reboot, h.reboot_reason, h.agent_version, h.link_secure, h.last_connected_at, h.last_disconnected_at,
           coalesce(i.updates, 0) as updates, coalesce(i.security_updates, 0) as security, coalesce(i.packages, 0) as
           packages,
           {group_names} as groups,
           count(*) over () as total
      from hosts h
      left join host_inventory i on i.host_id = h.id
     where {in_scope}
       and (%(search)s = '' or h.friendly_name ilike %(like)s or h.hostname ilike %(like)s or h.ip ilike %(like)s
            or h.os_type ilike %(like)s)
       and (%(group)s = '' or exists (select from host_group_members m join host_groups g on g.id = m.host_group_id
                                       where m.host_id = h.id and {among}
                                         and (g.uuid::text = %(group)s or lower(g.name) = lower(%(group)s))))
       and (%(state)s <> 'updates' or i.updates > 0)
       and (%(state)s <> 'security' or i.security_updates > 0)
       and (%(state)s <> 'reboot' or h.needs_reboot)
       and (%(state)s not in ('online', 'offline')
            or (%(state)s = 'online') = coalesce(h.last_connected_at > coalesce(h.last_disconnected_at, '-infinity'),
            false))
     order by {order}
     limit %(size)s offset %(offset)s
""".replace("{group_names}", _GROUP_NAMES)
    .replace("{in_scope}", in_scope("h.id"))
    .replace("{among}", among("g.uuid"))
)


async def list_hosts(db: Database, groups: Groups, asked: Listed) -> list[dict[str, Any]]:
    """Return one page of hosts; each row carries the total."""
    order = ORDERS.get((asked.sort, asked.direction), ORDERS["name", "asc"])
    escaped = asked.search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return await db.all(
        _LIST.replace("{order}", order),
        groups=groups,
        search=asked.search,
        like=f"%{escaped}%",
        group=asked.group,
        state=asked.state,
        size=asked.size,
        offset=(asked.page - 1) * asked.size,
    )


async def counts(db: Database, groups: Groups) -> Counts:
    """Return how many hosts there are and how many of them need something."""
    found = await db.one(
        f"""
        select count(*) as total,
               count(*) filter (where h.last_connected_at > coalesce(h.last_disconnected_at, '-infinity')) as online,
               count(*) filter (where i.updates > 0) as updates,
               count(*) filter (where i.security_updates > 0) as security,
               count(*) filter (where h.needs_reboot) as reboot
          from hosts h
          left join host_inventory i on i.host_id = h.id
         where {in_scope("h.id")}
        """,  # noqa: S608 (only constants are put together)
        Counts,
        groups=groups,
    )
    return found or Counts()


_AS_JSON: Final = """
        select to_jsonb(h) -
               '{id,uuid,api_key,packages_seal,repos_seal,packages_hash,repos_hash,interfaces_hash,hostname_hash,
                               docker_hash,compliance_hash,agent_hello,integration_status,link_secure}'::text[]
               || jsonb_build_object(
                    'id', h.uuid,
                    'compliance_enabled', h.compliance_mode <> 'disabled',
                    'connected', coalesce(h.last_connected_at > coalesce(h.last_disconnected_at, '-infinity'), false),
                    'effective_status', case when h.status = 'active' and h.last_update < %(inactive_before)s
                                             then 'inactive' else h.status end,
                    'updates_count', coalesce(i.updates, 0),
                    'security_updates_count', coalesce(i.security_updates, 0),
                    'total_packages', coalesce(i.packages, 0),
                    'host_groups', (select coalesce(jsonb_agg(jsonb_build_object('id', g.uuid, 'name', g.name,
                    'color', g.color)
                                                              order by lower(g.name)), '[]')
                                      from host_group_members m join host_groups g on g.id = m.host_group_id
                                     where m.host_id = h.id and {among})) as host
          from hosts h
          left join host_inventory i on i.host_id = h.id
         where {in_scope}
""".replace("{among}", among("g.uuid")).replace("{in_scope}", in_scope("h.id"))


async def one_as_json(db: Database, groups: Groups, uuid: str, inactive_before: datetime) -> str | None:
    """Return one host as JSON text."""
    found = await db.value(
        f"select t.host::text from ({_AS_JSON} and h.uuid = %(uuid)s) as t",  # noqa: S608 (as above)
        groups=groups,
        uuid=uuid,
        inactive_before=inactive_before,
    )
    return None if found is None else str(found)


async def page_as_json(db: Database, groups: Groups, inactive_before: datetime, size: int, offset: int) -> str:
    """Return a part of the hosts, by name, as JSON text."""
    return str(
        await db.value(
            f"""
            select coalesce(jsonb_agg(t.host), '[]')::text
              from ({_AS_JSON} order by lower(h.friendly_name), h.id limit %(size)s offset %(offset)s) as t
            """,  # noqa: S608 (as above)
            groups=groups,
            inactive_before=inactive_before,
            size=size,
            offset=offset,
        )
    )


async def options(db: Database, groups: Groups, search: str, limit: int) -> list[dict[str, Any]]:
    """Return hosts for a pick list."""
    return await db.all(
        f"""
        select uuid as id, friendly_name, hostname, os_type, status
          from hosts h
         where {in_scope("h.id")}
           and (%(search)s = '' or position(lower(%(search)s) in lower(friendly_name || ' ' || hostname)) > 0)
         order by lower(friendly_name), id
         limit %(limit)s
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        search=search,
        limit=limit,
    )


async def link_states(db: Database, groups: Groups, api_ids: Sequence[str]) -> list[LinkState]:
    """Return the connection of hosts, with what the enrolment page waits for."""
    return await db.all(
        f"""
        select uuid as host_id, api_id, status, last_update, link_secure as secure, last_disconnected_at,
               last_full_report_at,
               coalesce(last_connected_at > coalesce(last_disconnected_at, '-infinity'), false) as connected
          from hosts h
         where api_id in (select value from jsonb_array_elements_text(%(ids)s::jsonb) as a(value))
           and {in_scope("h.id")}
        """,  # noqa: S608 (only constants are put together)
        LinkState,
        groups=groups,
        ids=as_json(list(api_ids)),
    )
