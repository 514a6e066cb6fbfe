"""The embedded services start and stop with the server and are started again when they die."""

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from server.core.db import Database, DatabaseDown
from server.core.embedded import Endpoints, Services, opened, running_endpoints
from server.core.embedded.account import service_account
from server.core.embedded.errors import AlreadyRunning, SecretsMissing, WrongMajor
from tests.core.embedded.processes import left_in, sleeper


async def answer(endpoints: Endpoints, sql: str) -> object:
    db = await Database.open(endpoints.database_url, size=1, tries=1)
    try:
        return await db.value(sql)
    finally:
        await db.close()


async def bell(endpoints: Endpoints, *command: str) -> object:
    async with Redis.from_url(endpoints.redis_url) as redis:
        answered: object = await redis.execute_command(*command)  # type: ignore[no-untyped-call]
        return answered


def number_in(file: Path) -> int:
    return int(file.read_text().splitlines()[0])


async def test_they_serve_and_a_second_start_is_quick_and_finds_everything(empty_dir: Path) -> None:
    said: list[str] = []
    services = Services(empty_dir, say=said.append)
    endpoints = await services.start()
    db = await Database.open(endpoints.database_url, size=1, tries=1)
    await db.execute("create table kept (number int)")
    await db.execute("insert into kept values (7)")
    await db.close()
    await bell(endpoints, "SET", "kept", "7")
    await services.stop()
    assert left_in(empty_dir) == []
    assert not Path(endpoints.redis_url.removeprefix("unix://")).parent.exists()
    assert any("Setting up the database" in line for line in said)

    begun = time.monotonic()
    again = Services(empty_dir)
    endpoints = await again.start()
    assert time.monotonic() - begun < 3
    assert await answer(endpoints, "select number from kept") == 7
    assert await bell(endpoints, "GET", "kept") == b"7"
    await again.stop()
    await again.stop()


async def test_the_settings_are_those_of_a_careful_single_server(data_dir: Path) -> None:
    async with opened(data_dir) as endpoints:
        db = await Database.open(endpoints.database_url, size=1, tries=1)
        settings = {
            row["name"]: row["setting"]
            for row in await db.all("select name, setting from pg_settings where source <> 'default'")
        }
        locale = await db.one(
            "select datlocprovider::text as provider, datlocale as locale, pg_encoding_to_char(encoding) as encoding"
            "  from pg_database where datname = current_database()"
        )
        role = await db.one("select rolsuper, rolreplication from pg_roles where rolname = current_user")
        fsync = await db.value("select current_setting('fsync') || current_setting('synchronous_commit')")
        await db.close()
        policy = await bell(endpoints, "CONFIG", "GET", "append*")
        port = await bell(endpoints, "CONFIG", "GET", "port")
    assert settings["listen_addresses"] == ""
    assert settings["unix_socket_permissions"] == "0700"
    assert settings["max_connections"] == "200"
    assert settings["jit"] == "off"
    assert settings["log_min_error_statement"] == "panic"
    assert fsync == "onon"
    assert locale == {"provider": "b", "locale": "C.UTF-8", "encoding": "UTF8"}
    assert role == {"rolsuper": False, "rolreplication": False}
    assert isinstance(policy, dict)
    assert (policy[b"appendonly"], policy[b"appendfsync"]) == (b"yes", b"everysec")
    assert port == {b"port": b"0"}


async def test_a_program_that_dies_is_started_again(data_dir: Path) -> None:
    services = Services(data_dir)
    endpoints = await services.start()
    db = await Database.open(endpoints.database_url, size=1, tries=1)
    await db.execute("create table committed as select generate_series(1, 1000) as number")
    await db.close()
    former = number_in(data_dir / "postgresql" / "postmaster.pid")
    info = await bell(endpoints, "INFO", "server")
    assert isinstance(info, dict)
    os.kill(former, signal.SIGKILL)
    os.kill(info["process_id"], signal.SIGKILL)

    await until_both_answer(endpoints)
    assert number_in(data_dir / "postgresql" / "postmaster.pid") != former
    assert await answer(endpoints, "select count(*) from committed") == 1000
    # And once more: it is watched as before.
    os.kill(number_in(data_dir / "postgresql" / "postmaster.pid"), signal.SIGKILL)
    await until_both_answer(endpoints)
    await services.stop()
    assert left_in(data_dir) == []


async def until_both_answer(endpoints: Endpoints, within_seconds: float = 15.0) -> None:
    # The first moments still belong to the program that is being killed.
    await asyncio.sleep(0.1)
    async with asyncio.timeout(within_seconds):
        while True:
            try:
                assert await answer(endpoints, "select 1") == 1
                assert await bell(endpoints, "PING")
            except (DatabaseDown, RedisError):
                await asyncio.sleep(0.05)
            else:
                return


async def test_a_second_server_on_the_same_directory_is_refused_and_harmless(data_dir: Path) -> None:
    services = Services(data_dir)
    endpoints = await services.start()
    with pytest.raises(AlreadyRunning, match=str(os.getpid())):
        await Services(data_dir).start()
    assert await answer(endpoints, "select 1") == 1
    await services.stop()


async def test_commands_use_the_running_services_or_their_own(data_dir: Path) -> None:
    async with opened(data_dir) as first:
        assert running_endpoints(data_dir) == first
        async with opened(data_dir) as second:
            assert second == first
            assert await answer(second, "select 1") == 1
        assert await answer(first, "select 1") == 1
    assert running_endpoints(data_dir) is None
    assert left_in(data_dir) == []


async def test_a_start_that_is_cancelled_leaves_nothing_running(empty_dir: Path) -> None:
    for after_seconds in (0.05, 0.3, 0.7, 1.0, 1.1):
        services = Services(empty_dir)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(services.start(), after_seconds)
        await services.stop()
        assert left_in(empty_dir) == []
    async with opened(empty_dir) as endpoints:
        assert await answer(endpoints, "select 1") == 1


async def test_a_directory_of_another_major_stops_with_instructions(data_dir: Path) -> None:
    async with opened(data_dir):
        pass
    mark = data_dir / "postgresql" / "PG_VERSION"
    mark.write_text("17\n")
    with pytest.raises(WrongMajor) as refusal:
        await Services(data_dir).start()
    text = str(refusal.value)
    assert all(part in text for part in (str(mark.parent), "17", "18", "patchmon backup", "patchmon restore"))
    assert left_in(data_dir) == []
    mark.write_text("18\n")
    async with opened(data_dir) as endpoints:
        assert await answer(endpoints, "select 1") == 1


async def test_a_killed_first_start_is_begun_afresh(empty_dir: Path) -> None:
    half = empty_dir / ".postgresql-new"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    async with opened(empty_dir) as endpoints:
        assert await answer(endpoints, "select 1") == 1
    assert not half.exists()


async def test_a_process_id_used_again_by_another_program_does_not_stop_the_start(data_dir: Path) -> None:
    async with opened(data_dir):
        pass
    account = service_account(data_dir / "postgresql")
    with sleeper(account.uid) as other:
        mark = data_dir / "postgresql" / "postmaster.pid"
        mark.write_text(f"{other}\n{data_dir / 'postgresql'}\n1\n5432\n/nowhere\n\n0 0\nready\n")
        os.chown(mark, account.uid, account.gid)
        mark.chmod(0o600)
        async with opened(data_dir) as endpoints:
            assert await answer(endpoints, "select 1") == 1


async def test_a_damaged_append_only_file_is_put_away(data_dir: Path) -> None:
    async with opened(data_dir) as endpoints:
        for number in range(200):
            await bell(endpoints, "SET", f"key{number}", "x" * 100)
    (written,) = (data_dir / "valkey" / "appendonlydir").glob("*.incr.aof")
    content = bytearray(written.read_bytes())
    content[2000:2100] = b"\xff" * 100
    written.write_bytes(content)

    said: list[str] = []
    async with opened(data_dir, say=said.append) as endpoints:
        assert await bell(endpoints, "DBSIZE") == 0
        assert await answer(endpoints, "select 1") == 1
    (away,) = data_dir.glob("valkey-damaged-*")
    assert (away / "appendonlydir" / written.name).read_bytes() == content
    assert any(str(away) in line for line in said)


async def test_missing_secrets_are_not_made_anew_beside_a_database(data_dir: Path) -> None:
    async with opened(data_dir):
        pass
    (data_dir / "secrets.json").rename(data_dir / "elsewhere.json")
    with pytest.raises(SecretsMissing, match=r"secrets\.json"):
        await Services(data_dir).start()
    assert not (data_dir / "secrets.json").exists()
    (data_dir / "elsewhere.json").rename(data_dir / "secrets.json")
    async with opened(data_dir) as endpoints:
        assert await answer(endpoints, "select 1") == 1


async def test_a_long_path_is_no_problem(empty_dir: Path) -> None:
    empty_dir.chmod(0o711)
    deep = empty_dir / "/".join(["a-rather-long-name-of-a-directory"] * 6)
    async with opened(deep) as endpoints:
        assert len(str(deep)) > 107
        assert await answer(endpoints, "select 1") == 1
        socket = endpoints.redis_url.removeprefix("unix://")
        assert len(socket.encode()) <= 107
        assert await bell(endpoints, "PING")
