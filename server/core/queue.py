"""Background work: tasks by name on Redis streams; the row in PostgreSQL decides who works, the queue only rings.

A queued task carries ids, claims its row first and may run twice. Periodic tasks are sweeps that find what a lost
message missed.
"""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Protocol

import orjson
from taskiq import AckableMessage, BrokerMessage
from taskiq.abc.broker import AsyncBroker
from taskiq.message import TaskiqMessage
from taskiq_redis import RedisStreamBroker

from server.core.call import Call, World, system
from server.core.db import DatabaseError
from server.core.env import RedisLink
from server.core.log import get_log, request_id_var
from server.core.loop import Keeper, being_cancelled
from server.core.redis import Redis, RedisError, key, link_options

log = get_log(__name__)
_PAUSE_SECONDS: Final = 1.0
_IDLE_MILLISECONDS: Final = 60_000
_KEPT_MESSAGES: Final = 100_000
_BLOCK_MILLISECONDS: Final = 2000

#: What takes longer than this is ended and counts as failed.
LONGEST_SECONDS: Final = 30 * 60
#: Labels of a run that the clock started.
SCHEDULED: Final = {"cause": "schedule"}

Work = Callable[..., Awaitable[None]]


@dataclasses.dataclass(frozen=True, slots=True)
class Task:
    """Work known by name.

    Attributes:
        name: ``room.verb``.
        work: coroutine function taking a ``Call`` of the system actor and the enqueued arguments.
        every_seconds: run by itself this often in exactly one worker at a time; ``None`` = only when enqueued.
        title: its name for people.
        about: what it does, as a sentence for people.
        also: the name under which programs know it that start it by hand; empty when nobody may.
    """

    name: str
    work: Work
    every_seconds: float | None = None
    title: str = ""
    about: str = ""
    also: str = ""


class Recorder(Protocol):
    """Keeps how tasks went; a room above provides it."""

    async def began(self, task: Task, args: tuple[Any, ...], labels: Mapping[str, str]) -> str:
        """Note the begin and return what to call this run by."""

    async def ended(self, task: Task, run: str, error: str) -> None:
        """Note the end; ``error`` is empty when all went well."""


class Queue:
    """Puts tasks on the stream."""

    def __init__(self, redis_url: str, link: RedisLink = RedisLink()) -> None:  # noqa: B008 (frozen)
        self._broker: AsyncBroker = RedisStreamBroker(
            url=redis_url,
            queue_name=key("tasks"),
            consumer_group_name="workers",
            # From the beginning: what was queued before the first worker came must be seen too.
            consumer_id="0",
            idle_timeout=_IDLE_MILLISECONDS,
            maxlen=_KEPT_MESSAGES,
            # Waiting for work must end before the driver takes the silence for a dead connection.
            xread_block=max(1, min(_BLOCK_MILLISECONDS, link.command_ms // 2)),
            **link_options(redis_url, link),
        )

    @property
    def broker(self) -> AsyncBroker:
        """The broker, for the worker."""
        return self._broker

    async def put(self, name: str, *args: Any, request_id: str = "", run: str = "") -> None:
        """Enqueue a task; arguments are ids, as JSON. ``run`` names a run that is already on record."""
        labels = {"request_id": request_id, "run": run}
        message = TaskiqMessage(task_id=key_of(name, args), task_name=name, labels=labels, args=list(args), kwargs={})
        await self._broker.kick(
            BrokerMessage(
                task_id=message.task_id,
                task_name=name,
                message=orjson.dumps(message.model_dump(mode="json")),
                labels={},
            )
        )

    async def depth(self, redis: Redis) -> int:
        """Return how many tasks wait that no worker has seen."""
        if not await redis.exists(key("tasks")):
            return 0
        groups = await redis.xinfo_groups(key("tasks"))
        return sum(int(group.get("lag") or 0) for group in groups)

    async def open(self) -> None:
        """Connect for sending."""
        await self._broker.startup()

    async def close(self) -> None:
        """Disconnect."""
        await self._broker.shutdown()


def clock_key(task: Task) -> str:
    """Return the Redis key that lives from one scheduled run of a task until the next one is due."""
    return key("every", task.name)


def key_of(name: str, args: tuple[Any, ...]) -> str:
    """Return a readable id of a task; equal tasks have equal ids, which is harmless: tasks may run twice."""
    return f"{name}:{','.join(map(str, args))}"


@dataclasses.dataclass(frozen=True, slots=True)
class enqueue:  # noqa: N801 (reads as a verb: tx.after_commit(enqueue("patching.execute", run_id)))
    """The effect that queues a task."""

    name: str
    args: tuple[Any, ...] = ()

    async def __call__(self, world: World, /) -> None:
        """Queue it; a Redis that is down leaves the work to the sweep."""
        await world.queue.put(self.name, *self.args, request_id=request_id_var.get())


class Worker:
    """Runs the tasks of every room, and survives Redis being restarted or emptied."""

    def __init__(
        self,
        world: World,
        tasks: tuple[Task, ...],
        keeper: Keeper,
        recorder: Recorder | None = None,
        *,
        at_once: int = 16,
    ) -> None:
        self._world = world
        self._recorder = recorder
        self._tasks = {task.name: task for task in tasks}
        self._keeper = keeper
        self._room = asyncio.Semaphore(at_once)

    def start(self) -> None:
        """Listen, and run the periodic tasks."""
        self._keeper.start("queue", self._listen())
        for task in self._tasks.values():
            if task.every_seconds is not None:
                self._keeper.start(f"every:{task.name}", self._repeat(task, task.every_seconds))

    async def _listen(self) -> None:
        broker = self._world.queue.broker
        while not being_cancelled():
            try:
                broker.is_worker_process = True
                await broker.startup()
                async for message in broker.listen():
                    await self._room.acquire()
                    self._keeper.start("task", self._take(message))
            except (*RedisError, RuntimeError) as error:
                if being_cancelled():
                    return
                # The consumer group vanishes when Redis is flushed; starting again makes it anew.
                log.warning("queue_disconnected", reason=str(error))
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _take(self, message: AckableMessage | bytes) -> None:
        try:
            data = message.data if isinstance(message, AckableMessage) else message
            if isinstance(message, AckableMessage):
                # On receipt: a long task must not be handed to a second worker. What dies with one, the sweep finds.
                await _maybe(message.ack())
            body = orjson.loads(data)
            await self._run(body["task_name"], tuple(body["args"]), body["labels"])
        finally:
            self._room.release()

    async def _run(self, name: str, args: tuple[Any, ...], labels: Mapping[str, str]) -> None:
        task = self._tasks.get(name)
        if task is None:
            log.error("task_unknown", task=name)
            return
        call = Call(self._world, system(name))
        if request_id := labels.get("request_id"):
            call = dataclasses.replace(call, request_id=request_id)
        request_id_var.set(call.request_id)
        run = await self._note_begin(task, args, {**labels, "request_id": call.request_id})
        error = ""
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                await task.work(call, *args)
        except Exception as failure:
            log.exception("task_failed", task=name, args=args)
            error = f"{type(failure).__name__}: {failure}".strip(": ")
        log.debug("task_done", task=name, failed=bool(error))
        await self._note_end(task, run, error)

    async def _note_begin(self, task: Task, args: tuple[Any, ...], labels: Mapping[str, str]) -> str:
        if self._recorder is None:
            return ""
        try:
            return await self._recorder.began(task, args, labels)
        except DatabaseError as error:
            # The record is for people to read; the work does not wait for it.
            log.warning("task_not_recorded", task=task.name, reason=str(error).strip())
            return ""

    async def _note_end(self, task: Task, run: str, error: str) -> None:
        if self._recorder is None:
            return
        try:
            await self._recorder.ended(task, run, error)
        except DatabaseError as failure:
            log.warning("task_not_recorded", task=task.name, reason=str(failure).strip())

    async def _repeat(self, task: Task, seconds: float) -> None:
        while True:
            try:
                # One worker at a time: the key lives as long as the interval, whoever sets it runs.
                if await self._world.redis.set(clock_key(task), "1", nx=True, px=max(1, int(seconds * 950))):
                    await self._run(task.name, (), SCHEDULED)
            except RedisError as error:
                # PostgreSQL leads: without Redis a sweep may run in two workers, which it must bear anyway.
                log.warning("schedule_without_redis", task=task.name, reason=str(error))
                await self._run(task.name, (), SCHEDULED)
            await asyncio.sleep(seconds)


async def _maybe(result: Any) -> None:
    if result is not None and hasattr(result, "__await__"):
        await result
