"""Statements that store what hosts report."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from server.core.db import Tx, as_json
from server.docker.models import Happening, ImageKey, Row, StatusChange

_ESCAPED_NUL: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def _json(value: Any) -> str:
    text = as_json(value)
    return _ESCAPED_NUL.sub(r"\1", text) if "\\u0000" in text else text


async def lock_host(tx: Tx, host_id: int, engine: Mapping[str, Any], now: datetime) -> None:
    """Let one snapshot or event of a host at a time through, and note that it came."""
    await tx.execute(
        """
        insert into docker_hosts (host_id, received_at, changed_at, engine)
        values (%(host_id)s, %(now)s, %(now)s, %(engine)s::jsonb)
            on conflict (host_id) do update set received_at = excluded.received_at, engine = excluded.engine
        """,
        host_id=host_id,
        engine=_json(engine),
        now=now,
    )


async def fetch_stored(tx: Tx, host_id: int) -> dict[str, list[list[Any]]]:
    """Return what is kept of a host, by kind, as pairs of name and fingerprint; images with key and full name."""
    row = await tx.one(
        """
        select (select coalesce(jsonb_agg(jsonb_build_array(i.id, h.fingerprint, i.repository, i.tag, i.image_id)),
                                '[]')
                  from docker_host_images h join docker_images i on i.id = h.image
                 where h.host_id = %(host_id)s) as images,
               (select coalesce(jsonb_agg(jsonb_build_array(container_id, fingerprint)), '[]')
                  from docker_containers where host_id = %(host_id)s) as containers,
               (select coalesce(jsonb_agg(jsonb_build_array(volume_id, fingerprint)), '[]')
                  from docker_volumes where host_id = %(host_id)s) as volumes,
               (select coalesce(jsonb_agg(jsonb_build_array(network_id, fingerprint)), '[]')
                  from docker_networks where host_id = %(host_id)s) as networks
        """,
        host_id=host_id,
    )
    return row or {}


async def write_images(
    tx: Tx, host_id: int, rows: Sequence[Row], gone: Sequence[int], now: datetime
) -> dict[ImageKey, int]:
    """Write images that are new to a host or differ, and take away those that are gone; return the keys of the former.

    Names nobody reported before are added in their order, so that two hosts reporting the same new ones at once wait
    for each other instead of deadlocking.
    """
    found = await tx.all(
        """
        with told as materialized (
            select * from jsonb_to_recordset(%(rows)s::jsonb) as t(
                   repository text, tag text, image_id text, source text, architecture text, os text, size_bytes bigint,
                   created_at timestamptz, labels jsonb, history jsonb, digests text[], fingerprint bigint)
        ), known as materialized (
            select i.id, t.* from told t join docker_images i using (repository, tag, image_id)
        ), added as (
            insert into docker_images (repository, tag, image_id, source, architecture, os, size_bytes, created_at,
                                       labels, history)
            select repository, tag, image_id, source, architecture, os, size_bytes, created_at, labels, history
              from told
             where not exists (select from known k
                                where (k.repository, k.tag, k.image_id) = (told.repository, told.tag, told.image_id))
             order by repository, tag, image_id
                on conflict (repository, tag, image_id) do update set repository = excluded.repository
            returning id, repository, tag, image_id
        ), described as (
            update docker_images i
               set source = k.source, size_bytes = greatest(i.size_bytes, k.size_bytes),
                   architecture = coalesce(nullif(k.architecture, ''), i.architecture),
                   os = coalesce(nullif(k.os, ''), i.os), created_at = coalesce(k.created_at, i.created_at),
                   labels = case when k.labels = '{}' then i.labels else k.labels end,
                   history = case when k.history = '[]' then i.history else k.history end
              from known k
             where i.id = k.id
               and (i.source <> k.source or i.size_bytes < k.size_bytes
                    or (k.architecture <> '' and i.architecture <> k.architecture)
                    or (k.labels <> '{}' and i.labels <> k.labels)
                    or (k.history <> '[]' and i.history <> k.history))
        ), all_of_them as materialized (
            select id, repository, tag, image_id, digests, fingerprint from known
            union all
            select a.id, t.repository, t.tag, t.image_id, t.digests, t.fingerprint
              from added a join told t using (repository, tag, image_id)
        ), removed as (
            delete from docker_host_images where host_id = %(host_id)s and image = any(%(gone)s::int[])
        ), linked as (
            insert into docker_host_images (host_id, image, fingerprint, digests, seen_at)
            select %(host_id)s, id, fingerprint, digests, %(now)s from all_of_them
                on conflict (host_id, image) do update
               set fingerprint = excluded.fingerprint, digests = excluded.digests, seen_at = excluded.seen_at
        )
        select id, repository, tag, image_id from all_of_them
        """,
        host_id=host_id,
        rows=_json(rows),
        gone=list(gone),
        now=now,
    )
    return {(row["repository"], row["tag"], row["image_id"]): row["id"] for row in found}


async def note_references(tx: Tx, rows: Sequence[Row], now: datetime) -> None:
    """Remember which names and tags registries have to be asked about."""
    await tx.execute(
        """
        insert into docker_references (repository, tag, registry, due_at)
        select distinct on (repository, tag) repository, tag, registry, %(now)s
          from jsonb_to_recordset(%(rows)s::jsonb) as t(repository text, tag text, registry text)
         order by repository, tag
            on conflict (repository, tag) do nothing
        """,
        rows=_json(rows),
        now=now,
    )


async def write_containers(
    tx: Tx, host_id: int, rows: Sequence[Row], gone: Sequence[str], now: datetime, collected_at: datetime
) -> list[StatusChange]:
    """Write containers that are new or differ and remove those that are gone; return whose status became another.

    A status that an event told after the snapshot was made is newer than the snapshot's.
    """
    return await tx.all(
        """
        with told as materialized (
            select * from jsonb_to_recordset(%(rows)s::jsonb) as t(
                   container_id text, image int, fingerprint bigint, restart_count int, exit_code int,
                   created_at timestamptz, started_at timestamptz, name text, status text, state text,
                   repository text, tag text, stack text, network_mode text, restart_policy text, command text,
                   entrypoint text, words text, ports jsonb, labels jsonb, mounts jsonb, networks jsonb)
        ), removed as (
            delete from docker_containers where host_id = %(host_id)s and container_id = any(%(gone)s::text[])
        ), updated as (
            update docker_containers c
               set image = t.image, name = t.name, restart_count = t.restart_count,
                   fingerprint = case when old.status_at > %(collected_at)s then 0 else t.fingerprint end,
                   status = case when old.status_at > %(collected_at)s then old.status else t.status end,
                   state = case when old.status_at > %(collected_at)s then old.state else t.state end,
                   exit_code = coalesce(t.exit_code, old.exit_code), created_at = t.created_at,
                   started_at = coalesce(t.started_at, old.started_at),
                   status_at = greatest(old.status_at, %(collected_at)s),
                   image_name = t.repository, image_tag = t.tag, stack = t.stack, network_mode = t.network_mode,
                   restart_policy = t.restart_policy, command = t.command, entrypoint = t.entrypoint,
                   words = t.words, ports = t.ports, labels = t.labels, mounts = t.mounts, networks = t.networks
              from told t
              join docker_containers old on old.host_id = %(host_id)s and old.container_id = t.container_id
             where c.id = old.id
            returning c.uuid, c.name, c.image_name || ':' || c.image_tag as image, old.status as old, c.status as new
        ), inserted as (
            insert into docker_containers (host_id, container_id, image, fingerprint, restart_count, exit_code,
                                           created_at, started_at, status_at, first_seen_at, name, status, state,
                                           image_name, image_tag, stack, network_mode, restart_policy, command,
                                           entrypoint, words, ports, labels, mounts, networks)
            select %(host_id)s, t.container_id, t.image, t.fingerprint, t.restart_count, t.exit_code, t.created_at,
                   t.started_at, %(collected_at)s, %(now)s, t.name, t.status, t.state, t.repository, t.tag, t.stack,
                   t.network_mode, t.restart_policy, t.command, t.entrypoint, t.words, t.ports, t.labels, t.mounts,
                   t.networks
              from told t
             where not exists (select from docker_containers c
                                where c.host_id = %(host_id)s and c.container_id = t.container_id)
        )
        select %(host_id)s::int as host_id, uuid::text, name, image, old, new from updated where old <> new
        """,
        StatusChange,
        host_id=host_id,
        rows=_json(rows),
        gone=list(gone),
        now=now,
        collected_at=collected_at,
    )


async def write_volumes(tx: Tx, host_id: int, rows: Sequence[Row], gone: Sequence[str]) -> None:
    """Write volumes that are new or differ and remove those that are gone."""
    await tx.execute(
        """
        with removed as (
            delete from docker_volumes where host_id = %(host_id)s and volume_id = any(%(gone)s::text[])
        )
        insert into docker_volumes (host_id, volume_id, fingerprint, size_bytes, used_by, created_at, name, driver,
                                    mountpoint, scope, words, labels, options)
        select %(host_id)s, volume_id, fingerprint, size_bytes, used_by, created_at, name, driver, mountpoint, scope,
               words, labels, options
          from jsonb_to_recordset(%(rows)s::jsonb) as t(
               volume_id text, fingerprint bigint, size_bytes bigint, used_by int, created_at timestamptz, name text,
               driver text, mountpoint text, scope text, words text, labels jsonb, options jsonb)
            on conflict (host_id, volume_id) do update
           set fingerprint = excluded.fingerprint, size_bytes = excluded.size_bytes, used_by = excluded.used_by,
               created_at = excluded.created_at, name = excluded.name, driver = excluded.driver,
               mountpoint = excluded.mountpoint, scope = excluded.scope, words = excluded.words,
               labels = excluded.labels, options = excluded.options
        """,
        host_id=host_id,
        rows=_json(rows),
        gone=list(gone),
    )


async def write_networks(tx: Tx, host_id: int, rows: Sequence[Row], gone: Sequence[str]) -> None:
    """Write networks that are new or differ and remove those that are gone."""
    await tx.execute(
        """
        with removed as (
            delete from docker_networks where host_id = %(host_id)s and network_id = any(%(gone)s::text[])
        )
        insert into docker_networks (host_id, network_id, fingerprint, used_by, created_at, name, driver, scope, subnet,
                                     gateway, words, flags, ipam, labels, options)
        select %(host_id)s, network_id, fingerprint, used_by, created_at, name, driver, scope, subnet, gateway, words,
               flags, ipam, labels, options
          from jsonb_to_recordset(%(rows)s::jsonb) as t(
               network_id text, fingerprint bigint, used_by int, created_at timestamptz, name text, driver text,
               scope text, subnet text, gateway text, words text, flags jsonb, ipam jsonb, labels jsonb, options jsonb)
            on conflict (host_id, network_id) do update
           set fingerprint = excluded.fingerprint, used_by = excluded.used_by, created_at = excluded.created_at,
               name = excluded.name, driver = excluded.driver, scope = excluded.scope, subnet = excluded.subnet,
               gateway = excluded.gateway, words = excluded.words, flags = excluded.flags, ipam = excluded.ipam,
               labels = excluded.labels, options = excluded.options
        """,
        host_id=host_id,
        rows=_json(rows),
        gone=list(gone),
    )


async def count_again(tx: Tx, host_id: int, now: datetime) -> None:
    """Store the counts of one host; what is removed does not count."""
    await tx.execute(
        """
        update docker_hosts d
           set changed_at = %(now)s, containers = c.all, running = c.running, exited = c.exited, paused = c.paused,
               stacks = c.stacks,
               images = (select count(*) from docker_host_images i where i.host_id = %(host_id)s),
               volumes = (select count(*) from docker_volumes v where v.host_id = %(host_id)s),
               networks = (select count(*) from docker_networks n where n.host_id = %(host_id)s)
          from (select count(*) as all, count(*) filter (where status = 'running') as running,
                       count(*) filter (where status = 'exited') as exited,
                       count(*) filter (where status = 'paused') as paused,
                       count(distinct stack) filter (where stack <> '') as stacks
                  from docker_containers
                 where host_id = %(host_id)s and status <> 'removed') c
         where d.host_id = %(host_id)s
        """,
        host_id=host_id,
        now=now,
    )


async def apply_event(tx: Tx, host_id: int, told: Happening) -> StatusChange | None:
    """Give a container the status an event told; ``None`` when it is not known, or has it already."""
    return await tx.one(
        """
        update docker_containers c
           set status = %(status)s, state = %(status)s, status_at = %(at)s, fingerprint = 0,
               exit_code = coalesce(%(exit_code)s, c.exit_code),
               started_at = case when %(status)s = 'running' and old.status <> 'paused' then %(at)s
                            else c.started_at end
          from docker_containers old
         where old.id = c.id and c.host_id = %(host_id)s and c.status <> %(status)s
           and (c.container_id = %(container)s or c.container_id like %(prefix)s)
        returning c.host_id, c.uuid::text, c.name, c.image_name || ':' || c.image_tag as image, old.status as old,
                  c.status as new
        """,
        StatusChange,
        host_id=host_id,
        container=told.container_id,
        # Of what is no id nothing begins with it either: it may hold the signs of a pattern.
        prefix=f"{told.container_id}%" if told.container_id.isalnum() else "",
        status=told.status,
        at=told.at,
        exit_code=told.exit_code,
    )


async def host_names(tx: Tx, host_ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    """Return the ids and names of hosts by their keys."""
    rows = await tx.all(
        "select id, uuid::text, friendly_name from hosts where id = any(%(host_ids)s::int[])", host_ids=list(host_ids)
    )
    return {row["id"]: (row["uuid"], row["friendly_name"]) for row in rows}
