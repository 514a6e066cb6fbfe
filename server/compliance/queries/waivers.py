"""Statements about waivers."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final, cast

from server.compliance.models import NewWaiver, Sought, Waiver, WaiverChange
from server.core.db import Queries, Tx
from server.core.ids import sought_uuid
from server.core.scope import Groups, among, in_scope

#: Of a host, a group, or the whole fleet: the last concerns everybody.
_SCOPE: Final = f"""(
    w.target = 'fleet' or (w.target = 'host' and {in_scope("w.host_id")}) or (w.target = 'group' and {among("g.uuid")})
)"""


def _covers(hosts: str) -> str:
    """Return the count of hosts, of those that ``hosts`` narrows to, on which the rule of ``w`` fails or warns."""
    return f"""(
        select count(*)::int
          from compliance_layouts y
          join compliance_latest l on l.layout = y.id
         where y.rules @> array[w.rule] and substr(l.states, array_position(y.rules, w.rule), 1) in ('f', 'w')
           and {hosts} and {in_scope("l.host_id", many=True)})"""  # noqa: S608 (only constants are put together)


#: On the whole fleet it is added up already, but for what came just now.
_TALLIED: Final = """
    select (coalesce((select t.failed + t.warned from compliance_tallies t where t.rule = w.rule), 0)
            + coalesce((select sum(c.amount)
                          from compliance_tally_changes c
                          join compliance_layouts y on y.id = c.layout
                         where y.rules @> array[w.rule]
                           and substr(c.states, array_position(y.rules, w.rule), 1) in ('f', 'w')), 0))::int
"""
_MEMBERS: Final = "select m.host_id from host_group_members m where m.host_group_id = w.group_id"
#: By the newest scans. Each kind on its own: of one host nobody reads the whole fleet.
_COVERS: Final = f"""
    case w.target when 'host' then {_covers("l.host_id = w.host_id")}
                  when 'group' then {_covers(f"l.host_id in ({_MEMBERS})")}
                  else case when %(groups)s::uuid[] is null then ({_TALLIED}) else {_covers("true")} end end
"""
_FROM: Final = """
      from compliance_waivers w
      join compliance_rules r on r.id = w.rule
      left join hosts h on h.id = w.host_id
      left join host_groups g on g.id = w.group_id
"""
_COLUMNS: Final = """
    w.id, r.uuid as rule_id, r.ref as rule_ref, r.title as rule_title, r.severity, r.kind, w.target,
    coalesce(h.uuid::text, g.uuid::text, '') as place, coalesce(h.friendly_name, g.name, 'Whole fleet') as place_name,
    w.reason, w.owner, w.expires_on, w.made_by, w.made_at, w.revoked_by, w.revoked_at, w.revoked_reason, w.ended_at
"""
_STATE: Final = """
    case when w.revoked_at is not null then 'revoked'
         when w.ended_at is not null or w.expires_on < %(today)s then 'expired'
         when w.expires_on <= %(soon)s then 'expiring' else 'active' end
"""
_WANTED: Final = f"""
     where {_SCOPE}
       and (%(status)s = '' or {_STATE} = %(status)s or (%(status)s = 'active' and {_STATE} = 'expiring'))
       and (%(rule)s = '' or r.uuid = %(rule_id)s::uuid or r.ref = %(rule)s)
       and (%(host)s = '' or (w.target = 'fleet' or h.uuid = %(host_id)s::uuid or exists (
               select from host_group_members m
                 join hosts o on o.id = m.host_id
                where m.host_group_id = w.group_id and o.uuid = %(host_id)s::uuid and {in_scope("o.id")})))
       and (%(search)s = '' or position(lower(%(search)s) in lower(concat_ws(' ', r.title, r.ref, h.friendly_name,
                                                                            g.name, w.owner, w.reason))) > 0)
"""
WAIVER_ORDERS: Final = {
    "rule": "lower(r.title)",
    "place": "lower(coalesce(h.friendly_name, g.name, ''))",
    "owner": "lower(w.owner)",
    "until": "w.expires_on",
    "made": "w.made_at",
}


def _values(sought: Sought, today: date, soon: date) -> dict[str, Any]:
    rule, host = sought.extra.get("rule", ""), sought.host
    return {
        "status": sought.status, "search": sought.search, "today": today, "soon": soon, "rule": rule,
        "rule_id": sought_uuid(rule), "host": host, "host_id": sought_uuid(host),
    }  # fmt: skip


async def list_waivers(db: Queries, groups: Groups, sought: Sought, today: date, soon: date) -> list[Waiver]:
    """Return one page of waivers, those in force that end first on top; ``soon``: until when they are expiring."""
    chosen = WAIVER_ORDERS.get(sought.sort)
    way = "desc" if sought.direction == "desc" else "asc"
    order = f"{chosen} {way}" if chosen else "(w.ended_at is not null), w.expires_on"
    return await db.all(
        f"""
        select {_COLUMNS}, {_COVERS} as covers
        {_FROM} {_WANTED}
         order by {order}, w.made_at desc, w.id
         limit %(limit)s offset %(offset)s
        """,
        Waiver,
        groups=groups,
        limit=sought.limit,
        offset=sought.offset,
        **_values(sought, today, soon),
    )


async def count_waivers(db: Queries, groups: Groups, sought: Sought, today: date, soon: date) -> int:
    """Return how many waivers match."""
    found = await db.value(
        f"select count(*) {_FROM} {_WANTED}",
        groups=groups,
        **_values(sought, today, soon),
    )
    return cast("int", found)


async def find_waiver(db: Queries, groups: Groups, waiver: str) -> Waiver | None:
    """Return one waiver."""
    return await db.one(
        f"select {_COLUMNS}, {_COVERS} as covers {_FROM} where w.id = %(waiver)s::uuid and {_SCOPE}",
        Waiver,
        groups=groups,
        waiver=sought_uuid(waiver),
    )


async def find_group(db: Queries, groups: Groups, group: str) -> dict[str, Any] | None:
    """Return the key and the name of a host group."""
    return await db.one(
        f"select k.id, k.uuid, k.name from host_groups k where k.uuid = %(group)s::uuid and {among('k.uuid')}",  # noqa: S608
        groups=groups,
        group=sought_uuid(group),
    )


async def list_groups(db: Queries, groups: Groups) -> list[dict[str, Any]]:
    """Return the host groups that a waiver may be for, by name."""
    return await db.all(
        f"select k.uuid as id, k.name from host_groups k where {among('k.uuid')} order by lower(k.name)",  # noqa: S608
        groups=groups,
    )


async def insert(
    tx: Tx, new: NewWaiver, rule: int, host_id: int | None, group_id: int | None, by: str, now: datetime
) -> str:
    """Keep a waiver; return its id."""
    return cast(
        "str",
        await tx.value(
            """
            insert into compliance_waivers
                   (rule, target, host_id, group_id, reason, owner, expires_on, made_by, made_at, changed_at)
            values (%(rule)s, %(target)s, %(host_id)s, %(group_id)s, %(reason)s, %(owner)s, %(expires_on)s, %(by)s,
                    %(now)s, %(now)s)
            returning id
            """,
            rule=rule,
            target=new.target,
            host_id=host_id,
            group_id=group_id,
            reason=new.reason,
            owner=new.owner,
            expires_on=new.expires_on,
            by=by,
            now=now,
        ),
    )


async def lock(tx: Tx, waiver: str) -> None:
    """Lock a waiver: who changes it and who revokes it follow each other."""
    await tx.execute(
        "select from compliance_waivers where id = %(waiver)s::uuid for no key update", waiver=sought_uuid(waiver)
    )


async def update(tx: Tx, waiver: str, change: WaiverChange, now: datetime) -> None:
    """Change a waiver's words or its last day, from when on it is in force again."""
    await tx.execute(
        """
        update compliance_waivers
           set reason = coalesce(%(reason)s, reason), owner = coalesce(%(owner)s, owner), changed_at = %(now)s,
               expires_on = coalesce(%(expires_on)s::date, expires_on),
               told_at = case when %(expires_on)s::date is null then told_at end,
               ended_at = case when %(expires_on)s::date is null then ended_at end
         where id = %(waiver)s::uuid
        """,
        waiver=waiver,
        reason=change.reason,
        owner=change.owner,
        expires_on=change.expires_on,
        now=now,
    )


async def revoke(tx: Tx, waiver: str, by: str, reason: str, now: datetime) -> None:
    """End a waiver before its day."""
    await tx.execute(
        """
        update compliance_waivers
           set revoked_by = %(by)s, revoked_reason = %(reason)s, revoked_at = %(now)s, changed_at = %(now)s,
               ended_at = coalesce(ended_at, %(now)s)
         where id = %(waiver)s::uuid
        """,
        waiver=waiver,
        by=by,
        reason=reason,
        now=now,
    )


async def recount(tx: Tx, waivers: Sequence[str]) -> None:
    """Count anew what is waived on every host that these waivers are about.

    Also where the rule is in no scan yet: one that is being stored may bring it, and is waited for.
    """
    await tx.execute(
        """
        select compliance_waive(array(
            select l.host_id
              from compliance_latest l
             where exists (select from compliance_waivers w
                            where w.id = any(%(waivers)s::uuid[]) and w.target = 'fleet')
             union
            select w.host_id
              from compliance_waivers w
             where w.id = any(%(waivers)s::uuid[]) and w.target = 'host'
             union
            select m.host_id
              from compliance_waivers w
              join host_group_members m on m.host_group_id = w.group_id
             where w.id = any(%(waivers)s::uuid[])))
        """,
        waivers=list(waivers),
    )


async def end_expired(tx: Tx, today: date, now: datetime) -> list[str]:
    """End the waivers whose last day is over; return them."""
    return await tx.column(
        """
        update compliance_waivers set ended_at = %(now)s, changed_at = %(now)s
         where ended_at is null and expires_on < %(today)s
        returning id
        """,
        today=today,
        now=now,
    )


async def list_changed(tx: Tx, since: datetime) -> list[str]:
    """Return the waivers that were made, changed or ended lately."""
    return await tx.column("select id from compliance_waivers where changed_at >= %(since)s", since=since)


async def note_told(tx: Tx, until: date, now: datetime) -> list[str]:
    """Note that it was announced which waivers end until a day; return those for which it was not before."""
    return await tx.column(
        """
        update compliance_waivers set told_at = %(now)s
         where ended_at is null and told_at is null and expires_on <= %(until)s
        returning id
        """,
        until=until,
        now=now,
    )


async def count_waived(db: Queries, groups: Groups, rule: int) -> int:
    """Return on how many hosts a rule fails or warns and is waived."""
    found = await db.value(
        f"""
        select count(*)
          from compliance_layouts y
          join compliance_latest l on l.layout = y.id
         where y.rules @> array[%(rule)s::int]
           and substr(l.states, array_position(y.rules, %(rule)s::int), 1) in ('f', 'w')
           and {in_scope("l.host_id", many=True)}
           and exists (select from compliance_waivers w
                        where w.rule = %(rule)s and w.ended_at is null
                          and (w.target = 'fleet' or w.host_id = l.host_id
                               or exists (select from host_group_members m
                                           where m.host_id = l.host_id and m.host_group_id = w.group_id)))
        """,  # noqa: S608 (only constants are put together)
        groups=groups,
        rule=rule,
    )
    return cast("int", found)
