"""The doorbell: announcements say which thing changed, never what it is now.

Whoever follows a thing subscribes first, reads second and waits third; a bell that is lost (Redis restarted, the
reader was slow) costs one slow re-read, never a fact.
"""

import asyncio
import dataclasses
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar, Final

import orjson

from server.core.call import World
from server.core.log import get_log
from server.core.loop import Keeper, being_cancelled
from server.core.redis import Redis, RedisError, key

log = get_log(__name__)
_BACKLOG: Final = 1000
_PAUSE_SECONDS: Final = 0.5


class Event:
    """Base of a room's announcements: a frozen dataclass of ids with a ``topic``."""

    name: ClassVar[str] = "event"

    @property
    def topic(self) -> str:
        """Where it is heard; one topic per thing that can be followed."""
        return self.name


class Bell:
    """One follower's ear on one topic."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self._news: deque[dict[str, Any]] = deque(maxlen=_BACKLOG)

    def strike(self, news: dict[str, Any] | None) -> None:
        """Ring it; ``None`` means something may have been missed."""
        if news is not None:
            self._news.append(news)
        self._rung.set()

    async def ring(self, within: float | None = None) -> list[dict[str, Any]]:
        """Wait for news, or ``within`` seconds; return what was announced since the last time (may be empty)."""
        try:
            async with asyncio.timeout(within):
                await self._rung.wait()
        except TimeoutError:
            return []
        self._rung.clear()
        news = list(self._news)
        self._news.clear()
        return news


class Bus:
    """One subscription connection per process, shared by every follower in it."""

    def __init__(self, redis: Redis, keeper: Keeper) -> None:
        self._redis = redis
        self._pubsub: Any = None
        self._bells: dict[str, set[Bell]] = {}
        self._lock = asyncio.Lock()
        self._changed = asyncio.Event()
        keeper.start("bus", self._listen())

    async def announce(self, topic: str, news: dict[str, Any]) -> None:
        """Ring everyone who follows ``topic``, in every process."""
        await self._redis.publish(key("bell", topic), orjson.dumps(news))

    @asynccontextmanager
    async def following(self, *topics: str) -> AsyncIterator[Bell]:
        """Follow topics; on entry the subscription is confirmed, so read after this."""
        bell = Bell()
        for topic in topics:
            await self._add(topic, bell)
        try:
            yield bell
        finally:
            for topic in topics:
                await self._remove(topic, bell)

    async def _add(self, topic: str, bell: Bell) -> None:
        async with self._lock:
            bells = self._bells.setdefault(topic, set())
            bells.add(bell)
            if len(bells) == 1:
                try:
                    await self._subscribe(topic)
                except RedisError as error:
                    log.warning("bus_subscribe_failed", topic=topic, reason=str(error))
                self._changed.set()

    async def _remove(self, topic: str, bell: Bell) -> None:
        async with self._lock:
            bells = self._bells.get(topic, set())
            bells.discard(bell)
            if not bells and self._bells.pop(topic, None) is not None and self._pubsub is not None:
                try:
                    await self._pubsub.unsubscribe(key("bell", topic))
                except RedisError as error:
                    log.warning("bus_unsubscribe_failed", topic=topic, reason=str(error))

    async def _subscribe(self, topic: str) -> None:
        if self._pubsub is None:
            self._pubsub = self._redis.pubsub()
        await self._pubsub.subscribe(key("bell", topic))

    async def _listen(self) -> None:
        while not being_cancelled():
            if not self._bells or self._pubsub is None:
                self._changed.clear()
                await self._changed.wait()
            try:
                await self._deliver()
            except RedisError as error:
                if being_cancelled():
                    return
                log.warning("bus_disconnected", reason=str(error))
                await asyncio.sleep(_PAUSE_SECONDS)
                await self._again()

    async def _deliver(self) -> None:
        while self._bells and self._pubsub is not None:
            message = await self._pubsub.get_message(ignore_subscribe_messages=True, timeout=1.0)
            if message is not None and message["type"] == "message":
                topic = message["channel"].removeprefix(key("bell", ""))
                news = orjson.loads(message["data"])
                for bell in tuple(self._bells.get(topic, ())):
                    bell.strike(news)

    async def _again(self) -> None:
        async with self._lock:
            try:
                self._pubsub = self._redis.pubsub()
                if self._bells:
                    await self._pubsub.subscribe(*(key("bell", topic) for topic in self._bells))
            except RedisError as error:
                log.warning("bus_resubscribe_failed", reason=str(error))
                return
            # Whatever was announced meanwhile is lost: everyone looks again.
            for bells in self._bells.values():
                for bell in bells:
                    bell.strike(None)


@dataclasses.dataclass(frozen=True, slots=True)
class announce:  # noqa: N801 (reads as a verb: tx.after_commit(announce(RunFinished(...))))
    """The effect that rings an event's bell."""

    event: Event

    async def __call__(self, world: World, /) -> None:
        """Ring; a Redis that is down delays followers until their next look, it does not fail the use case."""
        news: dict[str, Any] = dataclasses.asdict(self.event) if dataclasses.is_dataclass(self.event) else {}
        await world.bus.announce(self.event.topic, {"event": self.event.name, **news})
