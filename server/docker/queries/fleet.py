"""Statements behind the lists over all hosts a person sees."""

from collections.abc import Sequence
from typing import Any, Final

from server.core.db import Database, containing
from server.core.scope import Groups, in_scope
from server.docker.views import Asked

_FOUND: Final = f"""(%(search)s = '' or t.words like %(like)s
                or t.host_id in (select f.id from hosts f
                                  where f.friendly_name ilike %(like)s or f.hostname ilike %(like)s))
           and (%(host_id)s::int is null or t.host_id = %(host_id)s)
           and {in_scope("t.host_id", many=True)}"""  # noqa: S608 (only constants are put together)
_CONTAINERS: Final = f"""t.status <> 'removed' and {_FOUND}
           and (%(status)s = '' or t.status = %(status)s)
           and (%(stack)s = '' or t.stack = %(stack)s)
           and (%(image)s::int is null or t.image = %(image)s)"""
_DRIVEN: Final = f"{_FOUND} and (%(driver)s = '' or t.driver = %(driver)s)"

#: What lists show of a container ``p``, its host ``h``, its image ``i`` and that image's update ``u``.
CONTAINER: Final = """p.uuid::text as id, p.container_id, p.name, p.image_name as image, p.image_tag as tag,
               i.uuid::text as image_id, coalesce(i.source, 'unknown') as source, p.status, p.stack, p.ports,
               p.created_at, p.status_at, u.image is not null as update, h.uuid::text as host_id,
               h.friendly_name as host_name"""
CONTAINER_FROM: Final = """join hosts h on h.id = p.host_id
          left join docker_images i on i.id = p.image
          left join docker_updates u on u.image = p.image"""

_ORDERS: Final = {
    "containers": {
        "status": "{t}.status {d}, lower({t}.name) {d}, {t}.id {d}",
        "name": "lower({t}.name) {d}, {t}.id {d}",
        "image": "lower({t}.image_name) {d}, {t}.image_tag {d}, {t}.id {d}",
        "host": "lower(o.friendly_name) {d}, o.id {d}, {t}.host_id {d}, {t}.container_id {d}",
    },
    "images": {
        "repository": "lower({t}.repository) {d}, {t}.tag {d}, {t}.id {d}",
        "size": "{t}.size_bytes {d}, {t}.id {d}",
        "source": "{t}.source {d}, lower({t}.repository) {d}, {t}.id {d}",
    },
    "driven": {
        "name": "lower({t}.name) {d}, {t}.id {d}",
        "driver": "{t}.driver {d}, lower({t}.name) {d}, {t}.id {d}",
        "host": "lower(o.friendly_name) {d}, o.id {d}, {t}.id {d}",
    },
}


def _order(kind: str, asked: Asked, table: str, usual: str) -> str:
    orders = _ORDERS[kind]
    direction = "desc" if asked.direction == "desc" else "asc"
    return orders.get(asked.sort, orders[usual]).replace("{t}", table).replace("{d}", direction)


def values(asked: Asked) -> dict[str, Any]:
    """Return what the statements of lists take besides groups and window."""
    return {
        "search": asked.search,
        "like": containing(asked.search.lower()),
        "status": asked.status,
        "source": asked.source,
        "driver": asked.driver,
        "stack": asked.stack,
        "updates": asked.updates,
        "host_id": asked.host_id,
        "image": asked.image,
    }


async def list_containers(db: Database, groups: Groups, asked: Asked) -> list[dict[str, Any]]:
    """Return one page of containers."""
    # Joined only where it decides the order: the planner must see that one index is enough for the others.
    by_host = "join hosts o on o.id = t.host_id" if asked.sort == "host" else ""
    page = _order("containers", asked, "t", "status")
    return await db.all(
        f"""
        with page as materialized (
            select t.*, row_number() over (order by {page}) as place
              from docker_containers t {by_host}
             where {_CONTAINERS}
             order by {page}
             limit %(size)s offset %(offset)s
        )
        select {CONTAINER}
          from page p
          {CONTAINER_FROM}
         order by p.place
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        **values(asked),
        size=asked.window.size,
        offset=asked.window.offset,
    )


async def match_containers(db: Database, groups: Groups, asked: Asked, most: int) -> list[int]:
    """Return the keys of containers that match, at most one more than ``most``; in no order."""
    return await db.column(
        f"select t.id from docker_containers t where {_CONTAINERS} limit %(most)s + 1",  # noqa: S608 (as above)
        groups=groups,
        **values(asked),
        most=most,
    )


async def list_chosen(db: Database, keys: Sequence[int], asked: Asked) -> list[dict[str, Any]]:
    """Return one page of these containers, which were found within the asker's groups."""
    order = _order("containers", asked, "p", "status")
    return await db.all(
        f"""
        select {CONTAINER}
          from docker_containers p
          {CONTAINER_FROM}
          join hosts o on o.id = p.host_id
         where p.id = any(%(keys)s::bigint[])
         order by {order}
         limit %(size)s offset %(offset)s
        """,  # noqa: S608 (as above)
        keys=list(keys),
        size=asked.window.size,
        offset=asked.window.offset,
    )


async def count_containers(db: Database, groups: Groups, asked: Asked) -> int:
    """Return how many containers match."""
    found: int = await db.value(
        f"select count(*)::int from docker_containers t where {_CONTAINERS}",  # noqa: S608 (as above)
        groups=groups,
        **values(asked),
    )
    return found


_IMAGES: Final = f"""exists (select from docker_host_images e
                        where e.image = t.id and (%(host_id)s::int is null or e.host_id = %(host_id)s)
                          and {in_scope("e.host_id")})
           and (%(search)s = '' or lower(t.repository || ':' || t.tag) like %(like)s)
           and (%(source)s = '' or t.source = %(source)s)
           and (not %(updates)s or exists (select from docker_updates w where w.image = t.id))"""  # noqa: S608 (as above)


async def list_images(db: Database, groups: Groups, asked: Asked) -> list[dict[str, Any]]:
    """Return one page of images, with how many hosts and containers have them."""
    order = _order("images", asked, "t", "repository")
    return await db.all(
        f"""
        with page as materialized (
            select t.*, row_number() over (order by {order}) as place
              from docker_images t
             where {_IMAGES}
             order by {order}
             limit %(size)s offset %(offset)s
        )
        select p.uuid::text as id, p.repository, p.tag, p.image_id, p.source, p.size_bytes, p.created_at, c.hosts,
               c.containers, coalesce(u.available_tag, '') as available_tag,
               coalesce(u.available_digest, '') as available_digest, r.checked_at, coalesce(r.problem, '') as problem,
               case when c.hosts = 1 then one.uuid::text end as host_id, one.friendly_name as host_name
          from page p
          left join docker_updates u on u.image = p.id
          left join docker_references r on r.repository = p.repository and r.tag = p.tag
         cross join lateral (
               select (select count(*)::int from docker_host_images e
                        where e.image = p.id and (%(host_id)s::int is null or e.host_id = %(host_id)s)
                          and {in_scope("e.host_id", many=True)}) as hosts,
                      (select count(*)::int from docker_containers e
                        where e.image = p.id and e.status <> 'removed'
                          and (%(host_id)s::int is null or e.host_id = %(host_id)s)
                          and {in_scope("e.host_id", many=True)}) as containers) c
          left join lateral (
               select h.uuid, h.friendly_name
                 from docker_host_images e join hosts h on h.id = e.host_id
                where c.hosts = 1 and e.image = p.id and (%(host_id)s::int is null or e.host_id = %(host_id)s)
                  and {in_scope("e.host_id")}
                limit 1) one on true
         order by p.place
        """,  # noqa: S608 (as above)
        groups=groups,
        **values(asked),
        size=asked.window.size,
        offset=asked.window.offset,
    )


async def count_images(db: Database, groups: Groups, asked: Asked) -> int:
    """Return how many images match."""
    found: int = await db.value(
        f"select count(*)::int from docker_images t where {_IMAGES}",  # noqa: S608 (as above)
        groups=groups,
        **values(asked),
    )
    return found


_VOLUME: Final = """p.uuid::text as id, p.name, p.driver, p.mountpoint, p.scope, p.size_bytes, p.used_by as containers,
               p.created_at, h.uuid::text as host_id, h.friendly_name as host_name"""
_NETWORK: Final = """p.uuid::text as id, p.network_id, p.name, p.driver, p.scope, p.subnet, p.gateway,
               p.used_by as containers, p.created_at, h.uuid::text as host_id, h.friendly_name as host_name"""
_OF: Final = {"docker_volumes": _VOLUME, "docker_networks": _NETWORK}


async def list_volumes(db: Database, groups: Groups, asked: Asked) -> list[dict[str, Any]]:
    """Return one page of volumes."""
    return await _list_driven(db, groups, asked, "docker_volumes")


async def list_networks(db: Database, groups: Groups, asked: Asked) -> list[dict[str, Any]]:
    """Return one page of networks."""
    return await _list_driven(db, groups, asked, "docker_networks")


async def _list_driven(db: Database, groups: Groups, asked: Asked, table: str) -> list[dict[str, Any]]:
    by_host = "join hosts o on o.id = t.host_id" if asked.sort == "host" else ""
    order = _order("driven", asked, "t", "name")
    return await db.all(
        f"""
        with page as materialized (
            select t.*, row_number() over (order by {order}) as place
              from {table} t {by_host}
             where {_DRIVEN}
             order by {order}
             limit %(size)s offset %(offset)s
        )
        select {_OF[table]}
          from page p
          join hosts h on h.id = p.host_id
         order by p.place
        """,  # noqa: S608 (as above)
        groups=groups,
        **values(asked),
        size=asked.window.size,
        offset=asked.window.offset,
    )


async def count_volumes(db: Database, groups: Groups, asked: Asked) -> int:
    """Return how many volumes match."""
    return await _count_driven(db, groups, asked, "docker_volumes")


async def count_networks(db: Database, groups: Groups, asked: Asked) -> int:
    """Return how many networks match."""
    return await _count_driven(db, groups, asked, "docker_networks")


async def _count_driven(db: Database, groups: Groups, asked: Asked, table: str) -> int:
    found: int = await db.value(
        f"select count(*)::int from {table} t where {_DRIVEN}",  # noqa: S608 (as above)
        groups=groups,
        **values(asked),
    )
    return found


_STACKS: Final = f"""t.stack <> '' and t.status <> 'removed'
           and (%(search)s = '' or lower(t.stack) like %(like)s
                or t.host_id in (select f.id from hosts f
                                  where f.friendly_name ilike %(like)s or f.hostname ilike %(like)s))
           and (%(host_id)s::int is null or t.host_id = %(host_id)s)
           and {in_scope("t.host_id", many=True)}"""  # noqa: S608 (as above)


async def list_stacks(db: Database, groups: Groups, asked: Asked) -> list[dict[str, Any]]:
    """Return one page of stacks, each with its containers."""
    direction = "desc" if asked.direction == "desc" else "asc"
    return await db.all(
        f"""
        with page as materialized (
            select t.stack, t.host_id, count(*)::int as total,
                   (count(*) filter (where t.status = 'running'))::int as running,
                   (count(*) filter (where t.status = 'exited'))::int as exited,
                   (count(*) filter (where t.status = 'paused'))::int as paused
              from docker_containers t
             where {_STACKS}
             group by lower(t.stack), t.stack, t.host_id
             order by lower(t.stack) {direction}, t.stack {direction}, t.host_id {direction}
             limit %(size)s offset %(offset)s
        )
        select p.stack as name, p.total, p.running, p.exited, p.paused, h.uuid::text as host_id,
               h.friendly_name as host_name,
               (select jsonb_agg(jsonb_build_array(c.uuid, c.name, c.image_name || ':' || c.image_tag, i.uuid, c.status)
                                 order by lower(c.name))
                  from docker_containers c
                  left join docker_images i on i.id = c.image
                 where c.host_id = p.host_id and c.stack = p.stack and c.status <> 'removed') as members
          from page p
          join hosts h on h.id = p.host_id
         order by lower(p.stack) {direction}, p.stack {direction}, lower(h.friendly_name), p.host_id {direction}
        """,  # noqa: S608 (as above)
        groups=groups,
        **values(asked),
        size=asked.window.size,
        offset=asked.window.offset,
    )


async def count_stacks(db: Database, groups: Groups, asked: Asked) -> int:
    """Return how many stacks match."""
    found: int = await db.value(
        f"""
        select count(*)::int
          from (select from docker_containers t where {_STACKS} group by lower(t.stack), t.stack, t.host_id) s
        """,  # noqa: S608 (as above)
        groups=groups,
        **values(asked),
    )
    return found


async def list_drivers(db: Database, groups: Groups, kind: str) -> list[str]:
    """Return the drivers of volumes or networks."""
    table = {"volumes": "docker_volumes", "networks": "docker_networks"}[kind]
    # One look per driver into an index instead of a look at every row.
    return await db.column(
        f"""
        with recursive drivers as (
            (select driver from {table} order by driver limit 1)
            union all
            select (select t.driver from {table} t where t.driver > d.driver order by t.driver limit 1)
              from drivers d
             where d.driver is not null
        )
        select d.driver
          from drivers d
         where d.driver is not null
           and (%(groups)s::uuid[] is null
                or exists (select from {table} t where t.driver = d.driver and {in_scope("t.host_id")}))
        """,  # noqa: S608 (as above)
        groups=groups,
    )
