"""What hosts report about their containers: accepted as the contract has it, kept as differences, gone when gone."""

from typing import Any

import pytest

from server.core.call import Call
from tests.conftest import Browser
from tests.docker.fleets import (
    announced,
    ask,
    container,
    image,
    linked,
    network,
    reported,
    snapshot,
    tell,
    until,
    volume,
)
from tests.factories.hosts import enrolled

NEWS = ("container_started", "container_stopped")


def names(told: dict[str, Any]) -> list[str]:
    return [one["name"] for one in told["containers"]]


@pytest.mark.proves("DOCKER-85", "DOCKER-93", "DOCKER-10", "DOCKER-52")
async def test_a_snapshot_is_the_whole_truth_about_its_host(client: Browser, call: Call) -> None:
    three = [container(number, f"web-{number}") for number in (1, 2, 3)]
    agent = await enrolled(call, client, "web-01", docker_enabled=True)
    body = snapshot(three, [image("nginx")], volumes=[volume("data")], networks=[network("bridge"), network("app", 2)])
    assert await tell(agent, body) == {
        "message": "Docker data collected successfully",
        "containers_received": 3,
        "images_received": 1,
        "volumes_received": 1,
        "networks_received": 2,
        "updates_found": 0,
    }
    assert names(await ask(client, call, "/docker/containers")) == ["web-1", "web-2", "web-3"]
    before = {one["name"]: one["id"] for one in (await ask(client, call, "/docker/containers"))["containers"]}
    assert (await ask(client, call, "/docker/dashboard"))["stats"] | {} == {
        "hostsWithDocker": 1, "enabledHosts": 1, "runningContainers": 3, "totalContainers": 3, "totalImages": 1,
        "updatesAvailable": 0, "availableUpdates": 0, "totalStacks": 0, "totalVolumes": 1, "totalNetworks": 2,
    }  # fmt: skip
    await tell(agent, snapshot(three[:2]))
    told = await ask(client, call, "/docker/containers")
    assert names(told) == ["web-1", "web-2"]
    assert {one["name"]: one["id"] for one in told["containers"]}.items() <= before.items(), "what stays is the same"
    assert (await ask(client, call, "/docker/volumes"))["volumes"] == []
    assert (await ask(client, call, "/docker/networks"))["networks"] == []
    assert [one["repository"] for one in (await ask(client, call, "/docker/images"))["images"]] == ["nginx"]
    # The same again writes nothing: every POST may come twice.
    rows = "select string_agg(c.ctid::text || c.xmin::text, ',' order by c.id) from docker_containers c"
    stored = await call.db.value(rows)
    await tell(agent, snapshot(three[:2]))
    assert await call.db.value(rows) == stored


@pytest.mark.proves("DOCKER-93")
async def test_what_agents_of_all_ages_send_is_taken_or_refused_as_ever(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client, "web-01", docker_enabled=True)
    body = snapshot([container(1, "web")], [image("nginx")])
    answer = await agent.post("/integrations/docker", json={**body, "docker_hash": "0" * 64})
    assert (answer.status, await answer.json()) == (400, {"error": "docker hash mismatch"})
    for nonsense in (b"", b"{", b"[]", b'"x"', b'{"containers": 3}', b'{"containers": [{"name": 3}]}', b"\xff\xfe"):
        answer = await agent.post("/integrations/docker", data=nonsense)
        assert answer.status == 400, nonsense
        assert (await answer.json())["error"] == "Invalid JSON body"
    assert (await client.post("/api/v1/integrations/docker", json=body)).status == 401
    large = await agent.post("/integrations/docker", data=b" " * (6 * 1024**2))
    assert large.status == 413
    # Nulls, half characters, U+0000, endless text and zero times are no reason to lose an inventory.
    odd = container(
        1, "web\x00\x00", labels={"a": None, "b": "\ud800", "c": "x" * 10_000}, started_at="0001-01-01T00:00:00Z"
    )
    odd |= {"image_source": None, "ports": None, "image_tag": "", "state": ""}
    raw: dict[str, Any] = {
        "containers": [odd, None],
        "images": None,
        "updates": None,
        "somethingelse": {"deep": [[[]]]},
    }
    await tell(agent, raw)
    (one,) = (await ask(client, call, "/docker/containers"))["containers"]
    assert (one["name"], one["image_tag"], one["image_source"]) == ("web", "latest", "docker-hub")
    full = (await ask(client, call, f"/docker/containers/{one['id']}"))["container"]
    assert (full["state"], full["started_at"]) == ("running", None)
    assert full["labels"]["b"] == "\ufffd"
    assert len(full["labels"]["c"]) == 2000
    # Without a hash, the server's own counts: the next check-in does not ask for it again.
    kept = await call.db.value("select docker_hash from hosts")
    await tell(agent, body)
    assert await call.db.value("select docker_hash from hosts") == body["docker_hash"] != kept


@pytest.mark.proves("DOCKER-86", "DOCKER-88", "DOCKER-91", "DOCKER-92", "DOCKER-11")
async def test_events_change_a_container_at_once_and_alert_once(client: Browser, call: Call) -> None:
    agent = await reported(call, client, "web-01", snapshot([container(1, "web")]))

    async def status_is(wanted: str) -> bool:
        return bool(await call.db.value("select status from docker_containers") == wanted)

    async with linked(client, agent) as socket, announced(call, *NEWS) as heard:

        async def say(event: str, **more: Any) -> None:
            told = {
                "type": event,
                "container_id": f"{1:064x}",
                "name": "web",
                "image": "nginx",
                "timestamp": "2026-01-02T03:04:05Z",
            }
            await socket.send_json({"type": "docker_status", "event": told, **more})

        await say("container_kill")
        await say("container_die")
        await until(lambda: status_is("exited"), 2)
        await say("container_stop")
        await say("container_start")
        await until(lambda: status_is("running"))
        await say("container_pause")
        await until(lambda: status_is("paused"))
        await say("container_unpause")
        await until(lambda: status_is("running"))
        # Two other forms of the same, and a shortened id.
        await socket.send_json(
            {"type": "docker_status", "event": "container_die", "container_id": f"{1:064x}"[:12], "exit_code": 137}
        )
        await until(lambda: status_is("exited"))
        await socket.send_json({"type": "container_start", "container_id": f"{1:064x}"})
        await until(lambda: status_is("running"))
        for nonsense in (
            {"type": "docker_status"},
            {"type": "docker_status", "event": {"type": "container_stop", "container_id": 7}},
            {"type": "docker_status", "event": {"type": "container_die", "container_id": "e" * 64}},
            {"type": "docker_status", "event": {"type": "container_oom", "container_id": f"{1:064x}"}},
            {"type": "container_stop", "container_id": "%" * 64},
        ):
            await socket.send_json(nonsense)
        await say("container_destroy")
        await until(lambda: status_is("removed"))
        assert not socket.closed
    words = [(one["event"], one["old_status"], one["new_status"]) for one in heard]
    assert words == [
        ("container_stopped", "running", "exited"),
        ("container_started", "exited", "running"),
        ("container_stopped", "running", "paused"),
        ("container_started", "paused", "running"),
        ("container_stopped", "running", "exited"),
        ("container_started", "exited", "running"),
        ("container_stopped", "running", "removed"),
    ]
    assert (heard[0]["host_name"], heard[0]["container_name"], heard[0]["image"]) == ("web-01", "web", "nginx:1.25")
    assert names(await ask(client, call, "/docker/containers")) == [], "removed ones wait for the next snapshot, unseen"
    assert (await ask(client, call, "/docker/dashboard"))["stats"]["totalContainers"] == 0


@pytest.mark.proves("DOCKER-88", "DOCKER-86")
async def test_snapshots_alert_too_and_never_undo_what_was_told_after_they_were_made(
    client: Browser, call: Call
) -> None:
    agent = await reported(call, client, "web-01", snapshot([container(1, "web"), container(2, "db")]))
    async with announced(call, *NEWS) as heard:
        stopped = snapshot(
            [container(1, "web", status="exited", state="exited"), container(2, "db"), container(3, "new")]
        )
        await tell(agent, stopped)
        await tell(agent, stopped)
    assert [(one["event"], one["container_name"]) for one in heard] == [("container_stopped", "web")]
    async with linked(client, agent) as socket:
        await socket.send_json(
            {"type": "docker_status", "event": {"type": "container_start", "container_id": f"{1:064x}"}}
        )

        async def running() -> bool:
            return bool(await call.db.value("select status from docker_containers where name = 'web'") == "running")

        await until(running)
    # It was made before the container started, and arrives after that was told.
    await tell(agent, {**stopped, "collected_at": "2026-01-02T00:00:00Z"})
    assert await running()
    await tell(agent, stopped)
    assert not await running(), "one made now is newer than the event"


@pytest.mark.proves("DOCKER-89")
async def test_a_deleted_host_takes_its_containers_along(client: Browser, call: Call) -> None:
    await reported(
        call, client, "web-01", snapshot([container(1, "web")], volumes=[volume("data")], networks=[network("n")])
    )
    uuid = await call.db.value("select uuid from hosts")
    await ask(client, call, f"/hosts/{uuid}", method="DELETE")
    for kind in ("containers", "images", "volumes", "networks", "hosts"):
        assert (await ask(client, call, f"/docker/{kind}"))[kind] == []
    assert await call.db.value("select count(*) from docker_containers") == 0
