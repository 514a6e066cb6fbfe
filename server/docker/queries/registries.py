"""Statements about what registries were asked and what they said."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from server.core.db import Database, Tx, as_json
from server.docker.models import Answer, Due


async def claim_due(tx: Tx, now: datetime, again_at: datetime, limit: int) -> list[Due]:
    """Return names and tags that are due at registries that may be asked, and keep others from taking them too."""
    return await tx.all(
        """
        with due as (
            select r.repository, r.tag
              from docker_references r
              left join docker_registries g on g.registry = r.registry
             where r.due_at <= %(now)s and (g.paused_until is null or g.paused_until <= %(now)s)
               and exists (select from docker_images i where i.repository = r.repository and i.tag = r.tag)
             order by r.due_at, r.repository, r.tag
             limit %(limit)s
               for update of r skip locked
        )
        update docker_references r
           set due_at = %(again_at)s
          from due
         where r.repository = due.repository and r.tag = due.tag
        returning r.repository, r.tag, r.registry, r.digest, r.digests, r.failures
        """,
        Due,
        now=now,
        again_at=again_at,
        limit=limit,
    )


async def store_answer(tx: Tx, due: Due, answer: Answer, now: datetime, next_at: datetime) -> None:
    """Keep what a registry said; what is not known any more stays what it was."""
    await tx.execute(
        """
        update docker_references
           set checked_at = case when %(problem)s = '' then %(now)s else checked_at end, due_at = %(next_at)s,
               problem = %(problem)s, failures = case when %(problem)s = '' then 0 else failures + 1 end,
               digest = case when %(problem)s = '' then %(digest)s else digest end,
               digests = case when %(problem)s = '' then %(digests)s::text[] else digests end,
               newer_tag = case when %(problem)s = '' then %(newer_tag)s else newer_tag end
         where repository = %(repository)s and tag = %(tag)s
        """,
        repository=due.repository,
        tag=due.tag,
        problem=answer.problem,
        digest=answer.digest,
        digests=list(answer.digests),
        newer_tag=answer.newer_tag,
        now=now,
        next_at=next_at,
    )


async def postpone(tx: Tx, due: Sequence[Due], next_at: datetime) -> None:
    """Ask about these later, without anything having been said."""
    await tx.execute(
        """
        update docker_references r
           set due_at = %(next_at)s
          from jsonb_to_recordset(%(rows)s::jsonb) as t(repository text, tag text)
         where r.repository = t.repository and r.tag = t.tag
        """,
        rows=as_json([{"repository": one.repository, "tag": one.tag} for one in due]),
        next_at=next_at,
    )


async def pause_registry(tx: Tx, registry: str, problem: str, until: datetime, now: datetime) -> None:
    """Ask a registry nothing for a while."""
    await tx.execute(
        """
        insert into docker_registries (registry, paused_until, failures, problem, asked_at)
        values (%(registry)s, %(until)s, 1, %(problem)s, %(now)s)
            on conflict (registry) do update
           set paused_until = excluded.paused_until, failures = docker_registries.failures + 1,
               problem = excluded.problem, asked_at = excluded.asked_at
        """,
        registry=registry,
        problem=problem,
        until=until,
        now=now,
    )


async def note_working(tx: Tx, registry: str, now: datetime) -> None:
    """Note that a registry answers."""
    await tx.execute(
        """
        insert into docker_registries (registry, asked_at)
        values (%(registry)s, %(now)s)
            on conflict (registry) do update
           set paused_until = null, failures = 0, problem = '', asked_at = excluded.asked_at
        """,
        registry=registry,
        now=now,
    )


async def fetch_failures(db: Database, registry: str) -> int:
    """Return how often in a row a registry was not there, or asked us to wait."""
    found = await db.value("select failures from docker_registries where registry = %(registry)s", registry=registry)
    return int(found or 0)


async def list_troubled(db: Database, now: datetime) -> list[dict[str, Any]]:
    """Return the registries that are not asked for now, and why."""
    return await db.all(
        """
        select registry, problem, paused_until
          from docker_registries
         where paused_until > %(now)s and problem <> ''
         order by registry
        """,
        now=now,
    )


async def make_due(tx: Tx, repository: str, tag: str, now: datetime) -> None:
    """Ask about a name and tag at the next occasion."""
    await tx.execute(
        "update docker_references set due_at = %(now)s where repository = %(repository)s and tag = %(tag)s",
        repository=repository,
        tag=tag,
        now=now,
    )


async def compare(tx: Tx, pairs: Sequence[tuple[str, str]], now: datetime) -> list[dict[str, Any]]:
    """Compare what hosts have under these names and tags with what registries offer; return what is newly outdated.

    What no registry has a digest for, and what no host has one for, cannot be compared.
    """
    return await tx.all(
        """
        with known as (
            select i.id, i.uuid::text as id_text, i.repository, i.tag, r.digest, r.digests, r.newer_tag,
                   (select count(*)::int from docker_host_images h where h.image = i.id) as hosts,
                   array(select distinct unnest(h.digests) from docker_host_images h where h.image = i.id) as ours
              from jsonb_to_recordset(%(pairs)s::jsonb) as t(repository text, tag text)
              join docker_images i on i.repository = t.repository and i.tag = t.tag
              join docker_references r on r.repository = i.repository and r.tag = i.tag
             where r.checked_at is not null
        ), verdict as (
            select known.*,
                   case when digest <> '' and cardinality(ours) > 0 and not ours && digests then digest else '' end
                   as newer_digest
              from known
        ), gone as (
            delete from docker_updates u
             using verdict v
             where u.image = v.id and u.found_by = 'registry'
               and (v.hosts = 0 or (v.newer_digest = '' and v.newer_tag = ''))
        ), written as (
            insert into docker_updates as u (image, found_at, found_by, current_digest, available_digest, available_tag)
            select id, %(now)s, 'registry', coalesce(ours[1], ''), newer_digest, newer_tag
              from verdict
             where hosts > 0 and (newer_digest <> '' or newer_tag <> '')
                on conflict (image) do update
               set found_at = excluded.found_at, found_by = excluded.found_by,
                   current_digest = excluded.current_digest, available_digest = excluded.available_digest,
                   available_tag = excluded.available_tag
             where (u.available_digest, u.available_tag) is distinct from
                   (excluded.available_digest, excluded.available_tag)
            returning image
        )
        select v.id_text as id, v.repository || ':' || v.tag as name, v.hosts,
               coalesce(nullif(v.newer_tag, ''), v.newer_digest) as available
          from written w
          join verdict v on v.id = w.image
        """,
        pairs=as_json([{"repository": repository, "tag": tag} for repository, tag in pairs]),
        now=now,
    )


async def write_told(tx: Tx, host_id: int, rows: Sequence[dict[str, object]], now: datetime) -> list[dict[str, Any]]:
    """Keep what a host's own agent found newer; return what is newly outdated."""
    return await tx.all(
        """
        with told as materialized (
            select distinct on (i.id) i.id, i.uuid::text as id_text, i.repository || ':' || i.tag as name,
                   t.current_digest, t.available_digest, t.available_tag
              from jsonb_to_recordset(%(rows)s::jsonb) as t(
                   repository text, tag text, image_id text, current_digest text, available_digest text,
                   available_tag text)
              join docker_images i on i.repository = t.repository and i.tag = t.tag
                   and (i.image_id = t.image_id or t.image_id = '')
              join docker_host_images h on h.image = i.id and h.host_id = %(host_id)s
             order by i.id
        ), gone as (
            delete from docker_updates u
             using docker_host_images h
             where h.host_id = %(host_id)s and u.image = h.image and u.found_by = 'agent'
               and not exists (select from told where told.id = u.image)
        ), written as (
            insert into docker_updates as u (image, found_at, found_by, current_digest, available_digest, available_tag)
            select id, %(now)s, 'agent', current_digest, available_digest, available_tag from told
                on conflict (image) do update
               set found_at = excluded.found_at, current_digest = excluded.current_digest,
                   available_digest = excluded.available_digest, available_tag = excluded.available_tag
             where u.found_by = 'agent' and (u.available_digest, u.available_tag) is distinct from
                   (excluded.available_digest, excluded.available_tag)
            returning image
        )
        select told.id_text as id, told.name, coalesce(nullif(told.available_tag, ''), told.available_digest)
               as available, (select count(*)::int from docker_host_images h where h.image = told.id) as hosts
          from written w
          join told on told.id = w.image
        """,
        host_id=host_id,
        rows=as_json(list(rows)),
        now=now,
    )
