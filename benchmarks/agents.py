"""A real agent on this machine, and playbooks of an operator."""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson
import yaml

from agent.protocol import archive
from benchmarks.equipment import ROOT, Host, Process, Stage
from server.automation.models import Playbook, Project
from server.automation.queries import library

PYZ: Final = ROOT / "dist" / "patchmon-agent.pyz"
_TASKS: Final = (
    "ansible.builtin.command: 'true'",
    "ansible.builtin.stat: {path: /etc/hostname}",
    "ansible.builtin.shell: echo hello | wc -c",
    "ansible.builtin.file: {path: /tmp/patchmon-bench, state: directory, mode: '0700'}",
)


def play(tasks: int) -> str:
    """Return a play of that many short tasks of four kinds."""
    lines = [f"    - {_TASKS[number % len(_TASKS)]}" for number in range(tasks)]
    return "\n".join(["- hosts: all", "  gather_facts: false", "  tasks:", *lines, ""])


async def publish(stage: Stage, name: str, text: str) -> None:
    """Make a playbook of an operator launchable."""
    content = archive.pack({f"{name}.yml": text.encode()})
    project = Project(archive.digest(content), content, origin="uploaded")
    async with stage.call.transaction() as tx:
        await library.insert_project(tx, project)
        await library.upsert_playbooks(
            tx, (Playbook(name, f"{name}.yml", name, "", project.digest, (), origin="uploaded"),)
        )


async def real_agent(stage: Stage, host: Host) -> Process:
    """Start the built agent as a service would, and wait until its link is up."""
    folder = stage.folder / f"agent-{host.name}"
    folder.mkdir(mode=0o700)
    _private(folder / "credentials.yml", {"api_id": host.api_id, "api_key": host.api_key})
    _private(folder / "config.yml", {
        "patchmon_server": stage.url, "credentials_file": str(folder / "credentials.yml"),
        "log_file": str(folder / "agent.log"), "automation": "any",
    })  # fmt: skip
    command = [sys.executable, str(PYZ), "serve", "--config", str(folder / "config.yml")]
    process = await stage.start(command, {"PATH": os.environ["PATH"], "HOME": str(folder)}, f"{host.name}.log")
    async with asyncio.timeout(60):
        while True:
            row = await stage.world.db.one("select agent_hello from hosts where id = %(id)s", id=host.id)
            if row and row["agent_hello"]:
                return process
            if process.process.returncode is not None:
                raise RuntimeError((stage.folder / f"{host.name}.log").read_text()[-2000:])
            await asyncio.sleep(0.1)


def _private(path: Path, content: object) -> None:
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(content))


async def watched(stage: Stage, host: Host, playbook: str) -> dict[str, float]:
    """Launch as a click does and follow the stream.

    Returns seconds from the click to the ``first`` event, the first event of a ``task`` and the ``end``.
    """
    seen: dict[str, float] = {}
    began = time.perf_counter()
    job = await stage.api.launch(host, playbook=playbook, check=False)
    url = f"{stage.url}/api/v1/jobs/{job['id']}/stream"
    async with aiohttp.ClientSession(read_bufsize=2**22) as web, web.get(url, headers=stage.api.headers) as answer:
        name = ""
        async for line in answer.content:
            if line.startswith(b"event: "):
                name = line[7:].decode().strip()
            elif line.startswith(b"data: "):
                at = time.perf_counter() - began
                _note(seen, name, orjson.loads(line[6:]), at)
    return seen


def _note(seen: dict[str, float], name: str, body: Any, at: float) -> None:
    if name == "event":
        seen.setdefault("first", at)
        if body.get("task"):
            seen.setdefault("task", at)
    elif name == "end":
        seen["end"] = at
        if body["status"] != "succeeded":
            raise RuntimeError(body)


async def ansible(command: list[str], environment: dict[str, str], until: bytes = b"") -> float:
    """Return the seconds of an ``ansible-playbook``, or those until a line begins with ``until``."""
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, "ANSIBLE_PYTHON_INTERPRETER": sys.executable, **environment},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    took, said = 0.0, b""
    async for line in process.stdout:
        said += line
        if until and not took and line.startswith(until):
            took = time.perf_counter() - began
    if await process.wait():
        raise RuntimeError(said.decode()[-2000:])
    return took or time.perf_counter() - began
