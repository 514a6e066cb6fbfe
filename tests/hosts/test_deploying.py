"""Deploying an agent: the command of each system, what can be added to it, and what a new key ends."""

import asyncio
import html
import re

import pytest
from aiohttp import WSMsgType

from server.core.call import Call
from server.settings import service as settings
from tests.factories.hosts import Agent, Browser, added
from tests.hosts.test_host_page import connected, host_of
from tests.hosts.test_people import page, posted


async def command(browser: Browser, path: str) -> str:
    found = re.search(r'id="install-command"[^>]*><code>(.*?)</code>', await page(browser, path), re.DOTALL)
    assert found
    return html.unescape(found[1]).strip()


@pytest.mark.proves("INV-36", "INV-39", "A-21", "AGENT-CMD-04")
async def test_each_system_has_its_command(as_admin: Browser, call: Call) -> None:
    base = f"http://127.0.0.1:{as_admin.port}/api/v1/hosts/install"
    made = {name: await added(call, name, expected_platform=name) for name in ("linux", "freebsd", "windows")}
    keys = {name: f'-H "X-API-ID: {one.api_id}" -H "X-API-KEY: YOUR_API_KEY"' for name, one in made.items()}
    deploy = {name: f"/hosts/{one.uuid}/deploy" for name, one in made.items()}
    assert await command(as_admin, deploy["linux"]) == f'curl -s "{base}" {keys["linux"]} | sudo sh'
    assert await command(as_admin, deploy["freebsd"]) == f'curl -s "{base}?os=freebsd" {keys["freebsd"]} | sh'
    forced = await command(as_admin, f"{deploy['linux']}?force=true")
    assert forced == f'curl -s "{base}?force=true" {keys["linux"]} | sudo sh -s -- --force'
    forced = await command(as_admin, f"{deploy['freebsd']}?force=true")
    assert forced == f'curl -s "{base}?os=freebsd&force=true" {keys["freebsd"]} | sh -s -- --force'
    windows = await command(as_admin, deploy["windows"])
    for part in ("Invoke-WebRequest", f"{base}?os=windows", made["windows"].api_id, "-UseBasicParsing",
                 "-Encoding utf8", "$env:TEMP\\patchmon-install.ps1"):  # fmt: skip
        assert part in windows, part
    # Force is for Unix hosts only, and not in the wizard.
    assert "Force install (bypass broken packages)" in await page(as_admin, deploy["linux"])
    assert "Force install" not in await page(as_admin, deploy["windows"])
    assert await command(as_admin, f"{deploy['windows']}?force=true") == windows
    assert "Force install" not in await page(as_admin, "/hosts/new?os=linux")


@pytest.mark.proves("INV-35", "INV-174")
async def test_self_signed_certificates_are_accepted_where_that_is_set(as_admin: Browser, call: Call) -> None:
    made = await added(call)
    agent = Agent(as_admin, made.api_id, made.api_key.reveal())
    assert (await command(as_admin, f"/hosts/{made.uuid}/deploy")).startswith("curl -s ")
    assert "SKIP_SSL_VERIFY=false\n" in await (await agent.get("/hosts/install")).text()
    await settings.change(call, {"ignore_ssl_self_signed": True})
    assert (await command(as_admin, f"/hosts/{made.uuid}/deploy")).startswith("curl -sk ")
    status, text, _ = await posted(as_admin, "/hosts/new", {"friendly_name": "new", "expected_platform": "linux"})
    assert status == 200
    assert "curl -sk " in html.unescape(text)
    script = await (await agent.get("/hosts/install")).text()
    assert "CURL_FLAGS=-sk\n" in script
    assert "SKIP_SSL_VERIFY=true\n" in script
    assert "skip_ssl_verify: $SKIP_SSL_VERIFY" in script


@pytest.mark.proves("INV-100", "INV-101")
async def test_deploying_has_a_command_and_the_credentials_without_the_key(as_admin: Browser, call: Call) -> None:
    made = await added(call)
    deploy = f"/hosts/{made.uuid}/deploy"
    text = await page(as_admin, deploy)
    assert "Quick Install" in text
    assert "API Credentials" in text
    assert 'data-copy="#install-command"' in text
    assert f'href="/hosts/{made.uuid}/connect"' in text
    assert made.api_key.reveal() not in text
    text = await page(as_admin, f"{deploy}?show=credentials")
    assert re.search(rf'id="api-id"[^>]*>\s*{made.api_id}', text)
    assert 'data-copy="#api-id"' in text
    assert "•••" in text
    assert "not usable" in text
    assert made.api_key.reveal() not in text


@pytest.mark.proves("INV-40")
async def test_the_command_can_be_used_again_and_each_script_once(client: Browser, call: Call) -> None:
    made = await added(call)
    agent = Agent(client, made.api_id, made.api_key.reveal())

    async def token() -> str:
        found = re.search(r"BOOTSTRAP_TOKEN=(\S+)", await (await agent.get("/hosts/install")).text())
        assert found
        return found[1]

    async def exchanged(one: str) -> int:
        return (await client.post("/api/v1/hosts/bootstrap/exchange", json={"token": one})).status

    first, second = await token(), await token()
    assert first != second
    assert [await exchanged(first), await exchanged(first), await exchanged(second)] == [200, 401, 200]
    assert await call.db.value("select count(*) from hosts") == 1
    third = await token()
    names = [name async for name in call.world.redis.scan_iter("*bootstrap*")]
    assert len(names) == 1
    assert 290 <= await call.world.redis.ttl(names[0]) <= 300
    await call.world.redis.delete(names[0])
    assert await exchanged(third) == 401


@pytest.mark.proves("A-11", "INV-102")
async def test_a_new_key_closes_the_link_of_the_old_one(as_admin: Browser, client: Browser, call: Call) -> None:
    made = await added(call)
    agent = Agent(client, made.api_id, made.api_key.reveal())
    host_id, uuid = await host_of(call)
    async with connected(call, agent, host_id) as link:
        answer = await as_admin.post(f"/api/v1/hosts/{uuid}/regenerate-credentials")
        assert answer.status == 200
        async with asyncio.timeout(5):
            while (await link.receive()).type not in {WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING}:
                continue
    refused = await client.get("/api/v1/agents/ws", headers={**agent.headers, "Upgrade": "websocket"})
    assert refused.status == 401
