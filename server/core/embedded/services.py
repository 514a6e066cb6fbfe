"""PostgreSQL and Valkey as parts of the server: started with it, restarted when they die, gone when it is."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from server.core.embedded import ground as grounds
from server.core.embedded import places, postgres, valkey
from server.core.embedded.errors import AlreadyRunning, EmbeddedFailure, PlaceRefused, ServiceFailed
from server.core.embedded.ground import Ground, Say
from server.core.embedded.processes import Child, Launch, finished, hold_lock
from server.core.embedded.secret_file import DATABASE_PASSWORD, load_or_create_secrets
from server.core.log import get_log
from server.core.loop import Keeper, in_thread

log = get_log(__name__)

_LOCK: Final = "server.lock"
_FORMER_SERVER_SECONDS: Final = 3.0
_READY_PAUSE_SECONDS: Final = 0.01
_SAY_AFTER_SECONDS: Final = 5.0
_BACKOFF_SECONDS: Final = 0.2
_BACKOFF_LIMIT_SECONDS: Final = 10.0
_HEALTHY_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where the services listen: a libpq URL that holds the password, and a ``unix://`` URL."""

    database_url: str = field(repr=False)
    redis_url: str


class Service(Protocol):
    """One program under supervision; everything here may block."""

    @property
    def name(self) -> str:
        """Name in logs, of threads and of the lock."""

    def prepare(self) -> None:
        """Make or check what the program needs before each start."""

    def launch(self) -> Launch:
        """Return how to start and stop it."""

    def ready(self, pid: int) -> bool:
        """Tell whether the program with this process id serves."""

    def set_aside(self, last_words: str) -> bool:
        """Put away what keeps it from starting, if that may be done; tell whether a new try makes sense."""


class Watched:
    """One service that is started again, with growing pauses, whenever it dies."""

    def __init__(self, service: Service, say: Say) -> None:
        self._service = service
        self._say = say
        self._keeper = Keeper()
        self._child: Child | None = None

    async def start(self) -> None:
        """Return when the service serves; ``ServiceFailed`` carries its last words."""
        try:
            child = await self._serve()
        except ServiceFailed as error:
            if not await in_thread(self._service.set_aside, str(error)):
                raise
            child = await self._serve()
        self._keeper.start(f"embedded-{self._service.name}", self._watch(child))

    async def stop(self) -> None:
        """Stop watching, then stop the service; returns when nothing of it is left."""
        await self._keeper.close()
        if self._child is not None:
            await self._child.stop()

    async def _serve(self) -> Child:
        await finished(self._service.prepare)
        self._child = child = Child(self._service.launch())
        pid = await child.start()
        loop = asyncio.get_running_loop()
        speak_at = loop.time() + _SAY_AFTER_SECONDS
        while not await in_thread(self._service.ready, pid):
            if child.ended.done():
                raise ServiceFailed(name=self._service.name, reason=child.last_words)
            if loop.time() > speak_at:
                self._say(f"Waiting for {self._service.name}: {child.last_words}")
                speak_at += _SAY_AFTER_SECONDS
            await asyncio.sleep(_READY_PAUSE_SECONDS)
        return child

    async def _watch(self, child: Child) -> None:
        loop = asyncio.get_running_loop()
        pause_seconds = _BACKOFF_SECONDS
        while True:
            serving_since = loop.time()
            code = await asyncio.shield(child.ended)
            if loop.time() - serving_since > _HEALTHY_SECONDS:
                pause_seconds = _BACKOFF_SECONDS
            log.error("embedded_service_died", service=self._service.name, code=code, last_words=child.last_words)
            child, pause_seconds = await self._revive(pause_seconds)

    async def _revive(self, pause_seconds: float) -> tuple[Child, float]:
        while True:
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(_BACKOFF_LIMIT_SECONDS, pause_seconds * 2)
            try:
                child = await self._serve()
            except (EmbeddedFailure, OSError) as error:
                log.exception("embedded_service_stays_down", service=self._service.name, next_try_seconds=pause_seconds)
                await in_thread(self._service.set_aside, str(error))
            else:
                log.warning("embedded_service_restarted", service=self._service.name)
                return child, pause_seconds


def _silent(_line: str) -> None:
    pass


class Services:
    """The embedded services of one data directory; one process at a time may have them."""

    def __init__(self, data_dir: Path, *, say: Say = _silent) -> None:
        self._data_dir = data_dir
        self._say = say
        self._lock: int | None = None
        self._runtime_dir: Path | None = None
        self._watched: list[Watched] = []

    async def start(self) -> Endpoints:
        """Start both and return where they listen; raises a ``Problem`` whose text says what to do.

        A start that fails or is cancelled leaves nothing running.
        """
        try:
            ground, password = await finished(self._prepare)
            database = postgres.Postgres(ground, password, self._say)
            bells = valkey.Valkey(ground, self._say)
            self._watched = [Watched(database, self._say), Watched(bells, self._say)]
            async with asyncio.TaskGroup() as group:
                for watched in self._watched:
                    group.create_task(watched.start())
        except ExceptionGroup as failures:
            await self.stop()
            raise failures.exceptions[0] from None
        except BaseException:
            await self.stop()
            raise
        return Endpoints(database.url, bells.url)

    async def stop(self) -> None:
        """Stop both, PostgreSQL with a fast shutdown; may be called twice."""
        watched, self._watched = self._watched, []
        results = await asyncio.gather(*(each.stop() for each in watched), return_exceptions=True)
        await in_thread(self._let_go)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def _prepare(self) -> tuple[Ground, str]:
        try:
            return self._prepared()
        except OSError as error:
            # A full disk, a read-only or closed directory: a sentence, not a trace.
            raise _refused(self._data_dir, error) from error

    def _prepared(self) -> tuple[Ground, str]:
        data_dir = places.make_data_dir(self._data_dir)
        self._lock = hold_lock(data_dir / _LOCK, within_seconds=_FORMER_SERVER_SECONDS)
        if self._lock is None:
            raise AlreadyRunning(pid=_note(data_dir).get("pid", "?"), path=data_dir)
        ground = grounds.prepare(data_dir, self._say)
        self._runtime_dir = ground.runtime_dir
        secrets = load_or_create_secrets(data_dir)
        note = json.dumps({"pid": os.getpid(), "runtime_dir": str(ground.runtime_dir)})
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, note.encode(), 0)
        return ground, secrets[DATABASE_PASSWORD]

    def _let_go(self) -> None:
        if self._runtime_dir is not None and self._runtime_dir.is_dir() and not any(self._runtime_dir.iterdir()):
            self._runtime_dir.rmdir()
        self._runtime_dir = None
        if self._lock is not None:
            os.ftruncate(self._lock, 0)
            os.close(self._lock)
            self._lock = None


def running_endpoints(data_dir: Path) -> Endpoints | None:
    """Return where the services of another process listen, or ``None`` when none runs on this data directory."""
    try:
        if not (data_dir / _LOCK).is_file():
            return None
        descriptor = hold_lock(data_dir / _LOCK, within_seconds=0)
    except OSError as error:
        raise _refused(data_dir, error) from error
    if descriptor is not None:
        os.close(descriptor)
        return None
    runtime_dir = _note(data_dir).get("runtime_dir")
    if not isinstance(runtime_dir, str):
        return None
    password = load_or_create_secrets(data_dir)[DATABASE_PASSWORD]
    return Endpoints(postgres.url(Path(runtime_dir), password), valkey.url(Path(runtime_dir)))


@asynccontextmanager
async def opened(data_dir: Path, *, say: Say = _silent) -> AsyncIterator[Endpoints]:
    """Use the services of the running server, or start them for as long as the block lasts (commands do this)."""
    if (running := await in_thread(running_endpoints, data_dir)) is not None:
        yield running
        return
    services = Services(data_dir, say=say)
    endpoints = await services.start()
    try:
        yield endpoints
    finally:
        await services.stop()


def _refused(data_dir: Path, error: OSError) -> PlaceRefused:
    return PlaceRefused(path=error.filename or data_dir, reason=error.strerror or str(error))


def _note(data_dir: Path) -> dict[str, object]:
    """Return what the holder of the lock wrote into it; empty while it has only begun."""
    text = (data_dir / _LOCK).read_text(encoding="utf-8")
    note = json.loads(text) if text else {}
    return note if isinstance(note, dict) else {}
