"""Check-ins, connections and look-ups of credentials, each done together for everyone who called at the same moment."""

from server.core.batches import Batches
from server.core.bus import announce
from server.core.call import World
from server.core.db import retried
from server.core.log import get_log
from server.core.loop import Keeper
from server.core.redis import RedisError
from server.hosts.events import HostsSeen
from server.hosts.models import AgentHost, CheckIn, LinkNote
from server.hosts.queries import agents, links

log = get_log(__name__)


class Directory:
    """Where hosts are found by their ids: thousands coming back at once cost a few statements, one host alone one."""

    def __init__(self, world: World, keeper: Keeper) -> None:
        self._world = world
        self._batches: Batches[str, AgentHost | None] = Batches(
            keeper, "host-look-ups", self._look_up, key=id, linger=False
        )

    async def find(self, api_id: str) -> AgentHost | None:
        """Return the host as it is now; nothing is remembered between two calls."""
        return await self._batches.put(api_id)

    async def _look_up(self, api_ids: list[str]) -> list[AgentHost | None]:
        found = {host.api_id: host for host in await agents.find_agents(self._world.db, api_ids)}
        return [found.get(api_id) for api_id in api_ids]


class CheckIns:
    """Where intake puts what needs nothing but the host's own row; one per process."""

    def __init__(self, world: World, keeper: Keeper) -> None:
        self._world = world
        self._keeper = keeper
        self._batches: Batches[CheckIn, None] = Batches(
            keeper, "check-ins", self._store, key=lambda check_in: check_in.host_id, linger=True
        )

    async def note(self, check_in: CheckIn) -> None:
        """Store it; returns when it is committed. A host that was deleted meanwhile is nothing to complain about."""
        await self._batches.put(check_in)

    async def close(self) -> None:
        """Store what is still waiting."""
        await self._batches.close()

    async def _store(self, batch: list[CheckIn]) -> list[None]:
        found = await retried(lambda: agents.store_check_ins(self._world.db, batch))
        self._keeper.start("hosts-seen", _ring(self._world, tuple(found)))
        return [None] * len(batch)


class LinkNotes:
    """Where the channel says which agents connected and left; one per process."""

    def __init__(self, world: World, keeper: Keeper) -> None:
        self._world = world
        self._keeper = keeper
        self._batches: Batches[LinkNote, None] = Batches(
            keeper, "link-notes", self._store, key=lambda note: note.host_id, linger=True
        )

    async def note(self, note: LinkNote) -> None:
        """Store it; returns when it is committed."""
        await self._batches.put(note)

    async def close(self) -> None:
        """Store what is still waiting."""
        await self._batches.close()

    async def _store(self, batch: list[LinkNote]) -> list[None]:
        await retried(lambda: links.store_links(self._world.db, batch))
        self._keeper.start("hosts-seen", _ring(self._world, tuple(note.host_id for note in batch)))
        return [None] * len(batch)


async def _ring(world: World, host_ids: tuple[int, ...]) -> None:
    # Nobody who checks in waits for the bell, and a lost one costs its followers one later look.
    try:
        await announce(HostsSeen(host_ids))(world)
    except RedisError as error:
        log.warning("hosts_seen_not_announced", reason=str(error))
