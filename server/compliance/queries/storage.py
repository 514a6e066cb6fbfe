"""Statements that store what hosts hand in."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from server.compliance.models import Found, Rule
from server.compliance.queries.letters import LETTERS, SUMS
from server.core.db import Tx, as_json


async def lock_running(tx: Tx, host_id: int) -> list[dict[str, Any]]:
    """Lock the host's scans that run, so that two reports of one host follow each other."""
    return await tx.all(
        """
        with host as (select id from hosts where id = %(host_id)s for no key update)
        select s.id, s.uuid, s.kind, s.task, s.cancel_asked_at, s.started_at, s.origin, s.profile_id
          from compliance_scans s
          join host on host.id = s.host_id
         where s.status = 'running'
         order by s.id
           for update of s
        """,
        host_id=host_id,
    )


async def find_received(tx: Tx, host_id: int, received: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the scans of a host that were handed in before, by what names them."""
    rows = await tx.all(
        """
        select s.received, s.uuid, s.status, s.score, s.error
          from compliance_scans s
         where s.host_id = %(host_id)s and s.received = any(%(received)s::text[]) and s.received <> ''
        """,
        host_id=host_id,
        received=list(received),
    )
    return {row["received"]: row for row in rows}


async def find_layouts(tx: Tx, digests: Sequence[str]) -> dict[str, int]:
    """Return the layouts that are known, by their digests."""
    rows = await tx.all(
        "select digest, id from compliance_layouts where digest = any(%(digests)s::text[])", digests=list(digests)
    )
    return {row["digest"]: row["id"] for row in rows}


async def insert_layout(tx: Tx, found: Found, now: datetime) -> int:
    """Keep rules, their texts and their order; return the layout. What is known stays as it is."""
    keys = await _upsert_rules(tx, found.kind, found.rules)
    texts = await _upsert_texts(tx, keys, found.rules)
    return cast(
        "int",
        await tx.value(
            """
            insert into compliance_layouts (kind, digest, rules, texts, made_at)
            values (%(kind)s, %(digest)s, %(rules)s, %(texts)s, %(now)s)
                on conflict (digest) do update set digest = excluded.digest
            returning id
            """,
            kind=found.kind,
            digest=found.digest,
            rules=[keys[rule.ref] for rule in found.rules],
            texts=[texts[keys[rule.ref], rule.fingerprint] for rule in found.rules],
            now=now,
        ),
    )


async def _upsert_rules(tx: Tx, kind: str, rules: Sequence[Rule]) -> dict[str, int]:
    rows = await tx.all(
        """
        insert into compliance_rules as r (kind, ref, title, severity, section, words)
        select %(kind)s, ref, title, severity, section, lower(title || ' ' || ref || ' ' || section)
          from jsonb_to_recordset(%(rules)s::jsonb) as n(ref text, title text, severity text, section text)
         order by ref
            on conflict (kind, ref) do update
           set title = excluded.title, severity = excluded.severity, section = excluded.section, words = excluded.words
        returning id, ref
        """,
        kind=kind,
        rules=as_json(
            [{"ref": one.ref, "title": one.title, "severity": one.severity, "section": one.section} for one in rules]
        ),
    )
    return {row["ref"]: row["id"] for row in rows}


async def _upsert_texts(tx: Tx, keys: dict[str, int], rules: Sequence[Rule]) -> dict[tuple[int, str], int]:
    rows = await tx.all(
        """
        insert into compliance_texts
               (rule, fingerprint, title, severity, section, description, rationale, remediation)
        select rule, fingerprint, title, severity, section, description, rationale, remediation
          from jsonb_to_recordset(%(texts)s::jsonb)
               as n(rule int, fingerprint text, title text, severity text, section text, description text,
                    rationale text, remediation text)
         order by rule, fingerprint
            on conflict (rule, fingerprint) do update set fingerprint = excluded.fingerprint
        returning id, rule, fingerprint
        """,
        texts=as_json(
            [
                {
                    "rule": keys[one.ref], "fingerprint": one.fingerprint, "title": one.title,
                    "severity": one.severity, "section": one.section, "description": one.description,
                    "rationale": one.rationale, "remediation": one.remediation,
                }
                for one in rules
            ]
        ),
    )  # fmt: skip
    return {(row["rule"], row["fingerprint"]): row["id"] for row in rows}


_FIELDS = """
    n(id bigint, task uuid, kind text, status text, origin text, profile_id text, profile_name text, error text,
      received text, started_at timestamptz, completed_at timestamptz, total int, passed int, failed int, warned int,
      skipped int, not_applicable int, errors int, failed_by int[], score double precision,
      remediation_applied boolean, remediation_count int, layout int, states text, findings jsonb, latest boolean,
      place int)
"""


async def store_scans(tx: Tx, host_id: int, rows: Sequence[dict[str, object]], now: datetime) -> list[dict[str, Any]]:
    """Write scans with everything they found, and which are now the host's newest: one statement for all of them.

    Rows with an ``id`` end scans that run; the others are new. A newest scan is only replaced by a newer one.
    """
    return await tx.all(
        f"""
        with told as materialized (
            select n.* from jsonb_to_recordset(%(rows)s::jsonb) as {_FIELDS}
        ), moved as (
            update compliance_scans s
               set status = n.status, error = n.error, received = n.received, completed_at = n.completed_at,
                   profile_id = case when n.profile_id = '' then s.profile_id else n.profile_id end,
                   profile_name = n.profile_name, total = n.total, passed = n.passed, failed = n.failed,
                   warned = n.warned, skipped = n.skipped, not_applicable = n.not_applicable, errors = n.errors,
                   score = n.score, remediation_applied = n.remediation_applied,
                   remediation_count = n.remediation_count, layout = n.layout, states = n.states,
                   findings = n.findings, progress = 100, phase = ''
              from told n
             where s.id = n.id
            returning s.id, s.uuid, n.place
        ), made as (
            insert into compliance_scans
                   (host_id, task, kind, status, origin, profile_id, profile_name, error, received, created_at,
                    started_at, completed_at, total, passed, failed, warned, skipped, not_applicable, errors, score,
                    remediation_applied, remediation_count, layout, states, findings, progress)
            select %(host_id)s, task, kind, status, origin, profile_id, profile_name, error, received, %(now)s,
                   started_at, completed_at, total, passed, failed, warned, skipped, not_applicable, errors, score,
                   remediation_applied, remediation_count, layout, states, findings, 100
              from told
             where id is null
             order by place
            returning id, uuid, kind, received, profile_name
        ), written as (
            select id, uuid, place from moved
             union all
            select m.id, m.uuid, n.place
              from (select *, row_number() over (order by id) as number from made) m
              join (select place, row_number() over (order by place) as number from told where id is null) n
                on n.number = m.number
        ), newest as (
            select distinct on (n.kind) n.*, w.id as scan
              from told n
              join written w on w.place = n.place
             where n.latest
             order by n.kind, n.completed_at desc, n.place desc
        ), stood as (
            insert into compliance_latest as l
                   (host_id, kind, scan, completed_at, score, total, passed, failed, warned, skipped, not_applicable,
                    errors, failed_by, layout, states)
            select %(host_id)s, kind, scan, completed_at, score, total, passed, failed, warned, skipped,
                   not_applicable, errors, failed_by, layout, states
              from newest
                on conflict (host_id, kind) do update
               set scan = excluded.scan, completed_at = excluded.completed_at, score = excluded.score,
                   total = excluded.total, passed = excluded.passed, failed = excluded.failed,
                   warned = excluded.warned, skipped = excluded.skipped, not_applicable = excluded.not_applicable,
                   errors = excluded.errors, failed_by = excluded.failed_by, layout = excluded.layout,
                   states = excluded.states
             where l.completed_at <= excluded.completed_at
        )
        select place, uuid from written order by place
        """,  # noqa: S608 (only constants are put together)
        host_id=host_id,
        rows=as_json(list(rows)),
        now=now,
    )


async def fold_tallies(tx: Tx, limit: int) -> int:
    """Add up to ``limit`` changes to the tallies, the oldest first; return how many there were."""
    return cast(
        "int",
        await tx.value(
            f"""
            with taken as (
                delete from compliance_tally_changes
                 where id in (select id from compliance_tally_changes order by id limit %(limit)s
                                 for update skip locked)
                returning layout, states, amount
            ), moved as (
                insert into compliance_tallies as t
                       (rule, passed, failed, warned, skipped, not_applicable, errors)
                select a.rule, {SUMS}
                  from (select a.rule, a.state, sum(s.amount) as number from taken s {LETTERS}
                         group by a.rule, a.state having sum(s.amount) <> 0) a
                 group by a.rule
                 -- In one order for everybody: two servers must not wait for each other.
                 order by a.rule
                    on conflict (rule) do update
                   set passed = t.passed + excluded.passed, failed = t.failed + excluded.failed,
                       warned = t.warned + excluded.warned, skipped = t.skipped + excluded.skipped,
                       not_applicable = t.not_applicable + excluded.not_applicable,
                       errors = t.errors + excluded.errors
            )
            select count(*) from taken
            """,  # noqa: S608 (only constants are put together)
            limit=limit,
        ),
    )


async def delete_running(tx: Tx, ids: Sequence[int]) -> None:
    """Forget scans that were noted as running and never ran: their scanner is not in what the host handed in."""
    await tx.execute(
        "delete from compliance_scans where id = any(%(ids)s::bigint[]) and status = 'running'", ids=list(ids)
    )


async def delete_unused(tx: Tx, before: datetime) -> int:
    """Forget layouts that no scan follows any more."""
    return await tx.execute(
        """
        delete from compliance_layouts l
         where l.made_at < %(before)s
           and not exists (select from compliance_scans s where s.layout = l.id)
           and not exists (select from compliance_latest n where n.layout = l.id)
           and not exists (select from compliance_tally_changes c where c.layout = l.id)
        """,
        before=before,
    )
