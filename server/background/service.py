"""Use cases of background work."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from server.audit import service as audit
from server.audit.models import Subject
from server.background import queries, rules
from server.background.errors import RunMissing, RunNotFailed, TaskMissing
from server.background.models import Cause, Numbers, Run, Scheduled
from server.core import clock
from server.core.call import Call, World
from server.core.ids import is_uuid, new_uuid
from server.core.paging import Page, Window
from server.core.queue import LONGEST_SECONDS, Task, clock_key
from server.core.redis import RedisError

KEPT_DAYS: Final = 7
_ERROR_TEXT: Final = 2000
_WAITS_MOST: Final = timedelta(days=1)


class Record:
    """Keeps how tasks went; the worker tells it."""

    def __init__(self, world: World) -> None:
        self._db = world.db

    async def began(self, task: Task, args: tuple[Any, ...], labels: Mapping[str, str]) -> str:
        """Note the begin; return the run's id, empty when this one leaves none."""
        now, cause = clock.now(), _cause(labels)
        if task.every_seconds is not None:
            await queries.note_schedule_begin(self._db, task.name, now)
        if waiting := labels.get("run"):
            return waiting if await queries.mark_begun(self._db, waiting, now) else ""
        if not rules.leaves_a_run(task, cause):
            return ""
        run = Run(
            id=new_uuid(),
            name=task.name,
            args=list(args),
            cause=cause,
            asked_by="",
            state="running",
            attempt=1,
            asked_at=now,
            began_at=now,
            ended_at=None,
            error="",
            request_id=labels.get("request_id", ""),
        )
        await queries.insert_run(self._db, run)
        return run.id

    async def ended(self, task: Task, run: str, error: str) -> None:
        """Note the end."""
        now, error = clock.now(), error[:_ERROR_TEXT]
        if task.every_seconds is not None:
            await queries.note_schedule_end(self._db, task.name, now, error)
        if run:
            await queries.mark_ended(self._db, run, now, error)


def _cause(labels: Mapping[str, str]) -> Cause:
    if labels.get("run"):
        return "person"
    return "schedule" if labels.get("cause") == "schedule" else "event"


async def schedule(call: Call, tasks: Sequence[Task]) -> list[Scheduled]:
    """Return what runs by the clock, by name."""
    last = {one.name: one for one in await queries.list_schedule(call.db)}
    clocked = sorted((task for task in tasks if task.every_seconds is not None), key=lambda task: task.name)
    due = await _due_milliseconds(call, clocked)
    return [
        Scheduled(
            name=task.name,
            title=rules.title(task),
            about=task.about,
            also=task.also,
            every_seconds=task.every_seconds or 0,
            last=last.get(task.name),
            next_at=None if wait is None else call.now + timedelta(milliseconds=max(0, wait)),
        )
        for task, wait in zip(clocked, due, strict=True)
    ]


async def _due_milliseconds(call: Call, clocked: Sequence[Task]) -> list[int | None]:
    try:
        async with call.world.redis.pipeline(transaction=False) as pipe:
            for task in clocked:
                pipe.pttl(clock_key(task))
            return list(await pipe.execute())
    except RedisError:
        return [None] * len(clocked)


async def runs(call: Call, names: Sequence[str], state: str, window: Window) -> Page[Run]:
    """Return a page of runs, newest first; of all tasks when none is named."""
    found, total = await queries.list_runs(call.db, names, state, window.size, window.offset)
    return Page(found, total, window)


async def numbers(call: Call) -> Numbers:
    """Return how much work there is, and how it went within a day."""
    found = await queries.count_runs(call.db, call.now - timedelta(days=1))
    try:
        unseen = await call.world.queue.depth(call.world.redis)
    except RedisError:
        unseen = 0
    return Numbers(
        waiting=max(unseen, found.get("waiting", 0)),
        running=found.get("running", 0),
        failed=found.get("failed", 0),
        done=found.get("done", 0),
    )


async def start(call: Call, tasks: Sequence[Task], also: str) -> Run:
    """Start a task by hand, by the name programs know it by."""
    task = next((one for one in tasks if also and also in {one.also, one.name} and one.also), None)
    if task is None:
        raise TaskMissing(name=also)
    return await _start(call, _waiting(call, task.name, [], 1))


async def retry(call: Call, run_id: str) -> Run:
    """Do again what failed, with the same arguments."""
    if not is_uuid(run_id):
        raise RunMissing
    async with call.transaction() as tx:
        failed = await queries.find_run(tx, run_id)
    if failed is None:
        raise RunMissing
    if failed.state != "failed":
        raise RunNotFailed
    return await _start(call, _waiting(call, failed.name, failed.args, failed.attempt + 1))


async def _start(call: Call, run: Run) -> Run:
    async def queue(world: World, /) -> None:
        await world.queue.put(run.name, *run.args, request_id=run.request_id, run=run.id)

    async with call.transaction() as tx:
        await queries.insert_run(tx, run)
        await audit.record(tx, call, "background.started", Subject("task", run.name, run.name))
        tx.after_commit(queue)
    return run


def _waiting(call: Call, name: str, args: list[Any], attempt: int) -> Run:
    return Run(
        id=new_uuid(),
        name=name,
        args=args,
        cause="person",
        asked_by=call.actor.name,
        state="waiting",
        attempt=attempt,
        asked_at=call.now,
        began_at=None,
        ended_at=None,
        error="",
        request_id=call.request_id,
    )


def hidden(run: Run) -> Run:
    """Return a run without what it was about, for people who may not see every host."""
    return replace(run, args=[], error="")


async def tidy(call: Call) -> int:
    """Close runs that nobody works on any more and forget old ones; return how many were forgotten."""
    begun_before = call.now - timedelta(seconds=LONGEST_SECONDS * 1.1)
    await queries.fail_open_before(call.db, begun_before, call.now - _WAITS_MOST, call.now)
    return await queries.delete_runs(call.db, call.now - timedelta(days=KEPT_DAYS))
