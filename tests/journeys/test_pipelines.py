"""Workflows, schedules and webhooks in a real browser: made by forms, launched, approved, looked at."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, expect

from server.core import clock
from server.core.call import Call
from server.core.env import Env
from server.webhooks import service as webhooks
from tests.factories.automation import Fleet, url_of
from tests.journeys.conftest import picture, signed_in

pytestmark = pytest.mark.real


@pytest.fixture
def env(env: Env) -> Env:
    return replace(env, outbound_allow_private="127.0.0.0/8")


@pytest.fixture
async def fleet(server: TestServer, call: Call) -> AsyncIterator[Fleet]:
    made = Fleet(call, url_of(server))
    yield made
    await made.close()


async def make_workflow(page: Page) -> None:
    """Build, approve, deploy; undo when that fails: by the form alone."""
    await page.goto("/workflows")
    await expect(page.get_by_text("No workflow yet.")).to_be_visible()
    await page.get_by_role("link", name="New workflow").first.click()
    await page.get_by_label("Name", exact=True).fill("Deploy web")
    await page.locator("[name='0.playbook']").select_option("ping")
    await page.locator("[name='0.title']").fill("Check the hosts")
    await page.locator("[name='0.hosts']").fill("web-01")
    await page.get_by_role("button", name="Approval").click()
    await page.locator("[name='1.title']").fill("Sign off")
    await page.get_by_role("button", name="Playbook").click()
    await page.locator("[name='2.playbook']").select_option("patch")
    await page.locator("[name='2.hosts']").fill("web-01")
    await page.locator("summary", has_text="Variables and options").nth(1).click()
    await page.locator("[name='2.variables']").fill("patch_scope: some")
    await page.get_by_role("button", name="Playbook").click()
    await page.locator("[name='3.playbook']").select_option("rollback")
    await page.locator("[name='3.title']").fill("Undo")
    await page.locator("[name='3.hosts']").fill("web-01")
    await page.locator("[name='3.when.0']").select_option("failure")
    await page.get_by_role("button", name="Create workflow").click()
    await expect(page.get_by_text("must be one of").first).to_be_visible()
    await picture(page, "workflow-editor")
    await page.locator("[name='2.variables']").fill("patch_scope: security")
    complaints = page.locator(".step-complaints")
    await page.get_by_role("button", name="Remove step-4").click()
    await expect(complaints).to_have_count(0)
    await page.get_by_role("button", name="Create workflow").click()
    await expect(page.get_by_role("heading", name="Deploy web", level=1)).to_be_visible()


async def run_workflow(page: Page, fleet: Fleet) -> None:
    """Launch it, end its jobs, approve its step, and see each without loading the page again."""
    agent = fleet.agents[0]
    await picture(page, "workflow")
    await page.get_by_role("button", name="Run", exact=True).first.click()
    await page.get_by_role("dialog").get_by_role("button", name="Run", exact=True).click()
    await expect(page.locator("tr", has_text="Check the hosts").get_by_text("running")).to_be_visible()
    await agent.end(await agent.job(), "succeeded")
    agent.jobs.clear()
    approve = page.get_by_role("button", name="Approve", exact=True).first
    await expect(approve).to_be_visible(timeout=15_000)
    await picture(page, "workflow-run")
    await approve.click()
    await page.get_by_role("dialog").get_by_role("button", name="Approve", exact=True).click()
    await expect(page.locator("tr", has_text="patch").get_by_text("running")).to_be_visible()
    await agent.end(await agent.job(), "failed", reason="no room")
    agent.jobs.clear()
    await expect(page.get_by_role("button", name="Start again where it failed").first).to_be_visible(timeout=15_000)
    await page.goto("/workflows")
    await picture(page, "workflows")
    await page.goto("/workflows/runs")
    await picture(page, "workflow-runs")


async def schedule_it(page: Page) -> None:
    await page.goto("/schedules/new")
    await page.get_by_label("Name", exact=True).fill("Nightly patches")
    await page.locator("#field-cron").fill("often")
    await page.locator("#field-starts").select_option("playbook:patch")
    await page.locator("#field-hosts").fill("web-01")
    await page.get_by_role("button", name="Create schedule").click()
    await expect(page.get_by_text("must have five fields").first).to_be_visible()
    await picture(page, "schedule-form")
    await page.locator("#field-cron").fill("30 2 * * 1-5")
    await page.get_by_role("button", name="Create schedule").click()
    await expect(page.get_by_role("heading", name="Nightly patches", level=1)).to_be_visible()
    await page.get_by_role("button", name="Run now").first.click()
    await page.get_by_role("dialog").get_by_role("button", name="Run now").click()
    await expect(page.get_by_role("heading", name="Nightly patches").first).to_be_visible()
    await page.goto("/schedules")
    await picture(page, "schedules")
    await page.get_by_role("link", name="Nightly patches").click()
    await expect(page.get_by_text("by hand")).to_be_visible()
    await picture(page, "schedule")


async def tell(page: Page, call: Call, url: str) -> None:
    await page.goto("/settings/webhooks")
    await page.get_by_role("link", name="New webhook").first.click()
    await page.get_by_label("Name", exact=True).fill("Release pipeline")
    await page.get_by_label("Address", exact=True).fill("http://10.0.0.7/hook")
    await page.get_by_role("button", name="Create webhook").click()
    await expect(page.get_by_text("private network").first).to_be_visible()
    await picture(page, "webhook-form")
    await page.get_by_label("Address", exact=True).fill(url)
    await page.get_by_role("button", name="Create webhook").click()
    await expect(page.get_by_text("shown this one time")).to_be_visible()
    await page.get_by_role("button", name="Send a test").click()
    await webhooks.work(replace(call, now=clock.now()))
    await page.reload()
    await expect(page.get_by_text("delivered")).to_be_visible()
    await page.get_by_role("button", name="Send again").click()
    await expect(page.get_by_text("The message is sent again.")).to_be_visible()
    await picture(page, "webhook")
    await page.goto("/settings/webhooks")
    await picture(page, "webhooks")


#: The pages that were refused on purpose are all there is to complain of.
REFUSED = "400 (Bad Request)"


async def test_a_workflow_is_made_launched_and_approved_by_its_pages(
    server: TestServer, fleet: Fleet, call: Call, chromium: Browser
) -> None:
    await fleet.online("web-01")
    page, problems = await signed_in(chromium, url_of(server), call)
    await make_workflow(page)
    await run_workflow(page, fleet)
    assert [one for one in problems if REFUSED not in one] == []


async def test_a_schedule_and_a_webhook_are_made_and_tried_by_their_pages(
    server: TestServer, fleet: Fleet, call: Call, chromium: Browser
) -> None:
    async def take(_: web.Request) -> web.Response:
        return web.Response(status=204)

    app = web.Application()
    app.router.add_post("/hook", take)
    await fleet.online("web-01")
    page, problems = await signed_in(chromium, url_of(server), call)
    await schedule_it(page)
    async with TestServer(app) as receiver:
        await tell(page, call, str(receiver.make_url("/hook")))
    assert [one for one in problems if REFUSED not in one] == []
