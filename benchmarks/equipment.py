"""What every bar stands on: embedded services, a fresh database, the product's own server process, people and hosts."""

import asyncio
import contextlib
import os
import resource
import shutil
import signal
import socket
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import psycopg2

from server.app import close_world, open_world
from server.core.call import Call, World, system
from server.core.db import Database, DatabaseError
from server.core.embedded import Endpoints, Services
from server.core.env import Env
from server.core.ids import random_hex
from server.core.loop import Keeper
from server.core.migrate import migrate
from server.core.secretbox import Secret
from tests.factories.people import PASSWORD, person, token_of

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
TICKS = os.sysconf("SC_CLK_TCK")
MASTER_KEY = "benchmark master key"
_TEMPLATE = "bench_template"


@dataclass(frozen=True)
class Host:
    """An enrolled host and its credentials."""

    id: int
    uuid: str
    name: str
    api_id: str
    api_key: str

    @property
    def headers(self) -> dict[str, str]:
        return {"X-API-ID": self.api_id, "X-API-KEY": self.api_key}


@dataclass
class Process:
    """A process of ours, with what it costs."""

    process: asyncio.subprocess.Process

    @property
    def pid(self) -> int:
        return self.process.pid

    def rss_kib(self) -> int:
        return rss_kib(self.pid)

    def cpu_seconds(self) -> float:
        """Return user and system time so far, children that were waited for included."""
        return cpu_seconds(self.pid)

    async def end(self, number: signal.Signals = signal.SIGTERM, seconds: float = 30) -> None:
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(number)
        try:
            async with asyncio.timeout(seconds):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


def rss_kib(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / TICKS


def children(pid: int) -> list[int]:
    """Return every living descendant."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in map(int, task.read_text().split()):
                found += [child, *children(child)]
    return found


def free_port() -> int:
    """Return a free port below those the system gives to outgoing connections."""
    for port in range(20000 + os.getpid() % 5000, 32000):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("no free port")


def raise_limits() -> None:
    """Let this process and its children open as many files as the machine allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@dataclass
class Api:
    """A program with a token that drives the product from outside."""

    session: aiohttp.ClientSession
    url: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        async with self.session.request(method, f"{self.url}/api/v1{path}", json=body, headers=self.headers) as answer:
            content = await answer.read()
            if answer.status >= 300:
                raise RuntimeError(f"{method} {path}: {answer.status} {content[:500]!r}")
            return orjson.loads(content) if content else None

    async def launch(self, *hosts: Host, playbook: str = "ping", **order: Any) -> dict[str, Any]:
        body = {"playbook": playbook, "hosts": [host.uuid for host in hosts], "check": True, **order}
        made: dict[str, Any] = await self.ask("POST", "/jobs", body)
        return made

    async def finished(self, job: str, seconds: float = 60) -> dict[str, Any]:
        """Wait for a job's end."""
        async with asyncio.timeout(seconds):
            while True:
                found: dict[str, Any] = await self.ask("GET", f"/jobs/{job}")
                if found["finished_at"]:
                    return found
                await asyncio.sleep(0.05)


@dataclass
class Stage:
    """One bar's own database with a world over it, and the server process when it is started."""

    env: Env
    world: World
    port: int
    folder: Path
    call: Call
    api: Api
    server: Process | None = None
    _programs: list[Process] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def dsn(self) -> str:
        return self.env.database_url.reveal()

    async def serve(self, **more: str) -> Process:
        """Start `patchmon serve`, as an operator does, and wait until it is healthy."""
        environment = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": self.env.database_url.reveal(),
            "REDIS_URL": self.env.redis_url.reveal(),
            "AI_ENCRYPTION_KEY": MASTER_KEY,
            "JWT_SECRET": "benchmark jwt secret",
            "AGENT_BINARIES_DIR": str(ROOT / "dist"),
            "PORT": str(self.port),
            "HOST": "127.0.0.1",
            "LOG_LEVEL": "error",
            # Every agent here has the same address.
            "AGENT_RATE_LIMIT_MAX": "10000000",
            "RATE_LIMIT_MAX": "10000000",
            **more,
        }
        self.server = await self.start([str(BIN / "patchmon"), "serve"], environment, "server.log")
        await self.healthy()
        return self.server

    async def start(self, command: list[str], environment: dict[str, str], log: str) -> Process:
        with (self.folder / log).open("ab") as out:
            made = Process(
                await asyncio.create_subprocess_exec(*command, env=environment, stdout=out, stderr=out, cwd=ROOT)
            )
        self._programs.append(made)
        return made

    async def healthy(self, seconds: float = 60) -> None:
        async with asyncio.timeout(seconds):
            while True:
                if self.server is None or self.server.process.returncode is not None:
                    raise RuntimeError((self.folder / "server.log").read_text()[-3000:])
                with contextlib.suppress(aiohttp.ClientError):
                    async with self.api.session.get(f"{self.url}/health") as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.05)

    async def enrol(self, count: int, prefix: str = "host") -> list[Host]:
        """Add hosts all at once, as the product itself would store them."""
        made = [(f"{prefix}-{number:05d}", random_hex(8), random_hex(32)) for number in range(count)]
        rows = [
            {"n": name, "i": f"patchmon_{api_id}", "k": self.world.box.verifier(api_key)}
            for name, api_id, api_key in made
        ]
        stored = await self.world.db.all(
            """
            insert into hosts (friendly_name, api_id, api_key)
            select n, i, k from jsonb_to_recordset(%(rows)s::jsonb) as t(n text, i text, k text)
            returning id, uuid, friendly_name, api_id
            """,
            rows=orjson.dumps(rows).decode(),
        )
        keys = {name: api_key for name, _, api_key in made}
        found = [
            Host(row["id"], row["uuid"], row["friendly_name"], row["api_id"], keys[row["friendly_name"]])
            for row in stored
        ]
        return sorted(found, key=lambda host: host.name)

    async def browser_cookie(self) -> str:
        """Return the cookie header of a signed-in administrator."""
        user = await person(self.call, "superadmin")
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"{self.url}/api/v1/auth/login", json={"username": user.username, "password": PASSWORD}
            ) as answer,
        ):
            if answer.status != 200:
                raise RuntimeError(await answer.text())
            return "; ".join(f"{name}={morsel.value}" for name, morsel in answer.cookies.items())

    async def stop(self) -> None:
        for program in reversed(self._programs):
            await program.end()


@dataclass
class Bench:
    """The whole run: how many rounds, and where stages come from."""

    endpoints: Endpoints
    rounds: int
    quick: bool
    long: bool
    say: Callable[[str], None]
    _open: int = 0

    def dsn(self, name: str) -> str:
        base, _, query = self.endpoints.database_url.partition("?")
        return f"{base.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")

    @contextlib.asynccontextmanager
    async def stage(self, *, serve: bool = True, **environment: str) -> AsyncIterator[Stage]:
        """Open a fresh copy of the migrated database, and the server over it."""
        name = f"bench_{uuid.uuid4().hex[:10]}"
        await self._admin(f"create database {name} template {_TEMPLATE}")
        folder = Path(tempfile.mkdtemp(prefix="patchmon-bench-"))
        env = Env(
            database_url=Secret(self.dsn(name)),
            redis_url=Secret(self.endpoints.redis_url),
            master_key=Secret(MASTER_KEY),
            jwt_secret=Secret("benchmark jwt secret"),
            agents_dir=ROOT / "dist",
        )
        keeper = Keeper()
        world = await open_world(env, keeper, pool=3)
        await world.redis.flushall()
        call = Call(world, system("benchmark"))
        connector = aiohttp.TCPConnector(limit=200)
        async with aiohttp.ClientSession(connector=connector, json_serialize=lambda v: orjson.dumps(v).decode()) as web:
            port = free_port()
            token = await token_of(call, await person(call, "superadmin"))
            made = Stage(env, world, port, folder, call, Api(web, f"http://127.0.0.1:{port}", token))
            try:
                if serve:
                    await made.serve(**environment)
                yield made
            finally:
                await made.stop()
                await keeper.close()
                await close_world(world)
                await self._drop(name)
                shutil.rmtree(folder, ignore_errors=True)

    async def _admin(self, statement: str) -> None:
        db = await Database.open(self.endpoints.database_url, size=1)
        await db.execute(statement)
        await db.close()

    async def _drop(self, name: str) -> None:
        for _ in range(20):
            try:
                await self._admin(f"drop database {name} with (force)")
            except DatabaseError:
                # An autovacuum worker is in it, and only a superuser may end that; it leaves by itself.
                await asyncio.sleep(0.5)
            else:
                return

    async def prepare(self) -> None:
        """Migrate the template that every stage copies."""
        await self._admin(f"create database {_TEMPLATE}")
        template = await Database.open(self.dsn(_TEMPLATE), size=1)
        await migrate(template)
        await template.close()


def connect(dsn: str) -> Any:
    """Open a bare connection, for arms that are not the product."""
    return psycopg2.connect(dsn)


@contextlib.asynccontextmanager
async def bench(rounds: int, *, quick: bool, long: bool, say: Callable[[str], None]) -> AsyncIterator[Bench]:
    """Start the services for one run and leave nothing behind."""
    raise_limits()
    data_dir = Path(tempfile.mkdtemp(prefix="patchmon-bench-data-"))
    services = Services(data_dir)
    made = Bench(await services.start(), rounds, quick, long, say)
    try:
        await made.prepare()
        yield made
    finally:
        await services.stop()
        shutil.rmtree(data_dir, ignore_errors=True)
