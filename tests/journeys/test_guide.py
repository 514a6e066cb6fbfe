"""The pictures of docs/guide, made from the demonstration fleet: `cp build/guide/*.png docs/guide/` keeps them."""

from collections.abc import AsyncIterator
from typing import Final

import pytest
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, Route, expect

from server.core.call import Call
from server.demo import service as demo
from server.packages import counters
from tests.factories.automation import url_of
from tests.factories.house import ROOT
from tests.factories.people import PASSWORD, person

pytestmark = pytest.mark.real
GUIDE: Final = ROOT / "build" / "guide"
#: Name of the picture, the address, and what must be seen there before it is taken.
PLACES: Final = (
    ("overview", "/", "Overview"),
    ("overview-cards", "/overview/cards", "Arrange the overview"),
    ("hosts", "/hosts", "Hosts"),
    ("hosts-security", "/hosts?filter=security&sort=security&direction=desc", "Hosts"),
    ("host-new", "/hosts/new", "Add New Host"),
    ("host", "/hosts/{host}", "{name}"),
    ("host-packages", "/hosts/{host}/packages", "{name}"),
    ("host-integrations", "/hosts/{host}/integrations", "{name}"),
    ("groups", "/options", "Groups"),
    ("packages", "/packages?filter=outdated", "Packages"),
    ("package", "/packages/{package}", "openssl"),
    ("repositories", "/repositories", "Repositories"),
    ("docker", "/docker/containers", "Docker"),
    ("docker-image", "/docker/images/{image}", "postgres:17-alpine"),
    ("compliance", "/compliance", "Security Compliance"),
    ("compliance-hosts", "/compliance/hosts", "Security Compliance"),
    ("compliance-host", "/compliance/hosts/{scanned}", "{scanned_name}"),
    ("compliance-rule", "/compliance/rules/{rule}", "{rule_title}"),
    ("launch", "/playbooks/patch/launch?host={host}", "Update the packages of the host"),
    ("jobs", "/jobs", "Jobs"),
    ("background", "/automation", "Background jobs"),
)


@pytest.fixture
async def page(server: TestServer, call: Call, chromium: Browser) -> AsyncIterator[Page]:
    await demo.fill(call, 1000, 1, lambda *_: None)
    await counters.refresh(call)
    user = await person(call, "superadmin", "ada")
    context = await chromium.new_context(viewport={"width": 1280, "height": 800}, base_url=url_of(server))
    await context.route("**/inter/index.css*", patiently)
    opened = await context.new_page()
    opened.set_default_timeout(15_000)
    await opened.goto("/login")
    await opened.get_by_label("Username or email").fill(user.username)
    await opened.get_by_label("Password", exact=True).fill(PASSWORD)
    await opened.get_by_role("button", name="Sign in", exact=True).click()
    await expect(opened.get_by_role("heading", level=1)).to_be_visible()
    yield opened
    await context.close()


async def patiently(route: Route) -> None:
    """Hand out the fonts so that a page waits for them: on a busy machine it would make do with others."""
    answer = await route.fetch()
    await route.fulfill(response=answer, body=(await answer.text()).replace("optional", "block"))


async def test_the_guide_shows_what_is_there(page: Page, call: Call) -> None:
    host = await call.db.one(
        """
        select h.uuid::text as host, h.friendly_name as name, (select id::text from packages where name = 'openssl')
               as package,
               (select uuid::text from docker_images where repository = 'postgres') as image,
               (select h.uuid::text from compliance_latest l join hosts h on h.id = l.host_id
                 order by l.failed desc, h.id limit 1) as scanned,
               (select h.friendly_name from compliance_latest l join hosts h on h.id = l.host_id
                 order by l.failed desc, h.id limit 1) as scanned_name,
               (select r.uuid::text from compliance_rules r join compliance_tallies t on t.rule = r.id
                 order by t.failed desc, r.id limit 1) as rule,
               (select r.title from compliance_rules r join compliance_tallies t on t.rule = r.id
                 order by t.failed desc, r.id limit 1) as rule_title
          from hosts h
          join host_inventory i on i.host_id = h.id
         order by i.security_updates desc, h.id
         limit 1
        """
    )
    assert host is not None
    GUIDE.mkdir(parents=True, exist_ok=True)
    for name, address, seen in PLACES:
        answer = await page.goto(address.format(**host))
        assert answer is not None
        assert answer.status == 200, f"{address}: {answer.status}"
        await expect(page.get_by_role("heading", name=seen.format(**host)).first).to_be_visible()
        await page.evaluate("document.fonts.ready.then(() => true)")
        await page.wait_for_timeout(150)
        await page.screenshot(path=GUIDE / f"{name}.png")
