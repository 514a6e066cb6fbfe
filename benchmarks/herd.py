"""The bench's end of a process full of simulated agents."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import orjson

from benchmarks.equipment import BIN, ROOT, Host, Process


class Herd:
    """Gives orders, waits for answers."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = Process(process)

    async def do(self, order: str, **arguments: Any) -> dict[str, Any]:
        """Give an order of ``swarm.Swarm`` and return its answer."""
        process = self.process.process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(orjson.dumps({"do": order, **arguments}) + b"\n")
        await process.stdin.drain()
        line = await process.stdout.readline()
        body: dict[str, Any] = orjson.loads(line) if line else {"error": "the swarm died"}
        if "error" in body:
            raise RuntimeError(f"{order}: {body['error']}")
        answer: dict[str, Any] = body["ok"]
        return answer

    async def join(self, port: int, hosts: list[Host], *, at_once: int = 500, **how: Any) -> dict[str, Any]:
        """Be these hosts' agents and connect."""
        await self.be(port, hosts, greets=how.pop("greets", True))
        answer = await self.do("connect", at_once=at_once, **how)
        if answer["welcomed"] != len(hosts):
            raise RuntimeError(f"{answer} of {len(hosts)}")
        return answer

    async def be(self, port: int, hosts: list[Host], *, greets: bool = True) -> None:
        await self.do("agents", port=port, credentials=[[h.api_id, h.api_key] for h in hosts], greets=greets)


@contextlib.asynccontextmanager
async def herd() -> AsyncIterator[Herd]:
    """Start a process of simulated agents."""
    process = await asyncio.create_subprocess_exec(
        str(BIN / "python"), "-m", "benchmarks.swarm",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT, limit=64 * 1024**2,
    )  # fmt: skip
    made = Herd(process)
    try:
        yield made
    finally:
        await made.process.end()


#: One event of an ordinary task, as ansible-runner reports it.
EVENT: dict[str, Any] = {
    "event": "runner_on_ok",
    "parent": "0242ac11-0002-1e1c-4f0a-00000000000d",
    "play": "Patch",
    "task": "patchmon.fleet.patch : Update the packages that were chosen",
    "task_uuid": "0242ac11-0002-1e1c-4f0a-000000000011",
    "action": "ansible.builtin.command",
    "role": "patchmon.fleet.patch",
    "host": "web-01",
    "duration": 0.321,
    "changed": False,
    "ignored": False,
    "stdout": '\u001b[0;32mok: [web-01] => {"changed": false}\u001b[0m',
    "result": {
        "changed": False, "rc": 0, "cmd": ["apt-get", "-q", "check"], "start": "2026-01-01 00:00:00.000000",
        "end": "2026-01-01 00:00:00.321000", "delta": "0:00:00.321000", "msg": "",
        "stdout": "Reading package lists...\nBuilding dependency tree...\nReading state information...",
        "stdout_lines": ["Reading package lists...", "Building dependency tree...", "Reading state information..."],
        "stderr": "", "stderr_lines": [],
    },
}  # fmt: skip


def live(size: int) -> dict[str, Any]:
    """Return a live event whose text has this many bytes."""
    line = "Unpacking linux-image-6.1.0-28-amd64 (6.1.119-1) over (6.1.112-1) ...\n"
    return {"event": "live", "stdout": (line * (size // len(line) + 1))[: size - 1] + "\n", "task_uuid": None}
