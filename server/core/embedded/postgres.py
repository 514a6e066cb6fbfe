"""The embedded PostgreSQL: making its data directory, its settings, and knowing when it is ready."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from server.core.embedded import places
from server.core.embedded.errors import ServiceFailed, WrongMajor
from server.core.embedded.ground import Ground, Say
from server.core.embedded.processes import OLD_INSTANCE_SECONDS, Launch, hold_lock, run
from server.core.embedded.secret_file import sync_directory

_ROLE: Final = "patchmon"
_PORT: Final = 5432
_STATUS_LINE: Final = 8
# How long a killed server's PostgreSQL may take for its last checkpoint before it is ended without one.
_FAST_STOP_SECONDS: Final = 10.0
_MIB: Final = 1024**2
# Only the application's role, only with its password. The superuser has none, so nobody can sign in as it.
_ACCESS: Final = f"local all {_ROLE} scram-sha-256\n"
# Given at every start, so that no file can undo them.
_FIXED: Final = {
    "listen_addresses": "",
    "port": str(_PORT),
    "unix_socket_permissions": "0700",
    "logging_collector": "off",
    "log_destination": "stderr",
    "log_line_prefix": "",
    # A statement or a failed value may hold a secret; whoever sent it gets the error.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_statement": "none",
}


class Postgres:
    """PostgreSQL in ``data_dir/postgresql``, reached through a socket only."""

    name: Final = "postgresql"

    def __init__(self, ground: Ground, password: str, say: Say) -> None:
        self._ground = ground
        self._password = password
        self._say = say

    @property
    def url(self) -> str:
        """The address for libpq, with the password."""
        return url(self._ground.runtime_dir, self._password)

    def prepare(self) -> None:
        """Make the data directory on the first start; on later ones check it and clear what a killed server left."""
        cluster = self._ground.cluster_dir
        with self._alone() as lock:
            if not cluster.is_dir():
                self._make(lock)
            found = (cluster / "PG_VERSION").read_text(encoding="ascii").strip()
            if found != (ours := self._major()):
                raise WrongMajor(directory=cluster, found=found, ours=ours)
            self._clear_leftovers()

    def launch(self) -> Launch:
        """Return how to start it; when the server is killed it stops fast, with a checkpoint.

        Ending it at once (SIGQUIT) looks quicker, but the recovery that follows syncs every file of the cluster:
        on a busy disk the next start then takes seconds instead of tenths.
        """
        fixed = _FIXED | {"unix_socket_directories": str(self._ground.runtime_dir)}
        options = [part for name, value in fixed.items() for part in ("-c", f"{name}={value}")]
        command = [self._program("postgres"), "-D", str(self._ground.cluster_dir), *options]
        return Launch(
            name=self.name,
            command=self._ground.account.bound(command, on_death=signal.SIGINT),
            lock=self._ground.lock(self.name),
            stop=((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0)),
        )

    def ready(self, pid: int) -> bool:
        """Tell whether this very process accepts connections, as it says in its own file."""
        try:
            lines = (self._ground.cluster_dir / "postmaster.pid").read_text(encoding="ascii").splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= _STATUS_LINE and lines[0] == str(pid) and lines[_STATUS_LINE - 1].strip() == "ready"

    def set_aside(self, _last_words: str) -> bool:
        """Return False: nothing of the database is ever put away by itself."""
        return False

    def _program(self, name: str) -> str:
        return str(self._ground.programs.postgres_bin / name)

    def _major(self) -> str:
        # postgres (PostgreSQL) 18.6
        said = run("PostgreSQL", self._ground.account.bound([self._program("postgres"), "-V"], on_death=signal.SIGKILL))
        return said.split()[-1].split(".")[0]

    @contextmanager
    def _alone(self) -> Iterator[int]:
        """Hold the lock, which means that nothing of a former server is left; yields its descriptor to pass on."""
        path = self._ground.lock(self.name)
        descriptor = hold_lock(path, within_seconds=_FAST_STOP_SECONDS)
        if descriptor is None:
            self._hurry()
            descriptor = hold_lock(path, within_seconds=OLD_INSTANCE_SECONDS)
        if descriptor is None:
            raise ServiceFailed(name="PostgreSQL", reason=f"a former one still runs and holds {path}")
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _make(self, lock: int) -> None:
        """Make the directory beside its place and move it there complete, so that a kill leaves none or a whole one."""
        cluster = self._ground.cluster_dir
        self._say(f"Setting up the database in {cluster}")
        staging = cluster.with_name(f".{cluster.name}-new")
        if staging.exists():
            shutil.rmtree(staging)
        places.make_private(staging, self._ground.account)
        self._initialise(staging, lock)
        staging.rename(cluster)
        sync_directory(cluster.parent)

    def _initialise(self, staging: Path, lock: int) -> None:
        settings = [part for name, value in _tuning().items() for part in ("-c", f"{name}={value}")]
        account = self._ground.account
        command = [
            self._program("initdb"), "-D", str(staging), "-U", "postgres", "-A", "reject", "--encoding=UTF8",
            "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", *settings,
        ]  # fmt: skip
        run("initdb", account.bound(command, on_death=signal.SIGKILL), pass_fds=(lock,))
        access = os.open(staging / "pg_hba.conf", os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(access, "w", encoding="ascii") as file:
            file.write(_ACCESS)
            file.flush()
            os.fsync(file.fileno())
        self._make_role(staging, lock)

    def _make_role(self, staging: Path, lock: int) -> None:
        # Single-user mode needs no connection and therefore no moment in which anybody could sign in.
        statements = (
            f"create role {_ROLE} login createdb password '{self._password}'\n"
            f"create database {_ROLE} owner {_ROLE}\n"
        )  # fmt: skip
        command = [
            self._program("postgres"),
            "--single",
            "-D",
            str(staging),
            "-c",
            "log_min_messages=error",
            "postgres",
        ]
        said = run(
            "PostgreSQL",
            self._ground.account.bound(command, on_death=signal.SIGKILL),
            text=statements,
            pass_fds=(lock,),
        )
        if any(word in said for word in ("ERROR:", "FATAL:", "PANIC:")):
            raise ServiceFailed(name="PostgreSQL", reason="the role and the database could not be made")

    def _hurry(self) -> None:
        """Tell the former server's instance to end at once; its next start recovers what it had committed."""
        self._say("The former PostgreSQL is slow to stop; ending it")
        mark = self._ground.cluster_dir / "postmaster.pid"
        if mark.exists() and (former := _working_in(mark.read_text(encoding="ascii"), self._ground.cluster_dir)):
            os.kill(former, signal.SIGQUIT)

    def _clear_leftovers(self) -> None:
        """Remove the marks of a killed instance; we hold the lock, so no instance of ours lives.

        PostgreSQL refuses to start while the process id in the file belongs to any process of the same user, which
        after a restart of a container it often does.
        """
        mark = self._ground.cluster_dir / "postmaster.pid"
        if not mark.exists() or _working_in(mark.read_text(encoding="ascii"), self._ground.cluster_dir):
            return
        mark.unlink()
        for left in self._ground.runtime_dir.glob(f".s.PGSQL.{_PORT}*"):
            left.unlink()


def url(runtime_dir: Path, password: str) -> str:
    """Return the libpq URL of the database whose sockets are in ``runtime_dir``."""
    return f"postgresql://{_ROLE}:{password}@/{_ROLE}?host={quote(str(runtime_dir), safe='')}"


def _working_in(mark: str, cluster: Path) -> int | None:
    """Return the process named in ``postmaster.pid`` if it lives and works in this data directory."""
    lines = mark.splitlines()
    if not lines or not lines[0].isdigit():
        return None
    pid = int(lines[0])
    try:
        return pid if Path(f"/proc/{pid}/cwd").readlink() == cluster else None
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        # Gone, or somebody else's: ours we may read.
        return None


def _tuning() -> dict[str, str]:
    """Return settings for a small machine, written to postgresql.conf once, where an operator may change them."""
    memory_mib = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // _MIB
    return {
        "max_connections": "200",
        "shared_buffers": f"{max(32, min(256, memory_mib // 8))}MB",
        "effective_cache_size": f"{max(64, memory_mib // 2)}MB",
        "work_mem": "8MB",
        "maintenance_work_mem": "64MB",
        "random_page_cost": "1.1",
        "jit": "off",
        "synchronous_commit": "on",
        # One server, no standby: less is written for bulk loads.
        "wal_level": "minimal",
        "max_wal_senders": "0",
        "max_logical_replication_workers": "0",
        # Bounds how much a start after a kill has to replay.
        "max_wal_size": "1GB",
        "checkpoint_timeout": "5min",
        "log_checkpoints": "off",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
