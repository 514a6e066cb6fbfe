"""Hosts with scripted agents, jobs on them, and readers of their streams."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from server.core.call import Call
from server.hosts import service as hosts
from server.hosts.models import NewHost
from tests import answers
from tests.stand_ins.scripted_agent import ScriptedAgent


@dataclass
class Fleet:
    """Enrolled hosts and their scripted agents."""

    call: Call
    url: str
    agents: list[ScriptedAgent] = field(default_factory=list)
    ids: dict[str, str] = field(default_factory=dict)

    async def enrol(self, name: str, **hello: Any) -> ScriptedAgent:
        """Add a host; its agent is not connected yet."""
        made = await hosts.create(self.call, NewHost(name))
        agent = ScriptedAgent(self.url, made.api_id, made.api_key.reveal(), **hello)
        self.agents.append(agent)
        self.ids[name] = made.uuid
        return agent

    async def online(self, name: str, **hello: Any) -> ScriptedAgent:
        """Add a host whose agent is connected."""
        return await (await self.enrol(name, **hello)).connect()

    async def close(self) -> None:
        for agent in self.agents:
            await agent.close()


@dataclass
class Api:
    """A program with a token."""

    session: ClientSession
    url: str
    headers: dict[str, str]

    async def ask(self, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        async with self.session.request(method, f"{self.url}/api/v1{path}", json=body, headers=self.headers) as answer:
            text = await answer.text()
            assert answer.status == status, f"{answer.status} {text}"
            found = json.loads(text) if text else None
        assert await answers.looked(method, f"/api/v1{path}", status, found) == []
        return found

    async def launch(self, *hosts_: str, playbook: str = "ping", **order: Any) -> dict[str, Any]:
        found: dict[str, Any] = await self.ask(
            "POST", "/jobs", {"playbook": playbook, "hosts": list(hosts_), "check": True, **order}, status=201
        )
        return found

    async def show(self, job: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = await self.ask("GET", f"/jobs/{job['id']}")
        return found

    async def until(
        self, job: dict[str, Any], condition: Callable[[dict[str, Any]], Any], seconds: float = 10
    ) -> dict[str, Any]:
        """Ask until something is true of the job."""
        async with asyncio.timeout(seconds):
            while not condition(found := await self.show(job)):
                await asyncio.sleep(0.03)
        return found

    async def status(self, job: dict[str, Any], status: str, seconds: float = 10) -> dict[str, Any]:
        return await self.until(job, lambda found: found["status"] == status, seconds)

    async def events(self, job: dict[str, Any]) -> list[dict[str, Any]]:
        body = await self.ask("GET", f"/jobs/{job['id']}/events?limit=5000")
        return list(body["events"])

    @asynccontextmanager
    async def following(
        self, job: dict[str, Any], after: int = 0
    ) -> AsyncIterator[AsyncIterator[tuple[str, int, Any]]]:
        """Read the job's stream as (name, id, data)."""
        headers = {**self.headers, **({"Last-Event-ID": str(after)} if after else {})}
        async with self.session.get(f"{self.url}/api/v1/jobs/{job['id']}/stream", headers=headers) as answer:
            assert answer.status == 200
            yield _frames(answer.content)


async def _frames(content: Any) -> AsyncIterator[tuple[str, int, Any]]:
    name, number, data = "", 0, ""
    async for raw in content:
        line = raw.decode().rstrip("\n")
        if line.startswith("id: "):
            number = int(line[4:])
        elif line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            data = line[6:]
        elif not line and name:
            yield name, number, json.loads(data)
            name, data = "", ""


def url_of(server: TestServer) -> str:
    """Return where a test server is reached."""
    return str(server.make_url("")).rstrip("/")
