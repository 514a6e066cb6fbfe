"""Statements that read hosts for people."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from server.core.db import Database, as_json
from server.core.scope import Groups, among, in_scope
from server.hosts.models import LinkState
from server.hosts.queries.fleet import STATUS

_AS_JSON: Final = (
    """
        select to_jsonb(h) -
               '{id,uuid,api_key,packages_seal,repos_seal,packages_hash,repos_hash,interfaces_hash,hostname_hash,
                               docker_hash,compliance_hash,agent_hello,integration_status,link_secure}'::text[]
               || jsonb_build_object(
                    'id', h.uuid,
                    'compliance_enabled', h.compliance_mode <> 'disabled',
                    'connected', coalesce(h.last_connected_at > coalesce(h.last_disconnected_at, '-infinity'), false),
                    'effective_status', {status},
                    'updates_count', coalesce(i.updates, 0),
                    'security_updates_count', coalesce(i.security_updates, 0),
                    'total_packages', coalesce(i.packages, 0),
                    'last_patched_at', f.last_success_at, 'last_patch_status', nullif(f.last_status, ''),
                    'patch_failures', coalesce(f.consecutive_failures, 0),
                    'patch_failure_cause', nullif(f.cause, ''), 'patch_failure', nullif(f.last_error, ''),
                    'host_groups', (select coalesce(jsonb_agg(jsonb_build_object('id', g.uuid, 'name', g.name,
                    'color', g.color)
                                                              order by lower(g.name)), '[]')
                                      from host_group_members m join host_groups g on g.id = m.host_group_id
                                     where m.host_id = h.id and {among})) as host
          from hosts h
          left join host_inventory i on i.host_id = h.id
          left join host_patching f on f.host_id = h.id
         where {in_scope}
""".replace("{among}", among("g.uuid"))
    .replace("{in_scope}", in_scope("h.id"))
    .replace("{status}", STATUS)
)


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
