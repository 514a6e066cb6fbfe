import asyncio
from dataclasses import dataclass
from typing import ClassVar

from server.core.bus import Event, announce
from server.core.call import Call, World
from server.core.loop import Keeper


@dataclass(frozen=True, slots=True)
class Written(Event):
    name: ClassVar[str] = "written"
    line: int


async def test_nine_followers_joining_at_different_moments_see_every_line_once(call: Call, keeper: Keeper) -> None:
    await call.db.execute("create table lines (n int primary key)")

    async def follow() -> list[int]:
        seen: list[int] = []
        async with call.world.bus.following("written") as bell:
            while not seen or seen[-1] < 100:
                seen += await call.db.column(
                    "select n from lines where n > %(last)s order by n", last=seen[-1] if seen else 0
                )
                if not seen or seen[-1] < 100:
                    await bell.ring(within=5.0)
        return seen

    followers: list[asyncio.Task[list[int]]] = []
    for line in range(1, 101):
        if line % 11 == 1 and len(followers) < 9:
            followers.append(keeper.start("follower", follow()))
        async with call.transaction() as tx:
            await tx.execute("insert into lines values (%(n)s)", n=line)
            tx.after_commit(announce(Written(line)))
    followers += [keeper.start("follower", follow()) for _ in range(9 - len(followers))]
    assert await asyncio.gather(*followers) == [list(range(1, 101))] * 9


async def test_a_bell_brings_the_ids_that_were_announced(world: World) -> None:
    async with world.bus.following("written") as bell:
        await announce(Written(7))(world)
        assert await bell.ring(within=5.0) == [{"event": "written", "line": 7}]
        assert await bell.ring(within=0.05) == []


async def test_followers_look_again_after_the_connection_was_lost(world: World) -> None:
    async with world.bus.following("written") as bell:
        await world.redis.client_kill_filter(_type="pubsub", skipme=True)
        # Nothing was announced: the ring itself says that something may have been missed.
        async with asyncio.timeout(10):
            while (await bell.ring(within=1.0)) is None:
                pass
        async with asyncio.timeout(10):
            news: list[dict[str, object]] = []
            while not news:
                await announce(Written(8))(world)
                news = await bell.ring(within=0.3)
        assert news[0]["line"] == 8
