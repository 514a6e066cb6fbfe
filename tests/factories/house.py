"""A whole house for journeys and faults: server processes, agent processes, and wires between them that can be cut."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import yaml

from agent.protocol import archive
from server.automation.models import Field, Playbook, Project
from server.automation.queries import library
from server.core.call import Call
from server.core.env import Env
from server.hosts import service as hosts
from server.hosts.models import NewHost

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent


@dataclass
class Program:
    """A process of ours that can be started, killed and started again."""

    command: list[str]
    environment: dict[str, str]
    log: Path
    process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.command, env=self.environment, stdout=log, stderr=log, cwd=ROOT
            )

    async def end(self, number: signal.Signals, seconds: float = 20) -> int:
        """Send a signal and wait for the end."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(seconds):
            return await self.process.wait()

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.returncode is None


@dataclass
class ServerProcess:
    """`patchmon serve` over the test's own database."""

    program: Program
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, seconds: float = 30) -> None:
        await self.program.start()
        await self.healthy(seconds)

    async def healthy(self, seconds: float = 30) -> None:
        async with aiohttp.ClientSession() as browser, asyncio.timeout(seconds):
            while True:
                assert self.program.alive, self.program.log.read_text()[-3000:]
                with contextlib.suppress(aiohttp.ClientError):
                    async with browser.get(f"{self.url}/health") as answer:
                        if answer.status == 200:
                            return
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        await self.program.end(signal.SIGKILL)

    async def stop(self) -> int:
        return await self.program.end(signal.SIGTERM)


@dataclass
class AgentProcess:
    """`patchmon-agent serve` with a configuration of its own."""

    program: Program
    folder: Path
    name: str
    uuid: str

    async def start(self) -> None:
        await self.program.start()

    async def kill(self) -> None:
        await self.program.end(signal.SIGKILL)

    async def stop(self) -> int:
        return await self.program.end(signal.SIGTERM)

    @property
    def jobs(self) -> Path:
        return self.folder / "state" / "jobs"

    def said(self) -> str:
        log = self.folder / "agent.log"
        return (log.read_text() if log.exists() else "") + self.program.log.read_text()


@dataclass
class Wire:
    """A TCP relay: what an agent dials, and what a test can cut."""

    target_port: int
    port: int = 0
    cut_off: bool = False
    #: A proxy that ends what nobody said anything on for so long.
    idle_seconds: float | None = None
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.cut_off:
            writer.close()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            writer.close()
            return
        self._open |= {writer, far_writer}
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(_pump(reader, far_writer, None), _pump(far_reader, writer, self.idle_seconds))
        for end in (writer, far_writer):
            self._open.discard(end)
            end.close()

    def cut(self) -> None:
        """Pull the cable: what is open breaks, what is tried fails."""
        self.cut_off = True
        for end in self._open:
            end.transport.abort()

    def mend(self) -> None:
        self.cut_off = False

    async def close(self) -> None:
        self.cut()
        if self._server is not None:
            self._server.close()
            await asyncio.sleep(0)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, idle_seconds: float | None) -> None:
    with contextlib.suppress(TimeoutError):
        while piece := await asyncio.wait_for(reader.read(65536), idle_seconds):
            writer.write(piece)
            await writer.drain()
    writer.close()


@dataclass
class House:
    """Builds the processes of one test and ends them all."""

    env: Env
    call: Call
    folder: Path
    programs: list[Program] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)

    def server(self, port: int, **more: str) -> ServerProcess:
        environment = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": self.env.database_url.reveal(),
            "REDIS_URL": self.env.redis_url.reveal(),
            "AI_ENCRYPTION_KEY": self.env.master_key.reveal(),
            "JWT_SECRET": self.env.jwt_secret.reveal(),
            "DB_CONNECTION_LIMIT": "10",
            "PORT": str(port),
            **more,
        }
        program = Program([str(BIN / "patchmon"), "serve"], environment, self.folder / f"server-{port}.log")
        self.programs.append(program)
        return ServerProcess(program, port)

    async def agent(self, name: str, port: int, *, pyz: Path | None = None, **config: object) -> AgentProcess:
        """Enrol a host and prepare its agent; `automation: any` unless said otherwise."""
        made = await hosts.create(self.call, NewHost(name))
        folder = self.folder / f"agent-{name}"
        folder.mkdir(mode=0o700)
        private(folder / "credentials.yml", {"api_id": made.api_id, "api_key": made.api_key.reveal()})
        private(folder / "config.yml", {
            "patchmon_server": f"http://127.0.0.1:{port}", "credentials_file": str(folder / "credentials.yml"),
            "log_file": str(folder / "agent.log"), "log_level": "debug", "automation": "any", **config,
        })  # fmt: skip
        start = [sys.executable, str(pyz)] if pyz else [sys.executable, "-m", "agent"]
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}:{ROOT / 'collections'}", "HOME": str(folder)}
        program = Program([*start, "serve", "--config", str(folder / "config.yml")], environment, folder / "out.log")
        program.log.touch()
        self.programs.append(program)
        return AgentProcess(program, folder, name, made.uuid)

    async def wire(self, port: int) -> Wire:
        made = Wire(port)
        await made.start()
        self.wires.append(made)
        return made

    async def playbook(self, name: str, text: str, fields: tuple[Field, ...] = ()) -> None:
        """Make a playbook of an operator launchable."""
        content = archive.pack({f"{name}.yml": text.encode()})
        project = Project(archive.digest(content), content, origin="uploaded")
        async with self.call.transaction() as tx:
            await library.insert_project(tx, project)
            await library.upsert_playbooks(
                tx, (Playbook(name, f"{name}.yml", name, "", project.digest, fields, origin="uploaded"),)
            )

    async def close(self) -> None:
        for program in reversed(self.programs):
            if program.alive:
                await program.end(signal.SIGKILL)
        for wire in self.wires:
            await wire.close()


def private(path: Path, content: object) -> None:
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(content))


#: Starts a server with these variables.
Start = Callable[..., Awaitable[ServerProcess]]


@contextlib.asynccontextmanager
async def house(env: Env, call: Call, folder: Path) -> AsyncIterator[House]:
    """Build, and clean up whatever happens."""
    built = House(env, call, folder)
    try:
        yield built
    finally:
        await built.close()
