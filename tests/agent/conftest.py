"""The agent as a person or a service manager runs it: a process with a configuration of its own."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from agent import supervise
from tests.stand_ins.agent_server import API_ID, API_KEY, AgentServer, running

ROOT = Path(__file__).resolve().parents[2]
CLEAN = {"PATH": os.environ["PATH"], "HOME": "/tmp", "LANG": "C.UTF-8"}


@dataclass
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass
class Agent:
    """An agent with its own folder."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    command: list[str] = field(default_factory=lambda: [sys.executable, "-m", "agent"])
    services: list[asyncio.subprocess.Process] = field(default_factory=list)

    @property
    def file(self) -> Path:
        return self.folder / "config.yml"

    @property
    def config(self) -> Any:
        return yaml.safe_load(self.file.read_text())

    @property
    def log(self) -> str:
        file = self.folder / "logs" / "patchmon-agent.log"
        return file.read_text() if file.exists() else ""

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def configure(self, url: str, api_key: str = API_KEY, **more: Any) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        # Tests never fetch this machine's package lists.
        content = {"patchmon_server": url, "package_cache_refresh_mode": "never", **more}
        self.file.write_text(yaml.safe_dump(content))
        self.file.chmod(0o600)
        credentials = self.folder / "credentials.yml"
        credentials.write_text(yaml.safe_dump({"api_id": API_ID, "api_key": api_key}))
        credentials.chmod(0o600)

    async def run(self, *arguments: str, seconds: float = 30) -> Done:
        process = await self._start(*arguments)
        out, err = await asyncio.wait_for(process.communicate(), seconds)
        assert process.returncode is not None
        return Done(process.returncode, out.decode(), err.decode())

    async def serve(self, *arguments: str) -> asyncio.subprocess.Process:
        process = await self._start("serve", *arguments)
        self.services.append(process)
        return process

    async def stop(self, process: asyncio.subprocess.Process, number: int = signal.SIGTERM) -> float:
        """Signal a service, wait for its end and return how long that took."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        process.send_signal(number)
        await asyncio.wait_for(process.communicate(), 10)
        return loop.time() - begun

    async def _start(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *self.command,
            "--config",
            str(self.file),
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**CLEAN, **self.environment},
            cwd=ROOT,
        )


@pytest.fixture
async def server() -> AsyncIterator[AgentServer]:
    async with running(AgentServer()) as one:
        yield one


@pytest.fixture
async def agent(tmp_path: Path, server: AgentServer) -> AsyncIterator[Agent]:
    one = Agent(tmp_path / "etc")
    one.configure(server.url)
    yield one
    for process in one.services:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    # Jobs outlive the agent on purpose; tests leave nothing behind.
    for folder in one.state.glob("jobs/*"):
        if folder.is_dir():
            await asyncio.to_thread(supervise.stop, folder, 0)
