"""The real ansible against real agents through the real server: the connection plugin and the relay."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.factories.house import BIN, ROOT, AgentProcess, House, ServerProcess
from tests.factories.people import person, token_of

HOSTS = ("web-01", "web-02", "web-03", "db-01")


@dataclass
class Laptop:
    """An engineer's machine: ansible, the collection, an inventory and a token."""

    folder: Path
    url: str
    token: str
    bin: Path = BIN
    collections: Path = ROOT / "collections"
    variables: dict[str, str] = field(default_factory=dict)

    def inventory(self, *names: str) -> Path:
        lines = ["all:", "  vars: {ansible_connection: patchmon.fleet.agent}", "  hosts:"]
        for name in names:
            own = {"ansible_python_interpreter": sys.executable, "ansible_remote_tmp": str(self.folder / f"tmp-{name}")}
            lines.append(f"    {name}: {json.dumps(own)}")
        file = self.folder / "inventory.yml"
        file.write_text("\n".join([*lines, ""]))
        return file

    async def run(self, program: str, *arguments: str, seconds: float = 100, **more: str) -> tuple[int, str]:
        environment = {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_DEPRECATION_WARNINGS": "false",
            "PATCHMON_URL": self.url,
            "PATCHMON_TOKEN": self.token,
            "PATCHMON_PERSIST": "5",
            "LC_ALL": "C.UTF-8",
            **self.variables,
            **more,
        }
        process = await asyncio.create_subprocess_exec(
            str(self.bin / program), *arguments, env=environment, cwd=self.folder,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate()
        return process.returncode or 0, output.decode()

    async def play(self, text: str, *arguments: str, **more: Any) -> tuple[int, str]:
        file = self.folder / "play.yml"
        file.write_text(text)
        return await self.run(
            "ansible-playbook", "-i", str(self.folder / "inventory.yml"), str(file), *arguments, **more
        )


@pytest.fixture
async def running(house: House, unused_tcp_port_factory: Callable[[], int]) -> ServerProcess:
    made = house.server(unused_tcp_port_factory())
    await made.start()
    return made


@pytest.fixture
async def laptop(running: ServerProcess, house: House, tmp_path: Path) -> AsyncIterator[Laptop]:
    folder = tmp_path / "laptop"
    folder.mkdir()
    yield Laptop(folder, running.url, await token_of(house.call, await person(house.call, "superadmin")))


async def agents(house: House, running: ServerProcess, *names: str, **config: object) -> list[AgentProcess]:
    """Start agents and wait until the server knows what they can."""
    made = [await house.agent(name, running.port, **config) for name in names]
    await asyncio.gather(*(agent.start() for agent in made))
    async with asyncio.timeout(20):
        while await house.call.db.value(
            "select count(*) from hosts where agent_hello is not null and friendly_name = any(%(names)s)",
            names=list(names),
        ) < len(names):
            await asyncio.sleep(0.1)
    return made


@pytest.mark.timeout(60)
async def test_a_laptop_pings_hosts_moves_files_and_is_on_record(
    house: House, running: ServerProcess, laptop: Laptop
) -> None:
    (agent,) = await agents(house, running, "web-01")
    inventory = str(laptop.inventory("web-01"))
    code, said = await laptop.run("ansible", "-i", inventory, "all", "-m", "ping")
    assert (code, '"ping": "pong"' in said) == (0, True), said + agent.said()[-3000:]
