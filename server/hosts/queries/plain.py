"""The statement behind the plain list of every host for programs."""

from datetime import datetime
from typing import Final

from server.core.db import Database
from server.core.scope import Groups, among, in_scope
from server.hosts.queries.fleet import STATUS

#: So many hosts travel in one row: no text grows to the size of the fleet, and nobody handles hosts one by one.
_HANDFUL: Final = 500

# The fleet has few different sets of groups: the JSON of each is made once, not for each host that is in them.
_PLAIN: Final = (
    """
      with g as materialized (
           select id, json_build_object('id', uuid, 'name', name, 'color', color)::text as json,
                  row_number() over (order by lower(name)) as place
             from host_groups
            where {among}),
           m as materialized (
           select host_id, array_agg(host_group_id order by host_group_id) as ids
             from host_group_members
            group by host_id),
           s as materialized (
           select ids, (select coalesce('[' || string_agg(g.json, ',' order by g.place) || ']', '[]')::json
                          from g where g.id = any(ids)) as groups
             from (select distinct ids from m) d)
    select string_agg(x.json, ',' order by x.place)
      from (select row_to_json(t)::text as json, row_number() over () as place
              from (select h.uuid as id, h.friendly_name, h.hostname, h.ip, h.api_id, h.status,
                            {status} as effective_status,
                            coalesce(h.last_connected_at > coalesce(h.last_disconnected_at, '-infinity'),
                                     false) as connected,
                            h.os_type, h.os_version, h.architecture, h.kernel_version, h.agent_version, h.last_update,
                            h.needs_reboot, h.created_at, coalesce(i.updates, 0) as updates_count,
                            coalesce(i.security_updates, 0) as security_updates_count,
                            coalesce(i.packages, 0) as total_packages, coalesce(s.groups, '[]') as host_groups
                       from hosts h
                       left join host_inventory i on i.host_id = h.id
                       left join m on m.host_id = h.id
                       left join s on s.ids = m.ids
                      where {in_scope}
                      order by lower(h.friendly_name), h.id) t) x
     group by (x.place - 1) / %(handful)s
     order by (x.place - 1) / %(handful)s
""".replace("{among}", among("uuid"))
    .replace("{in_scope}", in_scope("h.id"))
    .replace("{status}", STATUS)
)


async def handfuls_as_json(db: Database, groups: Groups, inactive_before: datetime) -> list[str]:
    """Return every host by name, some hundreds of JSON objects with commas between them in each text."""
    return await db.column(_PLAIN, groups=groups, inactive_before=inactive_before, handful=_HANDFUL)
