"""What is counted as waived is what the letters, the waivers and the groups say, whatever changed in which order."""

import asyncio
import random
from datetime import timedelta
from typing import Any

from server.compliance import waivers
from server.compliance.errors import WaivedAlready
from server.compliance.models import NewWaiver, WaiverTarget
from server.core.call import Call
from server.hosts import service as hosts
from tests.factories.compliance import hand_in, result, scan
from tests.factories.scopes import group
from tests.stand_ins.existing_agent import Enrol, ExistingAgent

_SEVERITIES = ("critical", "high", "medium", "low", "unknown")
_RULES = 8


def found(dice: random.Random) -> dict[str, Any]:
    """A scan of rules whose states are thrown."""
    return scan(
        *(
            result(f"r{n}", dice.choice(("pass", "fail", "fail", "warn", "error")), _SEVERITIES[n % 5])
            for n in range(dice.choice((_RULES, _RULES - 2)))
        )
    )


async def wrong(call: Call) -> list[dict[str, Any]]:
    """Scans whose numbers are not those that counting rule by rule gives."""
    return await call.db.all(
        """
        select l.host_id, l.waived, l.waived_by, n.waived as should, n.by as should_by
          from compliance_latest l
         cross join lateral (
               select count(*)::int as waived,
                      array(select (count(*) filter (where f.severity = s.word and f.state = 'f'))::int
                              from unnest(array['critical', 'high', 'medium', 'low', 'unknown'])
                                   with ordinality as s (word, place)
                              left join lateral (select * from (
                                   select r.severity, substr(l.states, a.place::int, 1) as state
                                     from compliance_layouts y
                                    cross join unnest(y.rules) with ordinality as a (rule, place)
                                     join compliance_rules r on r.id = a.rule
                                    where y.id = l.layout
                                      and exists (select from compliance_waivers_of(l.host_id) w
                                                   where w.rule = a.rule)) x) f on true
                             group by s.place order by s.place) as by
                 from compliance_layouts y
                cross join unnest(y.rules) with ordinality as a (rule, place)
                where y.id = l.layout and substr(l.states, a.place::int, 1) in ('f', 'w')
                  and exists (select from compliance_waivers_of(l.host_id) w where w.rule = a.rule)) n
         where l.waived <> n.waived or l.waived_by <> n.by
        """
    )


async def one_waiver(call: Call, dice: random.Random, places: list[tuple[WaiverTarget, str]]) -> None:
    """Make a waiver somewhere, or revoke the one that is there."""
    target, place = dice.choice(places)
    rule = f"xccdf_org.ssgproject.content_rule_r{dice.randrange(_RULES)}"
    day = waivers.today(call) + timedelta(days=9)
    try:
        await waivers.create(call, NewWaiver(rule, target, place, "Because", "Ada", day))
    except WaivedAlready:
        one = await call.db.value(
            """
            select w.id from compliance_waivers w join compliance_rules r on r.id = w.rule
             where w.ended_at is null and r.ref = %(rule)s order by w.id limit 1
            """,
            rule=rule,
        )
        await waivers.revoke(call, str(one), "No more")


async def test_numbers_hold_after_changes_of_every_kind(enrol: Enrol, call: Call) -> None:
    dice = random.Random(7)
    groups = [await group(call, name) for name in ("north", "south")]
    fleet: list[tuple[ExistingAgent, str]] = [await enrol(f"host-{n}") for n in range(5)]
    for agent, _ in fleet:
        await hand_in(agent, scan(*(result(f"r{n}", "fail", _SEVERITIES[n % 5]) for n in range(_RULES))))
    places: list[tuple[WaiverTarget, str]] = [("fleet", ""), *(("group", one) for one in groups)]
    places += [("host", host) for _, host in fleet]
    most = 0
    for turn in range(60):
        agent, host = dice.choice(fleet)
        match turn % 3:
            case 0:
                await one_waiver(call, dice, places)
            case 1:
                await hosts.set_groups(call, host, [one for one in groups if dice.random() < 0.5])
            case _:
                await hand_in(agent, found(dice))
        assert await wrong(call) == [], turn
        most = max(most, await call.db.value("select sum(waived) from compliance_latest"))
    assert most > 5, "something was waived"


async def test_scans_and_waivers_of_the_same_moment_count_each_other(enrol: Enrol, call: Call) -> None:
    dice = random.Random(11)
    fleet = [await enrol(f"host-{n}") for n in range(4)]
    late = [await enrol(f"late-{n}") for n in range(4)]
    for agent, _ in fleet:
        await hand_in(agent, scan(*(result(f"r{n}", "fail", _SEVERITIES[n % 5]) for n in range(_RULES))))
    places: list[tuple[WaiverTarget, str]] = [("fleet", ""), *(("host", host) for _, host in fleet)]
    for _ in range(6):
        await asyncio.gather(
            *(hand_in(agent, found(dice)) for agent, _ in fleet),
            *(one_waiver(call, random.Random(dice.random()), places[:1]) for _ in range(1)),
            one_waiver(call, dice, places[1:]),
        )
        assert await wrong(call) == []
    # A host's very first scan has no row yet that could be waited for: the clock counts again what was missed.
    await asyncio.gather(*(hand_in(agent, found(dice)) for agent, _ in late), one_waiver(call, dice, places[:1]))
    await waivers.keep(call)
    assert await wrong(call) == []
