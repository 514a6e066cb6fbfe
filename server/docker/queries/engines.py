"""Statements about hosts that have Docker, and the numbers over all of them."""

from typing import Any, Final

from server.core.db import Database
from server.core.scope import Groups, in_scope
from server.docker.queries.fleet import values
from server.docker.views import Asked

_HOST: Final = """h.uuid::text as id, h.friendly_name as name, h.hostname, h.docker_enabled as enabled, d.received_at,
               coalesce(d.engine, '{}') as engine, coalesce(d.containers, 0) as containers,
               coalesce(d.running, 0) as running, coalesce(d.exited, 0) as exited, coalesce(d.paused, 0) as paused,
               coalesce(d.images, 0) as images, coalesce(d.volumes, 0) as volumes, coalesce(d.networks, 0) as networks,
               coalesce(d.stacks, 0) as stacks"""


async def list_hosts(db: Database, groups: Groups, asked: Asked) -> list[dict[str, Any]]:
    """Return one page of the hosts that have the integration switched on, each with the total."""
    direction = "desc" if asked.direction == "desc" else "asc"
    order = {"containers": "containers", "images": "images"}.get(asked.sort, "lower(h.friendly_name)")
    return await db.all(
        f"""
        select {_HOST}, (count(*) over ())::int as total
          from hosts h
          left join docker_hosts d on d.host_id = h.id
         where h.docker_enabled and {in_scope("h.id", many=True)}
           and (%(search)s = '' or h.friendly_name ilike %(like)s or h.hostname ilike %(like)s)
         order by {order} {direction}, lower(h.friendly_name), h.id
         limit %(size)s offset %(offset)s
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        **values(asked),
        size=asked.window.size,
        offset=asked.window.offset,
    )


async def find_host(db: Database, groups: Groups, uuid: str) -> dict[str, Any] | None:
    """Return one host that ever reported Docker."""
    return await db.one(
        f"""
        select {_HOST}
          from hosts h
          join docker_hosts d on d.host_id = h.id
         where h.uuid = %(uuid)s and {in_scope("h.id")}
        """,  # noqa: S608 (as above)
        groups=groups,
        uuid=uuid,
    )


async def count_everything(db: Database, groups: Groups) -> dict[str, Any]:
    """Return the numbers above the lists."""
    row = await db.one(
        f"""
        select (count(*) filter (where h.docker_enabled))::int as hosts,
               (select count(*)::int from hosts a where a.docker_enabled and {in_scope("a.id", many=True)}) as enabled,
               coalesce(sum(d.containers), 0)::int as containers, coalesce(sum(d.running), 0)::int as running,
               coalesce(sum(d.exited), 0)::int as exited, coalesce(sum(d.paused), 0)::int as paused,
               coalesce(sum(d.volumes), 0)::int as volumes, coalesce(sum(d.networks), 0)::int as networks,
               coalesce(sum(d.stacks), 0)::int as stacks
          from docker_hosts d
          join hosts h on h.id = d.host_id
         where {in_scope("d.host_id", many=True)}
        """,  # noqa: S608 (as above)
        groups=groups,
    )
    return row or {}


async def count_sources(db: Database, groups: Groups) -> list[dict[str, Any]]:
    """Return how many images come from each source, and of how many of them something newer exists."""
    return await db.all(
        f"""
        select t.source, count(*)::int as images, count(u.image)::int as updates
          from docker_images t
          left join docker_updates u on u.image = t.id
         where exists (select from docker_host_images e where e.image = t.id and {in_scope("e.host_id")})
         group by t.source
         order by t.source
        """,  # noqa: S608 (as above)
        groups=groups,
    )
