"""The pages of patching in a browser: in every state, live, with two selections, and on a phone."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, expect

from server.core.call import Call
from tests.factories.automation import Fleet, url_of
from tests.factories.patching import Patching, change, finish
from tests.factories.people import PASSWORD, bearer, person
from tests.factories.runs import Past
from tests.journeys.conftest import picture, tab_stops

pytestmark = pytest.mark.real

PACKAGES: list[dict[str, Any]] = [
    change("openssl", security=True),
    change("libssl3", security=True, requested=False),
    change("curl"),
]


@pytest.fixture
async def page(server: TestServer, call: Call, chromium: Browser) -> AsyncIterator[Page]:
    known = await person(call, "superadmin")
    context = await chromium.new_context(
        base_url=str(server.make_url("/")),
        viewport={"width": 1280, "height": 860},
        reduced_motion="reduce",
        permissions=["clipboard-read", "clipboard-write"],
    )
    opened = await context.new_page()
    opened.set_default_timeout(20_000)
    await opened.goto("/login")
    await opened.fill("[name=username]", known.username)
    await opened.fill("[name=password]", PASSWORD)
    await opened.locator("form:has([name=password]) button[type=submit]").first.click()
    await opened.wait_for_url(re.compile(r"/$"))
    yield opened
    await context.close()


@pytest.fixture
async def fleet(server: TestServer, call: Call) -> AsyncIterator[Fleet]:
    made = Fleet(call, url_of(server))
    yield made
    await made.close()


@pytest.fixture
async def api(server: TestServer, call: Call) -> AsyncIterator[Patching]:
    async with ClientSession() as session:
        yield Patching(session, url_of(server), await bearer(call))


@pytest.fixture
def past(call: Call) -> Past:
    return Past(call)


def watched(page: Page) -> list[str]:
    """Collect what the page's scripts complain about."""
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    return problems


async def filled(past: Past) -> dict[str, str]:
    """Write a week of patching; return runs by their state."""
    hosts = {
        name: await past.host(name) for name in ("web-prod-01", "web-prod-02", "db-prod-01", "cache-01", "mail-01")
    }
    week = [past.call.now - timedelta(hours=7 * n) for n in range(12)]
    lock = "Could not get the package manager's lock: dpkg is in use by process 812 (unattended-upgr)"
    nightly = {"id": "a", "name": "Nightly", "patch_delay_type": "fixed_time", "fixed_time_utc": "03:00",
               "timezone": "Europe/London", "delay_minutes": None}  # fmt: skip
    for number, (name, host) in enumerate(hosts.items()):
        await past.run(host, "completed", at=week[number + 4], packages=PACKAGES, plan={}, output="Setting up curl\n")
        await past.run(host, "scheduled", policy=nightly, batch="00000000-0000-4000-8000-000000000001")
        if name != "mail-01":
            await past.run(host, "failed", at=week[number + 2], error=lock)
    made = {}
    web, database = hosts["web-prod-01"], hosts["db-prod-01"]
    chosen = {"patch_type": "patch_package", "names": ["openssl", "curl"], "packages": PACKAGES, "plan": {}}
    made["pending_validation"] = await past.run(
        hosts["mail-01"], "pending_validation", dry=True, **chosen | {"packages": []}
    )
    made["validated"] = await past.run(database, "validated", dry=True, extra=True, output="Inst libssl3\n", **chosen)
    made["pending_approval"] = await past.run(hosts["cache-01"], "pending_approval", by=None)
    made["approved"] = await past.run(web, "approved", dry=True, extra=True, **chosen)
    other = [PACKAGES[0] | {"to": "1.2"}, PACKAGES[2], change("zlib1g", requested=False)]
    made["completed"] = await past.run(
        web, "completed", validation=made["approved"], output="Reading package lists...\rDone\n",
        **chosen | {"packages": other},
    )  # fmt: skip
    made["failed"] = await past.run(web, "failed", error=lock, output="E: Could not get lock\n")
    return made


@pytest.mark.proves("PATCH-135")
async def test_the_pages_look_right_empty_and_full(page: Page, past: Past) -> None:
    problems = watched(page)
    await page.goto("/patching")
    await picture(page, "patching-empty")
    await page.goto("/patching?tab=runs")
    await picture(page, "patching-runs-empty")
    made = await filled(past)
    await page.goto("/patching")
    await picture(page, "patching")
    await page.goto("/patching?tab=runs")
    over = "node => node.offsetWidth - node.closest('.table-frame').clientWidth"
    cut = await page.locator(".runs-table").evaluate(over)
    assert cut <= 0, f"{cut} px of the table are cut off"
    await picture(page, "patching-runs")
    for state in ("validated", "completed", "failed"):
        await page.goto(f"/patching/runs/{made[state]}")
        await picture(page, f"patching-run-{state}")
    host = await past.call.db.value("select uuid::text from hosts where friendly_name = 'web-prod-01'")
    await page.goto(f"/hosts/{host}/patching")
    await page.locator(".run-inline summary").first.click()
    await expect(page.locator(".run-inline .terminal").first).to_be_visible()
    await picture(page, "host-patching")
    # On a phone each run is a card, its buttons as wide as the card and below everything else.
    await page.set_viewport_size({"width": 390, "height": 860})
    await page.goto("/patching?tab=runs&status=pending_validation")
    card = await page.locator(".runs-table tbody tr").bounding_box()
    buttons = page.locator(".run-actions .btn")
    assert card is not None
    assert await buttons.count() == 3
    for number in range(3):
        box = await buttons.nth(number).bounding_box()
        assert box is not None
        assert box["width"] > card["width"] * 0.8
    last = await page.locator(".runs-table tbody tr td").last.get_attribute("class")
    assert last == "run-actions"
    assert problems == []


@pytest.mark.proves("PATCH-136", "PATCH-138", "PATCH-141", "A-28")
async def test_two_selections_never_hold_the_same_run(page: Page, past: Past) -> None:
    problems = watched(page)
    for number in range(30):
        await past.run(
            await past.host(f"web-{number:02}"), "validated" if number % 3 else "scheduled", dry=bool(number % 3)
        )
    await page.goto("/patching?tab=runs")
    rows = page.locator(".runs-table tbody tr")
    await expect(rows).to_have_count(25)
    first = page.locator("tr:has([data-pick=approve])").first
    await first.locator("[data-pick=delete]").check()
    await expect(page.get_by_role("button", name="Delete 1 selected").first).to_be_visible()
    await expect(page.locator('[data-pick-side="approve"]')).to_be_hidden()
    await first.locator("[data-pick=approve]").check()
    await expect(first.locator("[data-pick=delete]")).not_to_be_checked()
    await expect(page.get_by_role("button", name="Approve 1 selected")).to_be_visible()
    second = page.locator("tr:has([data-pick=delete])").nth(5)
    await second.locator("[data-pick=delete]").check()
    await expect(page.get_by_role("button", name="Delete 1 selected").first).to_be_visible()
    # The bar stays in sight and covers what is below it; at the end it covers nothing.
    await page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    await picture(page, "patching-runs-chosen")
    await page.locator("[data-pick-all=approve]").check()
    number = await page.locator("[data-pick=approve]").count()
    await expect(page.get_by_role("button", name=f"Approve {number} selected")).to_be_visible()
    await page.get_by_role("button", name="Clear approve").click()
    await expect(page.locator("[data-pick=approve]:checked")).to_have_count(0)
    await page.locator("[data-pick-all=delete]").check()
    await page.get_by_role("button", name="Delete 25 selected").first.click()
    await page.get_by_role("dialog").get_by_role("button", name="Delete 25 selected").click()
    await expect(page.get_by_text("Deleted 25")).to_be_visible()
    await expect(rows).to_have_count(5)
    # The number of rows is this browser's to remember.
    for number in range(30):
        await past.run(await past.host(f"db-{number:02}"), "completed")
    await page.goto("/patching?tab=runs")
    await page.get_by_label("50 rows on a page").click()
    await expect(rows).to_have_count(35)
    assert await page.evaluate("localStorage.getItem('patching-runs-limit')") == "50"
    await page.goto("/patching?tab=runs")
    await expect(rows).to_have_count(35)
    await page.locator("#runs-status").select_option("completed")
    await expect(page).to_have_url(re.compile(r"tab=runs&status=completed"))
    await expect(rows).to_have_count(30)
    await page.locator("#runs-clear").click()
    await expect(rows).to_have_count(35)
    await expect(page.locator("#runs-status")).to_have_value("")
    assert problems == []


@pytest.mark.proves(
    "PATCH-100", "PATCH-108", "PATCH-114", "PATCH-115", "PATCH-116", "PATCH-117", "PATCH-118", "PATCH-119"
)
async def test_a_run_is_watched_from_queued_to_its_report(page: Page, api: Patching, fleet: Fleet, call: Call) -> None:
    problems = watched(page)
    agent = await fleet.enrol("web-01")
    made = await api.trigger(fleet.ids["web-01"])
    await page.goto(f"/patching/runs/{made['patch_run_id']}")
    await expect(page.locator("#run-output")).to_have_text("(No output yet)")
    await expect(page.get_by_role("button", name="Copy output")).to_have_count(0)
    pill = page.locator("[data-run-pill]")
    await expect(pill).to_be_hidden()
    await agent.connect()
    held = await agent.job()
    text = "".join(f"Get:{number} package-{number}\rfetched\n" for number in range(80))
    await agent.tell(held, {"event": "live", "stdout": text}, source="live")
    await expect(pill).to_be_visible(timeout=15_000)
    await expect(page.locator("#run-head .state")).to_have_text("Running")
    await expect(page.get_by_role("button", name="Copy output")).to_have_count(0)
    output = page.locator("#run-output")
    await expect(output).to_contain_text("package-79\nfetched")
    box = await output.bounding_box()
    assert box is not None
    assert abs(box["height"] - 420) < 2
    # It follows its end until somebody scrolls up, and again when they are back.
    far = "node => node.scrollHeight - node.scrollTop - node.clientHeight"
    assert await output.evaluate(far) < 2
    await output.evaluate("node => { node.scrollTop = 100; }")
    await agent.tell(held, {"event": "live", "stdout": "Unpacking one\n"}, source="live")
    await expect(output).to_contain_text("Unpacking one")
    assert await output.evaluate("node => node.scrollTop") == 100
    await output.evaluate("node => { node.scrollTop = node.scrollHeight - node.clientHeight - 30; }")
    await page.wait_for_timeout(100)
    await agent.tell(held, {"event": "live", "stdout": "Unpacking two\n"}, source="live")
    await expect(output).to_contain_text("Unpacking two")
    assert await output.evaluate(far) < 2
    await picture(page, "patching-run-live")
    await page.get_by_role("button", name="Stop Run").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Partially-installed packages may leave the host in an intermediate state")
    await dialog.get_by_role("button", name="Cancel").click()
    await finish(api, agent, held, change("openssl"))
    await expect(page.locator("#run-head .state")).to_have_text("Completed")
    await expect(pill).to_be_hidden()
    await expect(page.locator("#run-head")).to_contain_text("Awaiting inventory report")
    await expect(page.locator("#run-packages")).to_contain_text("openssl")
    await page.get_by_role("button", name="Copy output").click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = await page.evaluate("navigator.clipboard.readText()")
    stored = (await api.run(made["patch_run_id"]))["shell_output"]
    assert copied.replace("\r\n", "\n") == stored.replace("\r\n", "\n")
    later = "update hosts set awaiting_post_patch_report_run_id = null, last_update = now() + interval '1 minute'"
    await call.db.execute(later)
    await expect(page.locator("#run-head")).to_contain_text("New report received", timeout=10_000)
    assert problems == []


@pytest.mark.proves("PATCH-79")
async def test_a_policy_is_made_given_and_taken_away_by_keyboard(page: Page, past: Past) -> None:
    problems = watched(page)
    await past.host("web-01")
    await page.goto("/patching?tab=policies")
    await picture(page, "patching-policies-empty")
    await page.get_by_role("link", name="Create policy").first.press("Enter")
    await expect(page.get_by_label("Minutes to wait")).to_be_hidden()
    await page.get_by_label("Name").fill("Nightly")
    await page.get_by_label("Patch delay").select_option(label="Fixed time (e.g. 3:00 AM)")
    await page.get_by_label("Time (UTC)").fill("03:00")
    await page.get_by_label("Timezone").select_option("Europe/London")
    await picture(page, "patching-policy-new")
    await page.get_by_role("button", name="Create", exact=True).press("Enter")
    await expect(page.get_by_text("Fixed time at 03:00 Europe/London")).to_be_visible()
    await page.get_by_label("Host or group").fill("web-01")
    await page.keyboard.press("Enter")
    await expect(page.locator(".given")).to_have_text(re.compile("web-01"))
    await picture(page, "patching-policies")
    await page.goto("/settings/patch-management")
    await picture(page, "settings-patch-management")
    await page.get_by_role("link", name="Nightly", exact=True).press("Enter")
    await page.get_by_role("button", name="Remove web-01").press("Enter")
    await expect(page.get_by_text("Nobody yet")).to_be_visible()
    stops = await tab_stops(page, 12)
    assert not [stop for stop in stops if stop.startswith("UNSEEN")], stops
    assert problems == []
