"""Windows updates as existing agents install them: which, how it went, whether a restart is due."""

from collections.abc import Sequence
from typing import Final

from server.core.bus import announce
from server.core.call import Call
from server.core.ids import HostId, is_uuid
from server.hosts import service as hosts
from server.packages import service as packages
from server.patching import projection
from server.patching.events import PatchRebootRequired
from server.patching.queries import runs as run_rows

REBOOT_REASON: Final = "Windows Update installation requires a restart"


async def approved(call: Call, host: HostId) -> list[str]:
    """Return the identifiers of the updates that the host shall install: security first, oldest check first."""
    return await packages.approved_updates(call, host)


async def note_result(call: Call, host: HostId, guid: str, *, success: bool, error: str) -> None:
    """Note how the installation of one update went; an installed one is up to date from now on."""
    async with call.transaction() as tx:
        await packages.note_update_in(tx, call, host, guid, success=success, error=error)
        await hosts.forget_seals(tx, host)


async def forget_superseded(call: Call, host: HostId, guids: Sequence[str]) -> None:
    """Forget updates of a host that newer ones replaced."""
    async with call.transaction() as tx:
        await packages.forget_updates_in(tx, call, host, guids)
        await hosts.forget_seals(tx, host)


async def note_reboot(call: Call, host: HostId, run: str) -> None:
    """Note that a host needs a restart, and announce it for the run if that is one of this host's."""
    async with call.transaction() as tx:
        await hosts.need_reboot(tx, host, REBOOT_REASON)
        for found in await run_rows.lock_runs(tx, [run]) if is_uuid(run) else []:
            if found.host_id == host:
                tx.after_commit(announce(projection.told(PatchRebootRequired, found, REBOOT_REASON)))
