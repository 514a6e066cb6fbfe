"""A backup brings everything back, and a damaged one changes nothing."""

import asyncio
import contextlib
import hashlib
import json
import stat
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.core.backup import Damaged, DatabaseInUse, DatabaseNotEmpty, TargetExists, backup, inspect, restore
from server.core.db import Database
from server.core.embedded import Endpoints, load_or_create_secrets, opened
from server.core.embedded.clients import dump, split_password
from server.core.embedded.errors import ServiceFailed
from server.core.loop import in_thread

CONTENT = """
    create extension pg_trgm;
    create type colour as enum ('red', 'green');
    create schema other;
    create table other.note (id uuid primary key default gen_random_uuid(), text text not null);
    create table event (day date not null, number bigint generated always as identity,
                        body jsonb, raw bytea, tint colour, primary key (day, number)) partition by range (day);
    create table event_2026 partition of event for values from ('2026-01-01') to ('2027-01-01');
    create table event_rest partition of event default;
    create index event_body on event using gin (body);
    insert into event (day, body, raw, tint)
    select date '2025-12-01' + n, jsonb_build_object('n', n, 'text', E'tab\\there, \\u00e4 \\\\ "quoted"'),
           decode(lpad(to_hex(n), 8, '0'), 'hex'), 'green'
      from generate_series(1, 500) as n;
    insert into other.note (text) values (E'line one\\nline two'), ('')
"""
FINGERPRINT = """
    select md5(string_agg(event::text, ';' order by day, number))
           || (select md5(string_agg(text, ';' order by text)) from other.note)
      from event
"""


@pytest.fixture
def folders(data_dir: Path, empty_dir: Path) -> tuple[Path, Path, Path]:
    """The data directory of one installation, a place for another's, and a place for files."""
    files = empty_dir / "files"
    files.mkdir()
    return data_dir, empty_dir / "second", files


@pytest.fixture
async def filled(folders: tuple[Path, Path, Path]) -> AsyncIterator[Endpoints]:
    """A running installation with content of many kinds."""
    async with opened(folders[0]) as endpoints:
        await run(endpoints, CONTENT)
        yield endpoints


async def run(endpoints: Endpoints, sql: str) -> None:
    db = await Database.open(endpoints.database_url, size=1, tries=1)
    await db.execute(sql)
    await db.close()


async def value(endpoints: Endpoints, sql: str) -> object:
    db = await Database.open(endpoints.database_url, size=1, tries=1)
    try:
        return await db.value(sql)
    finally:
        await db.close()


async def test_a_round_trip_into_a_fresh_installation(folders: tuple[Path, Path, Path], filled: Endpoints) -> None:
    first, second, base = folders
    target = base / "patchmon.backup"
    written = await backup(filled.database_url, first / "secrets.json", target)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert written.postgresql_major == 18
    assert written.holds_secrets
    assert inspect(target) == written
    before = await value(filled, FINGERPRINT)

    async with opened(second) as fresh:
        assert await restore(fresh.database_url, second / "secrets.json", target) == written
        assert await value(fresh, FINGERPRINT) == before
        assert await value(fresh, "select count(*) from pg_indexes where indexname like 'event%'") == await value(
            filled, "select count(*) from pg_indexes where indexname like 'event%'"
        )
        # Sequences go on where they were.
        await run(fresh, "insert into event (day) values ('2026-06-01')")
        assert await value(fresh, "select max(number) from event") == 501
        assert await value(fresh, "select similarity('patch', 'patches') > 0.3") is True
    old, new = load_or_create_secrets(first), load_or_create_secrets(second)
    assert {name: new[name] for name in new if name != "database_password"} == {
        name: old[name] for name in old if name != "database_password"
    }
    assert new["database_password"] != old["database_password"]
    # The restored installation starts with what it now has, and its former secrets are not lost.
    async with opened(second) as again:
        assert await value(again, "select count(*) from event") == 501
    (former,) = second.glob("secrets-before-*.json")
    assert stat.S_IMODE(former.stat().st_mode) == 0o600
    assert json.loads(former.read_text())["master_key"] not in old.values()


async def test_a_database_that_holds_something_is_replaced_only_by_force(
    folders: tuple[Path, Path, Path], filled: Endpoints
) -> None:
    first, second, base = folders
    target = base / "patchmon.backup"
    await backup(filled.database_url, first / "secrets.json", target)
    before = await value(filled, FINGERPRINT)
    async with opened(second) as other:
        await run(other, "create table precious (n int); insert into precious values (1); create schema mine")
        with pytest.raises(DatabaseNotEmpty, match="--force"):
            await restore(other.database_url, second / "secrets.json", target)
        assert await value(other, "select count(*) from precious") == 1
        await restore(other.database_url, second / "secrets.json", target, force=True)
        assert await value(other, "select to_regclass('precious')::text") is None
        assert await value(other, "select count(*) from pg_namespace where nspname = 'mine'") == 0
        assert await value(other, FINGERPRINT) == before
        # What was restored by force can be backed up and restored again.
        await backup(other.database_url, second / "secrets.json", base / "second.backup")
        await restore(other.database_url, second / "secrets.json", base / "second.backup", force=True)
        assert await value(other, FINGERPRINT) == before


async def test_a_restore_that_fails_changes_nothing(folders: tuple[Path, Path, Path], filled: Endpoints) -> None:
    first, second, base = folders
    target = base / "patchmon.backup"
    await backup(filled.database_url, first / "secrets.json", target)
    async with opened(second) as other:
        await run(other, "create table precious (n int); insert into precious values (1)")
        secrets = (second / "secrets.json").read_text()
        broken = ends_too_early(target, base / "broken.backup")
        with pytest.raises(ServiceFailed):
            await restore(other.database_url, second / "secrets.json", broken, force=True)
        assert await value(other, "select count(*) from precious") == 1
        assert (second / "secrets.json").read_text() == secrets


def ends_too_early(source: Path, target: Path) -> Path:
    """Write a backup whose digests are right but whose dump was cut."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        manifest = json.loads(old.read("manifest.json"))
        content = old.read("database.dump")
        content = content[: len(content) - 200]
        manifest["members"]["database.dump"] = {
            "sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)
        }  # fmt: skip
        new.writestr("database.dump", content)
        new.writestr("secrets.json", old.read("secrets.json"))
        new.writestr("manifest.json", json.dumps(manifest))
    return target


async def test_a_damaged_file_is_refused_wherever_the_damage_is(
    folders: tuple[Path, Path, Path], filled: Endpoints
) -> None:
    first, _, base = folders
    target = base / "patchmon.backup"
    await backup(filled.database_url, first / "secrets.json", target)
    good = target.read_bytes()
    with zipfile.ZipFile(target) as archive:
        starts = {entry.filename: entry.header_offset + 100 for entry in archive.infolist()}
    bad = base / "bad.backup"
    damages = [bytes([*good[:at], good[at] ^ 1, *good[at + 1 :]]) for at in starts.values()]
    for content in (*damages, good[: len(good) // 2], good[:-10], b"", b"no backup at all"):
        bad.write_bytes(content)
        with pytest.raises(Damaged, match="Nothing was changed"):
            inspect(bad)
    bad.write_bytes(damages[0])
    with pytest.raises(Damaged):
        await restore(filled.database_url, first / "secrets.json", bad, force=True)
    assert await value(filled, "select count(*) from event") == 500


async def test_a_database_in_use_is_not_restored_even_by_force(
    folders: tuple[Path, Path, Path], filled: Endpoints
) -> None:
    first, _, base = folders
    target = base / "patchmon.backup"
    await backup(filled.database_url, first / "secrets.json", target)
    server = await Database.open(filled.database_url, size=2, tries=1)
    with pytest.raises(DatabaseInUse, match="Stop the server"):
        await restore(filled.database_url, first / "secrets.json", target, force=True)
    await server.close()


async def test_a_backup_never_replaces_a_file_and_leaves_no_half(
    folders: tuple[Path, Path, Path], filled: Endpoints
) -> None:
    first, _, base = folders
    target = base / "patchmon.backup"
    target.write_text("precious")
    with pytest.raises(TargetExists):
        await backup(filled.database_url, first / "secrets.json", target)
    assert target.read_text() == "precious"
    wrong = filled.database_url.replace("@/patchmon?", "@/nowhere?")
    with pytest.raises(ServiceFailed, match="nowhere"):
        await backup(wrong, first / "secrets.json", base / "other.backup")
    assert sorted(path.name for path in base.iterdir()) == ["patchmon.backup"]


async def test_without_a_secrets_file_the_database_alone_is_kept(
    folders: tuple[Path, Path, Path], filled: Endpoints
) -> None:
    _, second, base = folders
    written = await backup(filled.database_url, None, base / "patchmon.backup")
    assert not written.holds_secrets
    async with opened(second) as fresh:
        secrets = (second / "secrets.json").read_text()
        await restore(fresh.database_url, second / "secrets.json", base / "patchmon.backup")
        assert (second / "secrets.json").read_text() == secrets
        assert await value(fresh, "select count(*) from event") == 500


async def test_no_password_is_seen_among_the_arguments_of_a_program(filled: Endpoints) -> None:
    _, password = split_password(filled.database_url)
    assert password is not None
    db = await Database.open(filled.database_url, size=1, tries=1)
    async with asyncio.TaskGroup() as tasks, db.transaction() as tx:
        # The dump waits for this table, so there is time to look.
        await tx.execute("lock table event")
        tasks.create_task(in_thread(dump, filled.database_url, len))
        async with asyncio.timeout(10):
            while not (lines := await in_thread(arguments_of, "pg_dump")):
                await asyncio.sleep(0.01)
    await db.close()
    assert any("passfile" in line for line in lines)
    assert not any(password in line for line in lines)


def arguments_of(program: str) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().decode(errors="replace")
            if words.partition("\0")[0].endswith(program):
                found.append(words)
    return found


@pytest.mark.parametrize(
    ("dsn", "bare", "password"),
    [
        ("postgresql://u:p%40ss@h:5432/db?sslmode=require", "postgresql://u@h:5432/db?sslmode=require", "p@ss"),
        ("postgres://u:p@h1:1,h2:2/db", "postgres://u@h1:1,h2:2/db", "p"),
        ("postgresql:///db?host=%2Frun%2Fx&password=p", "postgresql:///db?host=%2Frun%2Fx", "p"),
        ("postgresql://h/db", "postgresql://h/db", None),
        ("host=h password='a\\' b' dbname=d", "host=h  dbname=d", "a' b"),
        ("password=secret host=h", "host=h", "secret"),
        ("host=h dbname=d", "host=h dbname=d", None),
    ],
)
def test_passwords_are_taken_out_of_every_form_of_address(dsn: str, bare: str, password: str | None) -> None:
    assert split_password(dsn) == (bare, password)
