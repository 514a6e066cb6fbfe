"""Background jobs: on record, on a page, started by hand, tried again."""

import asyncio
from collections.abc import Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from server.app import tasks
from server.background import service
from server.background.errors import RunNotFailed
from server.background.models import Run
from server.core import queue as queues
from server.core.call import Call, World
from server.core.loop import Keeper
from server.core.paging import Window
from server.core.queue import Task, Worker

Browser = TestClient[web.Request, web.Application]


async def runs(call: Call, name: str = "") -> list[Run]:
    return (await service.runs(call, [name] if name else [], "", Window())).items


async def until(done: Callable[[list[Run]], bool], call: Call, name: str) -> list[Run]:
    async with asyncio.timeout(10):
        while not done(found := await runs(call, name)):
            await asyncio.sleep(0.02)
    return found


async def works(_call: Call, *_args: object) -> None:
    pass


async def breaks(_call: Call, *_args: object) -> None:
    raise ValueError("the disk is full")


def start(world: World, keeper: Keeper, *known: Task) -> None:
    Worker(world, known, keeper, service.Record(world)).start()


async def test_a_queued_run_is_on_record(world: World, keeper: Keeper, call: Call) -> None:
    start(world, keeper, Task("room.verb", works), Task("room.fails", breaks))
    await world.queue.put("room.verb", 7, request_id="abc")
    await world.queue.put("room.fails", 8)
    (done,) = await until(lambda found: bool(found) and found[0].state == "done", call, "room.verb")
    assert (done.cause, done.args, done.request_id, done.error) == ("event", [7], "abc", "")
    assert done.began_at is not None
    assert done.ended_at is not None
    (failed,) = await until(lambda found: bool(found) and found[0].state == "failed", call, "room.fails")
    assert failed.error == "ValueError: the disk is full"


async def test_the_clock_leaves_how_it_went(world: World, keeper: Keeper, call: Call) -> None:
    seldom = Task("room.seldom", works, every_seconds=3600, about="Does it.", also="do-it")
    often = Task("room.often", breaks, every_seconds=0.3)
    start(world, keeper, seldom, often)
    await until(lambda found: bool(found) and found[0].state == "done", call, "room.seldom")
    assert [run.cause for run in await runs(call, "room.seldom")] == ["schedule"]
    async with asyncio.timeout(10):
        while True:
            told = {one.name: one for one in await service.schedule(call, [seldom, often])}
            last = told["room.often"].last
            if last is not None and last.failures > 1:
                break
            await asyncio.sleep(0.05)
    assert last.error == "ValueError: the disk is full"
    assert last.failing_since is not None
    assert await runs(call, "room.often") == [], "what comes around so often leaves no line each time"
    due = told["room.seldom"].next_at
    assert due is not None
    assert 3000 < (due - call.now).total_seconds() < 3600


async def test_what_takes_for_ever_is_ended(
    world: World, keeper: Keeper, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queues, "LONGEST_SECONDS", 0.2)

    async def hangs(_call: Call) -> None:
        await asyncio.sleep(60)

    start(world, keeper, Task("room.hangs", hangs))
    await world.queue.put("room.hangs")
    (run,) = await until(lambda found: bool(found) and found[0].state == "failed", call, "room.hangs")
    assert run.error == "TimeoutError"


async def test_a_failed_run_is_tried_again_once_per_wish(world: World, keeper: Keeper, call: Call) -> None:
    broken = [True]

    async def mended(_call: Call, number: int) -> None:
        assert number == 5
        if broken[0]:
            raise OSError("no")

    start(world, keeper, Task("room.mended", mended))
    await world.queue.put("room.mended", 5)
    (first,) = await until(lambda found: bool(found) and found[0].state == "failed", call, "room.mended")
    broken[0] = False
    again = await service.retry(Call(world, call.actor), first.id)
    await until(lambda found: found[0].id == again.id and found[0].state == "done", call, "room.mended")
    assert [(run.attempt, run.cause) for run in await runs(call, "room.mended")] == [(2, "person"), (1, "event")]
    with pytest.raises(RunNotFailed):
        await service.retry(call, again.id)


async def test_what_nobody_works_on_any_more_is_closed(call: Call) -> None:
    await call.db.execute(
        """
        insert into task_runs (id, name, cause, state, asked_at, began_at)
        values (gen_random_uuid(), 'room.dead', 'event', 'running', now(), now() - interval '1 hour'),
               (gen_random_uuid(), 'room.lost', 'person', 'waiting', now() - interval '2 days', null),
               (gen_random_uuid(), 'room.alive', 'event', 'running', now(), now()),
               (gen_random_uuid(), 'room.old', 'event', 'done', now() - interval '8 days', now() - interval '8 days')
        """
    )
    assert await service.tidy(call) == 1
    states = {run.name: (run.state, run.error) for run in await runs(call)}
    assert states == {
        "room.dead": ("failed", "The worker stopped"),
        "room.lost": ("failed", "No worker took it up"),
        "room.alive": ("running", ""),
    }


async def test_programs_start_jobs_and_read_how_they_went(as_admin: Browser, world: World, keeper: Keeper) -> None:
    start(world, keeper, *tasks())
    answer = await as_admin.post("/api/v1/automation/trigger/session-cleanup")
    assert answer.status == 200
    run_id = (await answer.json())["data"]["jobId"]
    async with asyncio.timeout(10):
        while True:
            told = (await (await as_admin.get("/api/v1/automation/jobs/session-cleanup")).json())["data"]
            if any(one["id"] == run_id and one["status"] == "completed" for one in told):
                break
            await asyncio.sleep(0.05)
    overview = (await (await as_admin.get("/api/v1/automation/overview")).json())["data"]
    assert overview.keys() == {"scheduledTasks", "runningTasks", "failedTasks", "totalAutomations", "automations"}
    names = {one["trigger"] for one in overview["automations"]}
    assert {"session-cleanup", "agent-reports-cleanup", "host-status-monitor"} <= names
    stats = (await (await as_admin.get("/api/v1/automation/stats")).json())["data"]
    assert stats["completed"] >= 1
    answer = await as_admin.post("/api/v1/automation/trigger/automation.sweep")
    assert answer.status == 404, "what has no name for hands is not started by hand"
    assert (await as_admin.get("/api/v1/automation/jobs/unknown")).status == 200


@pytest.mark.proves("OPS-05")
async def test_the_page_shows_schedule_and_runs_and_there_is_no_bull_board(as_admin: Browser, call: Call) -> None:
    await call.db.execute(
        """
        insert into task_runs (id, name, cause, state, asked_at, began_at, ended_at, error)
        values (gen_random_uuid(), 'identity.forget_sessions', 'schedule', 'failed', now(), now(), now(), 'OSError: no')
        """
    )
    page = await (await as_admin.get("/automation", headers={"Accept": "text/html"})).text()
    assert "Forget ended sessions" in page
    assert "OSError: no" in page
    assert "Try again" in page
    assert "/automation/start/session-cleanup" in page
    page = await (await as_admin.get("/automation?state=done", headers={"Accept": "text/html"})).text()
    assert "OSError: no" not in page
    assert (await as_admin.get("/automation?state=odd", headers={"Accept": "text/html"})).status == 400
    assert (await as_admin.get("/bullboard", headers={"Accept": "text/html"})).status == 404
