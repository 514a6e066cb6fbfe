"""One existing agent from its enrolment to its end, against the real server: it notices nothing."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from server.automation import rules
from server.core.call import Call
from server.core.env import Env
from server.settings import service as settings
from tests.factories.automation import Api, url_of
from tests.factories.people import bearer
from tests.stand_ins.existing_agent import ExistingAgent
from tests.stand_ins.existing_daemon import ExistingDaemon


@pytest.fixture
def env(env: Env, tmp_path: Path) -> Env:
    """The shelf of agent files is a folder of the test."""
    return replace(env, agents_dir=tmp_path)


@pytest.fixture
async def api(server: TestServer, call: Call) -> AsyncIterator[Api]:
    async with ClientSession() as session:
        yield Api(session, url_of(server), await bearer(call))


async def until(condition: Callable[[], Any], seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


async def enrol(api: Api, token: dict[str, Any]) -> ExistingAgent:
    """Do what the enrolment script and the install script do, with patterns as they use."""
    agent = ExistingAgent(api.session, api.url, "", "")
    keys = {"X-Auto-Enrollment-Key": token["token_key"], "X-Auto-Enrollment-Secret": token["token_secret"]}
    body = {"friendly_name": "old-01", "machine_id": "m-1", "metadata": {"hostname": "old-01"}}
    headers = {"Content-Type": "application/json", **keys}
    async with api.session.post(f"{api.url}/api/v1/auto-enrollment/enroll", json=body, headers=headers) as answer:
        assert answer.status == 201
        text = await answer.text()
    first = {name: re.findall(f'"{name}":"([^"]*)"', text)[0] for name in ("api_id", "api_key")}
    headers = {"X-API-ID": first["api_id"], "X-API-KEY": first["api_key"]}
    async with api.session.get(f"{api.url}/api/v1/hosts/install?arch=amd64&os=linux", headers=headers) as answer:
        script = await answer.text()
    found = re.search(r"^(?:export )?BOOTSTRAP_TOKEN=['\"]?(\w+)", script, re.MULTILINE)
    assert found
    async with api.session.post(f"{api.url}/api/v1/hosts/bootstrap/exchange", json={"token": found[1]}) as answer:
        text = await answer.text()
    agent.api_id = re.findall('"apiId":"([^"]*)"', text)[0]
    agent.api_key = re.findall('"apiKey":"([^"]*)"', text)[0]
    # The installer goes on only when this succeeds.
    assert (await agent.ask("POST", "/hosts/ping", data=b""))[0] == 200
    return agent


@pytest.mark.proves("AGENT-API-05", "AGENT-WS-06", "AGENT-WS-11")
async def test_an_existing_agent_from_enrolment_to_its_end(
    api: Api, call: Call, env: Env, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody waits five seconds for a greeting that never comes.
    monkeypatch.setattr(rules, "HELLO_SECONDS", 0.1)
    token = await api.ask(
        "POST", "/auto-enrollment/tokens",
        {"token_name": "machines", "max_hosts_per_day": 5, "metadata": {"integration_type": "direct-host"}}, status=201,
    )  # fmt: skip
    agent = ExistingDaemon.on(await enrol(api, token["token"]))
    host = str(await call.db.value("select uuid from hosts"))

    async def shown(query: str) -> Any:
        return await call.db.value(query)

    try:
        # It starts: interval, integrations, a heartbeat, the socket, everything it knows.
        await agent.start()
        assert agent.done == ["full report 200"]
        assert await shown("select status || ' ' || hostname || ' ' || agent_version from hosts") == (
            "active old-01.example.net 2.1.2"
        )
        assert await shown("select count(*) from host_packages") == 2
        # Ticks: nothing new is nothing sent; one new package is one section.
        assert await agent.tick() == []
        agent.machine.packages.append({"name": "curl", "currentVersion": "8.0", "needsUpdate": False})
        assert await agent.tick() == ["packages"]
        assert agent.done[-1] == "partial report 200"
        assert await agent.tick() == []
        assert await shown("select count(*) from host_packages") == 3
        await commanded(api, call, agent, host)
        await updated(api, call, agent, host, env.agents_dir / "patchmon-agent-linux-amd64")
        # Patching: dry, real with a report behind it, and one that is stopped.
        await patched(api, call, agent, host)
        # Everything it was asked shows how it went.
        async with asyncio.timeout(10):
            while (open_ones := await call.db.column("select kind from agent_commands where status = 'active'")) and (
                set(open_ones) - {"docker_inventory_refresh"}
            ):
                await api.ask("GET", f"/hosts/{host}/agent-queue")
                await asyncio.sleep(0.05)
        kinds = "select distinct kind from agent_commands where status = 'completed' order by kind"
        assert set(await call.db.column(kinds)) >= {
            "apply_config", "refresh_integration_status", "report_now", "update_agent",
        }  # fmt: skip
        # It stops, and is deleted: from then on it is refused, cheaply, for as long as it asks.
        await agent.stop()
        await api.ask("DELETE", f"/hosts/{host}")
        for _ in range(3):
            assert await agent.ask("POST", "/hosts/ping", data=b"") == (401, {"error": "Invalid API credentials"})
            with pytest.raises(Exception, match="401"):
                await agent.connect()
        assert await shown("select count(*) from hosts") == 0
    finally:
        await agent.stop()


async def patched(api: Api, call: Call, agent: ExistingDaemon, host: str) -> None:
    async def trigger(**order: Any) -> str:
        made = await api.ask("POST", "/patching/trigger", {"host_id": host, **order})
        return str(made["patch_run_id"])

    async def becomes(run: str, status: str) -> dict[str, Any]:
        async with asyncio.timeout(10):
            while (found := await api.ask("GET", f"/patching/runs/{run}"))["status"] != status:
                await asyncio.sleep(0.05)
        return dict(found)

    dry = await trigger(patch_type="patch_package", package_names=["bash"], dry_run=True)
    found = await becomes(dry, "validated")
    assert [one["name"] for one in found["packages_affected"]] == ["bash"]
    real = await trigger(patch_type="patch_package", package_names=["bash"])
    found = await becomes(real, "completed")
    assert found["shell_output"].startswith("$ apt-get --only-upgrade install bash\n")
    await until(lambda: agent.done[-1] == "docker 200")
    assert (
        await call.db.value(
            "select h.current_version from host_packages h join packages p on p.id = h.package_id where p.name = 'bash'"
        )
        == "5.2.21"
    )
    assert await call.db.value("select awaiting_report from hosts") is False
    stopped = await trigger(patch_type="patch_package", package_names=["zlib1g"])
    await becomes(stopped, "running")
    await until(lambda: agent.heard[-1].get("patch_run_id") == stopped)
    await api.ask("POST", f"/patching/runs/{stopped}/stop", {}, status=202)
    assert (await becomes(stopped, "cancelled"))["shell_output"].startswith("--- Patch run stopped by user")


async def command(api: Api, agent: ExistingDaemon, path: str, kind: str) -> None:
    before = len(agent.done)
    await api.ask("POST", f"{path}", {})
    await until(lambda: f"heard {kind}" in agent.done[before:])


async def commanded(api: Api, call: Call, agent: ExistingDaemon, host: str) -> None:
    """Commands of people."""
    here = f"/hosts/{host}"
    await settings.change(call, {"update_interval": 30})
    await until(lambda: agent.machine.config["update_interval"] == 30)
    await command(api, agent, f"{here}/fetch-report", "report_now")
    await until(lambda: agent.done[-1] == "full report 200")
    await api.ask("POST", f"{here}/integrations/docker/toggle", {"enabled": True})
    await command(api, agent, f"{here}/integrations/apply-pending-config", "apply_config")
    await until(lambda: "status of docker 200" in agent.done and agent.done[-1] == "docker 200")
    assert agent.machine.config["docker"] is True
    assert await call.db.value("select docker_enabled from hosts") is True
    await command(api, agent, f"{here}/refresh-integration-status", "refresh_integration_status")
    await command(api, agent, f"{here}/refresh-docker", "docker_inventory_refresh")


async def updated(api: Api, call: Call, agent: ExistingDaemon, host: str, shelf: Path) -> None:
    """A newer agent on the shelf: it fetches it packed, checks it, and is back as the new one."""
    before = agent.done.count("restarted")
    shelf.write_bytes(b"\x7fELF" + b"\0" * 9000 + b'-X patchmon-agent/internal/version.Version=2.1.4"\n')
    await command(api, agent, f"/hosts/{host}/force-agent-update", "update_agent")
    await until(lambda: agent.done.count("restarted") > before and agent.done[-1] == "docker 200")
    assert (agent.version, agent.installed) == ("2.1.4", shelf.read_bytes())
    assert await call.db.value("select agent_version from hosts") == "2.1.4"
    # By itself it does so after a full report, once both switches allow it.
    shelf.write_bytes(b"\x7fELF" + b"\0" * 9000 + b'-X patchmon-agent/internal/version.Version=2.1.5"\n')
    await settings.change(call, {"auto_update": True})
    await command(api, agent, f"/hosts/{host}/fetch-report", "report_now")
    await until(lambda: agent.version == "2.1.5" and agent.done[-1] == "docker 200")
