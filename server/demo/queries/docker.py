"""Statements that give hosts of the demonstration containers."""

from server.core.db import Tx, as_json

Rows = list[dict[str, object]]


async def insert_images(tx: Tx, rows: Rows) -> dict[str, int]:
    """Add images, and what is known of newer ones; return their keys by name."""
    found = await tx.all(
        """
        with told as materialized (
            select * from jsonb_to_recordset(%(rows)s::jsonb) as t(
                   uuid uuid, name text, repository text, tag text, image_id text, source text, size_bytes bigint,
                   digest text, newer_digest text, newer_tag text, built_at timestamptz, checked_at timestamptz)
        ), added as (
            insert into docker_images (uuid, repository, tag, image_id, source, architecture, os, size_bytes,
                                       created_at)
            select uuid, repository, tag, image_id, source, 'amd64', 'linux', size_bytes, built_at from told
            returning id, uuid
        ), known as (
            insert into docker_references (repository, tag, registry, due_at, checked_at, digest, digests, newer_tag)
            select repository, tag, 'registry.invalid', 'infinity', checked_at, digest,
                   array[coalesce(nullif(newer_digest, ''), digest)], newer_tag
              from told
             where source <> 'local'
                on conflict (repository, tag) do nothing
        ), newer as (
            insert into docker_updates (image, found_at, found_by, current_digest, available_digest, available_tag)
            select a.id, t.checked_at, 'registry', t.digest, t.newer_digest, t.newer_tag
              from told t join added a using (uuid)
             where t.newer_digest <> '' or t.newer_tag <> ''
        )
        select t.name, a.id from told t join added a using (uuid)
        """,
        rows=as_json(rows),
    )
    return {row["name"]: row["id"] for row in found}


async def insert_hosts(tx: Tx, rows: Rows) -> None:
    """Let hosts have reported Docker."""
    await tx.execute(
        """
        with told as materialized (
            select h.id, t.engine, t.at
              from jsonb_to_recordset(%(rows)s::jsonb) as t(uuid uuid, engine jsonb, at timestamptz)
              join hosts h using (uuid)
        ), marked as (
            update hosts h set docker_enabled = true, docker_reported_at = t.at from told t where h.id = t.id
        )
        insert into docker_hosts (host_id, received_at, changed_at, engine)
        select id, at, at, engine from told
        """,
        rows=as_json(rows),
    )


async def insert_containers(tx: Tx, rows: Rows) -> None:
    """Add containers, and their images to their hosts."""
    await tx.execute(
        """
        with told as materialized (
            select h.id as host_id, t.*, i.repository, i.tag
              from jsonb_to_recordset(%(rows)s::jsonb) as t(
                   uuid uuid, container_id text, image int, name text, status text, stack text, ports jsonb,
                   volume text, exit_code int, at timestamptz, seen_at timestamptz, digest text)
              join hosts h using (uuid)
              join docker_images i on i.id = t.image
        ), pulled as (
            insert into docker_host_images (host_id, image, fingerprint, digests, seen_at)
            select distinct on (host_id, image) host_id, image, 0, array_remove(array[digest], ''), seen_at from told
        )
        insert into docker_containers (host_id, container_id, image, fingerprint, created_at, started_at, status_at,
                                       first_seen_at, name, status, state, image_name, image_tag, stack, network_mode,
                                       restart_policy, words, exit_code, ports, labels, mounts)
        select host_id, container_id, image, 0, at, at, at, at, name, status, status, repository, tag, stack, 'bridge',
               'unless-stopped', lower(name || ' ' || repository || ':' || tag), exit_code, coalesce(ports, '{}'),
               case when stack = '' then '{}'::jsonb else jsonb_build_object('com.docker.compose.project', stack) end,
               case when volume is null then '[]'::jsonb
                    else jsonb_build_array(jsonb_build_object('type', 'volume', 'name', volume, 'rw', true,
                                                              'destination', '/data')) end
          from told
        """,
        rows=as_json(rows),
    )


async def insert_around(tx: Tx, uuids: list[str]) -> None:
    """Add the volumes that containers mount, the networks of stacks, and the counts of each host."""
    await tx.execute(
        """
        with ours as materialized (
            select d.host_id, d.received_at
              from docker_hosts d join hosts h on h.id = d.host_id
             where h.uuid = any(%(uuids)s::uuid[])
        ), volumes as (
            insert into docker_volumes (host_id, volume_id, fingerprint, used_by, created_at, name, driver, mountpoint,
                                        scope, words)
            select c.host_id, c.name, 0, c.used, o.received_at, c.name, 'local',
                   '/var/lib/docker/volumes/' || c.name || '/_data', 'local', c.name
              from (select m.host_id, v->>'name' as name, count(*)::int as used
                      from docker_containers m, jsonb_array_elements(m.mounts) v
                     where m.host_id in (select host_id from ours)
                     group by 1, 2) c
              join ours o using (host_id)
            returning host_id
        ), networks as (
            insert into docker_networks (host_id, network_id, fingerprint, used_by, created_at, name, driver, scope,
                                         subnet, gateway, words, ipam)
            select s.host_id, md5(s.host_id || s.name) || md5(s.name), 0, s.used, o.received_at, s.name, 'bridge',
                   'local', s.subnet || '0/16', s.subnet || '1', s.name,
                   jsonb_build_object('driver', 'default', 'config', jsonb_build_array(
                       jsonb_build_object('subnet', s.subnet || '0/16', 'gateway', s.subnet || '1')))
              from (select host_id, coalesce(nullif(stack, '') || '_default', 'bridge') as name, count(*)::int as used,
                           '172.' || (16 + dense_rank() over (partition by host_id order by stack)) || '.0.' as subnet
                      from docker_containers
                     where host_id in (select host_id from ours)
                     group by host_id, stack) s
              join ours o using (host_id)
            returning host_id
        )
        update docker_hosts d
           set containers = c.all, running = c.running, exited = c.exited, paused = c.paused, images = c.images,
               stacks = c.stacks, volumes = (select count(*) from volumes v where v.host_id = d.host_id),
               networks = (select count(*) from networks n where n.host_id = d.host_id)
          from (select host_id, count(*) as all, count(*) filter (where status = 'running') as running,
                       count(*) filter (where status = 'exited') as exited,
                       count(*) filter (where status = 'paused') as paused, count(distinct image) as images,
                       count(distinct stack) filter (where stack <> '') as stacks
                  from docker_containers
                 where host_id in (select host_id from ours)
                 group by host_id) c
         where d.host_id = c.host_id
        """,
        uuids=uuids,
    )


async def delete_images(tx: Tx, uuids: list[str]) -> None:
    """Take our images away, as far as no host of others has them, and what registries are said to have said."""
    await tx.execute(
        """
        with gone as (
            delete from docker_images i
             where i.uuid = any(%(uuids)s::uuid[])
               and not exists (select from docker_host_images h where h.image = i.id)
        )
        delete from docker_references where registry = 'registry.invalid'
        """,
        uuids=uuids,
    )
