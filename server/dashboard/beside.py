"""What stands beside the entries of the navigation: how many hosts there are, and how many of them are connected."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from server.core.call import Call
from server.core.words import number
from server.dashboard.queries import fleet
from server.web.badges import Badge

#: So long a number may stand on other pages; nobody waits for the navigation to be counted.
_FRESH: Final = timedelta(seconds=5)
_MOST_KEPT: Final = 256


class Beside:
    """Keeps the numbers for a few seconds, for each set of host groups that somebody is limited to."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, ...] | None, tuple[datetime, Mapping[str, Badge]]] = {}

    async def read(self, call: Call) -> Mapping[str, Badge]:
        """Return the badges by the address of their entry; none for who does not see hosts."""
        if not call.actor.may("can_view_hosts"):
            return {}
        scope = call.actor.scope
        whose = None if scope is None else tuple(scope)
        if whose in self._kept and timedelta() <= call.now - self._kept[whose][0] < _FRESH:
            return self._kept[whose][1]
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        hosts, connected = await fleet.count_connected(call.db, scope)
        hint = f"{number(connected)} connected, {number(hosts - connected)} offline"
        found = {"/hosts": Badge(f"{number(connected)}/{number(hosts)}", hint)} if hosts else {}
        self._kept[whose] = call.now, found
        return found
