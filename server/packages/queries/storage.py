"""Statements that store what hosts report."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from server.core.db import Database, Tx, as_json
from server.packages.models import Counts, ReportedRepository, Row, Stored, StoredRepository

_ENCODER: Final = msgspec.json.Encoder()


async def lock_inventory(tx: Tx, host_id: int, counts: Counts | None, now: datetime) -> None:
    """Let one report of a host at a time through, and store its counts of packages when it brings them."""
    await tx.execute(
        """
        insert into host_inventory as i (host_id, packages, updates, security_updates, updated_at)
        values (%(host_id)s, coalesce(%(packages)s, 0), coalesce(%(updates)s, 0), coalesce(%(security)s, 0), %(now)s)
            on conflict (host_id) do update
           set packages = coalesce(%(packages)s, i.packages), updates = coalesce(%(updates)s, i.updates),
               security_updates = coalesce(%(security)s, i.security_updates), updated_at = excluded.updated_at
        """,
        host_id=host_id,
        packages=counts.packages if counts else None,
        updates=counts.updates if counts else None,
        security=counts.security if counts else None,
        now=now,
    )


async def fetch_stored(tx: Tx, host_id: int) -> Stored:
    """Return what is kept of a host; after the lock, because its own statement would not see what it waited for.

    One row with arrays: thousands of rows would cost more than comparing them.
    """
    row = await tx.one(
        """
        select coalesce(array_agg(package_id), '{}') as package_ids,
               coalesce(array_agg(fingerprint), '{}') as fingerprints,
               (select coalesce(jsonb_agg(jsonb_build_array(r.id, r.name, r.url, r.distribution, r.components)
                                          order by r.id), '[]')
                  from host_repositories h join repositories r on r.id = h.repository_id
                 where h.host_id = %(host_id)s) as repositories
          from host_packages
         where host_id = %(host_id)s
        """,
        host_id=host_id,
    )
    if row is None:
        return Stored([], [], [])
    return Stored(row["package_ids"], row["fingerprints"], [StoredRepository(*one) for one in row["repositories"]])


async def write_packages(
    tx: Tx, host_id: int, rows: Sequence[Row], gone: Sequence[int], now: datetime, *, noting: bool
) -> list[tuple[str, str, str]]:
    """Write the rows that are new or differ and remove those that are gone, in one statement.

    Names nobody reported before are added in their order, so that two hosts reporting the same new names at once wait
    for each other instead of deadlocking.

    ``noting`` keeps what was installed, changed and removed; not for a host's first inventory. Returns the name, the
    newest version known so far and the version told of every package where these differ.
    """
    found = await tx.all(
        """
        with told as materialized (
            select * from jsonb_to_recordset(%(rows)s::jsonb) as t(
                   n text, f bigint, c text, a text, d text, g text, u boolean, s boolean, o text, r int, w jsonb)
        ), known as materialized (
            select p.id, t.*, p.latest_version from told t join packages p on p.name = t.n
        ), added as (
            insert into packages (name, description, category, latest_version)
            select n, coalesce(d, ''), coalesce(g, ''), coalesce(a, c, '')
              from told
             where not exists (select from known where known.n = told.n)
             order by n
                on conflict (name) do update set name = excluded.name
            returning id, name
        ), all_of_them as materialized (
            select id, n, f, c, a, u, s, o, r, w from known
            union all
            select added.id, n, f, c, a, u, s, o, r, w from added join told on told.n = added.name
        ), removed as (
            delete from host_packages
             where host_id = %(host_id)s
               and package_id = any(%(gone)s::int[])
               and not exists (select from all_of_them k where k.id = package_id)
            returning package_id, current_version, is_security_update
        ), described as (
            update packages p
               set description = case when p.description = '' then coalesce(k.d, '') else p.description end,
                   category = case when p.category = '' then coalesce(k.g, '') else p.category end
              from known k
             where p.id = k.id
               and ((p.description = '' and k.d is not null) or (p.category = '' and k.g is not null))
        ), updated as (
            update host_packages h
               set current_version = coalesce(k.c, ''), available_version = coalesce(k.a, ''),
                   needs_update = coalesce(k.u, false), is_security_update = coalesce(k.s, false),
                   source_repository = coalesce(k.o, ''), repository_id = k.r, fingerprint = k.f, last_checked =
                   %(now)s, outdated_since = case when k.u then coalesce(h.outdated_since, %(now)s) end,
                   wua_guid = k.w->>'guid', wua_kb = k.w->>'kb', wua_severity = k.w->>'severity',
                   wua_categories = k.w->'categories', wua_support_url = k.w->>'support_url',
                   wua_revision_number = (k.w->>'revision_number')::int
              from all_of_them k
              join host_packages old on old.host_id = %(host_id)s and old.package_id = k.id
             where h.host_id = %(host_id)s and h.package_id = k.id
            returning h.package_id, old.current_version as before, h.current_version as after,
                      old.needs_update and old.is_security_update as security
        ), inserted as (
            insert into host_packages (host_id, package_id, current_version, available_version, needs_update,
                                       is_security_update, source_repository, repository_id, fingerprint, last_checked,
                                       outdated_since, wua_guid, wua_kb, wua_severity, wua_categories, wua_support_url,
                                       wua_revision_number)
            select %(host_id)s, id, coalesce(c, ''), coalesce(a, ''), coalesce(u, false), coalesce(s, false),
                   coalesce(o, ''), r, f, %(now)s, case when u then %(now)s::timestamptz end, w->>'guid', w->>'kb',
                   w->>'severity', w->'categories', w->>'support_url', (w->>'revision_number')::int
              from all_of_them
             where id not in (select package_id from updated)
            returning package_id, current_version
        ), noted as (
            insert into host_package_changes (host_id, at, package_id, from_version, to_version, was_security)
            select %(host_id)s, %(now)s, change.*
              from (select package_id, before, after, security from updated where before <> after
                    union all
                    select package_id, '', current_version, false from inserted
                    union all
                    select package_id, current_version, '', false from removed) change
             where %(noting)s
                on conflict (host_id, at, package_id) do nothing
        )
        select n, latest_version, coalesce(a, c) from known where latest_version <> coalesce(a, c)
        """,
        host_id=host_id,
        rows=_ENCODER.encode(rows).decode(),
        gone="{" + ",".join(map(str, gone)) + "}",
        now=now,
        noting=noting,
    )
    return [(row["n"], row["latest_version"], row["coalesce"]) for row in found]


async def raise_latest(db: Database, versions: Mapping[str, tuple[str, str]]) -> None:
    """Store a newer newest version of packages, as name to (known so far, newer), unless someone else was faster."""
    await db.execute(
        """
        update packages p
           set latest_version = t.newer
          from unnest(%(names)s::text[], %(known)s::text[], %(newer)s::text[]) as t(name, known, newer)
         where p.id = any(select q.id from packages q where q.name = any(%(names)s::text[]) order by q.name for update)
           and p.name = t.name and p.latest_version = t.known
        """,
        names=list(versions),
        known=[known for known, _ in versions.values()],
        newer=[newer for _, newer in versions.values()],
    )


async def write_repositories(
    tx: Tx, host_id: int, repositories: Sequence[ReportedRepository], now: datetime
) -> list[StoredRepository]:
    """Make these the host's repositories, writing only what differs; return them in the order they were reported."""
    rows = [
        {
            "place": place,
            "name": one.name,
            "url": one.url,
            "distribution": one.distribution,
            "components": one.components,
            "repo_type": one.repo_type,
            "enabled": one.is_enabled,
            "secure": one.is_secure,
        }
        for place, one in enumerate(repositories)
    ]
    return await tx.all(
        """
        with told as materialized (
            select * from jsonb_to_recordset(%(rows)s::jsonb) as t(
                   place int, name text, url text, distribution text, components text, repo_type text, enabled
                   boolean, secure boolean)
        ), known as materialized (
            select r.id, t.* from told t join repositories r using (url, distribution, components)
        ), added as (
            insert into repositories (url, distribution, components, name, repo_type, description, is_secure)
            select url, distribution, components, name, repo_type, repo_type || ' repository for ' || distribution,
                   secure
              from told
             where not exists (select from known where known.place = told.place)
             order by url, distribution, components
                on conflict (url, distribution, components) do update set url = excluded.url
            returning id, url, distribution, components
        ), all_of_them as materialized (
            select * from known
            union all
            select added.id, told.* from added join told using (url, distribution, components)
        ), removed as (
            delete from host_repositories
             where host_id = %(host_id)s and repository_id not in (select id from all_of_them)
        ), linked as (
            insert into host_repositories as h (host_id, repository_id, is_enabled, last_checked)
            select %(host_id)s, id, enabled, %(now)s from all_of_them
                on conflict (host_id, repository_id) do update
               set is_enabled = excluded.is_enabled, last_checked = excluded.last_checked
             where h.is_enabled is distinct from excluded.is_enabled
        ), counted as (
            update host_inventory set repositories = (select count(*) from all_of_them) where host_id = %(host_id)s
        )
        select id, name, url, distribution, components from all_of_them order by place
        """,
        StoredRepository,
        host_id=host_id,
        rows=as_json(rows),
        now=now,
    )
