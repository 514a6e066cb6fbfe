"""Hosts with containers, as agents report them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from aiohttp import ClientSession

from agent.protocol import hashes
from server.core.call import Call
from tests.conftest import Browser
from tests.factories.hosts import Agent, enrolled
from tests.factories.people import bearer

DIGEST: Final = "sha256:" + "a" * 64


def container(number: int, name: str, **more: Any) -> dict[str, Any]:
    """A container as agents send it, by its number on its host."""
    return {
        "container_id": f"{number:064x}",
        "name": name,
        "image_name": "nginx",
        "image_tag": "1.25",
        "image_repository": "nginx",
        "image_source": "docker-hub",
        "image_id": "f" * 64,
        "status": "running",
        "state": "running",
        "created_at": "2026-01-02T03:04:05Z",
        **more,
    }


def image(repository: str, tag: str = "1.25", **more: Any) -> dict[str, Any]:
    """An image as agents send it."""
    return {
        "repository": repository,
        "tag": tag,
        "image_id": "f" * 64,
        "source": "docker-hub",
        "size_bytes": 187_000_000,
        "created_at": "2026-01-01T00:00:00Z",
        **more,
    }


def volume(name: str, **more: Any) -> dict[str, Any]:
    """A volume as agents send it."""
    return {"volume_id": name, "name": name, "driver": "local", "scope": "local", "mountpoint": f"/v/{name}", **more}


def network(name: str, number: int = 1, **more: Any) -> dict[str, Any]:
    """A network as agents send it."""
    return {
        "network_id": f"{number:064x}",
        "name": name,
        "driver": "bridge",
        "scope": "local",
        "ipam": {"driver": "default", "config": [{"subnet": f"172.{16 + number}.0.0/16", "gateway": "172.17.0.1"}]},
        **more,
    }


def snapshot(
    containers: list[dict[str, Any]] | None = None,
    images: list[dict[str, Any]] | None = None,
    hashed: bool = True,
    **more: Any,
) -> dict[str, Any]:
    """An inventory, with its hash as the report path sends it."""
    body: dict[str, Any] = {
        "containers": containers or [],
        "images": images or [],
        "volumes": [],
        "networks": [],
        "updates": None,
        "daemon_info": {"version": "27.3.1", "api_version": "1.47", "os": "linux", "architecture": "x86_64"},
        "hostname": "web-01",
        "machine_id": "4c4c4544-0051",
        "agent_version": "3.0.0",
        **more,
    }
    if hashed:
        body["docker_hash"] = hashes.docker_hash(body)
    return body


async def reported(call: Call, client: Browser, name: str, body: dict[str, Any], **changes: Any) -> Agent:
    """A host with Docker switched on that reported this."""
    agent = await enrolled(call, client, name, docker_enabled=True, **changes)
    await tell(agent, body)
    return agent


async def tell(agent: Agent, body: dict[str, Any]) -> dict[str, Any]:
    """Send an inventory."""
    answer = await agent.post("/integrations/docker", json=body)
    assert answer.status == 200, await answer.text()
    told: dict[str, Any] = await answer.json()
    return told


async def ask(client: Browser, call: Call, path: str, status: int = 200, method: str = "GET") -> Any:
    """Ask the API as an administrator's program."""
    answer = await client.request(method, f"/api/v1{path}", headers=await bearer(call))
    assert answer.status == status, await answer.text()
    return await answer.json()


async def uuid_of(call: Call, name: str) -> str:
    """The id of a host."""
    return str(await call.db.value("select uuid from hosts where friendly_name = %(name)s", name=name))


@asynccontextmanager
async def announced(call: Call, *topics: str) -> AsyncIterator[list[dict[str, Any]]]:
    """Whatever is announced under these names while the block runs, and shortly after."""
    heard: list[dict[str, Any]] = []
    async with call.world.bus.following(*topics) as bell:
        yield heard
        while news := await bell.ring(within=0.3):
            heard += news


async def until(condition: Any, seconds: float = 5) -> Any:
    """Wait until a condition holds and return what it gave."""
    async with asyncio.timeout(seconds):
        while not (found := await condition()):
            await asyncio.sleep(0.02)
    return found


@asynccontextmanager
async def linked(client: Browser, agent: Agent) -> AsyncIterator[Any]:
    """An agent's connection, as bare as it can be."""
    url = f"{client.server.make_url('/api/v1/agents/ws')}"
    async with ClientSession() as session, session.ws_connect(url, headers=agent.headers) as socket:
        yield socket
