"""Statements about one container, image, volume or network, and taking records away."""

from datetime import datetime
from typing import Any, Final

from server.core.db import Database, Tx
from server.core.scope import Groups, in_scope
from server.docker.models import Kind
from server.docker.queries.fleet import CONTAINER, CONTAINER_FROM

_TABLES: Final[dict[Kind, tuple[str, str]]] = {
    "container": ("docker_containers", "container_id"),
    "volume": ("docker_volumes", "volume_id"),
    "network": ("docker_networks", "network_id"),
}


async def find_container(db: Database, groups: Groups, uuid: str) -> dict[str, Any] | None:
    """Return a container."""
    return await db.one(
        f"""
        select {CONTAINER}, p.host_id as host_key, p.image as image_key, p.state, p.started_at, p.exit_code,
               p.restart_policy, p.restart_count, p.network_mode, p.command, p.entrypoint, p.labels, p.mounts,
               p.networks
          from docker_containers p
          {CONTAINER_FROM}
         where p.uuid = %(uuid)s and {in_scope("p.host_id")}
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        uuid=uuid,
    )


async def list_similar(db: Database, groups: Groups, image: str, uuid: str, limit: int) -> list[dict[str, Any]]:
    """Return other containers on the same image."""
    return await db.all(
        f"""
        select {CONTAINER}
          from docker_containers p
          {CONTAINER_FROM}
         where p.image = (select s.id from docker_images s where s.uuid = %(image)s) and p.uuid <> %(uuid)s
           and p.status <> 'removed' and {in_scope("p.host_id")}
         order by p.image, p.host_id, p.id
         limit %(limit)s
        """,  # noqa: S608 (as above)
        groups=groups,
        image=image,
        uuid=uuid,
        limit=limit,
    )


async def find_image(db: Database, groups: Groups, uuid: str) -> dict[str, Any] | None:
    """Return an image that any of these hosts has."""
    return await db.one(
        f"""
        select i.id as key, i.uuid::text as id, i.repository, i.tag, i.image_id, i.source, i.size_bytes, i.created_at,
               i.architecture, i.os, i.labels, i.history, coalesce(u.available_tag, '') as available_tag,
               coalesce(u.available_digest, '') as available_digest, coalesce(u.current_digest, '') as current_digest,
               u.found_at, coalesce(u.found_by, '') as found_by, r.checked_at, coalesce(r.problem, '') as problem,
               (select count(*)::int from docker_host_images e where e.image = i.id and {in_scope("e.host_id")})
               as hosts,
               (select count(*)::int from docker_containers c
                 where c.image = i.id and c.status <> 'removed' and {in_scope("c.host_id")}) as containers
          from docker_images i
          left join docker_updates u on u.image = i.id
          left join docker_references r on r.repository = i.repository and r.tag = i.tag
         where i.uuid = %(uuid)s
           and exists (select from docker_host_images e where e.image = i.id and {in_scope("e.host_id")})
        """,  # noqa: S608 (as above)
        groups=groups,
        uuid=uuid,
    )


async def list_image_hosts(db: Database, groups: Groups, key: int, limit: int) -> list[dict[str, Any]]:
    """Return the hosts that have an image, by name."""
    return await db.all(
        f"""
        select h.uuid::text as host_id, h.friendly_name as host_name, i.tag, e.digests, e.seen_at,
               (select count(*)::int from docker_containers c
                 where c.image = e.image and c.host_id = e.host_id and c.status <> 'removed') as containers
          from docker_host_images e
          join hosts h on h.id = e.host_id
          join docker_images i on i.id = e.image
         where e.image = %(key)s and {in_scope("e.host_id")}
         order by lower(h.friendly_name), h.id
         limit %(limit)s
        """,  # noqa: S608 (as above)
        groups=groups,
        key=key,
        limit=limit,
    )


async def find_volume(db: Database, groups: Groups, uuid: str) -> dict[str, Any] | None:
    """Return a volume."""
    return await db.one(
        f"""
        select p.uuid::text as id, p.name, p.driver, p.mountpoint, p.scope, p.size_bytes, p.used_by as containers,
               p.created_at, p.labels, p.options, p.host_id as host_key, h.uuid::text as host_id,
               h.friendly_name as host_name
          from docker_volumes p
          join hosts h on h.id = p.host_id
         where p.uuid = %(uuid)s and {in_scope("p.host_id")}
        """,  # noqa: S608 (as above)
        groups=groups,
        uuid=uuid,
    )


async def find_network(db: Database, groups: Groups, uuid: str) -> dict[str, Any] | None:
    """Return a network."""
    return await db.one(
        f"""
        select p.uuid::text as id, p.network_id, p.name, p.driver, p.scope, p.subnet, p.gateway,
               p.used_by as containers, p.created_at, p.labels, p.options, p.flags, p.ipam, p.host_id as host_key,
               h.uuid::text as host_id, h.friendly_name as host_name
          from docker_networks p
          join hosts h on h.id = p.host_id
         where p.uuid = %(uuid)s and {in_scope("p.host_id")}
        """,  # noqa: S608 (as above)
        groups=groups,
        uuid=uuid,
    )


async def list_users_of(db: Database, host_key: int, kind: Kind, name: str) -> list[dict[str, Any]]:
    """Return the containers of a host that mount a volume, or are attached to a network."""
    column = {"volume": "mounts", "network": "networks"}[kind]
    return await db.all(
        f"""
        select {CONTAINER}
          from docker_containers p
          {CONTAINER_FROM}
         where p.host_id = %(host_key)s and p.status <> 'removed'
           and p.{column} @> jsonb_build_array(jsonb_build_object('name', %(name)s::text))
         order by lower(p.name), p.id
        """,  # noqa: S608 (as above)
        host_key=host_key,
        name=name,
    )


# ------------------------------------------------------------------------------------------------ taking away


async def find_target(db: Database, groups: Groups, kind: Kind, uuid: str) -> list[dict[str, Any]]:
    """Return what a deletion is about: name, the engine's own id, and every host that has it."""
    if kind == "image":
        return await db.all(
            f"""
            select i.id as key, i.repository || ':' || i.tag as name, i.image_id as target, i.repository, i.tag,
                   e.host_id as host_key, h.uuid::text as host_id, h.friendly_name as host_name,
                   h.agent_version, coalesce(h.agent_hello->'abilities', '[]') as abilities
              from docker_images i
              join docker_host_images e on e.image = i.id
              join hosts h on h.id = e.host_id
             where i.uuid = %(uuid)s and {in_scope("e.host_id")}
             order by lower(h.friendly_name), h.id
            """,  # noqa: S608 (as above)
            groups=groups,
            uuid=uuid,
        )
    table, column = _TABLES[kind]
    return await db.all(
        f"""
        select p.id as key, p.name, p.{column} as target, p.host_id as host_key, h.uuid::text as host_id,
               h.friendly_name as host_name, h.agent_version, coalesce(h.agent_hello->'abilities', '[]') as abilities
          from {table} p
          join hosts h on h.id = p.host_id
         where p.uuid = %(uuid)s and {in_scope("p.host_id")}
        """,  # noqa: S608 (as above)
        groups=groups,
        uuid=uuid,
    )


async def delete_record(tx: Tx, kind: Kind, host_key: int, target: str) -> int:
    """Take the record of something of a host away, by the engine's own id; return how many there were."""
    if kind == "image":
        return await tx.execute(
            """
            delete from docker_host_images e
             using docker_images i
             where i.id = e.image and e.host_id = %(host_key)s
               and (i.image_id = %(target)s or i.repository || ':' || i.tag = %(target)s)
            """,
            host_key=host_key,
            target=target,
        )
    table, column = _TABLES[kind]
    return await tx.execute(
        f"delete from {table} where host_id = %(host_key)s and {column} = %(target)s",  # noqa: S608 (as above)
        host_key=host_key,
        target=target,
    )


async def image_is_used(tx: Tx, groups: Groups, key: int) -> bool:
    """Tell whether any container needs an image."""
    found: bool = await tx.value(
        f"""
        select exists (select from docker_containers c
                        where c.image = %(key)s and c.status <> 'removed' and {in_scope("c.host_id")})
        """,  # noqa: S608 (as above)
        groups=groups,
        key=key,
    )
    return found


async def forget_image(tx: Tx, groups: Groups, key: int) -> list[int]:
    """Take an image from every host that is seen; return those hosts' keys."""
    return await tx.column(
        f"""
        delete from docker_host_images e where e.image = %(key)s and {in_scope("e.host_id")} returning e.host_id
        """,  # noqa: S608 (as above)
        groups=groups,
        key=key,
    )


async def insert_deletion(
    tx: Tx, deletion: str, host_key: int, kind: Kind, target: str, asked_by: str, now: datetime
) -> None:
    """Note that an agent is asked to delete something."""
    await tx.execute(
        """
        insert into docker_deletions (id, host_id, kind, target, asked_by, asked_at)
        values (%(id)s, %(host_key)s, %(kind)s, %(target)s, %(asked_by)s, %(now)s)
        """,
        id=deletion,
        host_key=host_key,
        kind=kind,
        target=target,
        asked_by=asked_by,
        now=now,
    )


async def end_deletion(tx: Tx, deletion: str, host_key: int, error: str, now: datetime) -> dict[str, Any] | None:
    """Note how a deletion went; ``None`` when it is none of this host's, or over already."""
    return await tx.one(
        """
        update docker_deletions
           set finished_at = %(now)s, error = %(error)s
         where id = %(id)s and host_id = %(host_key)s and finished_at is null
        returning kind, target
        """,
        id=deletion,
        host_key=host_key,
        error=error,
        now=now,
    )


async def fetch_deletion(db: Database, deletion: str) -> dict[str, Any] | None:
    """Return how a deletion went."""
    return await db.one("select finished_at, error from docker_deletions where id = %(id)s", id=deletion)


async def delete_orphans(tx: Tx) -> int:
    """Delete the images that no host has and no container names; return how many those were."""
    return await tx.execute(
        """
        delete from docker_images i
         where not exists (select from docker_host_images h where h.image = i.id)
           and not exists (select from docker_containers c where c.image = i.id and c.status <> 'removed')
        """
    )


async def delete_unused_references(tx: Tx) -> int:
    """Forget names and tags that no image has any more; return how many those were."""
    return await tx.execute(
        """
        delete from docker_references r
         where not exists (select from docker_images i where i.repository = r.repository and i.tag = r.tag)
        """
    )


async def delete_old_deletions(tx: Tx, before: datetime) -> int:
    """Forget deletions that were asked for long ago."""
    return await tx.execute("delete from docker_deletions where asked_at < %(before)s", before=before)
