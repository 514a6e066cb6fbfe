"""Deleting on hosts: who may, what the engine says, what stays when it says no; and who sees what at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from server.core.call import Call
from server.docker import deleting
from server.docker.errors import NoAnswer
from server.settings import service as settings
from tests.conftest import Browser
from tests.docker.fleets import (
    DIGEST,
    ask,
    container,
    image,
    linked,
    network,
    reported,
    snapshot,
    tell,
    until,
    uuid_of,
    volume,
)
from tests.factories.hosts import Agent, enrolled
from tests.factories.people import HTML, person, post_form, role_with, sign_in
from tests.factories.scopes import group, limited, program_of


@asynccontextmanager
async def able(client: Browser, call: Call, agent: Agent, answers: list[str | None]) -> AsyncIterator[list[Any]]:
    """An agent of ours that is asked to delete, and answers in turn: well (empty), with a reason, or not at all."""
    asked: list[Any] = []
    abilities = (
        'update hosts set agent_hello = \'{"abilities": ["stages", "docker_delete"]}\' where api_id = %(api_id)s'
    )
    await call.db.execute(abilities, api_id=agent.api_id)
    async with linked(client, agent) as socket:

        async def answering() -> None:
            async for message in socket:
                body = message.json()
                if body["type"] != "docker_delete":
                    continue
                asked.append(body)
                error = answers.pop(0)
                if error is not None:
                    told = {"type": "docker_deleted", "request": body["request"], "ok": not error, "error": error}
                    await socket.send_json(told)

        reader = asyncio.get_running_loop().create_task(answering())

        async def there() -> bool:
            return bool(
                await call.db.value(
                    "select last_connected_at is not null from hosts where api_id = %(id)s", id=agent.api_id
                )
            )

        await until(there)
        yield asked
        reader.cancel()


@pytest.mark.proves("DOCKER-80", "DOCKER-81", "DOCKER-82", "DOCKER-94")
async def test_the_engine_decides_and_its_words_are_told(client: Browser, as_admin: Browser, call: Call) -> None:
    told = snapshot([container(1, "web")], [image("nginx")], volumes=[volume("data")], networks=[network("app")])
    agent = await reported(call, client, "web-01", told)
    (web,) = (await ask(client, call, "/docker/containers"))["containers"]
    path = f"/docker/containers/{web['id']}"
    refused = "cannot remove container: container is running: stop the container before removing or force remove"
    assert (await ask(client, call, path, 409, "DELETE"))["error"].startswith("The agent on web-01"), (
        "an existing agent"
    )
    async with able(client, call, agent, [refused, "", "", "", "", "", "", None]) as asked:
        assert (await ask(client, call, path, 409, "DELETE"))["error"] == refused
        assert len((await ask(client, call, "/docker/containers"))["containers"]) == 1
        # A person reads the same on the page, and is asked first by name and host.
        text = await (await as_admin.get(f"/docker/containers/{web['id']}", headers=HTML)).text()
        assert "Delete the container web?" in text
        assert "The agent on <strong>web-01</strong>" in text
        assert (await ask(client, call, path, method="DELETE"))["message"] == "web was deleted from web-01"
        assert (await ask(client, call, "/docker/containers"))["containers"] == []
        assert (asked[-1]["kind"], asked[-1]["id"]) == ("container", f"{1:064x}")
        for kind in ("volumes", "networks"):
            (one,) = (await ask(client, call, f"/docker/{kind}"))[kind]
            assert (await ask(client, call, f"/docker/{kind}/{one['id']}", method="DELETE"))["success"]
            assert (await ask(client, call, f"/docker/{kind}"))[kind] == []
        await tell(agent, told)
        for kind, target in (("images", "nginx:1.25"), ("volumes", "data"), ("networks", f"{1:064x}")):
            (one,) = (await ask(client, call, f"/docker/{kind}"))[kind]
            answer = await post_form(as_admin, f"/docker/{kind}/{one['id']}", f"/docker/{kind}/{one['id']}/delete")
            assert (answer.status, answer.headers["Location"]) == (303, f"/docker/{kind}")
            assert asked[-1]["id"] == target
            assert (await ask(client, call, f"/docker/{kind}"))[kind] == []
        # Nobody answers: nothing is known, so the record stays.
        await tell(agent, told)
        (web,) = (await ask(client, call, "/docker/containers"))["containers"]
        what = await deleting.target(call, "container", web["id"])
        with pytest.raises(NoAnswer, match="did not answer within 0 seconds"):
            await deleting.delete(call, what, patience_seconds=0.3)
        assert len((await ask(client, call, "/docker/containers"))["containers"]) == 1
    await until(lambda: _gone(call, agent))
    offline = await ask(client, call, f"/docker/containers/{web['id']}", 409, "DELETE")
    assert offline["error"] == "Agent is not currently connected"
    # What no agent deletes can still be forgotten, and comes back with the next report.
    assert (await ask(client, call, f"/docker/containers/{web['id']}?forget=true", method="DELETE"))["forgotten"]
    assert (await ask(client, call, "/docker/containers"))["containers"] == []
    await tell(agent, told)
    assert len((await ask(client, call, "/docker/containers"))["containers"]) == 1
    (nginx,) = (await ask(client, call, "/docker/images"))["images"]
    used = await ask(client, call, f"/docker/images/{nginx['id']}?forget=true", 409, "DELETE")
    assert used["error"].startswith("Containers use this image")


async def _gone(call: Call, agent: Agent) -> bool:
    from server.channel import service as channel  # noqa: PLC0415 (only here)
    from server.core.ids import HostId  # noqa: PLC0415

    key = HostId(await call.db.value("select id from hosts where api_id = %(api_id)s", api_id=agent.api_id))
    return key not in await channel.online(call, [key])


async def test_an_image_of_many_hosts_is_deleted_from_the_one_that_is_named(client: Browser, call: Call) -> None:
    agents = [
        await reported(call, client, name, snapshot([], [image("nginx", digest=DIGEST)]))
        for name in ("web-01", "web-02")
    ]
    (nginx,) = (await ask(client, call, "/docker/images"))["images"]
    async with able(client, call, agents[1], [""]) as asked:
        assert "2 hosts" in (await ask(client, call, f"/docker/images/{nginx['id']}", 409, "DELETE"))["error"]
        host = await uuid_of(call, "web-02")
        await ask(client, call, f"/docker/images/{nginx['id']}?host_id={host}", method="DELETE")
        assert len(asked) == 1
    (nginx,) = (await ask(client, call, "/docker/images"))["images"]
    assert nginx["host_count"] == 1
    # Another host's agent cannot end what it was not asked for.
    await call.db.execute(
        "insert into docker_deletions (id, host_id, kind, target, asked_by, asked_at) select gen_random_uuid(), id, "
        "'image', 'nginx:1.25', 'ada', now() from hosts where friendly_name = 'web-01'"
    )
    deletion = await call.db.value("select id::text from docker_deletions where finished_at is null")
    async with linked(client, agents[1]) as socket:
        await socket.send_json({"type": "docker_deleted", "request": deletion, "ok": True})
        await socket.send_json({"type": "docker_deleted", "request": "nonsense", "ok": True})
        await asyncio.sleep(0.3)
    assert await call.db.value("select finished_at from docker_deletions where id = %(id)s", id=deletion) is None
    assert (await ask(client, call, "/docker/images"))["images"][0]["host_count"] == 1


@pytest.mark.proves("DOCKER-03", "DOCKER-04", "DOCKER-02")
async def test_who_sees_and_who_deletes(client: Browser, call: Call) -> None:
    agent = await reported(call, client, "web-01", snapshot([container(1, "web")]))
    host = await uuid_of(call, "web-01")
    (web,) = (await ask(client, call, "/docker/containers"))["containers"]
    for role, sees, deletes, toggles in (
        (("can_view_packages",), 403, 403, 403),
        (("can_view_hosts",), 200, 403, 403),
        (("can_view_hosts", "can_manage_docker"), 200, 409, 403),
        (("can_view_hosts", "can_manage_hosts"), 200, 409, 200),
    ):
        name = f"role_{len(role)}_{role[-1]}"
        await role_with(call, name, *role)
        headers = await program_of(call, await person(call, name))

        async def status(method: str, path: str, **more: Any) -> int:
            return (await client.request(method, f"/api/v1{path}", headers=headers, **more)).status  # noqa: B023

        for path in (
            "dashboard",
            "containers",
            "images",
            "volumes",
            "networks",
            "stacks",
            "hosts",
            f"containers/{web['id']}",
        ):
            assert await status("GET", f"/docker/{path}") == sees, (role, path)
        assert await status("DELETE", f"/docker/containers/{web['id']}") == deletes, role
        assert await status("POST", f"/hosts/{host}/integrations/docker/toggle", json={"enabled": True}) == toggles
        user = await person(call, name)
        await sign_in(client, user.username)
        text = await (await client.get("/docker/containers", headers=HTML)).text()
        assert ("Delete web on web-01" in text) is (deletes == 409), role
        client.session.cookie_jar.clear()
    # Who is limited to a group sees its hosts' containers, and counts those only.
    north = await group(call, "north")
    await reported(call, client, "web-02", snapshot([container(2, "inside")]), group_ids=(north,))
    headers = await program_of(call, await limited(call, north, role="admin"))
    for path, kind, seen in (
        ("containers", "containers", ["inside"]),
        ("images", "images", None),
        ("hosts", "hosts", None),
    ):
        told = await (await client.get(f"/api/v1/docker/{path}", headers=headers)).json()
        assert len(told[kind]) == 1, path
        assert seen is None or [one["name"] for one in told[kind]] == seen
    told = await (await client.get("/api/v1/docker/dashboard", headers=headers)).json()
    assert (told["stats"]["totalContainers"], told["stats"]["hostsWithDocker"], told["stats"]["totalImages"]) == (
        1,
        1,
        1,
    )
    for path in (f"/docker/containers/{web['id']}", f"/docker/hosts/{host}"):
        assert (await client.get(f"/api/v1{path}", headers=headers)).status == 404
    assert (await client.delete(f"/api/v1/docker/containers/{web['id']}", headers=headers)).status == 404
    assert agent.api_id


@pytest.mark.proves("DOCKER-01", "DOCKER-05", "DOCKER-71")
async def test_the_module_and_the_tab_of_a_host(client: Browser, as_admin: Browser, call: Call) -> None:
    agent = await enrolled(call, client, "web-01", docker_enabled=True)
    host = await uuid_of(call, "web-01")
    tab = f'href="/hosts/{host}/docker"'
    assert tab not in await (await as_admin.get(f"/hosts/{host}", headers=HTML)).text(), "nothing was reported yet"
    assert (await as_admin.get(f"/hosts/{host}/docker", headers=HTML)).status == 404
    await tell(agent, snapshot([container(1, "web")]))
    assert tab in await (await as_admin.get(f"/hosts/{host}", headers=HTML)).text()
    (web,) = (await ask(client, call, "/docker/containers"))["containers"]
    windows = await enrolled(call, client, "win-01", docker_enabled=True, expected_platform="windows")
    await tell(windows, snapshot([container(1, "desktop")]))
    other = await uuid_of(call, "win-01")
    assert f'href="/hosts/{other}/docker"' not in await (await as_admin.get(f"/hosts/{other}", headers=HTML)).text()
    assert (await as_admin.get(f"/hosts/{other}/docker", headers=HTML)).status == 404
    await settings.change(call, {"disabled_modules": ["docker"]})
    for path in (
        "dashboard",
        "containers",
        "images",
        "volumes",
        "networks",
        "stacks",
        "hosts",
        f"containers/{web['id']}",
    ):
        assert (await ask(client, call, f"/docker/{path}", 403))["error"] == "module not available in your plan"
    await ask(client, call, f"/docker/containers/{web['id']}", 403, "DELETE")
    await ask(client, call, f"/hosts/{host}/refresh-docker", 403, "POST")
    headers = await program_of(call, await person(call, "superadmin"))
    toggle = await client.post(
        f"/api/v1/hosts/{host}/integrations/docker/toggle", headers=headers, json={"enabled": False}
    )
    assert toggle.status == 403
    for path in (
        "/docker/containers",
        f"/docker/containers/{web['id']}",
        f"/docker/hosts/{host}",
        f"/hosts/{host}/docker",
    ):
        text = await (await as_admin.get(path, headers=HTML)).text()
        assert "PLUS" in text, path
        assert "Docker is switched off" in text, path
    overview = await (await as_admin.get("/", headers=HTML)).text()
    assert 'href="/docker"' not in overview
