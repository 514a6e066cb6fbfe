"""A host's page in a real browser: how a fresh, a usual and a huge host look, edits by keyboard, switches."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, expect

from server.channel import service as channel
from server.core.call import Call
from server.core.ids import HostId
from tests.factories.hosts import Agent, added, enrolled, full_report, package
from tests.factories.hosts import Browser as Client
from tests.journeys.conftest import picture
from tests.journeys.test_parts import signed_in

pytestmark = pytest.mark.real


@pytest.fixture
async def page(server: TestServer, call: Call, chromium: Browser) -> AsyncIterator[Page]:
    opened = await signed_in(server, call, chromium)
    yield opened
    await opened.context.close()


def interface(number: int) -> dict[str, Any]:
    return {
        "name": f"enp{number}s0f1np{number}",
        "type": "ethernet",
        "macAddress": f"52:54:00:aa:bb:{number:02x}",
        "mtu": 9000,
        "status": "up" if number % 3 else "down",
        "linkSpeed": 25_000,
        "duplex": "full",
        "addresses": [
            {"address": f"10.{number}.0.12", "family": "inet", "netmask": "/24", "gateway": f"10.{number}.0.1"},
            {"address": f"fe80::5054:ff:feaa:{number:x}", "family": "inet6", "netmask": "/64", "gateway": ""},
        ],
    }


async def usual(call: Call, client: Client) -> Agent:
    agent = await enrolled(call, client, "web-01")
    names = ("openssl", "curl", "libc6", "nginx", "vim", "bash", "sudo", "tzdata")
    await agent.update(full_report([package(name, "1.0-1", "1.0-2" if name < "d" else "") for name in names]))
    await agent.update(
        full_report([package(name, "1.0-2", "1.1-1" * (name == "nginx"), isSecurityUpdate=name == "nginx")
                     for name in (*names[1:], "jq")])
    )  # fmt: skip
    return agent


async def huge(call: Call, client: Client) -> None:
    made = await added(call, "a-host-with-quite-a-long-name-01.production.example.net")
    agent = Agent(client, made.api_id, made.api_key.reveal())
    for round_of in (1, 2):
        packages = [
            package(f"lib{number}-something-{number % 7}", f"1.{number}.{round_of if number % 5 == 0 else 1}",
                    "9.9" if number % 11 == 0 else "", isSecurityUpdate=number % 33 == 0)
            for number in range(3000)
        ]  # fmt: skip
        await agent.update(full_report(packages, networkInterfaces=[interface(number) for number in range(30)]))


TABS = {
    "fresh": ("", "/reports", "/deploy"),
    "usual": ("", "/network", "/reports?open=2", "/queue", "/integrations", "/compare"),
    "huge": ("", "/network"),
}


@pytest.mark.parametrize("kind", TABS)
async def test_a_host_looks_right_and_shuts_nobody_out(page: Page, client: Client, call: Call, kind: str) -> None:
    if kind == "fresh":
        await added(call, "fresh-01")
    elif kind == "usual":
        await usual(call, client)
        await usual(call, client)
    else:
        await huge(call, client)
    uuid = await call.db.value("select uuid from hosts order by id limit 1")
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    for tab in TABS[kind]:
        answer = await page.goto(f"/hosts/{uuid}{tab}")
        assert answer is not None
        assert answer.status == 200
        word = tab.strip("/").partition("?")[0] or "summary"
        await picture(page, f"host-{kind}-{word}")
    assert problems == []


@pytest.mark.proves("INV-62", "INV-70")
async def test_a_name_is_changed_with_the_keyboard(page: Page, call: Call) -> None:
    uuid = (await added(call, "web-01")).uuid
    await page.goto(f"/hosts/{uuid}")
    field = page.get_by_label("Friendly name", exact=True)
    opener = page.locator("summary", has_text="Edit friendly name")
    await opener.focus()
    await page.keyboard.press("Enter")
    await expect(field).to_be_focused()
    await field.fill("something else")
    await page.keyboard.press("Escape")
    await expect(field).to_be_hidden()
    await expect(opener).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(field).to_have_value("web-01")
    await field.fill("web-02")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("web-02")


@pytest.mark.proves("INV-90", "INV-91")
async def test_a_switch_waits_for_apply_and_for_the_agent(page: Page, client: Client, call: Call) -> None:
    agent = await enrolled(call, client)
    row = await call.db.one("select id, uuid from hosts")
    assert row
    await page.goto(f"/hosts/{row['uuid']}/integrations")
    await page.get_by_role("button", name="Enable", exact=True).click()
    banner = page.locator("#pending")
    await expect(banner).to_contain_text("The agent is offline")
    await expect(page.locator("header").get_by_role("button", name="Apply")).to_be_disabled()
    link = await client.ws_connect("/api/v1/agents/ws", headers=agent.headers)
    async with asyncio.timeout(10):
        while not await channel.online(call, [HostId(row["id"])]):
            await asyncio.sleep(0.05)
    await page.reload()
    await page.locator("header").get_by_role("button", name="Apply").click()
    await expect(banner).to_contain_text("once the agent has confirmed")
    assert json.loads((await link.receive(timeout=5)).data)["config"]["docker"] is True
    await link.close()
    await agent.get("/hosts/integrations")
    await page.reload()
    await expect(banner).to_have_count(0)
    await expect(page.locator("main section", has_text="Docker").first).to_contain_text("Enabled")
