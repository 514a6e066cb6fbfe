"""The integrations of a host: switches that wait, what is applied, what the agent confirms and says."""

from typing import Any

import pytest

from server.core.call import Call
from tests.factories.hosts import Browser, enrolled
from tests.factories.people import bearer, role_with
from tests.hosts.test_host_page import connected, host_of, page, post, told


@pytest.mark.proves("INV-90", "INV-91", "A-18")
async def test_switches_wait_until_they_are_applied_and_confirmed(
    as_admin: Browser, client: Browser, call: Call
) -> None:
    agent = await enrolled(call, client)
    host_id, uuid = await host_of(call)
    here, tab = f"/api/v1/hosts/{uuid}/integrations", f"/hosts/{uuid}/integrations"

    async def state() -> dict[str, Any]:
        found: dict[str, Any] = await (await as_admin.get(here)).json()
        return found

    assert (await as_admin.post(f"{here}/apply-pending-config")).status == 400
    async with connected(call, agent, host_id) as link:
        text = await post(as_admin, f"{tab}/docker", {"enabled": "true"}, tab)
        assert "Pending configuration changes" in text
        assert (await state())["pending_config"] == {"docker_enabled": True}
        assert (await (await agent.ping()).json())["integrations"] == {"docker": False, "compliance": False}
        staged = await as_admin.post(f"{here}/compliance/mode", json={"mode": "on-demand"})
        assert (staged.status, (await staged.json())["data"]["compliance_mode"]) == (200, "on-demand")
        with pytest.raises(TimeoutError):
            await link.receive(timeout=0.3)
        assert (await as_admin.post(f"{here}/apply-pending-config")).status == 200
        assert await told(link) == {
            "type": "apply_config",
            "config": {
                "docker": True,
                "compliance": {"enabled": "on-demand", "openscap_enabled": True, "docker_bench_enabled": False},
            },
        }
        assert (await state())["pending_config_exists"]
    # The agent starts anew with what it was sent, and asks.
    asked = await (await agent.get("/hosts/integrations")).json()
    assert (asked["integrations"], asked["compliance_mode"]) == ({"docker": True, "compliance": True}, "on-demand")
    after = await state()
    assert (after["pending_config_exists"], after["pending_config"], after["data"]) == (
        False, None, {"docker": True, "compliance": True},
    )  # fmt: skip
    assert (await (await agent.ping()).json())["integrations"] == {"docker": True, "compliance": True}
    queue = await (await as_admin.get(f"/api/v1/hosts/{uuid}/agent-queue")).json()
    assert [(one["job_name"], one["status"]) for one in queue["job_history"]] == [("Apply configuration", "completed")]


@pytest.mark.proves("INV-91")
async def test_nothing_is_applied_while_the_agent_is_away(as_admin: Browser, client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    _, uuid = await host_of(call)
    here = f"/api/v1/hosts/{uuid}/integrations"
    assert (await as_admin.post(f"{here}/docker/toggle", json={"enabled": True})).status == 200
    refused = await as_admin.post(f"{here}/apply-pending-config")
    assert refused.status == 503
    assert "not currently connected" in (await refused.json())["error"]
    text = await page(as_admin, f"/hosts/{uuid}/integrations")
    assert "The agent is offline" in text
    assert (await (await agent.get("/hosts/integrations")).json())["integrations"]["docker"] is False
    assert (await (await as_admin.get(here)).json())["pending_config"] == {"docker_enabled": True}
    # Switched back by hand, nothing waits any more.
    await as_admin.post(f"{here}/docker/toggle", json={"enabled": False})
    assert (await (await as_admin.get(here)).json())["pending_config_exists"] is False
    assert (await as_admin.post(f"{here}/oven/toggle", json={"enabled": True})).status == 400


@pytest.mark.proves("INV-94")
async def test_the_agent_says_how_ready_it_is_when_it_is_asked(as_admin: Browser, client: Browser, call: Call) -> None:
    agent = await enrolled(call, client, docker_enabled=True)
    host_id, uuid = await host_of(call)
    tab = f"/hosts/{uuid}/integrations"
    async with connected(call, agent, host_id) as link:
        await post(as_admin, f"/hosts/{uuid}/refresh-status", {}, tab)
        assert await told(link) == {"type": "refresh_integration_status"}
        said = {"integration": "docker", "enabled": True, "status": "partial", "message": "Engine is slow",
                "components": {"engine": "ready"}}  # fmt: skip
        assert (await agent.post("/hosts/integration-status", json=said)).status == 200
    text = await page(as_admin, tab)
    for words in ("Partial", "Engine is slow", "engine"):
        assert words in text, words
    cached = await (await as_admin.get(f"/api/v1/hosts/{uuid}/integrations/docker/status")).json()
    assert (cached["source"], cached["status"]["status"]) == ("cached", "partial")
    queue = await (await as_admin.get(f"/api/v1/hosts/{uuid}/agent-queue")).json()
    assert [one["status"] for one in queue["job_history"]] == ["completed"]


@pytest.mark.proves("INV-93", "COMP-30")
async def test_compliance_has_a_mode_scanners_and_its_own_set_up(
    as_admin: Browser, client: Browser, call: Call
) -> None:
    agent = await enrolled(call, client)
    host_id, uuid = await host_of(call)
    here, tab = f"/api/v1/hosts/{uuid}/integrations/compliance", f"/hosts/{uuid}/integrations"
    text = await page(as_admin, tab)
    for words in ("Disabled", "On-Demand", "Enabled", "Setup status", "OpenSCAP (CIS Benchmarks)", "Docker Bench"):
        assert words in text, words
    bench = text.partition('name="docker_bench_enabled"')[2].partition(">")[0]
    assert "disabled" in bench, "Docker Bench needs Docker"
    for mode in ("disabled", "on-demand", "enabled"):
        answer = await as_admin.post(f"{here}/mode", json={"mode": mode})
        assert (answer.status, (await answer.json())["data"]["compliance_mode"]) == (200, mode)
    assert (await as_admin.post(f"{here}/mode", json={"mode": "sometimes"})).status == 400
    scanners = {"openscap_enabled": False, "docker_bench_enabled": True}
    assert (await as_admin.post(f"{here}/scanners", json=scanners)).status == 200
    assert (await as_admin.post(f"/api/v1/hosts/{uuid}/integrations/apply-pending-config")).status == 503
    async with connected(call, agent, host_id) as link:
        assert (await as_admin.post(f"/api/v1/hosts/{uuid}/integrations/apply-pending-config")).status == 200
        assert (await told(link))["config"]["compliance"] == {"enabled": True, **scanners}
        await agent.get("/hosts/integrations")
        components = {"openscap": "ready", "docker-bench": "error"}
        for status in ("installing", "ready", "partial", "error"):
            said = {"integration": "compliance", "enabled": True, "status": status, "components": components}
            assert (await agent.post("/hosts/integration-status", json=said)).status == 200
            text = await page(as_admin, tab)
            for words in (status.capitalize(), "openscap", "docker-bench"):
                assert words in text, words
        assert (await as_admin.post(f"/api/v1/hosts/{uuid}/integrations/refresh-status")).status == 200
        assert (await told(link))["type"] == "refresh_integration_status"
    await role_with(call, "watcher", "can_view_hosts")
    for path in ("mode", "scanners"):
        refused = await client.post(f"{here}/{path}", json={}, headers=await bearer(call, "watcher"))
        assert refused.status == 403
