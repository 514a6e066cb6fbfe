"""Check-ins and connections, stored together for everyone who called at the same moment."""

from server.core.bus import announce
from server.core.call import World
from server.core.db import retried
from server.core.loop import Keeper
from server.hosts.batches import Batches
from server.hosts.events import HostsSeen
from server.hosts.models import CheckIn, LinkNote
from server.hosts.queries import agents, links


class CheckIns:
    """Where intake puts what needs nothing but the host's own row; one per process."""

    def __init__(self, world: World, keeper: Keeper) -> None:
        self._world = world
        self._batches: Batches[CheckIn] = Batches(
            keeper, "check-ins", self._store, key=lambda check_in: check_in.host_id
        )

    async def note(self, check_in: CheckIn) -> None:
        """Store it; returns when it is committed. A host that was deleted meanwhile is nothing to complain about."""
        await self._batches.put(check_in)

    async def close(self) -> None:
        """Store what is still waiting."""
        await self._batches.close()

    async def _store(self, batch: list[CheckIn]) -> None:
        found = await retried(lambda: agents.store_check_ins(self._world.db, batch))
        await announce(HostsSeen(tuple(found)))(self._world)


class LinkNotes:
    """Where the channel says which agents connected and left; one per process."""

    def __init__(self, world: World, keeper: Keeper) -> None:
        self._world = world
        self._batches: Batches[LinkNote] = Batches(keeper, "link-notes", self._store, key=lambda note: note.host_id)

    async def note(self, note: LinkNote) -> None:
        """Store it; returns when it is committed."""
        await self._batches.put(note)

    async def close(self) -> None:
        """Store what is still waiting."""
        await self._batches.close()

    async def _store(self, batch: list[LinkNote]) -> None:
        await retried(lambda: links.store_links(self._world.db, batch))
        await announce(HostsSeen(tuple(note.host_id for note in batch)))(self._world)
