"""Applies server/migrations in order under an advisory lock; forward only."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from server.core.db import Database, DatabaseError, Tx
from server.core.log import get_log

log = get_log(__name__)

FOLDER: Final = Path(__file__).resolve().parent.parent / "migrations"
_LOCK: Final = 7_236_418_001  # any constant works, as long as every server uses the same one
_NAME: Final = re.compile(r"^(\d{4})_[a-z_]+\.sql$")


class MigrationFailed(Exception):
    """The schema could not be brought up to date; the text is what an operator needs."""


@dataclass(frozen=True, slots=True)
class Version:
    """Where the schema is; ``dirty`` means that a migration failed half-way."""

    number: int
    dirty: bool


@dataclass(frozen=True, slots=True)
class _File:
    number: int
    path: Path

    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")


async def migrate(db: Database, folder: Path = FOLDER) -> Version:
    """Apply what is missing; several servers starting together wait for the first one."""
    files = _files(folder)
    await _prepare(db)
    async with db.transaction(endless=True) as tx:
        await tx.execute("select pg_advisory_xact_lock(%(lock)s)", lock=_LOCK)
        before = await version(tx)
        if before.dirty:
            message = f"migrations failed: Dirty database version {before.number}. Fix and force version."
            raise MigrationFailed(message)
        pending = [file for file in files if file.number > before.number]
        for file in pending:
            await _apply(tx, file)
    after = files[-1].number if files else before.number
    if pending:
        # The exact words stand in the operators' documentation; they search the log for them.
        log.info(f"[migrate] applied successfully (version {after})")  # noqa: G004
    else:
        log.info("[migrate] already up to date")
    return Version(after, dirty=False)


async def version(tx: Database | Tx) -> Version:
    """Return the recorded version, 0 for an empty database."""
    row = await tx.one("select version, dirty from schema_migrations limit 1")
    return Version(row["version"], row["dirty"]) if row else Version(0, dirty=False)


async def force(db: Database, number: int) -> None:
    """Record a version without running anything and clear the dirty flag."""
    await _prepare(db)
    async with db.transaction(endless=True) as tx:
        await _record(tx, number)


async def _prepare(db: Database) -> None:
    async with db.transaction(endless=True) as tx:
        await tx.execute("select pg_advisory_xact_lock(%(lock)s)", lock=_LOCK)
        await tx.execute(
            "create table if not exists schema_migrations (version bigint primary key, dirty boolean not null)"
        )


async def _apply(tx: Tx, file: _File) -> None:
    await tx.execute("set local lock_timeout = '4s'")
    try:
        await tx.execute(file.text())
    except DatabaseError as error:
        message = f"migrations failed: {file.path.name}: {str(error).strip().splitlines()[0]}"
        raise MigrationFailed(message) from error
    await _record(tx, file.number)
    log.info("migration_applied", file=file.path.name, sha256=hashlib.sha256(file.text().encode()).hexdigest()[:12])


async def _record(tx: Tx, number: int) -> None:
    await tx.execute("delete from schema_migrations")
    await tx.execute("insert into schema_migrations (version, dirty) values (%(version)s, false)", version=number)


def _files(folder: Path) -> list[_File]:
    found = []
    for path in sorted(folder.glob("*.sql")):
        match = _NAME.match(path.name)
        if match is None:
            message = f"migrations failed: migration file {path.name} is corrupted (name it NNNN_room.sql)"
            raise MigrationFailed(message)
        found.append(_File(int(match[1]), path))
    numbers = [file.number for file in found]
    if len(set(numbers)) != len(numbers):
        message = "migrations failed: two migrations have the same number"
        raise MigrationFailed(message)
    return found
