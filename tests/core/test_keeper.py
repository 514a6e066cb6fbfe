"""Background tasks end when their keeper does."""

import asyncio
import time

from server.core.loop import Keeper


async def test_a_task_that_overlooked_its_end_is_told_again() -> None:
    seen: list[str] = []

    async def goes_on() -> None:
        # What a driver does that turns a cancellation into an error of its own, once.
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.append("overlooked")
        try:
            await asyncio.sleep(60)
        finally:
            seen.append("ended")

    keeper = Keeper()
    task = keeper.start("goes on", goes_on())
    await asyncio.sleep(0)
    began = time.monotonic()
    await keeper.close()
    assert seen == ["overlooked", "ended"]
    assert task.cancelled()
    assert time.monotonic() - began < 4


async def test_all_end_at_once_when_they_listen() -> None:
    keeper = Keeper()
    tasks = [keeper.start(f"task {number}", asyncio.sleep(60)) for number in range(10)]
    await asyncio.sleep(0)
    await keeper.close()
    assert all(task.cancelled() for task in tasks)
    await keeper.close()
