import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from server.core.call import Call, World
from server.core.loop import Keeper
from server.core.queue import Task, Worker


async def until(done: Callable[[], bool], within: float = 10.0) -> None:
    async with asyncio.timeout(within):
        while not done():
            await asyncio.sleep(0.02)


def remembering(seen: list[object]) -> Callable[..., Awaitable[None]]:
    async def work(_call: Call, *args: object) -> None:
        seen.extend(args)

    return work


async def test_a_queued_task_runs_with_its_ids(world: World, keeper: Keeper) -> None:
    seen: list[object] = []
    Worker(world, (Task("room.verb", remembering(seen)),), keeper).start()
    await world.queue.put("room.verb", 7, "x")
    await until(lambda: seen == [7, "x"])


async def test_a_task_that_fails_does_not_stop_the_next(world: World, keeper: Keeper) -> None:
    seen: list[object] = []

    async def fails(_call: Call) -> None:
        raise ZeroDivisionError

    Worker(world, (Task("room.fails", fails), Task("room.verb", remembering(seen))), keeper).start()
    await world.queue.put("room.fails")
    await world.queue.put("room.unknown")
    await world.queue.put("room.verb", 1)
    await until(lambda: seen == [1])


async def test_the_worker_survives_an_emptied_redis(world: World, keeper: Keeper) -> None:
    seen: list[object] = []
    Worker(world, (Task("room.verb", remembering(seen)),), keeper).start()
    await world.queue.put("room.verb", 1)
    await until(lambda: seen == [1])
    await world.redis.flushall()
    async with asyncio.timeout(15):
        while 2 not in seen:
            await world.queue.put("room.verb", 2)
            await asyncio.sleep(0.3)


async def test_the_worker_survives_lost_connections(world: World, keeper: Keeper) -> None:
    seen: list[object] = []
    Worker(world, (Task("room.verb", remembering(seen)),), keeper).start()
    await world.queue.put("room.verb", 1)
    await until(lambda: seen == [1])
    await world.redis.client_kill_filter(_type="normal", skipme=True)
    async with asyncio.timeout(15):
        while 2 not in seen:
            with contextlib.suppress(ConnectionError):
                await world.queue.put("room.verb", 2)
            await asyncio.sleep(0.3)


async def test_periodic_work_is_done_by_one_worker_at_a_time(world: World, keeper: Keeper) -> None:
    times: list[float] = []

    async def sweep(_call: Call) -> None:
        times.append(asyncio.get_running_loop().time())

    for _ in range(3):
        Worker(world, (Task("room.sweep", sweep, every_seconds=0.5),), keeper).start()
    await asyncio.sleep(2.2)
    assert 3 <= len(times) <= 6
