"""Statements about remediations by playbook."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast

from server.compliance.models import RemedyStatus
from server.core.db import Queries, Tx, as_json
from server.core.ids import sought_uuid
from server.core.scope import Groups, in_scope

_REMEDY: Final = """
    select r.id, h.uuid as host, h.friendly_name as host_name, r.profile_id, r.guide, r.rules, r.playbook, r.status,
           r.reason, r.check_job, r.apply_job, r.asked_by, r.asked_at, r.approved_by, r.approved_at, r.finished_at,
           r.asked_id, r.checked_at, r.rejected_by, r.automatic
      from compliance_remedies r
      join hosts h on h.id = r.host_id
"""


async def insert(tx: Tx, remedy: str, host_id: int, row: dict[str, object], now: datetime) -> None:
    """Keep a remediation that was just composed."""
    await tx.execute(
        """
        insert into compliance_remedies (id, host_id, profile_id, guide, rules, playbook, status, asked_by,
                                         asked_id, asked_at)
        values (%(remedy)s, %(host_id)s, %(profile)s, %(guide)s, %(rules)s::jsonb, %(playbook)s, 'draft', %(by)s,
                %(by_id)s, %(now)s)
        """,
        remedy=remedy,
        host_id=host_id,
        now=now,
        **{**row, "rules": as_json(row["rules"])},
    )


async def find(db: Queries, groups: Groups, remedy: str) -> dict[str, Any] | None:
    """Return one remediation."""
    return await db.one(
        f"{_REMEDY} where r.id = %(remedy)s::uuid and {in_scope('r.host_id')}",
        groups=groups,
        remedy=sought_uuid(remedy),
    )


async def list_last(db: Queries, groups: Groups, host: str, limit: int) -> list[dict[str, Any]]:
    """Return the newest remediations, of one host or of all."""
    return await db.all(
        f"""
        {_REMEDY}
         where {in_scope("r.host_id")} and (%(host)s::uuid is null or h.uuid = %(host)s::uuid)
         order by r.asked_at desc, r.id
         limit %(limit)s
        """,
        groups=groups,
        host=sought_uuid(host),
        limit=limit,
    )


async def lock(tx: Tx, remedy: str) -> RemedyStatus | None:
    """Lock a remediation and return where it is."""
    found = await tx.value(
        "select status from compliance_remedies where id = %(remedy)s::uuid for no key update",
        remedy=sought_uuid(remedy),
    )
    return cast("RemedyStatus | None", found)


async def move(tx: Tx, remedy: str, status: str, changes: dict[str, object]) -> None:
    """Note where a remediation is now, with what changed beside it."""
    await tx.execute(
        """
        update compliance_remedies
           set status = %(status)s,
               reason = coalesce(%(reason)s, reason),
               rules = coalesce(%(rules)s::jsonb, rules),
               check_job = coalesce(%(check_job)s::uuid, check_job),
               apply_job = coalesce(%(apply_job)s::uuid, apply_job),
               approved_by = coalesce(%(approved_by)s, approved_by),
               approved_at = coalesce(%(approved_at)s::timestamptz, approved_at),
               checked_at = coalesce(%(checked_at)s::timestamptz, checked_at),
               rejected_by = coalesce(%(rejected_by)s, rejected_by),
               finished_at = %(finished_at)s::timestamptz
         where id = %(remedy)s
        """,
        remedy=remedy,
        status=status,
        **{
            name: changes.get(name)
            for name in (
                "reason",
                "check_job",
                "apply_job",
                "approved_by",
                "approved_at",
                "finished_at",
                "checked_at",
                "rejected_by",
            )
        },
        rules=as_json(changes["rules"]) if "rules" in changes else None,
    )


async def find_before(db: Queries, groups: Groups, remedy: str) -> dict[str, Any] | None:
    """Return the remediation of the same host that was asked for before this one."""
    return await db.one(
        f"""
        {_REMEDY}
          join compliance_remedies t on t.id = %(remedy)s::uuid and t.host_id = r.host_id
         where {in_scope("r.host_id")} and (r.asked_at, r.id) < (t.asked_at, t.id)
         order by r.asked_at desc, r.id desc
         limit 1
        """,
        groups=groups,
        remedy=sought_uuid(remedy),
    )


async def count_changed(db: Queries, remedy: str) -> int:
    """Return how many of its rules do not fail by an OpenSCAP scan that ended after its dry run began."""
    return cast(
        "int",
        await db.value(
            """
            select count(*)
              from compliance_remedies m
             cross join jsonb_array_elements(m.rules) x
             where m.id = %(remedy)s::uuid and x ->> 'left_out' = ''
               and exists (select from compliance_latest l
                            where l.host_id = m.host_id and l.kind = 'openscap' and l.completed_at > m.checked_at)
               and not exists (select from compliance_latest l
                                 join compliance_layouts y on y.id = l.layout
                                cross join unnest(y.rules) with ordinality as a (rule, place)
                                 join compliance_rules r on r.id = a.rule
                                where l.host_id = m.host_id and l.kind = 'openscap' and r.ref = x ->> 'ref'
                                  and substr(l.states, a.place::int, 1) = 'f')
            """,
            remedy=sought_uuid(remedy),
        ),
    )


async def list_open(db: Queries, limit: int) -> list[dict[str, Any]]:
    """Return remediations whose job has ended on its host, with what it left behind."""
    return await db.all(
        """
        select r.id, r.status, r.rules, r.check_job, r.apply_job, h.id as host_id, jh.status as job_status, jh.reason,
               jh.finished_at, t.digest, b.content
          from compliance_remedies r
          join hosts h on h.id = r.host_id
          left join jobs j on j.uuid = case r.status when 'checking' then r.check_job else r.apply_job end
          left join job_hosts jh on jh.job_id = j.id and jh.host_id = r.host_id
          left join job_results t on t.job_host_id = jh.id and t.module = 'oscap_scan'
          left join result_blobs b on b.digest = t.digest
         where r.status in ('checking', 'applying') and (jh.id is null or jh.finished_at is not null)
         order by r.asked_at
         limit %(limit)s
        """,
        limit=limit,
    )


async def count_open(db: Queries) -> int:
    """Return how many remediations are under way."""
    return cast(
        "int", await db.value("select count(*) from compliance_remedies where status in ('checking', 'applying')")
    )


async def list_failing(
    db: Queries, groups: Groups, host: str, refs: Sequence[str] | None, *, waived: bool
) -> list[dict[str, Any]]:
    """Return what fails on a host by its newest OpenSCAP scan (``refs``: of these), with the scan's profile.

    Without ``waived`` what is waived there is left out.
    """
    return await db.all(
        f"""
        select r.ref, x.title, x.severity, substr(l.states, a.place::int, 1) as state, c.profile_id
          from compliance_latest l
          join hosts h on h.id = l.host_id
          join compliance_scans c on c.id = l.scan
          join compliance_layouts y on y.id = l.layout
         cross join unnest(y.rules, y.texts) with ordinality as a (rule, text, place)
          join compliance_texts x on x.id = a.text
          join compliance_rules r on r.id = a.rule
         where h.uuid = %(host)s::uuid and l.kind = 'openscap' and {in_scope("l.host_id")}
           and substr(l.states, a.place::int, 1) = 'f'
           and (%(refs)s::text[] is null or r.ref = any(%(refs)s::text[]))
           and (%(waived)s or not exists (select from compliance_waivers_of(l.host_id) v where v.rule = a.rule))
         order by r.ref
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        host=sought_uuid(host),
        refs=None if refs is None else list(refs),
        waived=waived,
    )
