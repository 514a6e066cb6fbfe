"""Switching Docker on and off for a host: nothing happens before Apply, and nothing that was collected is lost."""

import json
from typing import Any

import pytest

from server.channel import service as channel
from server.core.call import Call
from server.core.ids import HostId
from server.hosts import service as hosts
from server.hosts.models import NewHost
from tests.conftest import Browser
from tests.docker.fleets import ask, container, image, linked, network, snapshot, tell, until, uuid_of, volume
from tests.factories.hosts import Agent, enrolled
from tests.factories.people import HTML, bearer


async def post(client: Browser, call: Call, path: str, body: Any = None) -> tuple[int, dict[str, Any]]:
    answer = await client.post(f"/api/v1{path}", headers=await bearer(call), json=body)
    return answer.status, await answer.json()


async def heard(socket: Any, kind: str) -> dict[str, Any]:
    while True:
        body: dict[str, Any] = json.loads((await socket.receive(timeout=5)).data)
        if body["type"] == kind:
            return body


@pytest.mark.proves(
    "DOCKER-31",
    "DOCKER-32",
    "DOCKER-33",
    "DOCKER-34",
    "DOCKER-35",
    "DOCKER-36",
    "DOCKER-39",
    "DOCKER-40",
    "AGENT-INT-01",
)
async def test_the_agent_hears_of_it_when_it_is_applied(client: Browser, as_admin: Browser, call: Call) -> None:
    agent = await enrolled(call, client, "web-01")
    host = await uuid_of(call, "web-01")
    toggle, apply = f"/hosts/{host}/integrations/docker/toggle", f"/hosts/{host}/integrations/apply"
    status, told = await post(client, call, toggle, {"enabled": True})
    assert (status, told["data"]["pending_config_exists"], told["data"]["docker"]) == (200, True, True)
    assert not await call.db.value("select docker_enabled from hosts"), "only what is wanted was written down"
    text = await (await as_admin.get(f"/hosts/{host}/integrations", headers=HTML)).text()
    assert "Pending configuration changes" in text
    assert "The agent is offline" in text
    assert (await post(client, call, apply))[0] == 503
    asked = await (await agent.get("/hosts/integrations")).json()
    assert asked["integrations"]["docker"] is False, "an agent that asks before Apply gets what holds"

    async def there() -> bool:
        return bool(await channel.online(call, [HostId(await call.db.value("select id from hosts"))]))

    async with linked(client, agent) as socket:
        await until(there)
        assert (await post(client, call, apply))[0] == 200
        assert (await heard(socket, "apply_config"))["config"]["docker"] is True
        # It confirms by asking, and brings its inventory without waiting for its turn.
        asked = await (await agent.get("/hosts/integrations")).json()
        assert asked["integrations"]["docker"] is True
        told = await ask(client, call, f"/hosts/{host}/integrations")
        assert (told["pending_config_exists"], told["data"]["docker"]) == (False, True)
        body = snapshot([container(1, "web")], [image("nginx")], volumes=[volume("v")], networks=[network("n")])
        ping = {"hashes": {"dockerHash": body["docker_hash"]}}
        assert "docker" in (await (await agent.ping(ping)).json())["requestFull"]
        await tell(agent, body)
        assert "docker" not in (await (await agent.ping(ping)).json())["requestFull"]
        for path, kind in (("refresh-docker", "docker_inventory_refresh"), ("fetch-report", "report_now"),
                           ("integrations/refresh-status", "refresh_integration_status")):  # fmt: skip
            assert (await post(client, call, f"/hosts/{host}/{path}"))[0] == 200
            await heard(socket, kind)
        text = await (await as_admin.get(f"/hosts/{host}/docker", headers=HTML)).text()
        assert '<span class="tab-count">1</span>' in text
        await tell(agent, snapshot([container(1, "web"), container(2, "db")], [image("nginx")], volumes=[volume("v")]))
        text = await (await as_admin.get(f"/hosts/{host}/docker/containers", headers=HTML)).text()
        assert '<span class="tab-count">2</span>' in text, "as soon as the report is there"
        await post(client, call, toggle, {"enabled": False})
        assert (await post(client, call, apply))[0] == 200
        assert (await heard(socket, "apply_config"))["config"]["docker"] is False
        await agent.get("/hosts/integrations")
    assert "docker" not in (await (await agent.ping(ping)).json())["requestFull"], "nobody asks for it any more"
    assert len((await ask(client, call, "/docker/containers"))["containers"]) == 2, "kept, not refreshed"
    assert (await ask(client, call, "/docker/dashboard"))["stats"]["hostsWithDocker"] == 0
    assert (await ask(client, call, "/docker/hosts"))["hosts"] == []
    text = await (await as_admin.get(f"/hosts/{host}/docker", headers=HTML)).text()
    assert "The integration is switched off" in text
    # Switched on again, it is asked for anew although nothing changed.
    await post(client, call, toggle, {"enabled": True})
    async with linked(client, agent) as socket:
        await until(there)
        assert (await post(client, call, apply))[0] == 200
        await agent.get("/hosts/integrations")
    assert await call.db.value("select docker_hash from hosts") == ""


@pytest.mark.proves("DOCKER-30")
async def test_the_wizard_s_choice_is_the_first_state(client: Browser, call: Call) -> None:
    made = await hosts.create(call, NewHost("web-01", docker_enabled=True))
    agent = Agent(client, made.api_id, made.api_key.reveal())
    told = await (await agent.get("/hosts/integrations")).json()
    assert told["integrations"]["docker"] is True
    assert (await (await agent.ping({"hashes": {}})).json())["integrations"]["docker"] is True


@pytest.mark.proves("DOCKER-87", "DOCKER-91")
async def test_events_say_nothing_about_images_volumes_and_networks(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client, "web-01", docker_enabled=True)
    body = snapshot([container(1, "web")], [image("nginx")], volumes=[volume("v")], networks=[network("n")])
    await tell(agent, body)

    async def removed() -> bool:
        return bool(await call.db.value("select status = 'removed' from docker_containers"))

    async with linked(client, agent) as socket:
        told = {"type": "container_destroy", "container_id": f"{1:064x}"}
        await socket.send_json({"type": "docker_status", "event": told})
        await until(removed)
    for kind in ("images", "volumes", "networks"):
        assert len((await ask(client, call, f"/docker/{kind}"))[kind]) == 1
    await tell(agent, snapshot())
    for kind in ("images", "volumes", "networks"):
        assert (await ask(client, call, f"/docker/{kind}"))[kind] == []
    assert await call.db.value("select count(*) from docker_containers") == 0
