"""Campaigns, windows and the calendar as browsers without scripts use them."""

import re
from typing import Any

import pytest

from server.core.call import Call
from tests.conftest import Browser
from tests.factories.automation import Fleet
from tests.factories.campaigns import Campaigns, patched
from tests.factories.people import sign_in_as
from tests.factories.reader import Reader

NEW = "/patching/campaigns/new"


@pytest.fixture
def reader(as_admin: Browser) -> Reader:
    return Reader(as_admin)


def form(fleet: Fleet, **more: Any) -> dict[str, Any]:
    """Return what a browser sends for a campaign of every host of the fleet."""
    usual = {"name": "November", "what": "all", "waves": "1, rest", "soak_minutes": "0", "max_failure_percent": "10"}
    return {**usual, "host": list(fleet.ids.values()), "step": "create", **more}


async def test_nothing_yet_says_what_to_do(reader: Reader) -> None:
    assert "No campaign yet" in await reader.words("/patching/campaigns")
    assert "No maintenance window yet" in await reader.words("/patching/windows")
    assert "Monday Mon Tuesday Tue" in await reader.words("/patching/calendar")


async def test_the_form_shows_its_waves_then_starts_them(reader: Reader, api: Campaigns, fleet: Fleet) -> None:
    for name in ("a", "b", "c"):
        await fleet.enrol(name)
    shown = await reader.send(NEW, "/patching/campaigns", 200, **form(fleet, step="preview"))
    assert "3 hosts in 2 waves, if it began now" in re.sub(r"\s+", " ", shown)
    home = await reader.send(NEW, "/patching/campaigns", **form(fleet, what="security", reboot="if_required"))
    text = await reader.words(home)
    assert "Running Security updates" in text
    assert "Wave 1 1 host · running" in text
    assert "Wave 2 2 hosts · waiting" in text
    assert "Restart if the updates need one" in text
    (made,) = (await api.ask("GET", "/patching/campaigns"))["campaigns"]
    assert (made["plan"]["security_only"], made["plan"]["reboot"]) == (True, "if_required")
    assert "November" in await reader.words("/patching/campaigns")


async def test_every_complaint_stands_at_its_field_and_nothing_typed_is_lost(reader: Reader, fleet: Fleet) -> None:
    await fleet.enrol("a")
    refused = form(fleet, name="", waves="1, most", max_failure_percent="10")
    text = await reader.send(NEW, "/patching/campaigns", 400, **refused)
    assert "A wave is a number of hosts, a percentage or the word rest, not most" in text
    text = await reader.send(NEW, "/patching/campaigns", 400, **form(fleet, host=[], waves="2, 30%", name="Kept"))
    assert "Choose at least one host, host group or tag" in text
    assert 'value="Kept"' in text
    assert 'value="2, 30%"' in text


async def test_buttons_stand_where_they_work(reader: Reader, api: Campaigns, fleet: Fleet) -> None:
    agents = {name: await fleet.online(name) for name in ("a", "b")}
    home = await reader.send(NEW, "/patching/campaigns", **form(fleet, step="draft"))
    assert {"Launch", "Abandon", "Delete"} <= set(await buttons(reader, home))
    await reader.send(home, f"{home}/launch")
    assert "Pause" in await buttons(reader, home)
    await patched(api, agents["a"], await agents["a"].job(), "failed", error="No space left on device")
    campaign = {"id": home.rpartition("/")[2]}
    await api.comes(campaign, "stopped")
    text = await reader.words(home)
    assert "1 of 1 hosts of wave 1 failed, more than 10 %" in text
    assert "Disk full 1 host: a" in text
    assert {"Resume", "Relaunch on failed", "Abandon"} <= set(await buttons(reader, home))
    await reader.send(home, f"{home}/relaunch")
    for agent in agents.values():
        await patched(api, agent, await agent.job())
    await api.comes(campaign, "completed")
    assert "100 % 2 of 2 hosts done" in await reader.words(home)
    assert "b Succeeded" in await reader.words(f"{home}?state=succeeded")
    assert await buttons(reader, home) == []


async def buttons(reader: Reader, url: str) -> list[str]:
    """Return the titles of the buttons in the head of a page."""
    head = (await reader.page(url)).partition('class="page-actions"')[2].partition("</header>")[0]
    found = re.findall(r"<button[^>]*>(?:\s*<svg.*?</svg>)?\s*([^<]+?)\s*</button>", head, re.DOTALL)
    return [title for title in dict.fromkeys(found) if title != "Cancel"]


async def test_a_dry_campaign_leads_to_the_real_one(reader: Reader, api: Campaigns, fleet: Fleet) -> None:
    agent = await fleet.online("a")
    made = await api.campaign(*fleet.ids.values(), dry_run=True)
    await patched(api, agent, await agent.job())
    await api.comes(made, "completed")
    home = f"/patching/campaigns/{made['id']}"
    real = await reader.send(home, f"{home}/repeat")
    assert "dry run" not in await reader.words(real)
    assert (await api.shown({"id": real.rpartition("/")[2]}))["rehearsal"] == made["id"]


WINDOW: dict[str, Any] = {
    "name": "Sunday night", "cron": "0 2 * * 0", "timezone": "Europe/Berlin", "duration_minutes": "240",
    "notice_hours": "24", "enabled": "true", "what": "security", "waves": "1, 10%, rest", "soak_minutes": "20",
    "max_failure_percent": "5", "group": "all", "blackouts": "2099-12-24..2099-12-27 Christmas",
}  # fmt: skip


async def test_a_window_is_made_changed_started_and_deleted(reader: Reader, api: Campaigns, fleet: Fleet) -> None:
    await fleet.enrol("a")
    await reader.send("/patching/windows/new", "/patching/windows", **WINDOW)
    text = await reader.words("/patching/windows")
    assert "Sunday night On" in text
    assert "0 2 * * 0 Europe/Berlin, for 240 min What Security updates Where the whole fleet (1 host)" in text
    (found,) = await api.ask("GET", "/patching/windows")
    page = f"/patching/windows/{found['id']}"
    shown = await reader.page(page)
    for kept in ('value="0 2 * * 0"', "2099-12-24..2099-12-27 Christmas", 'value="1, 10%, rest"'):
        assert kept in shown
    await reader.send(page, page, **{**WINDOW, "name": "Monday night", "cron": "0 2 * * 1", "enabled": ["false"]})
    changed = await api.ask("GET", f"/patching/windows/{found['id']}")
    assert (changed["name"], changed["enabled"], changed["blackouts"][0]["name"]) == (
        "Monday night",
        False,
        "Christmas",
    )
    started = await reader.send("/patching/windows", f"{page}/start")
    assert "Running" in await reader.words(started)
    await reader.send("/patching/windows", f"{page}/delete")
    assert await api.ask("GET", "/patching/windows") == []


async def test_what_a_window_cannot_be_is_said_at_its_field(reader: Reader, fleet: Fleet) -> None:
    await fleet.enrol("a")
    wrong = {**WINDOW, "cron": "every day", "blackouts": ""}
    text = await reader.send("/patching/windows/new", "/patching/windows", 400, **wrong)
    assert "must have five fields" in text
    text = await reader.send("/patching/windows/new", "/patching/windows", 400, **{**WINDOW, "blackouts": "Christmas"})
    assert "A line is a day or a span, 2026-12-24..2026-12-27, not Christmas" in text


async def test_the_calendar_shows_openings_closings_and_clashes_in_the_zone_of_who_looks(
    reader: Reader, api: Campaigns, fleet: Fleet
) -> None:
    await fleet.enrol("a")
    out = [{"first": "2099-12-24", "last": "2099-12-27", "name": "Christmas"}]
    await api.window(*fleet.ids.values(), cron="0 23 * * *", name="Nightly", blackouts=out)
    await api.window(*fleet.ids.values(), cron="30 23 20 12 *", name="Yearly")
    text = await reader.words("/patching/calendar?week=2099-12-21&zone=UTC")
    assert "21 December \u2013 27 December 2099" in text
    assert "23:00\u201300:00 Nightly Window, 1 host" in text
    assert text.count("Closed: Christmas") == 4
    there = await reader.words("/patching/calendar?week=2099-12-21&zone=Asia/Tokyo")
    assert "08:00\u201309:00 Nightly" in there
    text = await reader.words("/patching/calendar?month=2099-12&zone=UTC")
    assert "December 2099" in text
    assert "Nightly and Yearly are open at the same time" in text
    for nonsense in ("month=2099-13", "week=yesterday", "zone=Nowhere/Land", "month=0001-01"):
        await reader.page(f"/patching/calendar?{nonsense}")


async def test_who_only_looks_sees_no_buttons_and_starts_nothing(
    client: Browser, call: Call, api: Campaigns, fleet: Fleet
) -> None:
    await fleet.enrol("a")
    made = await api.campaign(*fleet.ids.values(), waves=[{"hosts": 1}, {}])
    await sign_in_as(client, call, "readonly")
    reader = Reader(client)
    assert await buttons(reader, f"/patching/campaigns/{made['id']}") == []
    await reader.page(NEW, 403)
    await reader.page("/patching/windows/new", 403)
    await reader.send("/patching/campaigns", f"/patching/campaigns/{made['id']}/pause", 403)
