"""What programs read: hosts in the shapes of the scoped API, and the figures of a dashboard's card."""

from datetime import datetime, timedelta

from server.core.call import Call
from server.core.ids import is_uuid
from server.integrations import rules
from server.integrations.errors import HostMissing
from server.integrations.models import Facts, Figures, InventoryFilter, InventoryPage
from server.integrations.queries import figures as numbers
from server.integrations.queries import hosts, inventory
from server.settings import service as settings


async def list_hosts(call: Call, chosen: list[str] | None, *, stats: bool) -> tuple[str, int]:
    """Return the hosts of these groups (``None``: all), by name, as one JSON text; and their number."""
    if not stats:
        return await hosts.list_plain(call.db, chosen)
    return await hosts.list_with_stats(call.db, chosen, *await _late(call))


async def list_inventory(
    call: Call, wanted: InventoryFilter, after: str | None, limit: int
) -> tuple[str, int, str | None]:
    """Return a page of the inventory as one JSON text, its number of hosts, and after which host the next begins."""
    found = await inventory.list_page(call.db, wanted, InventoryPage(after, limit, *await _late(call)))
    return found["hosts"], found["total"], found["last"] if found["total"] == limit else None


async def _late(call: Call) -> tuple[datetime, datetime]:
    """Return the times before which a host's last word makes it overdue, and stale."""
    interval = timedelta(minutes=(await settings.effective(call)).update_interval)
    return call.now - interval, call.now - 2 * interval


async def find_host(call: Call, uuid: str) -> Facts:
    """Return what one host said about itself; raises ``HostMissing``."""
    found = await hosts.find_host(call.db, uuid) if is_uuid(uuid) else None
    if found is None:
        raise HostMissing
    return found


async def count_packages(call: Call, uuid: str) -> Facts:
    """Return a host's counts; of an unknown host zeros, as it has always been."""
    counts = await hosts.count_packages(call.db, uuid) if is_uuid(uuid) else {}
    names = ("total_installed_packages", "outdated_packages", "security_updates", "total_repos")
    return {"host_id": uuid, **{name: counts.get(name, 0) for name in names}}


async def list_packages(call: Call, host: Facts, *, updates_only: bool) -> tuple[str, int]:
    """Return a host's packages as one JSON text, and their number."""
    return await hosts.list_packages(call.db, host["key"], updates_only=updates_only)


async def list_reports(call: Call, uuid: str, limit: int) -> list[Facts]:
    """Return a host's newest reports; of an unknown host none."""
    return await hosts.list_reports(call.db, uuid, limit) if is_uuid(uuid) else []


async def agent_queue(call: Call, host: Facts, limit: int) -> Facts:
    """Return what waits for a host and what ran on it."""
    history = await hosts.list_jobs(call.db, host["key"], limit)
    return {
        "host_id": host["id"],
        "queue_status": await hosts.count_queue(call.db, host["key"]),
        "job_history": history,
        "total_jobs": len(history),
    }


async def figures(call: Call) -> Figures:
    """Return what a dashboard's card shows of the active hosts."""
    counted = await numbers.count(call.db, call.now - timedelta(hours=24))
    return rules.figures(counted, await numbers.list_systems(call.db), call.now)
