"""Adding a host, step by step, and how far it has come."""

import re

import pytest

from server.core.call import Call
from server.hosts import service
from server.identity.permissions import MODULES
from server.settings import service as settings
from tests.factories import scopes
from tests.factories.hosts import Agent, Browser, added, enrolled, full_report, package
from tests.factories.people import bearer
from tests.hosts.test_people import group, page, posted


def current_step(text: str) -> str:
    found = re.search(r'<li aria-current="step"[^>]*>([^<]+)', text)
    assert found
    return found[1].strip()


def stages(text: str) -> dict[str, str]:
    found = re.findall(r'<li class="is-(done|now|later)"[^>]*><svg.*?</svg>([^<]+)', text, re.DOTALL)
    return {words.strip(): how for how, words in found}


@pytest.mark.proves("INV-30")
async def test_four_steps_and_back(as_admin: Browser, call: Call) -> None:
    assert 'href="/hosts/new"' in await page(as_admin, "/hosts")
    text = await page(as_admin, "/hosts/new")
    assert current_step(text) == "Choose OS"
    assert re.findall(r'href="/hosts/new\?os=(\w+)"', text) == ["linux", "freebsd", "windows"]
    text = await page(as_admin, "/hosts/new?os=freebsd")
    assert current_step(text) == "Host details"
    assert 'name="expected_platform" value="freebsd"' in text
    assert 'href="/hosts/new">Back' in text
    form = {
        "friendly_name": "bsd-01",
        "expected_platform": "freebsd",
        "docker_enabled": ["false", "true"],
        "compliance_enabled": "false",
    }
    status, text, _ = await posted(as_admin, "/hosts/new", form)
    assert status == 200
    assert current_step(text) == "Copy command"
    assert "?os=freebsd" in text
    stored = await call.db.one("select docker_enabled, compliance_mode, expected_platform from hosts")
    assert stored == {"docker_enabled": True, "compliance_mode": "disabled", "expected_platform": "freebsd"}


@pytest.mark.proves("INV-32", "AGENT-ENR-03")
async def test_the_details_offer_groups_and_integrations_that_are_on(as_admin: Browser, call: Call) -> None:
    web = await group(as_admin, "web")
    text = await page(as_admin, "/hosts/new?os=linux")
    assert 'placeholder="server.example.com"' in text
    assert re.search(rf'value="{web["id"]}".{{0,200}}fill="#3B82F6"', text, re.DOTALL)
    assert 'name="docker_enabled"' in text
    assert not re.search(r'name="docker_enabled"\s+value="true" checked', text)
    await settings.change(call, {"disabled_modules": ["docker"]})
    text = await page(as_admin, "/hosts/new?os=linux")
    assert 'name="docker_enabled"' not in text
    assert 'name="compliance_enabled"' in text


@pytest.mark.proves("INV-41", "INV-42", "INV-43", "INV-44", "INV-47")
async def test_the_stages_of_a_new_host(as_admin: Browser, client: Browser, call: Call) -> None:
    made = await added(call, "web-01")
    place = f"/hosts/{made.uuid}/connect"
    status_url = f"/api/v1/ws/status/{made.api_id}"
    text = await page(as_admin, place)
    assert list(stages(text)) == ["Waiting for connection", "Connected", "Receiving initial report", "Done"]
    assert stages(text)["Waiting for connection"] == "now"
    assert 'data-reload="2"' in text
    assert made.api_key.reveal() not in text
    assert "Make a new key" in text
    assert "web-01" in await page(as_admin, f"/hosts/{made.uuid}")
    assert (await (await as_admin.get(status_url)).json())["data"]["stage"] == "waiting"
    await service.note_connected(call, made.host_id, secure=False)
    assert stages(await page(as_admin, place))["Connected"] == "now"
    data = (await (await as_admin.get(status_url)).json())["data"]
    assert (data["stage"], data["connected"], data["protocol"]) == ("connected", True, "ws")
    agent = Agent(client, made.api_id, made.api_key.reveal())
    await agent.ping()
    assert stages(await page(as_admin, place))["Receiving initial report"] == "now"
    await agent.update(full_report([package("a")]))
    text = await page(as_admin, place)
    assert set(stages(text).values()) == {"done"}
    assert f'data-arrived="/hosts/{made.uuid}"' in text
    data = (await (await as_admin.get(status_url)).json())["data"]
    assert (data["stage"], data["status"]) == ("done", "active")
    assert (await as_admin.get("/api/v1/ws/status/patchmon_nobody")).status == 404


@pytest.mark.parametrize("path", ["/api/v1/hosts", "/api/v1/hosts/create"])
@pytest.mark.parametrize("spelling", ["hostGroupIds", "host_group_ids", "group_ids"])
@pytest.mark.proves("A-5", "A-6", "A-25", "INV-33", "AGENT-ENR-03")
async def test_programs_add_hosts_in_either_spelling(client: Browser, call: Call, path: str, spelling: str) -> None:
    keeper = await bearer(call, "host_manager")
    web = await scopes.group(call, "web")
    answer = await client.post(path, json={"friendly_name": "web-01", spelling: [web]}, headers=keeper)
    body = await answer.json()
    assert answer.status == 201, body
    assert (body["host_id"], body["api_id"], body["api_key"]) == (body["hostId"], body["apiId"], body["apiKey"])
    assert len(body["api_key"]) == 64
    shown = await (await client.get(f"/api/v1/hosts/{body['host_id']}", headers=keeper)).json()
    assert (shown["status"], [one["name"] for one in shown["host_groups"]]) == ("pending", ["web"])
    assert body["api_key"] not in str(shown)
    for wrong in ({"friendly_name": ""}, {"friendly_name": "x", spelling: ["nonsense"]}):
        assert (await client.post(path, json=wrong, headers=keeper)).status == 400
    assert (await client.post(path, json={"friendly_name": "x"}, headers=await bearer(call, "readonly"))).status == 403


@pytest.mark.proves("INV-34")
async def test_the_agent_learns_what_is_switched_on(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client, "web-01", docker_enabled=True, compliance_enabled=False)
    body = await (await agent.get("/hosts/integrations")).json()
    assert body["integrations"] == {"docker": True, "compliance": False}


@pytest.mark.proves("INV-09")
async def test_no_module_closes_the_inventory(as_admin: Browser, call: Call) -> None:
    await settings.change(call, {"disabled_modules": list(MODULES)})
    made = await added(call, "web-01")
    for path in (
        "/hosts",
        f"/hosts/{made.uuid}",
        f"/hosts/{made.uuid}/notes",
        "/options",
        "/packages",
        "/repositories",
    ):
        assert await page(as_admin, path), path


@pytest.mark.proves("A-19")
async def test_the_switch_of_the_wizard_decides_how_compliance_begins(as_admin: Browser, call: Call) -> None:
    for default, told, expected in (
        ("disabled", "true", "on-demand"), ("on-demand", "true", "on-demand"), ("enabled", "true", "enabled"),
        ("enabled", "false", "disabled"), ("disabled", "false", "disabled"), ("enabled", "", "enabled"),
    ):  # fmt: skip
        await settings.change(call, {"default_compliance_mode": default})
        name = f"{default}-{told or 'unsaid'}"
        if told:
            form = {"friendly_name": name, "expected_platform": "linux", "compliance_enabled": told}
            status, text, _ = await posted(as_admin, "/hosts/new", form)
            assert status == 200, text
        else:
            assert (await as_admin.post("/api/v1/hosts", json={"friendly_name": name})).status in {200, 201}
        mode = await call.db.value("select compliance_mode from hosts where friendly_name = %(name)s", name=name)
        assert (name, mode) == (name, expected)
