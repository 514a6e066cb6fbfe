"""Statements that give hosts of the demonstration scans."""

from collections.abc import Sequence
from datetime import datetime

from server.core.db import Tx, as_json

Rows = list[dict[str, object]]


async def insert_rules(tx: Tx, rows: Rows, digests: Sequence[str], now: datetime) -> None:
    """Add the rules and their texts, and an order of them for each scanner."""
    await tx.execute(
        """
        with told as materialized (
            select row_number() over () as place, t.*
              from jsonb_to_recordset(%(rows)s::jsonb) as t(
                   kind text, ref text, title text, severity text, section text, description text, rationale text,
                   remediation text)
        ), known as (
            insert into compliance_rules (kind, ref, title, severity, section, words)
            select kind, ref, title, severity, section, lower(title || ' ' || ref || ' ' || section) from told
            returning id, kind, ref
        ), texts as (
            insert into compliance_texts (rule, fingerprint, title, severity, section, description, rationale,
                                          remediation)
            select k.id, 'demonstration', t.title, t.severity, t.section, t.description, t.rationale, t.remediation
              from told t join known k using (kind, ref)
            returning id, rule
        )
        insert into compliance_layouts (kind, digest, rules, texts, made_at)
        select t.kind, case t.kind when 'openscap' then %(cis)s else %(bench)s end,
               array_agg(k.id order by t.place), array_agg(x.id order by t.place), %(now)s
          from told t
          join known k using (kind, ref)
          join texts x on x.rule = k.id
         group by t.kind
        """,
        rows=as_json(rows),
        cis=digests[0],
        bench=digests[1],
        now=now,
    )


async def insert_scans(tx: Tx, rows: Rows) -> None:
    """Add scans; the last one of each host and scanner is where it stands."""
    await tx.execute(
        """
        with told as materialized (
            select row_number() over () as place, t.*, h.id as host_id, l.id as layout
              from jsonb_to_recordset(%(rows)s::jsonb) as t(
                   uuid uuid, kind text, profile text, at timestamptz, states text, digest text, total int, passed int,
                   failed int, warned int, skipped int, not_applicable int, score double precision, failed_by int[],
                   findings jsonb)
              join hosts h using (uuid)
              join compliance_layouts l using (digest)
        ), made as (
            insert into compliance_scans (host_id, kind, status, origin, profile_id, profile_name, created_at,
                                          started_at, completed_at, total, passed, failed, warned, skipped,
                                          not_applicable, score, layout, states, findings, progress)
            select host_id, kind, 'completed', 'scheduled', profile, profile, at, at - interval '11 minutes', at,
                   total, passed, failed, warned, skipped, not_applicable, score, layout, states, findings, 100
              from told
             order by place
            returning id, host_id, kind, completed_at
        ), marked as (
            update hosts h
               set compliance_mode = 'enabled', compliance_reported_at = t.at,
                   compliance_docker_bench_enabled = h.compliance_docker_bench_enabled or t.kind = 'docker-bench'
              from (select host_id, max(at) as at, max(kind) as kind from told group by host_id) t
             where h.id = t.host_id
        )
        insert into compliance_latest (host_id, kind, scan, completed_at, score, total, passed, failed, warned,
                                       skipped, not_applicable, errors, failed_by, layout, states)
        select distinct on (t.host_id, t.kind)
               t.host_id, t.kind, m.id, t.at, t.score, t.total, t.passed, t.failed, t.warned, t.skipped,
               t.not_applicable, 0, t.failed_by, t.layout, t.states
          from told t
          join made m on m.host_id = t.host_id and m.kind = t.kind and m.completed_at = t.at
         order by t.host_id, t.kind, t.at desc
        """,
        rows=as_json(rows),
    )


async def insert_waivers(tx: Tx, rows: Rows) -> None:
    """Add waivers, and count what they waive."""
    await tx.execute(
        """
        insert into compliance_waivers (rule, target, host_id, group_id, reason, owner, expires_on, made_by, made_at,
                                        changed_at, ended_at, revoked_at, revoked_by, revoked_reason)
        select r.id, t.target, h.id, g.id, t.reason, t.owner, t.expires_on, t.owner, t.made_at,
               coalesce(t.ended_at, t.made_at), t.ended_at, case when t.revoked then t.ended_at end,
               case when t.revoked then t.owner else '' end,
               case when t.revoked then 'The service was removed' else '' end
          from jsonb_to_recordset(%(rows)s::jsonb) as t(
               ref text, target text, host uuid, host_group uuid, reason text, owner text, expires_on date,
               made_at timestamptz, ended_at timestamptz, revoked boolean)
          join compliance_rules r on r.ref = t.ref
          left join hosts h on h.uuid = t.host
          left join host_groups g on g.uuid = t.host_group
         where t.target = 'fleet' or h.id is not null or g.id is not null
        """,
        rows=as_json(rows),
    )
    await tx.execute("select compliance_waive(array(select host_id from compliance_latest))")


async def delete_rules(tx: Tx, digests: Sequence[str]) -> None:
    """Take the rules out again, once no scan follows them."""
    await tx.execute(
        """
        with gone as (
            delete from compliance_layouts where digest = any(%(digests)s::text[]) returning id, rules
        ), untold as (
            delete from compliance_tally_changes where layout in (select id from gone)
        )
        delete from compliance_rules where id in (select unnest(rules) from gone)
        """,
        digests=list(digests),
    )
