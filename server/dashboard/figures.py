"""The overview's numbers as programs ask for them, whatever is on whose screen."""

from dataclasses import replace
from typing import Any, Final

from server.core.call import Call
from server.core.ids import is_uuid
from server.dashboard import board
from server.dashboard.errors import HostMissing
from server.dashboard.models import PersonLine, ReportLine, Stats, Trends
from server.dashboard.queries import fleet, packages

_DAYS: Final = 30
_LINES: Final = 10
#: So many hosts are offered to choose from; any other is asked for by its id.
_NAMES: Final = 1000


async def stats(call: Call) -> Stats:
    """Return every number of the overview about the hosts that the asker sees."""
    scope = call.actor.scope
    return Stats(
        at=call.now,
        fleet=await board.total(call, scope),
        kinds=await board.kinds(call, scope),
        groups=await fleet.count_groups(call.db, scope),
        repositories=await fleet.count_repositories(call.db, scope),
        people=await fleet.count_people(call.db) if call.actor.may("can_view_users") else None,
        systems=await fleet.list_systems(call.db, scope),
        days=await board.days(call, scope, _DAYS) or (),
    )


async def navigation(call: Call) -> Stats:
    """Return the numbers that stand beside the navigation; the others are left empty."""
    scope = call.actor.scope
    return Stats(
        at=call.now,
        fleet=await board.total(call, scope),
        kinds=await board.kinds(call, scope),
        groups=await fleet.count_groups(call.db, scope),
        repositories=await fleet.count_repositories(call.db, scope),
        people=None,
        systems=(),
        days=(),
    )


async def trends(call: Call, days: int, host: str) -> Trends:
    """Return the days of the fleet or of one host; raises ``HostMissing``.

    Of the fleet nothing is told to who sees only a part of it.
    """
    scope = call.actor.scope
    hosts = await fleet.list_host_names(call.db, scope, _NAMES)
    if not host:
        known, now = await board.days(call, scope, days), await board.kinds(call, scope)
        if not now.packages:
            now = replace(now, packages=await packages.count_installed(call.db, scope))
        return Trends(days, "", known or (), now, hosts)
    of_host = await packages.count_of_host(call.db, scope, host) if is_uuid(host) else None
    if of_host is None:
        raise HostMissing
    return Trends(days, host, await board.days_of_host(call, host, days), of_host, hosts)


async def outdated_packages(call: Call) -> list[dict[str, Any]]:
    """Return the packages that wait for an update on at least one host, as JSON has them."""
    scope = call.actor.scope
    if scope is None and await packages.is_counted(call.db):
        return await packages.list_counted(call.db)
    return await packages.list_outdated(call.db, scope)


async def recent_people(call: Call) -> list[PersonLine]:
    """Return who signed in last."""
    return await fleet.list_recent_people(call.db, _LINES)


async def recent_reports(call: Call) -> list[ReportLine]:
    """Return the hosts that were heard of last."""
    return await fleet.list_recent_reports(call.db, call.actor.scope, _LINES)
