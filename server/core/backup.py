"""One file that holds everything of an installation: the database and its secrets."""

import hashlib
import json
import os
import stat
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Final

import server
from server.core import clock
from server.core.embedded import clients, secret_file
from server.core.embedded.processes import finished
from server.core.errors import Conflict, Invalid
from server.core.log import get_log

log = get_log(__name__)

_FORMAT: Final = 1
_DATABASE: Final = "database.dump"
_SECRETS: Final = "secrets.json"
_MANIFEST: Final = "manifest.json"
_CHUNK_BYTES: Final = 1024**2
_SMALL_BYTES: Final = 1024**2
_MAJOR_FACTOR: Final = 10_000
_MAJOR: Final = "select current_setting('server_version_num')"
_SESSIONS: Final = """
    select count(*)
      from pg_stat_activity
     where datname = current_database()
       and pid <> pg_backend_pid()
       and usename is not null
"""
_RELATIONS: Final = """
    select count(*)
      from pg_class
      join pg_namespace on pg_namespace.oid = pg_class.relnamespace
     where nspname !~ '^pg_'
       and nspname <> 'information_schema'
"""


class Damaged(Invalid):
    """The file is not a backup, or not the one that was written."""

    code = "backup_damaged"
    text = "{file} cannot be restored: {reason}. Nothing was changed."


class TargetExists(Conflict):
    """A backup never replaces a file."""

    code = "backup_exists"
    text = "{file} exists already; choose another name"


class DatabaseNotEmpty(Conflict):
    """Restoring would replace what is in the database."""

    code = "database_not_empty"
    text = "The database already holds {relations} tables and indexes. To replace all of it, restore with --force."


class DatabaseInUse(Conflict):
    """Somebody, probably the server, works with the database."""

    code = "database_in_use"
    text = "{sessions} other connections use the database. Stop the server (and every worker), then restore."


@dataclass(frozen=True, slots=True)
class Member:
    """Size and SHA-256 of one part of the file."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says about itself.

    Attributes:
        version: PatchMon's version that made it.
        members: its parts by name; secrets are missing when they came from the environment.
    """

    version: str
    postgresql_major: int
    created_at: datetime
    members: dict[str, Member]

    @property
    def holds_secrets(self) -> bool:
        """Whether the secrets are in it; if not, they must be set in the environment as before."""
        return _SECRETS in self.members


async def backup(database_url: str, secrets_file: Path | None, target: Path) -> Manifest:
    """Write database and secrets, as of one moment, to the new file ``target`` (0600); the server may go on working.

    ``secrets_file`` is ``None`` where the secrets come from the environment: then they are not in the backup.
    """
    return await finished(lambda: _backup(database_url, secrets_file, target))


async def restore(database_url: str, secrets_file: Path | None, source: Path, *, force: bool = False) -> Manifest:
    """Put back what ``backup`` wrote, wholly or not at all; the digests are checked before anything is changed.

    A database that holds anything is refused unless ``force``, one in use always. The secrets file keeps its own
    database password (it belongs to the database server, not to the data), and its former self is kept beside it.
    """
    return await finished(lambda: _restore(database_url, secrets_file, source, force=force))


def inspect(source: Path) -> Manifest:
    """Read the whole file and return its manifest; ``Damaged`` if a single byte of its content differs."""
    with source.open("rb") as file:
        return _opened(file, source, lambda archive: _verified(archive, source))


class _Counted:
    """Measures and digests what passes through on its way to ``write``."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._digest = hashlib.sha256()
        self._size_bytes = 0

    def write(self, chunk: bytes) -> None:
        self._write(chunk)
        self._digest.update(chunk)
        self._size_bytes += len(chunk)

    @property
    def member(self) -> Member:
        return Member(self._digest.hexdigest(), self._size_bytes)


def _backup(database_url: str, secrets_file: Path | None, target: Path) -> Manifest:
    if target.exists():
        raise TargetExists(file=target)
    partial = target.with_name(f".{target.name}.{os.getpid()}.part")
    descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                manifest = _fill(archive, database_url, secrets_file)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)
    secret_file.sync_directory(target.absolute().parent)
    log.info("backup_written", file=str(target), size_bytes=target.stat().st_size)
    return manifest


def _fill(archive: zipfile.ZipFile, database_url: str, secrets_file: Path | None) -> Manifest:
    created_at = clock.now()
    major = _major(database_url)
    members = {_DATABASE: _add(archive, _DATABASE, lambda write: clients.dump(database_url, write))}
    if secrets_file is not None:
        secrets = json.dumps(secret_file.read(secrets_file)).encode()
        members[_SECRETS] = _add(archive, _SECRETS, lambda write: write(secrets))
    manifest = Manifest(server.__version__, major, created_at, members)
    text = json.dumps(
        {
            "format": _FORMAT,
            "version": manifest.version,
            "postgresql_major": major,
            "created_at": created_at.isoformat(),
            "members": {name: {"sha256": m.sha256, "size_bytes": m.size_bytes} for name, m in members.items()},
        },
        indent=1,
    ).encode()
    _add(archive, _MANIFEST, lambda write: write(text))
    return manifest


def _add(archive: zipfile.ZipFile, name: str, produce: Callable[[Callable[[bytes], object]], object]) -> Member:
    entry = zipfile.ZipInfo(name, clock.now().timetuple()[:6])
    entry.external_attr = (stat.S_IFREG | 0o600) << 16
    with archive.open(entry, "w", force_zip64=True) as sink:
        counted = _Counted(sink.write)
        produce(counted.write)
    return counted.member


def _restore(database_url: str, secrets_file: Path | None, source: Path, *, force: bool) -> Manifest:
    with source.open("rb") as file:
        return _opened(
            file, source, lambda archive: _put_back(archive, source, database_url, secrets_file, force=force)
        )


def _put_back(
    archive: zipfile.ZipFile, source: Path, database_url: str, secrets_file: Path | None, *, force: bool
) -> Manifest:
    manifest = _verified(archive, source)
    secrets = _merged_secrets(archive, manifest, secrets_file)
    if sessions := int(clients.ask(database_url, _SESSIONS)):
        raise DatabaseInUse(sessions=sessions)
    if (relations := int(clients.ask(database_url, _RELATIONS))) and not force:
        raise DatabaseNotEmpty(relations=relations)
    with archive.open(_DATABASE) as dump:
        clients.replay(database_url, dump, major=_major(database_url), empty_first=force)
    if secrets_file is not None and secrets is not None:
        _exchange(secrets_file, secrets)
    log.info("backup_restored", file=str(source), created_at=manifest.created_at.isoformat())
    return manifest


def _merged_secrets(archive: zipfile.ZipFile, manifest: Manifest, secrets_file: Path | None) -> dict[str, str] | None:
    if secrets_file is None or not manifest.holds_secrets:
        return None
    saved = secret_file.parse(archive.read(_SECRETS).decode(), secrets_file)
    mine = secret_file.read(secrets_file) if secrets_file.exists() else {}
    kept = {name: value for name, value in mine.items() if name == secret_file.DATABASE_PASSWORD}
    return mine | saved | kept


def _exchange(secrets_file: Path, secrets: dict[str, str]) -> None:
    if secrets_file.exists():
        before = secret_file.read(secrets_file)
        if before == secrets:
            return
        former = secrets_file.with_name(f"{secrets_file.stem}-before-{clock.now():%Y%m%dT%H%M%S%fZ}.json")
        secret_file.write(former, before, replace=False)
    secret_file.write(secrets_file, secrets, replace=True)


def _opened(file: IO[bytes], source: Path, use: Callable[[zipfile.ZipFile], Manifest]) -> Manifest:
    try:
        with zipfile.ZipFile(file) as archive:
            return use(archive)
    except (zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise Damaged(file=source, reason=f"it is no backup, or was cut or changed ({error})") from error


def _verified(archive: zipfile.ZipFile, source: Path) -> Manifest:
    manifest = _manifest(archive, source)
    if set(archive.namelist()) != {*manifest.members, _MANIFEST} or _DATABASE not in manifest.members:
        raise Damaged(file=source, reason="its parts are not those of its manifest")
    for name, expected in manifest.members.items():
        counted = _Counted(len)
        with archive.open(name) as part:
            while chunk := part.read(_CHUNK_BYTES):
                counted.write(chunk)
        if counted.member != expected:
            raise Damaged(file=source, reason=f"the digest of {name} is not the one in its manifest")
    return manifest


def _manifest(archive: zipfile.ZipFile, source: Path) -> Manifest:
    try:
        entry = archive.getinfo(_MANIFEST)
        found = json.loads(archive.read(entry)) if entry.file_size <= _SMALL_BYTES else {}
        if found["format"] != _FORMAT:
            raise Damaged(file=source, reason="it was made by a newer version of PatchMon")
        return Manifest(
            str(found["version"]),
            int(found["postgresql_major"]),
            datetime.fromisoformat(found["created_at"]),
            {name: Member(str(m["sha256"]), int(m["size_bytes"])) for name, m in found["members"].items()},
        )
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise Damaged(file=source, reason="its manifest cannot be read") from error


def _major(database_url: str) -> int:
    return int(clients.ask(database_url, _MAJOR)) // _MAJOR_FACTOR
