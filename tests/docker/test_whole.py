"""From a switch on a page to a container that is gone: the real server, the real agent, and an engine."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp.test_utils import TestServer

from server.core.call import Call
from tests.agent.conftest import Agent
from tests.conftest import Browser
from tests.docker.engines import WEB, recorded
from tests.docker.fleets import announced, ask, until, uuid_of
from tests.factories.hosts import enrolled
from tests.factories.people import HTML, bearer, post_form

pytestmark = pytest.mark.real


@pytest.mark.proves(
    "DOCKER-31", "DOCKER-34", "DOCKER-35", "DOCKER-40", "DOCKER-80", "DOCKER-81", "DOCKER-82", "DOCKER-86", "DOCKER-88"
)
async def test_switched_on_seen_deleted_and_switched_off(
    server: TestServer, client: Browser, as_admin: Browser, call: Call, tmp_path: Path
) -> None:
    made = await enrolled(call, client, "web-01")
    host = await uuid_of(call, "web-01")
    agent = Agent(tmp_path / "etc")
    async with recorded(tmp_path / "docker.sock") as engine:
        settings = {"docker": False, "docker_socket": str(engine.path)}
        agent.configure(str(server.make_url("")).rstrip("/"), api_key=made.api_key, integrations=settings)
        (agent.folder / "credentials.yml").write_text(yaml.safe_dump({"api_id": made.api_id, "api_key": made.api_key}))
        await agent.serve()
        try:
            await until(lambda: _greeted(call), 60)
            url = f"/hosts/{host}/integrations"
            answer = await post_form(as_admin, url, f"{url}/docker", {"enabled": "true"})
            assert answer.status == 303
            answer = await post_form(as_admin, url, f"/hosts/{host}/apply")
            assert answer.status == 303
            await until(
                lambda: _statuses(call, {"shop-web-1": "running", "shop-job-1": "exited", "shop-stuck-1": "paused"}), 60
            )
            await engine.following(30)
            async with announced(call, "container_stopped") as heard:
                await engine.happens("kill")
                await engine.happens("die", exitCode="137")
                await engine.happens("stop")
                await until(lambda: _statuses(call, {"shop-web-1": "exited"}), 10)
            assert [one["container_name"] for one in heard] == ["shop-web-1"]
            listed = {one["name"]: one["id"] for one in (await ask(client, call, "/docker/containers"))["containers"]}
            engine.refusals[WEB] = "cannot remove container: container is running"
            page = f"/docker/containers/{listed['shop-web-1']}"
            answer = await post_form(as_admin, page, f"{page}/delete")
            assert answer.headers["Location"] == page
            assert "container is running" in await (await as_admin.get(page, headers=HTML)).text()
            engine.refusals.clear()
            assert (await ask(client, call, page, method="DELETE"))["success"]
            assert engine.deleted == [f"/containers/{WEB}"]
            await until(lambda: _gone(call, "shop-web-1"), 10)
            engine.answers["/containers/json"] = engine.answers["/containers/json"][1:2]
            headers = await bearer(call)
            answer = await client.post(f"/api/v1/hosts/{host}/refresh-docker", headers=headers)
            assert answer.status == 200, await answer.text()
            await until(lambda: _gone(call, "shop-stuck-1"), 60)
        finally:
            for process in agent.services:
                await agent.stop(process)


async def _greeted(call: Call) -> bool:
    return bool(await call.db.value("select agent_hello->'abilities' ? 'docker_delete' from hosts"))


async def _statuses(call: Call, wanted: dict[str, str]) -> bool:
    rows: list[dict[str, Any]] = await call.db.all("select name, status from docker_containers")
    return wanted.items() <= {row["name"]: row["status"] for row in rows}.items()


async def _gone(call: Call, name: str) -> bool:
    return not await call.db.value("select count(*) from docker_containers where name = %(name)s", name=name)
