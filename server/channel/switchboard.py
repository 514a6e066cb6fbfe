"""The links of this process: who holds which slot, one timer for all of them, and what others forward to us."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import orjson

from server.channel import presence
from server.channel.events import AgentsConnected, AgentsDisconnected, server_topic
from server.channel.models import Body, Inbox, Link, OpenInbox, Presence
from server.channel.socket import AgentLink, mark_of
from server.core import clock
from server.core.bus import announce
from server.core.call import Call, World, system
from server.core.db import DatabaseError
from server.core.ids import HostId, random_hex
from server.core.log import get_log
from server.core.loop import Keeper
from server.core.redis import RedisError
from server.hosts import service as hosts
from server.hosts.events import HostDeleted, HostKeysChanged
from server.hosts.models import LinkNote
from server.hosts.service import LinkNotes

log = get_log(__name__)

PING_SECONDS: Final = 30
SILENT_SECONDS: Final = 90.0
_GATHER_SECONDS: Final = 0.02
_LOOK_SECONDS: Final = 30.0
#: An agent that connects anew gives its older connection up; who still answers there after this long is another one.
RIVAL_SECONDS: Final = 45.0


class Switchboard:
    """Knows every link of this process; the newest link of a host holds its slot."""

    def __init__(self, world: World, keeper: Keeper) -> None:
        self.server = random_hex(8)
        self._world = world
        self._keeper = keeper
        self._notes = LinkNotes(world, keeper)
        self._inboxes: list[Inbox] = []
        self._types: dict[str, Inbox] = {}
        self._links: dict[HostId, AgentLink] = {}
        self._slots: tuple[set[AgentLink], ...] = tuple(set() for _ in range(PING_SECONDS))
        self._next_slot = 0
        self._arrived: list[AgentLink] = []
        self._left: list[AgentLink] = []
        self._news = asyncio.Event()

    # ------------------------------------------------------------ for inboxes

    def link(self, host_id: HostId) -> Link | None:
        """Return the link that holds a host's slot here."""
        return self._links.get(host_id)

    def host_ids(self) -> list[HostId]:
        """Return every host whose link is here."""
        return list(self._links)

    def register(self, inbox: Inbox) -> None:
        """Let an upper room take messages."""
        self._inboxes.append(inbox)
        self._types.update(dict.fromkeys(inbox.message_types, inbox))

    # ------------------------------------------------------------ for sockets

    def attach(self, link: AgentLink) -> None:
        """Give a new link its host's slot; an older link stays open until its own end."""
        link.record = Presence(self.server, link.key, link.secure, clock.now()).encode()
        link.slot = self._next_slot
        self._next_slot = (self._next_slot + 1) % PING_SECONDS
        self._slots[link.slot].add(link)
        self._supersede(link.host_id)
        self._links[link.host_id] = link
        self._arrived.append(link)
        self._news.set()
        for inbox in self._inboxes:
            inbox.opened(link)

    def detach(self, link: AgentLink) -> None:
        """Forget a link that ended; only the one that still holds the slot says that the host left."""
        self._slots[link.slot].discard(link)
        if self._links.get(link.host_id) is link:
            del self._links[link.host_id]
            self._left.append(link)
            self._news.set()
            for inbox in self._inboxes:
                inbox.closed(link)

    def _supersede(self, host_id: HostId) -> None:
        older = self._links.pop(host_id, None)
        if older is not None:
            older.supersede()
            for inbox in self._inboxes:
                inbox.closed(older)

    async def received(self, link: AgentLink, data: bytes) -> None:
        """Hand a message to whoever registered for its type; everything else is ignored."""
        body = decode(data)
        if body is None:
            log.info("message_malformed", host=link.name, size_bytes=len(data))
            return
        inbox = self._types.get(str(body.get("type", "")))
        if inbox is None or link.superseded:
            return
        try:
            await inbox.received(link, body, len(data))
        except Exception:
            # Better a reconnect that resumes from the rows than a conversation with a hole in it.
            log.exception("message_failed", host=link.name, kind=body.get("type"))
            link.close("internal error, please reconnect")

    # ------------------------------------------------------------ background

    def start(self) -> None:
        """Start the shared timer, the farewell writer and the ears."""
        self._keeper.start("link-timer", self._tick())
        self._keeper.start("link-news", self._spread())
        self._keeper.start("link-forwarding", self._hear_told())
        self._keeper.start("link-takeovers", self._hear_takeovers())

    async def close(self) -> None:
        """Say farewell for every link that is still open."""
        self._left += self._links.values()
        self._links.clear()
        await self._spread_once()
        await self._notes.close()

    async def _tick(self) -> None:
        second = 0
        while True:
            await asyncio.sleep(1.0)
            second = (second + 1) % PING_SECONDS
            links = tuple(self._slots[second])
            try:
                await self._attend(links)
            except RedisError as error:
                log.warning("presence_not_refreshed", reason=str(error))
            # The bell says so at once, but nobody rings it while Redis is away.
            await self._recheck(links)

    async def _recheck(self, links: Sequence[AgentLink]) -> None:
        try:
            call = Call(self._world, system("links"))
            api_ids = await hosts.api_ids(call, [link.host_id for link in links]) if links else {}
        except DatabaseError as error:
            log.warning("link_keys_not_checked", reason=str(error).strip())
            return
        for link in links:
            if (api_id := api_ids.get(link.host_id)) is None or mark_of(api_id) != link.mark:
                link.close("the host's credentials changed")

    async def _attend(self, links: Sequence[AgentLink]) -> None:
        silent_since = time.monotonic() - SILENT_SECONDS
        for link in links:
            if link.heard_at < silent_since:
                log.info("link_dropped", host=link.name, reason="silent")
                link.abort()
                continue
            try:
                await link.ping()
            except ConnectionError:
                link.abort()
        if rivals := [link for link in links if link.outlives(RIVAL_SECONDS)]:
            self._keeper.start("link-rivals", self._note_rivals(rivals))
        records = [(link.host_id, link.record) for link in links if not link.superseded]
        await self._hold(records)
        await self._release([link for link in links if link.superseded and link.host_id not in self._links])

    async def _note_rivals(self, older: Sequence[AgentLink]) -> None:
        """Two agents use one host's credentials: let people know where both of them are."""
        places: dict[int, list[str]] = {}
        for link in older:
            newer = self._links.get(link.host_id)
            known = places.setdefault(link.host_id, [newer.address] if newer else [])
            known.append(link.address)
            log.warning("link_rivals", host=link.name, addresses=known)
        try:
            await hosts.note_rivals(Call(self._world, system("links")), places)
        except DatabaseError as error:
            log.warning("link_rivals_not_noted", reason=str(error).strip())

    async def _release(self, links: Sequence[AgentLink]) -> None:
        """End links whose newer ones are gone.

        Otherwise nobody would hear them again: a server that was killed, or whose clock is ahead, leaves a record that
        looks newer than a living link.
        """
        found = await presence.look_up(self._world.redis, [link.host_id for link in links])
        for link in links:
            if link.host_id not in found:
                link.close("the newer connection is gone, please reconnect")

    async def _hold(self, records: Sequence[tuple[HostId, str]]) -> None:
        sent = dict(records)
        for host_id in await presence.hold(self._world.redis, records):
            link = self._links.get(host_id)
            # The newer one may be a link that came to us while Redis was asked.
            if link is not None and link.record == sent[host_id]:
                self._supersede(host_id)

    async def _spread(self) -> None:
        while True:
            await self._news.wait()
            await asyncio.sleep(_GATHER_SECONDS)
            self._news.clear()
            try:
                await self._spread_once()
            except RedisError as error:
                # The timer writes the records again when Redis is back.
                log.warning("presence_not_written", reason=str(error))

    async def _spread_once(self) -> None:
        arrived, self._arrived = self._arrived, []
        left, self._left = self._left, []
        now = clock.now()
        if arrived or left:
            notes = [LinkNote(link.host_id, connected=True, at=now, secure=link.secure) for link in arrived]
            notes += [
                LinkNote(link.host_id, connected=False, at=now) for link in left if link.host_id not in self._links
            ]
            self._keeper.start("link-notes", self._note(notes))
        if arrived:
            await self._hold([(link.host_id, link.record) for link in arrived if not link.superseded])
            await announce(AgentsConnected(tuple(link.host_id for link in arrived), self.server))(self._world)
        if left:
            await presence.leave(self._world.redis, [(link.host_id, link.record) for link in left])
            gone = tuple(link.host_id for link in left if link.host_id not in self._links)
            await announce(AgentsDisconnected(gone, self.server))(self._world)

    async def _note(self, notes: list[LinkNote]) -> None:
        await asyncio.gather(*(self._notes.note(note) for note in notes))

    async def _hear_told(self) -> None:
        async with self._world.bus.following(server_topic(self.server)) as bell:
            while True:
                for news in await bell.ring():
                    link = self._links.get(news["host_id"])
                    if link is not None:
                        link.send(news["text"])

    async def _hear_takeovers(self) -> None:
        topics = (AgentsConnected.name, HostDeleted.name, HostKeysChanged.name)
        async with self._world.bus.following(*topics) as bell:
            while True:
                for news in await bell.ring(within=_LOOK_SECONDS):
                    if news["event"] != AgentsConnected.name:
                        self._end(news["host_id"], "the host's credentials changed")
                    elif news["server"] != self.server:
                        await self._compare(news["host_ids"])

    async def _compare(self, host_ids: Sequence[HostId]) -> None:
        ours = [(host_id, self._links[host_id].record) for host_id in host_ids if host_id in self._links]
        try:
            await self._hold(ours)
        except RedisError as error:
            log.warning("presence_not_compared", reason=str(error))

    def _end(self, host_id: HostId, reason: str) -> None:
        link = self._links.get(host_id)
        if link is not None:
            link.close(reason)


def decode(data: bytes) -> Body | None:
    """Return the JSON object in a message; nothing when it is none.

    Half characters, which strict parsers refuse, become U+FFFD: the rest of such a message is still worth having.
    """
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError:
        body = _lenient(data)
    return body if isinstance(body, dict) else None


def _lenient(data: bytes) -> Any:
    try:
        return _repaired(json.loads(data))
    except (ValueError, RecursionError):
        return None


def _repaired(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode() if any("\ud800" <= c <= "\udfff" for c in value) else value
    if isinstance(value, list):
        return [_repaired(item) for item in value]
    if isinstance(value, dict):
        return {_repaired(name): _repaired(item) for name, item in value.items()}
    return value


@asynccontextmanager
async def switchboard(world: World, inboxes: Sequence[OpenInbox]) -> AsyncIterator[Switchboard]:
    """Open the switchboard and every inbox for the life of the process."""
    keeper = Keeper()
    board = Switchboard(world, keeper)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(keeper.close)
        for open_inbox in inboxes:
            board.register(await stack.enter_async_context(open_inbox(world, keeper, board)))
        board.start()
        stack.push_async_callback(board.close)
        yield board
