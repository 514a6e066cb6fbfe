"""Statements about scans: what runs, what was, and what one found."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, cast

from server.compliance.models import Sought
from server.core.db import Queries
from server.core.ids import sought_uuid
from server.core.scope import Groups, in_scope

_SCAN: Final = """
    select s.uuid as id, h.uuid as host_id, h.friendly_name as host_name, h.id as host_key, s.kind, s.status, s.origin,
           s.profile_id, s.profile_name, s.error, s.phase, s.progress, s.started_at, s.completed_at, s.total, s.passed,
           s.failed, s.warned, s.skipped, s.not_applicable, s.errors, s.score, s.remediation_applied,
           s.remediation_count, n.waived
      from compliance_scans s
      join hosts h on h.id = s.host_id
      left join compliance_latest n on n.scan = s.id
"""
#: With whether the scanner's own result was handed in.
_LATEST: Final = _SCAN.replace(
    "n.waived\n",
    """n.waived,
           exists (select from compliance_tasks t
                     join job_hosts jh on jh.uuid = t.job_host
                     join job_results r on r.job_host_id = jh.id and r.module = 'oscap_arf'
                    where t.id = s.task and s.kind = 'openscap') as has_arf
""",
)
_SCOPE: Final = in_scope("s.host_id")


async def list_running(db: Queries, groups: Groups, before: datetime | None = None) -> list[dict[str, Any]]:
    """Return the scans that run (with ``before``: those that began earlier), the oldest first."""
    return await db.all(
        f"""
        {_SCAN}
         where s.status = 'running' and {_SCOPE}
           and (%(before)s::timestamptz is null or s.started_at < %(before)s)
         order by s.started_at, s.id
         limit 1000
        """,
        groups=groups,
        before=before,
    )


_HISTORY: Final = f"""
     where {_SCOPE}
       and (%(status)s = '' or s.status = %(status)s)
       and (%(kind)s = '' or s.kind = %(kind)s)
       and (%(host)s::uuid is null or h.uuid = %(host)s::uuid)
       and (%(search)s = '' or position(lower(%(search)s) in lower(h.friendly_name || ' ' || s.profile_name)) > 0)
"""


def _values(sought: Sought) -> dict[str, Any]:
    return {
        "status": sought.status, "kind": sought.kind, "host": sought_uuid(sought.host), "search": sought.search,
    }  # fmt: skip


async def list_history(db: Queries, groups: Groups, sought: Sought) -> list[dict[str, Any]]:
    """Return one page of scans, newest first."""
    return await db.all(
        f"{_SCAN} {_HISTORY} order by s.started_at desc, s.id desc limit %(limit)s offset %(offset)s",
        limit=sought.limit,
        offset=sought.offset,
        groups=groups,
        **_values(sought),
    )


async def count_history(db: Queries, groups: Groups, sought: Sought) -> int:
    """Return how many scans match."""
    return cast(
        "int",
        await db.value(
            f"select count(*) from compliance_scans s join hosts h on h.id = s.host_id {_HISTORY}",  # noqa: S608
            groups=groups,
            **_values(sought),
        ),
    )


async def find_scan(db: Queries, groups: Groups, scan: str) -> dict[str, Any] | None:
    """Return one scan."""
    where = f"where s.uuid = %(scan)s::uuid and {_SCOPE}"
    return await db.one(f"{_SCAN} {where}", groups=groups, scan=sought_uuid(scan))


async def list_latest(db: Queries, groups: Groups, host: str) -> list[dict[str, Any]]:
    """Return a host's newest completed scan by each scanner, the newest first."""
    return await db.all(
        f"""
        {_LATEST}
         where n.scan is not null and h.uuid = %(host)s::uuid and {_SCOPE}
         order by s.completed_at desc, s.kind desc
        """,
        groups=groups,
        host=sought_uuid(host),
    )


_RESULTS: Final = f"""
      from compliance_scans s
      join compliance_layouts y on y.id = s.layout
     cross join unnest(y.rules, y.texts) with ordinality as a (rule, text, place)
      join compliance_texts x on x.id = a.text
      join compliance_rules r on r.id = a.rule
      left join (select w.rule, max(w.expires_on) as until from compliance_scans c
                   cross join lateral compliance_waivers_of(c.host_id) w
                  where c.uuid = %(scan)s::uuid group by w.rule) v
             on v.rule = a.rule and substr(s.states, a.place::int, 1) in ('f', 'w')
     where s.uuid = %(scan)s::uuid and {_SCOPE}
       and (%(waived)s = '' or (v.until is not null) = (%(waived)s = 'yes'))
       and (%(status)s = '' or substr(s.states, a.place::int, 1) = %(status)s)
       and (%(severity)s = '' or x.severity = %(severity)s)
       and (%(section)s = '' or x.section = %(section)s)
       and (%(search)s = '' or position(lower(%(search)s) in lower(x.title || ' ' || r.ref || ' ' || x.section)) > 0)
"""  # noqa: S608 (only constants are put together)


def _result_values(scan: str, sought: Sought) -> dict[str, Any]:
    return {
        "scan": sought_uuid(scan), "status": sought.status, "severity": sought.severity,
        "section": sought.section, "search": sought.search, "waived": sought.extra.get("waived", ""),
    }  # fmt: skip


async def list_results(db: Queries, groups: Groups, scan: str, sought: Sought) -> list[dict[str, Any]]:
    """Return one page of what a scan found, the worst first; ``status`` is a letter."""
    return await db.all(
        f"""
        select r.uuid as rule_id, r.ref, r.kind, x.title, x.severity, x.section, x.description, x.rationale,
               x.remediation, substr(s.states, a.place::int, 1) as state, s.findings -> (a.place::text) as finding,
               v.until as waived_until
        {_RESULTS}
         order by array_position(array['f','w','e','p','s','n'], substr(s.states, a.place::int, 1)),
                  array_position(array['critical','high','medium','low','unknown'], x.severity), r.ref
         limit %(limit)s offset %(offset)s
        """,
        limit=sought.limit,
        offset=sought.offset,
        groups=groups,
        **_result_values(scan, sought),
    )


async def count_results(db: Queries, groups: Groups, scan: str, sought: Sought) -> int:
    """Return how many results match."""
    return cast("int", await db.value(f"select count(*) {_RESULTS}", groups=groups, **_result_values(scan, sought)))


async def count_by_severity(db: Queries, groups: Groups, scan: str) -> list[dict[str, Any]]:
    """Return how the rules of a scan stand, by severity and by section."""
    return await db.all(
        f"""
        select x.severity, x.section, substr(s.states, a.place::int, 1) as state, count(*) as number
        {_RESULTS}
         group by 1, 2, 3
        """,
        groups=groups,
        **_result_values(scan, Sought()),
    )


async def find_arf(db: Queries, groups: Groups, scan: str) -> bytes | None:
    """Return the result file with the scanner's own result of a scan, as the agent handed it in."""
    found = await db.value(
        f"""
        select b.content
          from compliance_scans c
          join compliance_tasks t on t.id = c.task
          join job_hosts jh on jh.uuid = t.job_host
          join job_results r on r.job_host_id = jh.id and r.module = 'oscap_arf'
          join result_blobs b on b.digest = r.digest
         where c.uuid = %(scan)s::uuid and c.kind = 'openscap' and {in_scope("c.host_id")}
         limit 1
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        scan=sought_uuid(scan),
    )
    return None if found is None else bytes(found)


async def list_trend(db: Queries, groups: Groups, host: str, since: datetime) -> list[dict[str, Any]]:
    """Return the scores of a host since a moment, in order."""
    return await db.all(
        f"""
        select s.completed_at, s.score, s.profile_name, s.kind as profile_type
          from compliance_scans s
          join hosts h on h.id = s.host_id
         where h.uuid = %(host)s::uuid and {_SCOPE} and s.status = 'completed' and s.score is not null
           and s.completed_at >= %(since)s
         order by s.completed_at, s.id
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        host=sought_uuid(host),
        since=since,
    )


async def list_waiting(db: Queries, groups: Groups, hosts: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Return hosts that were asked to scan and did not begin, the last first."""
    return await db.all(
        f"""
        select h.uuid as host_id, h.friendly_name as host_name, t.id, t.created_at, t.scanners
          from compliance_tasks t
          join hosts h on h.id = t.host_id
         where t.kind = 'scan' and t.status in ('waiting', 'active') and t.started_at is null
           and {in_scope("t.host_id")}
           and (%(hosts)s::uuid[] is null or h.uuid = any(%(hosts)s::uuid[]))
         order by t.created_at desc
         limit 100
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        hosts=None if hosts is None else list(hosts),
    )
