"""The one file as a service under every Python from 3.9 on: it connects, says what it is, and reports."""

import asyncio
import subprocess
from pathlib import Path

import pytest

from tests.agent.conftest import Agent
from tests.agent.test_pyz import interpreters, pyz
from tests.stand_ins.agent_server import AgentServer

__all__ = ["pyz"]
pytestmark = pytest.mark.real


@pytest.mark.parametrize("python", interpreters())
async def test_it_greets_and_reports(agent: Agent, server: AgentServer, pyz: Path, python: str) -> None:
    question = "import sys; print('.'.join(map(str, sys.version_info[:3])))"
    told = await asyncio.to_thread(subprocess.run, [python, "-c", question], capture_output=True, text=True, check=True)
    version = told.stdout.strip()
    # Relayed plays come from the server: only a file that allows any playbook offers them.
    agent.configure(server.url, automation="any")
    agent.command = [python, str(pyz)]
    process = await agent.serve()
    hello = (await server.link()).session.hello
    assert hello is not None
    assert hello.python == version
    # Ansible runs on the host from 3.11 on, and is relayed before that.
    new_enough = tuple(map(int, version.split(".")[:2])) >= (3, 11)
    assert ("on_host" in hello.executors) == new_enough
    assert "relayed" in hello.executors or new_enough
    await server.until(lambda: server.seen("/hosts/update"), 60)
    assert server.seen("/hosts/update")[0].json["packages"]
    await agent.stop(process)
    assert "level=error" not in agent.log
