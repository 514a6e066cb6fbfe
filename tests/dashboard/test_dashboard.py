"""The overview, the health of the server, and what the bar on top posts to."""

import asyncio
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import CookieJar
from aiohttp.test_utils import TestClient, TestServer

from server.app import build
from server.core import clock
from server.core.call import NOBODY, Call, World, system
from server.core.db import Database
from server.core.loop import Keeper
from server.core.redis import open_redis
from server.dashboard import rules
from server.dashboard.models import JobRow
from server.identity import access
from tests.conftest import Browser
from tests.factories.people import HTML, bearer, person, post_form, role_with, sign_in

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


async def add_host(call: Call, name: str, *, updates: int = 0, security: int = 0, reboot: bool = False) -> None:
    host = await call.db.value(
        """
        insert into hosts (friendly_name, api_id, api_key, needs_reboot, last_update)
        values (%(name)s, %(name)s, 'x', %(reboot)s, now())
        returning id
        """,
        name=name,
        reboot=reboot,
    )
    await call.db.execute(
        "insert into host_inventory (host_id, updates, security_updates, updated_at)"
        " values (%(host)s, %(updates)s, %(security)s, now())",
        host=host,
        updates=updates,
        security=security,
    )


async def add_job(call: Call, title: str, statuses: tuple[str, ...]) -> str:
    await call.db.execute(
        "insert into projects (digest, size, content, origin) values (repeat('0', 64), 0, '', 'built in')"
        " on conflict do nothing"
    )
    job = await call.db.one(
        """
        insert into jobs (playbook, playbook_file, title, project_digest, check_mode, launched_by, launched_by_id,
                          job_date, created_at, deadline_at)
        values ('patch', 'patch.yml', %(title)s, repeat('0', 64), true, 'ada', '1', now(), now(), now())
        returning id, uuid
        """,
        title=title,
    )
    assert job is not None
    for status in statuses:
        await call.db.execute(
            "insert into job_hosts (job_id, host_name, status, changing) values (%(job)s, 'h', %(status)s, false)",
            job=job["id"],
            status=status,
        )
    return str(job["uuid"])


async def test_the_overview_counts_the_fleet_and_lists_what_ran(as_admin: Browser, call: Call) -> None:
    await add_host(call, "web-01", updates=3, security=1)
    await add_host(call, "web-02", updates=2, reboot=True)
    await add_host(call, "web-03")
    job = await add_job(call, "Patch the fleet", ("succeeded", "failed"))
    page = await (await as_admin.get("/", headers=HTML)).text()
    flat = " ".join(page.split())
    for url, number in (
        ("/hosts", 3),
        ("/hosts?filter=needsUpdates", 2),
        ("/hosts?filter=security", 1),
        ("/hosts?filter=reboot", 1),
        ("/hosts?filter=patchStale", 0),
        ("/packages?filter=outdated", 0),
    ):
        tile = next(part for part in flat.split('<a class="tile')[1:] if f'href="{url}"' in part.split(">")[0])
        assert f">{number}<" in tile.split("</a>")[0], url
    assert "Patch the fleet" in flat
    assert f"/jobs/{job}" in flat
    assert "dry run" in flat


async def test_an_empty_fleet_says_what_to_do(as_admin: Browser, client: Browser, call: Call) -> None:
    page = await (await as_admin.get("/", headers=HTML)).text()
    assert 'href="/hosts/new"' in page
    await sign_in(client, (await person(call, "readonly")).username)
    assert 'href="/hosts/new"' not in await (await client.get("/", headers=HTML)).text()


@pytest.mark.proves("INV-03")
async def test_the_numbers_are_for_who_may_see_them(client: Browser, call: Call) -> None:
    await role_with(call, "watcher", "can_view_hosts", "can_view_packages")
    await role_with(call, "numbers", "can_view_dashboard")
    watcher, numbers = await bearer(call, "watcher"), await bearer(call, "numbers")
    for path in ("/api/v1/dashboard/stats", "/api/v1/dashboard/navigation-stats", "/overview/cards"):
        assert (await client.get(path, headers=numbers)).status == 200, path
        assert (await client.get(path, headers=watcher)).status == 403, path
        assert (await client.get(path, headers={"Accept": "application/json"})).status == 401, path


async def test_who_may_not_see_it_is_led_elsewhere(client: Browser, call: Call) -> None:
    await role_with(call, "nothing")
    await role_with(call, "numbers", "can_view_dashboard")
    await sign_in(client, (await person(call, "nothing")).username)
    answer = await client.get("/", headers=HTML, allow_redirects=False)
    assert answer.headers["Location"] == "/settings/profile"
    await add_host(call, "web-01")
    await add_job(call, "Secret title", ("running",))
    await sign_in(client, (await person(call, "numbers")).username)
    page = await (await client.get("/", headers=HTML)).text()
    assert "Secret title" not in page


@pytest.mark.parametrize(
    ("counts", "status", "state", "live"),
    [
        ({"succeeded": 3}, "succeeded", "good", False),
        ({"succeeded": 3, "failed": 1}, "failed", "bad", False),
        ({"succeeded": 3, "running": 1, "failed": 1}, "running", "attention", True),
        ({"queued": 2}, "queued", "neutral", False),
        ({"cancelled": 1, "succeeded": 1}, "cancelled", "neutral", False),
        ({}, "queued", "neutral", False),
    ],
)
def test_a_job_is_what_its_most_telling_host_is(counts: dict[str, int], status: str, state: str, live: bool) -> None:
    job = JobRow("id", "t", True, "ada", NOW, None, NOW - timedelta(seconds=90), counts, "")
    shown = rules.summary(job, NOW)
    assert (shown.status, shown.state, shown.live, shown.duration_seconds) == (status, state, live, 90)


@pytest.mark.proves("OPS-31")
async def test_health_is_one_word_or_three(client: Browser) -> None:
    answer = await client.get("/health")
    assert (answer.status, await answer.text()) == (200, "healthy")
    well = {"status": "healthy", "database": "healthy", "redis": "healthy"}
    assert await (await client.get("/health", headers={"Accept": "application/json"})).json() == well
    assert await (await client.get("/health?format=json")).json() == well


class Gone:
    """A server whose database or Redis went away after it started."""

    def __init__(self, world: World, keeper: Keeper) -> None:
        self.app = build(world, keeper)

    async def told(self, **headers: str) -> tuple[int, str]:
        async with TestClient(TestServer(self.app)) as client:
            answer = await client.get("/health?format=json", headers=headers)
            return answer.status, await answer.text()


@pytest.mark.proves("OPS-31")
async def test_health_says_that_redis_is_gone(world: World, keeper: Keeper) -> None:
    alone = replace(world, redis=await open_redis(world.env.redis_url.reveal()))
    alone.redis.connection_pool.connection_kwargs["path"] = f"/tmp/{uuid.uuid4().hex}.sock"
    alone.redis.connection_pool.reset()  # type: ignore[no-untyped-call]
    status, body = await Gone(alone, keeper).told()
    assert status == 503
    assert '"status":"unhealthy","database":"healthy","redis":"unhealthy"' in body


@pytest.mark.proves("OPS-31")
async def test_health_says_that_the_database_is_gone_even_to_who_is_signed_in(
    world: World, keeper: Keeper, services: object
) -> None:
    name = f"gone_{uuid.uuid4().hex[:12]}"
    await world.db.execute(f"create database {name} template patchmon_template")
    doomed = await Database.open(services.database(name), size=3)  # type: ignore[attr-defined]
    gone = Gone(replace(world, db=doomed), keeper)
    async with TestClient(TestServer(gone.app)) as client:
        assert (await client.get("/health")).status == 200
        await world.db.execute(f"drop database {name} with (force)")
        claims = access.Claims(str(uuid.uuid4()), str(uuid.uuid4()))
        token = access.issue(Call(world, NOBODY), "access", claims, "user", clock.now() + timedelta(hours=1))
        for headers in ({}, {"Cookie": f"token={token}"}):
            async with asyncio.timeout(8):
                answer = await client.get("/health?format=json", headers=headers)
            assert answer.status == 503, headers
            assert (await answer.json())["database"] == "unhealthy"
        asked = await client.get("/api/v1/auth/profile", headers={"Cookie": f"token={token}"})
        assert (asked.status, (await asked.json())["error"]) == (
            503,
            "Service temporarily unavailable. Please try again shortly.",
        )
        plain = await client.get("/health")
        assert (plain.status, await plain.text()) == (503, "unhealthy")
    await doomed.close()


async def test_crawlers_are_asked_to_stay_away(client: Browser) -> None:
    assert await (await client.get("/robots.txt")).text() == "User-agent: *\nDisallow: /\n"


async def test_the_theme_is_remembered_signed_in_or_not(client: Browser, as_admin: Browser) -> None:
    await as_admin.get("/")
    for browser, page in ((client, "/login"), (as_admin, "/settings/tokens")):
        answer = await post_form(browser, page, "/theme", {"theme": "dark", "return_to": page})
        assert (answer.status, answer.headers["Location"], answer.cookies["theme"].value) == (303, page, "dark")
        assert 'data-bs-theme="dark"' in await (await browser.get(page, headers=HTML)).text()
    odd = await post_form(client, "/login", "/theme", {"theme": "<x>", "return_to": "//evil.example"})
    assert (odd.headers["Location"], "theme" in odd.cookies) == ("/", False)


async def test_the_parts_are_shown_where_pages_are_built_only(as_admin: Browser, world: World, keeper: Keeper) -> None:
    page = await as_admin.get("/styleguide", headers=HTML)
    assert page.status == 200
    assert "must be one word of letters, digits and dashes" in await page.text()
    in_use = replace(world, env=replace(world.env, development=False))
    async with TestClient(TestServer(build(in_use, keeper)), cookie_jar=CookieJar(unsafe=True)) as browser:
        await sign_in(browser, (await person(Call(in_use, system("test")), "superadmin")).username)
        assert (await browser.get("/styleguide", headers=HTML)).status == 404
