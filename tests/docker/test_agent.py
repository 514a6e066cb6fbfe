"""The agent and its engine: what it finds, what it says at once, what it deletes, and what it does without one."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agent.docker import inventory
from agent.protocol import hashes
from tests.agent.conftest import Agent, agent, server  # noqa: F401 (fixtures)
from tests.docker.engines import JOB, NGINX, STUCK, WEB, Recorded, can_podman, podman, recorded
from tests.stand_ins.agent_server import AgentServer

PATH = "/integrations/docker"


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Recorded]:
    async with recorded(tmp_path / "docker.sock") as running:
        yield running


def switch_on(one: Agent, server: AgentServer, socket: Path, *, on: bool = True) -> None:  # noqa: F811 (the fixture)
    one.configure(server.url, integrations={"docker": on, "docker_socket": str(socket), "mine": "kept"})
    server.integrations = {"docker": on, "compliance": False}


@pytest.mark.proves("DOCKER-10", "DOCKER-15", "DOCKER-20", "DOCKER-93")
async def test_a_report_is_followed_by_everything_docker_has(
    agent: Agent,  # noqa: F811
    server: AgentServer,  # noqa: F811
    engine: Recorded,
) -> None:
    switch_on(agent, server, engine.path)
    agent.environment["PATH"] = "/nonexistent:/usr/bin:/bin"
    done = await agent.run("report")
    assert done.code == 0, done.err + agent.log
    paths = [one.path for one in server.requests]
    assert paths.index("/hosts/update") < paths.index(PATH)
    body = server.seen(PATH)[0].json
    assert body["docker_hash"] == hashes.docker_hash(body)
    assert len(server.seen(PATH)[0].body) < inventory.BODY_BYTES
    containers = {one["name"]: one for one in body["containers"]}
    assert {name: one["status"] for name, one in containers.items()} == {
        "shop-web-1": "running", "shop-job-1": "exited", "shop-stuck-1": "paused",
    }  # fmt: skip
    web = containers["shop-web-1"]
    assert (web["image_repository"], web["image_tag"], web["image_id"]) == ("nginx", "1.27", NGINX[7:])
    assert web["ports"] == {"80/tcp": "0.0.0.0:8080, :::8080", "443/tcp": ""}
    assert (web["restart_policy"], web["restart_count"], web["entrypoint"]) == (
        "unless-stopped",
        2,
        "/docker-entrypoint.sh",
    )
    assert web["command"] == "nginx -g daemon off;"
    assert web["mounts"][0]["name"] == "shop_data"
    assert web["networks"] == [{"name": "shop_default", "network_id": "d" * 64, "ip": "172.18.0.2"}]
    assert (containers["shop-job-1"]["exit_code"], containers["shop-stuck-1"]["started_at"]) == (137, "")
    names = [(one["repository"], one["tag"], one["source"], one.get("digest", "")) for one in body["images"]]
    assert names == [
        ("nginx", "1.27", "docker-hub", NGINX), ("nginx", "latest", "docker-hub", NGINX),
        ("<none>", "<none>", "local", ""), ("own", "dev", "local", ""),
    ]  # fmt: skip
    assert body["volumes"][0]["size_bytes"] == 4096
    assert {one["driver"] for one in body["networks"]} == {"bridge", "host", "overlay", "macvlan"}
    assert (body["daemon_info"]["name"], body["daemon_info"]["version"], body["daemon_info"]["ncpu"]) == (
        "Docker",
        "27.3.1",
        4,
    )
    assert body["agent_version"]


@pytest.mark.proves("DOCKER-20")
async def test_a_check_in_sends_what_the_server_lacks_and_nothing_else(
    agent: Agent,  # noqa: F811
    server: AgentServer,  # noqa: F811
    engine: Recorded,
) -> None:
    switch_on(agent, server, engine.path)
    assert (await agent.run("check-in")).code == 0
    told = server.seen("/hosts/ping")[-1].json["hashes"]["dockerHash"]
    assert server.seen(PATH) == []
    server.request_full = ["docker"]
    assert (await agent.run("check-in")).code == 0
    assert server.seen(PATH)[0].json["docker_hash"] == told
    assert server.seen("/hosts/update") == []


@pytest.mark.proves("DOCKER-16", "DOCKER-17", "DOCKER-18")
async def test_without_an_engine_it_says_so_and_goes_on(
    agent: Agent,  # noqa: F811
    server: AgentServer,  # noqa: F811
    tmp_path: Path,
) -> None:
    switch_on(agent, server, tmp_path / "nothing.sock")
    assert (await agent.run("report")).code == 0
    assert server.seen(PATH) == []
    assert "Docker socket not found" in agent.log
    async with recorded(tmp_path / "asleep.sock") as asleep:
        asleep.asleep = True
        switch_on(agent, server, asleep.path)
        assert (await agent.run("report")).code == 0
        assert "Failed to create Docker client" in agent.log
        process = await agent.serve()
        await server.link()
        status = await server.until(lambda: server.seen("/hosts/integration-status"))
        assert (status[0].json["status"], status[0].json["components"]) == (
            "error",
            {"socket": "ready", "engine": "failed"},
        )
        assert "dockerd is starting" in status[0].json["message"]
        await server.until(lambda: "Docker daemon ping failed, retrying" in agent.log)
        asleep.asleep = False
        await asleep.following()
        await asleep.happens("start")
        await server.until(lambda: [one for one in server.links[0].received if one.get("type") == "docker_status"])
        assert process.returncode is None


def events(server: AgentServer) -> list[str]:  # noqa: F811
    told = [one for link in server.links for one in link.received if one.get("type") == "docker_status"]
    return [one["event"]["type"] for one in told]


@pytest.mark.proves("AGENT-INT-01", "DOCKER-11", "DOCKER-18", "DOCKER-19", "DOCKER-91", "DOCKER-92")
async def test_seven_events_are_told_at_once_and_a_lost_stream_is_followed_again(
    agent: Agent,  # noqa: F811
    server: AgentServer,  # noqa: F811
    engine: Recorded,
) -> None:
    switch_on(agent, server, engine.path)
    process = await agent.serve()
    link = await server.link()
    await engine.following()
    await server.until(lambda: server.seen(PATH))
    for action in ("create", "exec_start: sh", "start", "kill", "die", "stop", "pause", "unpause", "destroy", "oom"):
        await engine.happens(action, **({"exitCode": "137"} if action == "die" else {}))
    wanted = [f"container_{word}" for word in ("start", "kill", "die", "stop", "pause", "unpause", "destroy")]
    await server.until(lambda: len(events(server)) == 7)
    assert events(server) == wanted
    told = [one for one in link.received if one.get("type") == "docker_status"]
    assert told[2] == {
        "type": "docker_status",
        "event": {"type": "container_die", "container_id": WEB, "name": "shop-web-1", "image": "nginx:1.27",
                  "status": "exited", "timestamp": "2026-01-02T03:04:05.123457+00:00", "exit_code": 137},
        "container_id": WEB, "name": "shop-web-1", "status": "exited", "timestamp": "2026-01-02T03:04:05.123457+00:00",
    }  # fmt: skip
    assert "Docker container event" in agent.log
    # The stream breaks: it is followed again, and what happened in between comes with a whole inventory.
    before = len(server.seen(PATH))
    engine.followers.clear()
    await engine.following()
    await server.until(lambda: len(server.seen(PATH)) > before)
    assert "docker_hash" not in server.seen(PATH)[-1].json
    await engine.happens("start")
    await server.until(lambda: len(events(server)) == 8)
    # The server asks for everything.
    before = len(server.seen(PATH))
    await link.say({"type": "docker_inventory_refresh"})
    await server.until(lambda: len(server.seen(PATH)) > before)
    assert process.returncode is None


@pytest.mark.proves(
    "AGENT-INT-01", "DOCKER-33", "DOCKER-34", "DOCKER-35", "DOCKER-37", "DOCKER-38", "DOCKER-41", "DOCKER-39"
)
async def test_switched_on_and_off_from_afar_without_a_restart(
    agent: Agent,  # noqa: F811
    server: AgentServer,  # noqa: F811
    engine: Recorded,
) -> None:
    switch_on(agent, server, engine.path, on=False)
    process = await agent.serve()
    link = await server.link()
    await server.until(lambda: server.seen("/hosts/update"))
    assert server.seen(PATH) == []
    server.integrations["docker"] = True
    await link.say({"type": "apply_config", "config": {"docker": True}})
    await server.until(lambda: server.seen(PATH))
    await engine.following()
    assert agent.config["integrations"]["docker"] is True
    assert agent.config["integrations"]["mine"] == "kept"
    ready = await server.until(lambda: server.seen("/hosts/integration-status"))
    assert (ready[-1].json["status"], ready[-1].json["components"]["engine"]) == ("ready", "ready")
    count = len(ready)
    await link.say({"type": "refresh_integration_status"})
    await server.until(lambda: len(server.seen("/hosts/integration-status")) > count)
    server.integrations["docker"] = False
    await link.say({"type": "apply_config", "config": {"docker": False}})
    await server.until(lambda: agent.config["integrations"]["docker"] is False)
    await asyncio.sleep(0.3)
    sent = len(server.seen(PATH))
    await engine.happens("stop")
    await link.say({"type": "docker_delete", "request": "r1", "kind": "container", "id": WEB})
    answer = await server.until(lambda: [one for one in link.received if one.get("type") == "docker_deleted"])
    assert (answer[0]["ok"], answer[0]["error"]) == (False, "Docker is not switched on for this host")
    await link.say({"type": "report_now"})
    await asyncio.sleep(1.5)
    assert len(server.seen(PATH)) == sent
    assert events(server) == []
    assert engine.deleted == []
    assert len(server.links) == 1
    assert process.returncode is None


@pytest.mark.proves("DOCKER-81", "DOCKER-82")
async def test_it_deletes_without_force_and_tells_the_engine_s_words(
    agent: Agent,  # noqa: F811
    server: AgentServer,  # noqa: F811
    engine: Recorded,
) -> None:
    switch_on(agent, server, engine.path)
    engine.refusals[f"{WEB}"] = "cannot remove container: container is running"
    await agent.serve()
    link = await server.link()
    assert "docker_delete" in link.received[0]["abilities"]
    wishes: list[tuple[str, str, str]] = [
        ("container", WEB, "cannot remove container: container is running"),
        ("container", JOB, ""),
        ("image", "registry.example.com:5000/team/app:1.0", ""),
        ("volume", "shop_data", ""),
        ("network", "d" * 64, ""),
        ("volume", "../containers/" + STUCK, "is nothing that can be deleted"),
        ("image", "../containers/" + STUCK, "is nothing that can be deleted"),
        ("secret", "x", "is nothing that can be deleted"),
    ]
    for number, (kind, target, error) in enumerate(wishes):
        await link.say({"type": "docker_delete", "request": str(number), "kind": kind, "id": target})

        def answered(number: int = number) -> Any:
            return [
                one for one in link.received if one.get("type") == "docker_deleted" and one["request"] == str(number)
            ]

        (told,) = await server.until(answered)
        assert told["ok"] is (error == "")
        assert error in told["error"]
    assert engine.deleted == [
        f"/containers/{JOB}", "/images/registry.example.com:5000/team/app:1.0", "/volumes/shop_data",
        f"/networks/{'d' * 64}",
    ]  # fmt: skip


async def test_more_than_fits_is_sent_without_its_luxuries(
    agent: Agent,  # noqa: F811
    server: AgentServer,  # noqa: F811
    engine: Recorded,
) -> None:
    row = engine.answers["/containers/json"][0]
    engine.answers["/containers/json"] = [
        {**row, "Id": f"{number:064x}", "Names": [f"/c{number}"], "Labels": {"text": "x" * 4000}}
        for number in range(700)
    ]
    switch_on(agent, server, engine.path)
    assert (await agent.run("report")).code == 0
    body = server.seen(PATH)[0]
    assert len(body.body) <= inventory.BODY_BYTES
    assert len(body.json["containers"]) == 700
    assert body.json["docker_hash"] == hashes.docker_hash(body.json)


@pytest.mark.real
@pytest.mark.skipif(bool(can_podman()), reason=can_podman() or "-")
@pytest.mark.proves("DOCKER-10", "DOCKER-15", "DOCKER-11", "DOCKER-81")
async def test_podman_s_socket_serves_as_well(
    agent: Agent,  # noqa: F811
    server: AgentServer,  # noqa: F811
    tmp_path: Path,
) -> None:
    async with podman(tmp_path) as real:
        await real.fill()
        switch_on(agent, server, real.path)
        await agent.serve()
        link = await server.link()
        body = (await server.until(lambda: server.seen(PATH)))[0].json
        assert body["daemon_info"]["name"] == "Podman"
        containers = {one["name"]: one for one in body["containers"]}
        assert {name: one["status"] for name, one in containers.items()} == {"web": "created", "db": "created"}
        web = containers["web"]
        assert (web["image_repository"], web["image_tag"], web["restart_policy"]) == (
            "localhost/hello",
            "1.0",
            "always",
        )
        assert web["labels"]["com.docker.compose.project"] == "shop"
        assert web["mounts"][0]["name"] == "web-data"
        assert [(one["repository"], one["tag"], one["source"]) for one in body["images"]] == [
            ("localhost/hello", "1.0", "local")
        ]
        assert {one["name"] for one in body["volumes"]} == {"left-over", "web-data", "db-data"}
        assert "app" in {one["name"] for one in body["networks"]}
        assert body["docker_hash"] == hashes.docker_hash(body)
        # What is in use is refused in the engine's words; the rest goes, and its end is told as an event.
        wishes = [
            ("image", "localhost/hello:1.0", False),
            ("container", web["container_id"], True),
            ("volume", "left-over", True),
        ]
        for number, (kind, target, works) in enumerate(wishes):
            await link.say({"type": "docker_delete", "request": str(number), "kind": kind, "id": target})

            def answered(number: int = number) -> Any:
                return [one for one in link.received if one.get("request") == str(number)]

            (told,) = await server.until(answered)
            assert told["ok"] is works, told
        assert "image is in use" in link.received[-3]["error"] or "in use" in str(link.received)
        await server.until(lambda: "container_destroy" in events(server))
