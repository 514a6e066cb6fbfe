"""Statements about the fleet: how hosts stand, and which rules fail where."""

from datetime import datetime
from typing import Any, Final, cast

from server.compliance.models import FAIR, GOOD, Sought, Verdicts
from server.compliance.queries.letters import LETTERS, SUMS, waived_score
from server.core.db import Queries
from server.core.ids import sought_uuid
from server.core.scope import Groups, in_scope

#: The scan by which a host stands: the newest, OpenSCAP before others of the same moment; or that of one scanner.
_STANDS: Final = "case when %(kind)s = '' then s.standing else s.kind = %(kind)s and s.kind <> 'oscap-docker' end"
_SCOPE: Final = in_scope("s.host_id", many=True)


async def summary(db: Queries, groups: Groups, kind: str, now: datetime) -> dict[str, Any]:
    """Return the fleet's numbers: hosts by verdict, rules by state, failures by severity, scans by age."""
    found = await db.one(
        f"""
        select count(*) as total_hosts,
               count(*) filter (where score >= %(good)s) as hosts_compliant,
               count(*) filter (where score >= %(fair)s and score < %(good)s) as hosts_warning,
               count(*) filter (where score < %(fair)s) as hosts_critical,
               avg(score) as average_score, avg({waived_score("s")}) as waived_score,
               coalesce(sum(waived), 0) as waived, count(*) filter (where waived > 0) as hosts_waived,
               array[coalesce(sum(waived_by[1]), 0), coalesce(sum(waived_by[2]), 0), coalesce(sum(waived_by[3]), 0),
                     coalesce(sum(waived_by[4]), 0), coalesce(sum(waived_by[5]), 0)] as waived_by,
               coalesce(sum(passed), 0) as passed, coalesce(sum(failed), 0) as failed,
               coalesce(sum(warned), 0) as warnings, coalesce(sum(skipped), 0) as skipped,
               coalesce(sum(not_applicable), 0) as not_applicable, coalesce(sum(errors), 0) as errors,
               array[coalesce(sum(failed_by[1]), 0), coalesce(sum(failed_by[2]), 0), coalesce(sum(failed_by[3]), 0),
                     coalesce(sum(failed_by[4]), 0), coalesce(sum(failed_by[5]), 0)] as failed_by,
               count(*) filter (where completed_at > %(now)s - interval '1 day') as today,
               count(*) filter (where completed_at <= %(now)s - interval '1 day'
                                and completed_at > %(now)s - interval '7 days') as week,
               count(*) filter (where completed_at <= %(now)s - interval '7 days'
                                and completed_at > %(now)s - interval '30 days') as month,
               count(*) filter (where completed_at <= %(now)s - interval '30 days') as older,
               array[count(*) filter (where score < 20), count(*) filter (where score >= 20 and score < 40),
                     count(*) filter (where score >= 40 and score < 60),
                     count(*) filter (where score >= 60 and score < 80),
                     count(*) filter (where score >= 80)] as scores
          from compliance_latest s
         where {_STANDS} and {_SCOPE}
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        kind=kind,
        now=now,
        good=GOOD,
        fair=FAIR,
    )
    return found or {}


async def count_verdicts(db: Queries, groups: Groups) -> Verdicts:
    """Return how many hosts stand how; those that compliance is on for count before their first scan too."""
    found = await db.one(
        f"""
        with unscanned as (
            select count(*)::int as number
              from hosts s
             where s.compliance_mode <> 'disabled'
               and not exists (select from compliance_latest l where l.host_id = s.id and l.standing)
               and {in_scope("s.id", many=True)}
        )
        select count(s.host_id)::int + u.number as total,
               (count(*) filter (where s.score >= %(good)s))::int as compliant,
               (count(*) filter (where s.score >= %(fair)s and s.score < %(good)s))::int as warning,
               (count(*) filter (where s.score < %(fair)s))::int as critical,
               u.number as unscanned
          from unscanned u
          left join compliance_latest s on s.standing and {_SCOPE}
         group by u.number
        """,  # noqa: S608 (only constants are put together)
        Verdicts,
        groups=groups,
        good=GOOD,
        fair=FAIR,
    )
    assert found is not None
    return found


async def count_kinds(db: Queries, groups: Groups) -> dict[str, int]:
    """Return how many hosts stand by each scanner."""
    rows = await db.all(
        f"select s.kind, count(*) as number from compliance_latest s where {_SCOPE} group by s.kind",  # noqa: S608
        groups=groups,
    )
    return {row["kind"]: row["number"] for row in rows}


async def count_scans(db: Queries, groups: Groups) -> int:
    """Return how many scans there are."""
    return cast(
        "int",
        await db.value(
            f"select count(*) from compliance_scans s where {_SCOPE}",  # noqa: S608 (only constants are put together)
            groups=groups,
        ),
    )


#: How many hosts each rule stands how on: kept for the whole fleet, counted anew for who sees only some groups.
_TALLIES: Final = f"""
    select a.rule, sum(a.passed)::int as passed, sum(a.failed)::int as failed, sum(a.warned)::int as warned,
           sum(a.skipped)::int as skipped, sum(a.not_applicable)::int as not_applicable, sum(a.errors)::int as errors
      from (select * from compliance_tallies
             union all
            select a.rule, {SUMS}
              from (select a.rule, a.state, sum(s.amount) as number from compliance_tally_changes s {LETTERS}
                     group by a.rule, a.state) a
             group by a.rule) a
     where %(groups)s::uuid[] is null and %(host)s::uuid is null
     group by a.rule
     union all
    select a.rule, {SUMS}
      from (select a.rule, a.state, count(*) as number
              from compliance_latest s
              join hosts h on h.id = s.host_id {LETTERS}
             where (%(groups)s::uuid[] is not null or %(host)s::uuid is not null) and {_SCOPE}
               and (%(host)s::uuid is null or h.uuid = %(host)s::uuid)
             group by a.rule, a.state) a
     group by a.rule
"""  # noqa: S608 (only constants are put together)

_RULES: Final = f"""
      from compliance_rules r
      join ({_TALLIES}) t on t.rule = r.id
     where t.passed + t.failed + t.warned + t.skipped + t.not_applicable + t.errors > 0
       and (%(kind)s = '' or r.kind = %(kind)s)
       and (%(severity)s = '' or r.severity = %(severity)s)
       and (%(section)s = '' or r.section = %(section)s)
       and (%(status)s = '' or case %(status)s when 'pass' then t.passed when 'fail' then t.failed
                                    when 'warn' then t.warned when 'skipped' then t.skipped
                                    when 'notapplicable' then t.not_applicable else t.errors end > 0)
       and (%(search)s = '' or r.words like '%%' || replace(replace(replace(lower(%(search)s), '\\', '\\\\'),
                                                          '%%', '\\%%'), '_', '\\_') || '%%')
"""

RULE_ORDERS: Final = {
    "title": "lower(r.title)",
    "ref": "r.ref",
    "severity": "array_position(array['critical','high','medium','low','unknown'], r.severity)",
    "section": "r.section",
    "passed": "t.passed",
    "failed": "t.failed",
    "warned": "t.warned",
    "total": "t.passed + t.failed + t.warned + t.skipped + t.not_applicable + t.errors",
}


def _rule_values(sought: Sought) -> dict[str, Any]:
    return {
        "kind": sought.kind, "severity": sought.severity, "status": sought.status,
        "search": sought.search, "host": sought_uuid(sought.host), "section": sought.section,
    }  # fmt: skip


async def list_rules(db: Queries, groups: Groups, sought: Sought) -> list[dict[str, Any]]:
    """Return one page of rules with on how many hosts each stands how; those that fail most first."""
    order = RULE_ORDERS.get(sought.sort, "t.failed")
    way = "desc" if sought.sort not in RULE_ORDERS or sought.direction == "desc" else "asc"
    return await db.all(
        f"""
        select r.uuid as id, r.kind, r.ref, r.title, r.severity, r.section, t.passed, t.failed, t.warned, t.skipped,
               t.not_applicable, t.errors,
               t.passed + t.failed + t.warned + t.skipped + t.not_applicable + t.errors as total,
               count(*) over () as matching
        {_RULES}
         order by {order} {way}, t.warned desc, r.title, r.id
         limit %(limit)s offset %(offset)s
        """,
        limit=sought.limit,
        offset=sought.offset,
        groups=groups,
        **_rule_values(sought),
    )


async def count_rules(db: Queries, groups: Groups, sought: Sought) -> int:
    """Return how many rules match."""
    return cast("int", await db.value(f"select count(*) {_RULES}", groups=groups, **_rule_values(sought)))


async def list_sections(db: Queries, groups: Groups, kind: str) -> list[dict[str, Any]]:
    """Return how many warnings and failures each section of a benchmark has over all hosts."""
    return await db.all(
        f"""
        select r.section, sum(t.warned) as warned, sum(t.failed) as failed, sum(t.passed) as passed
          from compliance_rules r
          join ({_TALLIES}) t on t.rule = r.id
         where r.kind = %(kind)s
         group by r.section
        having sum(t.warned + t.failed + t.passed) > 0
         order by sum(t.warned) desc, r.section
         limit 50
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        host=None,
        kind=kind,
    )


async def list_kinds(db: Queries, ref: str) -> list[str]:
    """Return the scanners that know a rule by its reference."""
    return await db.column("select kind from compliance_rules where ref = %(ref)s order by kind", ref=ref)


async def find_rule(db: Queries, rule: str) -> dict[str, Any] | None:
    """Return a rule by UUID or reference, with the words of the newest content that has it."""
    return await db.one(
        """
        select r.id as key, r.uuid as id, r.kind, r.ref, r.title, r.severity, r.section,
               coalesce(x.description, '') as description, coalesce(x.rationale, '') as rationale,
               coalesce(x.remediation, '') as remediation
          from compliance_rules r
          left join lateral (select * from compliance_texts x where x.rule = r.id order by x.id desc limit 1) x on true
         where r.uuid = %(uuid)s::uuid or r.ref = %(rule)s
         order by r.kind desc
         limit 1
        """,
        rule=rule,
        uuid=sought_uuid(rule),
    )


_AFFECTED: Final = """
    select l.id as layout, a.place::int as place
      from compliance_layouts l
     cross join unnest(l.rules) with ordinality as a (rule, place)
     where l.rules @> array[%(rule)s::int] and a.rule = %(rule)s
"""


async def count_rule(db: Queries, groups: Groups, rule: int) -> dict[str, int]:
    """Return on how many hosts a rule stands how, by letter."""
    rows = await db.all(
        f"""
        with p as materialized ({_AFFECTED})
        select substr(s.states, p.place, 1) as state, count(*) as number
          from p
          join compliance_latest s on s.layout = p.layout
         where {_SCOPE}
         group by 1
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        rule=rule,
    )
    return {row["state"]: row["number"] for row in rows}


async def list_affected(db: Queries, groups: Groups, rule: int, sought: Sought) -> list[dict[str, Any]]:
    """Return hosts with how a rule stands there, worst first; only these are joined with what was found."""
    way = "desc" if sought.direction == "desc" else "asc"
    return await db.all(
        f"""
        with p as materialized ({_AFFECTED}), page as (
            select s.host_id, s.scan, s.completed_at, p.place, substr(s.states, p.place, 1) as state, h.uuid,
                   h.friendly_name
              from p
              join compliance_latest s on s.layout = p.layout
              join hosts h on h.id = s.host_id
             where {_SCOPE}
               and (%(status)s = '' or substr(s.states, p.place, 1) = %(status)s)
             order by array_position(array['f','w','e','p','s','n'], substr(s.states, p.place, 1)) {way},
                      lower(h.friendly_name), h.id
             limit %(limit)s offset %(offset)s
        )
        select page.uuid as host_id, page.friendly_name as host_name, page.state, page.completed_at,
               c.uuid as scan_id, c.findings -> (page.place::text) as finding, v.until as waived_until
          from page
          join compliance_scans c on c.id = page.scan
          left join lateral (select max(v.expires_on) as until from compliance_waivers_of(page.host_id) v
                              where v.rule = %(rule)s and page.state in ('f', 'w')) v on true
         order by array_position(array['f','w','e','p','s','n'], page.state) {way}, lower(page.friendly_name),
                  page.host_id
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        rule=rule,
        status=sought.status,
        limit=sought.limit,
        offset=sought.offset,
    )


# ---------------------------------------------------------------- hosts

_HOSTS: Final = f"""
      from hosts s
      left join compliance_latest l
             on l.host_id = s.id
            and case when %(kind)s = '' then l.standing else l.kind = %(kind)s and l.kind <> 'oscap-docker' end
     where {in_scope("s.id", many=True)}
       and (s.compliance_mode <> 'disabled' or s.compliance_reported_at is not null)
       and (%(status)s = '' or (%(status)s = 'behind' and l.score < %(good)s)
            or case when l.score is null then 'unscanned' when l.score >= %(good)s then 'compliant'
                    when l.score >= %(fair)s then 'warning' else 'critical' end = %(status)s)
       and (%(mode)s = '' or s.compliance_mode = %(mode)s)
       and (%(search)s = '' or position(lower(%(search)s) in lower(s.friendly_name || ' ' || coalesce(s.hostname, '')))
            > 0)
"""

HOST_ORDERS: Final = {
    "host": "lower(s.friendly_name)",
    "activity": "l.completed_at",
    "passed": "l.passed",
    "failed": "l.failed",
    "skipped": "l.skipped",
    "score": "l.score",
    "waived": "l.waived",
    "waived_score": waived_score("l"),
    "mode": "s.compliance_mode",
}


def _host_values(sought: Sought) -> dict[str, Any]:
    mode = sought.extra.get("mode", "")
    return {
        "kind": sought.kind, "status": sought.status, "search": sought.search, "mode": mode,
        "good": GOOD, "fair": FAIR,
    }  # fmt: skip


async def list_hosts(db: Queries, groups: Groups, sought: Sought) -> list[dict[str, Any]]:
    """Return one page of hosts that compliance is on for or that ever scanned."""
    order = HOST_ORDERS.get(sought.sort, "lower(s.friendly_name)")
    way = "desc nulls last" if sought.direction == "desc" else "asc nulls last"
    return await db.all(
        f"""
        with page as (
            select s.id as key, s.uuid as id, s.friendly_name as name, s.compliance_mode as mode,
                   s.compliance_openscap_enabled as openscap, s.compliance_docker_bench_enabled as docker_bench,
                   s.docker_enabled as docker, l.kind, l.completed_at, l.score, l.passed, l.failed, l.warned,
                   l.skipped, l.not_applicable, l.errors, l.total, l.waived, {order} as sorted
            {_HOSTS}
             order by {order} {way}, lower(s.friendly_name), s.id
             limit %(limit)s offset %(offset)s
        )
        select p.key, p.id, p.name, p.mode, p.openscap, p.docker_bench, p.docker, p.kind, p.completed_at, p.score,
               p.passed, p.failed, p.warned, p.skipped, p.not_applicable, p.errors, p.total, p.waived,
               t.status as task_status, t.scanners as task_scanners, t.started_at as task_started_at,
               (select array_agg(x.kind order by x.kind desc) from compliance_latest x where x.host_id = p.key) as kinds
          from page p
          left join compliance_tasks t
                 on t.host_id = p.key and t.kind = 'scan' and t.status in ('waiting', 'active')
         order by p.sorted {way}, lower(p.name), p.key
        """,  # noqa: S608 (only constants are put together)
        limit=sought.limit,
        offset=sought.offset,
        groups=groups,
        **_host_values(sought),
    )


async def count_hosts(db: Queries, groups: Groups, sought: Sought) -> int:
    """Return how many hosts match."""
    return cast("int", await db.value(f"select count(*) {_HOSTS}", groups=groups, **_host_values(sought)))


async def list_worst(db: Queries, groups: Groups, kind: str, limit: int) -> list[dict[str, Any]]:
    """Return the hosts with the lowest scores."""
    return await db.all(
        f"""
        with worst as (
            select s.host_id, s.kind, s.score, s.passed, s.failed, s.warned, s.completed_at
              from compliance_latest s
             where {_STANDS} and {_SCOPE} and s.score is not null
             order by s.score
             fetch first %(limit)s rows with ties
        )
        select h.uuid as id, h.friendly_name as name, w.kind, w.score, w.passed, w.failed, w.warned, w.completed_at
          from worst w
          join hosts h on h.id = w.host_id
         order by w.score, lower(h.friendly_name)
         limit %(limit)s
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        kind=kind,
        limit=limit,
    )
