"""Statements that read many hosts for people: the list, its files, its numbers, its choices."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from server.core.db import Database, containing
from server.core.scope import Groups, among, in_scope
from server.hosts.listed import Counts, Listed, OsCount
from server.hosts.patched import COLUMNS

#: The same as ``rules.status_of``.
STATUS: Final = """case when h.report_failed then 'error' when h.status = 'pending' then 'pending'
                 when h.last_update < %(inactive_before)s then 'inactive' else 'active' end"""
ONLINE: Final = "coalesce(h.last_connected_at > coalesce(h.last_disconnected_at, '-infinity'), false)"
_LINK_ORDER: Final = f"{ONLINE} {{way}}, h.link_secure {{way}}"
_NAME: Final = "lower(h.friendly_name), h.id"

#: What other rooms keep of each host.
KEPT: Final = """left join host_inventory i on i.host_id = h.id
          left join host_patching f on f.host_id = h.id"""

#: What a person may sort by: clauses over the list's columns, with the direction left open.
ORDERS: Final = {
    "name": "lower(h.friendly_name) {way}, h.id",
    "hostname": f"lower(h.hostname) {{way}}, {_NAME}",
    "ip": f"h.ip {{way}}, {_NAME}",
    "status": f"{STATUS} {{way}}, {_NAME}",
    "connection": f"{_LINK_ORDER}, {_NAME}",
    "os": f"h.os_type {{way}}, h.os_version {{way}}, {_NAME}",
    "os_version": f"h.os_version {{way}}, {_NAME}",
    "agent": f"h.agent_version {{way}}, {_NAME}",
    "auto_update": f"h.auto_update {{way}}, {_NAME}",
    "reboot": f"h.needs_reboot {{way}}, {_NAME}",
    "updates": f"coalesce(i.updates, 0) {{way}}, {_NAME}",
    "security": f"coalesce(i.security_updates, 0) {{way}}, {_NAME}",
    "packages": f"coalesce(i.packages, 0) {{way}}, {_NAME}",
    "patched": f"coalesce(f.last_success_at, '-infinity') {{way}}, {_NAME}",
    "last_seen": f"coalesce(h.last_update, '-infinity') {{way}}, {_NAME}",
    "created": "h.created_at {way}, h.id {way}",
}

#: Heads of sections: the expression, and what it needs beside the host.
_SECTIONS: Final = {
    "": ("''::text", ""),
    "status": (STATUS, ""),
    "os": ("h.os_type", ""),
    "group": (
        "coalesce(s.name, '')",
        f"""left join (select m.host_id, g.name from host_group_members m join host_groups g on g.id = m.host_group_id
                       where {among("g.uuid")}) s on s.host_id = h.id""",  # noqa: S608 (only constants are put together)
    ),
}

#: Hosts that are one machine twice, among those that the asker sees.
_DUPLICATES: Final = f"""
        select unnest(array_agg(h.id)) from hosts h where h.machine_id <> '' and {in_scope("h.id")}
         group by h.machine_id having count(*) > 1
        union
        select unnest(array_agg(h.id)) from hosts h where h.hostname <> '' and h.ip <> '' and {in_scope("h.id")}
         group by lower(h.hostname), h.ip having count(*) > 1
"""  # noqa: S608 (only constants are put together)

_STALE: Final = "(h.status <> 'pending' and h.last_update < %(inactive_before)s)"

#: What narrows the list, as far as the statement's parameters say.
NEEDED: Final = f"""
         where {in_scope("h.id")}
           and (%(search)s = '' or h.friendly_name ilike %(like)s or h.hostname ilike %(like)s or h.ip ilike %(like)s
                or h.os_type ilike %(like)s)
           and (%(group)s in ('', 'none')
                or h.id in (select m.host_id from host_group_members m join host_groups g on g.id = m.host_group_id
                             where g.uuid::text = %(group)s and {among("g.uuid")}))
           and (%(group)s <> 'none'
                or not exists (select from host_group_members m join host_groups g on g.id = m.host_group_id
                                where m.host_id = h.id and {among("g.uuid")}))
           and (%(status)s = '' or {STATUS} = %(status)s)
           and (%(connection)s = '' or (%(connection)s = 'online') = {ONLINE})
           and (%(os)s = '' or lower(h.os_type) = lower(%(os)s))
           and (%(os_version)s = '' or lower(h.os_version) = lower(%(os_version)s))
           and (%(need)s <> 'needsUpdates' or %(package)s::int is not null or i.updates > 0)
           and (%(need)s <> 'security' or %(package)s::int is not null or i.security_updates > 0)
           and (%(need)s <> 'reboot' or h.needs_reboot)
           and (%(need)s <> 'stale' or {_STALE})
           and (%(need)s <> 'never' or (h.status = 'pending' and h.created_at < %(never_before)s))
           and (%(need)s <> 'duplicates' or h.id in ({_DUPLICATES}))
           and (%(need)s <> 'patchNever' or (h.status <> 'pending' and f.last_success_at is null))
           and (%(need)s <> 'patchFailing' or f.consecutive_failures > 0)
           and (%(need)s <> 'unfinished' or h.unfinished_packages <> '{{}}')
           and (%(patched_before)s::timestamptz is null
                or (h.status <> 'pending' and coalesce(f.last_success_at, h.created_at) < %(patched_before)s))
           and (not %(hide_stale)s or not {_STALE} or h.last_update is null)
           and (%(tag_key)s = ''
                or h.id in (select t.host_id from host_tags t
                             where t.key = %(tag_key)s and (%(tag_value)s::text is null or t.value = %(tag_value)s)))
           and (%(package)s::int is null
                or h.id in (select p.host_id from host_packages p
                             where p.package_id = %(package)s::int
                               and (%(need)s <> 'needsUpdates' or p.needs_update)
                               and (%(need)s <> 'security' or p.is_security_update)))
           and (%(repository)s::int is null
                or h.id in (select r.host_id from host_repositories r where r.repository_id = %(repository)s::int))
           and (%(selected)s::uuid[] is null or h.uuid = any(%(selected)s::uuid[]))
"""  # noqa: S608 (only constants are put together)

# What matches is counted apart from the part that is shown: no window over the fleet, and an order that an index has
# stops after a page.
_ROWS: Final = f"""
    with sizes as materialized (
        select {{section}} as section, count(*) as section_hosts
          from hosts h
          {KEPT}
          {{beside}}
         {NEEDED}
         group by 1
    ), found as materialized (
        select part.id, part.section, row_number() over () as place
          from (select h.id, {{section}} as section
                  from hosts h
                  {KEPT}
                  {{beside}}
                 {NEEDED}
                 order by {{order}}
                 limit %(size)s offset %(offset)s) part
    )
    select h.uuid as id, h.friendly_name as name, h.hostname, h.ip, h.api_id, h.os_type as os, h.os_version,
           h.agent_version, h.auto_update, {ONLINE} as online, h.link_secure as secure, {STATUS} as status,
           h.needs_reboot, h.reboot_reason, coalesce(i.updates, 0) as updates,
           coalesce(i.security_updates, 0) as security, coalesce(i.packages, 0) as packages,
           h.last_update as last_seen_at, h.created_at, h.unfinished_packages as unfinished, {COLUMNS},
           (select coalesce(jsonb_agg(jsonb_build_object('id', g.uuid, 'name', g.name, 'color', g.color,
                                                         'description', g.description) order by lower(g.name)), '[]')
              from host_group_members m join host_groups g on g.id = m.host_group_id
             where m.host_id = h.id and {among("g.uuid")}) as groups,
           (select coalesce(jsonb_agg(jsonb_build_array(t.key, t.value) order by t.key), '[]')
              from host_tags t where t.host_id = h.id) as tags,
           found.section, sizes.section_hosts, (select sum(section_hosts)::int from sizes) as total
      from found
      join sizes on sizes.section = found.section
      join hosts h on h.id = found.id
      {KEPT}
     order by found.place
"""  # noqa: S608 (only constants are put together)

_COUNT: Final = f"""
    select count(*) from hosts h {KEPT} {{beside}} {NEEDED}
"""  # noqa: S608 (only constants are put together)

_IDS: Final = f"""
    select h.uuid from hosts h {KEPT} {NEEDED}
     order by lower(h.friendly_name), h.id
"""  # noqa: S608 (only constants are put together)


async def list_fleet(
    db: Database, groups: Groups, asked: Listed, times: tuple[datetime, datetime], size: int, offset: int
) -> list[dict[str, Any]]:
    """Return a part of the list; each row carries the total. ``in_scope`` stands in the statement's condition.

    ``times`` are those before which a host's last word makes it inactive, and before which it should have joined.
    """
    section, beside = _SECTIONS.get(asked.grouping, _SECTIONS[""])
    way = "desc" if asked.direction == "desc" else "asc"
    order = ORDERS.get(asked.sort, ORDERS["name"]).replace("{way}", way)
    if asked.grouping:
        order = f"{section} = '', lower({section}), {order}"
    text = _ROWS.replace("{section}", section).replace("{beside}", beside).replace("{order}", order)
    return await db.all(text, groups=groups, size=size, offset=offset, **parameters(asked, times))


async def count_fleet(db: Database, groups: Groups, asked: Listed, times: tuple[datetime, datetime]) -> int:
    """Return how many lines the whole list has."""
    _, beside = _SECTIONS.get(asked.grouping, _SECTIONS[""])
    return int(await db.value(_COUNT.replace("{beside}", beside), groups=groups, **parameters(asked, times)))


async def list_ids(db: Database, groups: Groups, asked: Listed, times: tuple[datetime, datetime]) -> list[str]:
    """Return the UUID of every host that matches, by name."""
    return await db.column(_IDS, groups=groups, **parameters(asked, times))


def parameters(asked: Listed, times: tuple[datetime, datetime]) -> dict[str, Any]:
    """Return what ``NEEDED`` is told of what somebody asks for."""
    key, equals, value = asked.tag.partition("=")
    return {
        "search": asked.search,
        "like": containing(asked.search),
        "group": asked.group,
        "status": asked.status,
        "connection": asked.connection,
        "os": asked.os,
        "os_version": asked.os_version,
        "need": asked.need,
        "tag_key": key.strip(),
        "tag_value": value.strip() if equals else None,
        "package": asked.package,
        "repository": asked.repository,
        "hide_stale": asked.hide_stale,
        "patched_before": asked.patched_before,
        "selected": None if asked.selected is None else list(asked.selected),
        "inactive_before": times[0],
        "never_before": times[1],
    }


async def count_states(db: Database, groups: Groups, inactive_before: datetime) -> Counts:
    """Return how many hosts there are, in which state, and how many need something."""
    found = await db.one(
        f"""
        select count(*) as total,
               count(*) filter (where {ONLINE}) as online,
               count(*) filter (where i.updates > 0) as updates,
               count(*) filter (where i.security_updates > 0) as security,
               count(*) filter (where h.needs_reboot) as reboot,
               count(*) filter (where {STATUS} = 'pending') as pending,
               count(*) filter (where {STATUS} = 'active') as active,
               count(*) filter (where {STATUS} = 'inactive') as inactive,
               count(*) filter (where {STATUS} = 'error') as error,
               count(*) filter (where {_STALE}) as stale
          from hosts h
          left join host_inventory i on i.host_id = h.id
         where {in_scope("h.id")}
        """,  # noqa: S608 (only constants are put together)
        Counts,
        groups=groups,
        inactive_before=inactive_before,
    )
    return found or Counts()


async def count_systems(db: Database, groups: Groups) -> list[OsCount]:
    """Return the operating systems of the hosts, the most common first."""
    return await db.all(
        f"""
        select h.os_type, h.os_version, count(*) as hosts
          from hosts h
         where h.os_type <> '' and {in_scope("h.id")}
         group by h.os_type, h.os_version
         order by count(*) desc, h.os_type, h.os_version
        """,  # noqa: S608 (only constants are put together)
        OsCount,
        groups=groups,
    )


async def find_package(db: Database, text: str) -> dict[str, Any] | None:
    """Return a package by its id or its name."""
    return await db.one(
        "select id, name from packages where id::text = %(text)s or name = %(text)s order by name = %(text)s limit 1",
        text=text,
    )


async def find_repository(db: Database, text: str) -> dict[str, Any] | None:
    """Return a repository by its UUID."""
    return await db.one(
        """
        select id, coalesce(nullif(name, ''), url) as name from repositories where uuid::text = %(text)s
        """,
        text=text,
    )


async def keys_of(db: Database, groups: Groups, uuids: Sequence[str]) -> list[int]:
    """Return the keys of those of these hosts that the asker sees."""
    return await db.column(
        f"select h.id from hosts h where h.uuid = any(%(uuids)s::uuid[]) and {in_scope('h.id')}",  # noqa: S608 (as above)
        groups=groups,
        uuids=list(uuids),
    )
