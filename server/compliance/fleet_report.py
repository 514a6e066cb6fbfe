"""How the whole fleet, or one group of it, stands: what is written into a report of many hosts."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from server.compliance import service
from server.compliance.errors import GroupMissing
from server.compliance.models import Sought
from server.compliance.service import Board, Facts
from server.core.call import Call
from server.hosts import service as hosts

_HANDFUL: Final = 1000
#: A page that is read or printed names so many of the hosts that stand worst; files name all.
_MOST_ON_A_PAGE: Final = 500
_RULES: Final = 50


@dataclass(frozen=True, slots=True)
class FleetReport:
    """A report of many hosts.

    Attributes:
        place: the group's name, or the whole fleet; what the asker sees of it.
        rules: those that fail on most hosts; ``worst`` the hosts with the lowest scores, ``hosts`` how many there are.
    """

    place: str
    made_at: datetime
    made_by: str
    board: Board
    rules: list[Facts]
    worst: list[Facts]
    hosts: int


async def about(call: Call, group: str) -> tuple[Call, str]:
    """Return a call that sees only the hosts of a group, and the group's name; without a group the call itself.

    Raises:
        GroupMissing: there is none, or it is not among the asker's.
    """
    if not group:
        return call, "Whole fleet" if call.actor.scope is None else "All groups you see"
    name = next((one["name"] for one in await hosts.list_groups(call) if one["id"] == group), None)
    if name is None:
        raise GroupMissing
    return call.acting_as(replace(call.actor, groups=frozenset({group}))), str(name)


async def report(call: Call, group: str) -> FleetReport:
    """Return the report of a group, or of all that the asker sees; raises ``GroupMissing``."""
    asked, place = await about(call, group)
    worst, hosts = await service.host_list(asked, Sought(sort="score", limit=_MOST_ON_A_PAGE))
    return FleetReport(
        place=place,
        made_at=call.now,
        made_by=call.actor.name,
        board=await service.fleet(asked),
        rules=(await service.rule_list(asked, Sought(status="fail", sort="failed", direction="desc", limit=_RULES)))[0],
        worst=worst,
        hosts=hosts,
    )


async def handfuls(call: Call, group: str) -> AsyncIterator[list[dict[str, Any]]]:
    """Yield every host of a group, or that the asker sees, some at a time and by name; raises ``GroupMissing``."""
    asked, _ = await about(call, group)
    first = 0
    while True:
        found, _ = await service.host_list(asked, Sought(sort="host", limit=_HANDFUL, offset=first))
        if not found:
            return
        yield found
        first += len(found)
