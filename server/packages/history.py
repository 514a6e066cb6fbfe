"""What was installed on a host when: told from what is installed now and from what changed since."""

from datetime import datetime, timedelta
from typing import Final

from server.core.call import Call
from server.packages.models import Installed, VersionChange
from server.packages.queries import of_host

#: How long changes are kept; states further back cannot be told.
KEPT_DAYS: Final = 400


async def changes(call: Call, host_id: int, after: datetime, until: datetime) -> list[VersionChange]:
    """Return what differs between two moments by name, the later one included; what came and went is no difference.

    The changes of one report are those between the report before it and itself.
    """
    rows = await of_host.list_changes(call.db, host_id, after, until)
    return [VersionChange(*(row[name] for name in VersionChange._fields)) for row in rows]


async def state(call: Call, host_id: int, at: datetime) -> list[Installed]:
    """Return what was installed at a moment since the host's first report, by name."""
    return [Installed(row["name"], row["version"]) for row in await of_host.list_state(call.db, host_id, at)]


async def prune(call: Call) -> int:
    """Forget changes that are older than is kept; return how many."""
    return await of_host.delete_changes(call.db, call.now - timedelta(days=KEPT_DAYS))
