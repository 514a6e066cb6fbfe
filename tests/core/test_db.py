import asyncio
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from server.core.bus import Event
from server.core.call import Call, World
from server.core.db import Database, DatabaseDown, DatabaseError, retried
from server.core.env import Env
from server.core.migrate import FOLDER, MigrationFailed, force, migrate, version
from tests.conftest import Running


@dataclass(frozen=True)
class Pair:
    left: int
    right: str


async def test_rows_become_the_wanted_kind(world: World) -> None:
    sql = "select n as left, n::text as right from generate_series(1, %(most)s) n order by n"
    assert await world.db.all(sql, Pair, most=2) == [Pair(1, "1"), Pair(2, "2")]
    assert await world.db.one(sql, Pair, most=1) == Pair(1, "1")
    assert await world.db.one("select 1 where false") is None
    assert await world.db.value("select %(a)s::jsonb -> 'b'", a='{"b": [1]}') == [1]


async def test_a_failed_use_case_leaves_nothing_and_has_no_effects(call: Call) -> None:
    happened: list[str] = []

    async def effect(_world: World) -> None:
        happened.append("rung")

    async def failing() -> None:
        async with call.transaction() as tx:
            await tx.execute("insert into notes values ('lost')")
            tx.after_commit(effect)
            raise ZeroDivisionError

    await call.db.execute("create table notes (text text)")
    with pytest.raises(ZeroDivisionError):
        await failing()
    assert await call.db.value("select count(*) from notes") == 0
    assert happened == []
    async with call.transaction() as tx:
        await tx.execute("insert into notes values ('kept')")
        tx.after_commit(effect)
        assert happened == []
    assert happened == ["rung"]


async def test_one_failing_effect_does_not_stop_the_next(call: Call) -> None:
    happened: list[str] = []

    async def fails(_world: World) -> None:
        raise ConnectionError

    async def works(_world: World) -> None:
        happened.append("rung")

    async with call.transaction() as tx:
        tx.after_commit(fails)
        tx.after_commit(works)
    assert happened == ["rung"]


async def test_a_cancelled_use_case_rolls_back_and_the_pool_stays_whole(call: Call) -> None:
    await call.db.execute("create table notes (text text)")

    async def slow() -> None:
        async with call.transaction() as tx:
            await tx.execute("insert into notes values ('half')")
            await tx.execute("select pg_sleep(20)")

    for _ in range(10):  # more often than the pool has connections
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await slow()
    assert await call.db.value("select count(*) from notes") == 0


async def test_a_task_that_ends_in_the_middle_of_a_statement_ends(call: Call) -> None:
    """Followers go on after an error of the database; one that looked like one kept a server from stopping."""

    async def follow() -> None:
        while True:
            with suppress(DatabaseError):
                await call.db.execute("select pg_sleep(20)")

    for _ in range(20):
        following = asyncio.create_task(follow())
        await asyncio.sleep(0.01)
        following.cancel()
        done, _ = await asyncio.wait([following], timeout=1)
        assert done


async def test_a_deadlock_is_tried_again(call: Call) -> None:
    await call.db.execute("create table pair (n int primary key, times int); insert into pair values (1, 0), (2, 0)")
    ready = asyncio.Barrier(2)
    first_try = {1, 2}

    async def both(order: tuple[int, int]) -> None:
        async def attempt() -> None:
            async with call.transaction() as tx:
                await tx.execute("update pair set times = times + 1 where n = %(n)s", n=order[0])
                if order[0] in first_try:
                    first_try.discard(order[0])
                    await ready.wait()
                await tx.execute("update pair set times = times + 1 where n = %(n)s", n=order[1])

        await retried(attempt)

    await asyncio.gather(both((1, 2)), both((2, 1)))
    assert await call.db.column("select times from pair") == [2, 2]


async def test_a_database_that_is_down_is_named_without_its_password() -> None:
    with pytest.raises(DatabaseDown) as caught:
        await Database.open("postgresql://me:hunter2@127.0.0.1:1/none", tries=2, pause_seconds=0.01)
    assert "127.0.0.1" in str(caught.value)
    assert "refused" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.proves("OPS-28")
async def test_servers_starting_together_migrate_once(env: Env, world: World) -> None:
    await world.db.execute("drop schema public cascade; create schema public")
    databases = [await Database.open(env.database_url.reveal(), size=2) for _ in range(4)]
    versions = await asyncio.gather(*(migrate(db) for db in databases))
    for db in databases:
        await db.close()
    newest = max(int(path.name[:4]) for path in FOLDER.glob("*.sql"))
    assert {found.number for found in versions} == {newest}


@pytest.mark.proves("OPS-29")
async def test_a_dirty_schema_stops_the_start_until_it_is_forced(world: World) -> None:
    await world.db.execute("update schema_migrations set dirty = true")
    with pytest.raises(MigrationFailed, match=r"^migrations failed: Dirty database version \d+\. Fix and force"):
        await migrate(world.db)
    newest = (await version(world.db)).number
    await force(world.db, newest)
    assert await migrate(world.db) == await version(world.db)


async def test_a_broken_migration_changes_nothing(world: World, tmp_path: Path) -> None:
    newest = (await version(world.db)).number
    (tmp_path / f"{newest + 1:04}_good.sql").write_text("create table good (n int);")
    (tmp_path / f"{newest + 2:04}_bad.sql").write_text("create table bad (n nonsense);")
    with pytest.raises(MigrationFailed, match=r"bad\.sql"):
        await migrate(world.db, tmp_path)
    assert await world.db.value("select to_regclass('good') is null")
    assert (await version(world.db)).number == newest


async def test_errors_of_statements_are_not_swallowed(world: World) -> None:
    with pytest.raises(DatabaseError):
        await world.db.execute("select nonsense")


def test_an_event_without_a_topic_of_its_own_uses_its_name() -> None:
    assert Event().topic == "event"


@pytest.fixture
def uvloop_script(services: Running) -> str:
    return f"""
import asyncio, uvloop
from server.core.db import Database, DatabaseDown, is_away

async def main():
    for _ in range(5):  # failing connects leave nothing behind that the next ones trip over
        try:
            await Database.open("postgresql://127.0.0.1:1/none", tries=3, pause_seconds=0.01)
        except DatabaseDown:
            pass
    db = await Database.open({services.database("postgres")!r}, size=4)
    other = await Database.open({services.database("postgres")!r}, size=1)
    for _ in range(10):  # nor do connections that the server ended
        pids = await asyncio.gather(*(db.value("select pg_backend_pid() from pg_sleep(0.05)") for _ in range(4)))
        for pid in pids[1:]:
            await other.execute("select pg_terminate_backend(%(pid)s)", pid=pid)
        await asyncio.sleep(0.05)
    print(await db.value("select 42"))
    await other.close()
    await db.close()

uvloop.run(main())
"""


async def test_lost_connections_do_not_poison_the_fast_loop(uvloop_script: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", uvloop_script, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, said = await process.communicate()
    assert out.decode().strip().endswith("42"), said.decode()[-2000:]
