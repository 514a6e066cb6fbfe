"""Windows updates among a host's packages: which are to be installed, and how that went."""

from collections.abc import Sequence
from typing import Final

from server.core.call import Call
from server.core.db import Tx
from server.packages.queries import storage, windows

_ERROR_CHARACTERS: Final = 2000


async def approved_updates(call: Call, host_id: int) -> list[str]:
    """Return the identifiers of the Windows updates that a host shall install."""
    return await windows.list_approved(call.db, host_id)


async def note_update_in(tx: Tx, call: Call, host_id: int, guid: str, *, success: bool, error: str = "") -> None:
    """Note how an installation went; an unknown identifier changes nothing."""
    await storage.lock_inventory(tx, host_id, None, call.now)
    if success:
        await windows.update_installed(tx, host_id, guid, call.now)
        await windows.update_counts(tx, host_id, call.now)
    else:
        await windows.update_failed(tx, host_id, guid, error[:_ERROR_CHARACTERS])


async def forget_updates_in(tx: Tx, call: Call, host_id: int, guids: Sequence[str]) -> None:
    """Remove updates that newer ones replaced."""
    await storage.lock_inventory(tx, host_id, None, call.now)
    await windows.delete_updates(tx, host_id, guids)
    await windows.update_counts(tx, host_id, call.now)
