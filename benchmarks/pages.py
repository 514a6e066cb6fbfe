"""Bar 13: every page and list over ten thousand hosts: what the server takes, what is sent, when something is seen."""

import asyncio
import gzip
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

import aiohttp
from aiohttp import web
from playwright.async_api import BrowserContext, async_playwright

from benchmarks.equipment import ROOT, Bench, Stage, connect
from benchmarks.outcome import Outcome, least, most
from benchmarks.screen import percentile
from server.app import build
from server.core.call import Call, system
from server.core.loop import Keeper
from server.demo import service as demo
from server.web.routing import gate_of

_HOSTS: Final = 10_000
_PACKAGES: Final = 2_000_000
_ASKED: Final = 20
_QUICK: Final = 5
_LEFT_OUT: Final = frozenset({"stream", "socket", "download", "upload"})
TABLE: Final = ROOT / "build" / "pages.md"

_VALUES: Final = {
    "host": "select uuid::text from hosts order by id limit 1",
    "api_id": "select api_id from hosts order by id limit 1",
    "group": "select uuid::text from host_groups order by id limit 1",
    "job": "select uuid::text from jobs order by id limit 1",
    "position": "select e.position::text from job_events e where e.job_id = (select min(id) from jobs) limit 1",
    "playbook": "select name from playbooks order by name limit 1",
    "role": "select 'admin'",
    "user_id": "select id::text from users limit 1",
    "key": "select 'RATE_LIMIT_MAX'",
    "queue": "select 'hosts'",
}
#: The second half of a list, a filter and a search cost differently from its first page.
_MORE: Final = (
    "/hosts?page=180",
    "/hosts?search=web-fra",
    "/hosts?state=security&sort=updates&direction=desc",
    "/jobs?page=6",
    "/palette?q=web",
)


@dataclass
class Place:
    """One address and what was measured there."""

    path: str
    status: int = 0
    seconds: list[float] = field(default_factory=list)
    size_bytes: int = 0
    packed_bytes: int = 0
    paint_ms: float | None = None

    @property
    def is_page(self) -> bool:
        return not self.path.startswith("/api/")

    @property
    def p95_ms(self) -> float:
        return percentile(self.seconds, 0.95) * 1000


async def measure(bench: Bench) -> list[Outcome]:
    fill = Outcome("13a", "demonstration fleet of 10,000 hosts filled", "s", most(180), None)
    slow = Outcome("13b", "slowest page, p95", "ms", most(150), most(60))
    lists = Outcome("13c", "slowest list of the API, p95", "ms", most(150), most(60))
    ratio = Outcome("13d", "whole-list query / hosts page, p95", "×", least(10), None, arm_unit="ms")
    sent = Outcome("13e", "largest page, compressed", "KB", most(200), None)
    paint = Outcome("13f", "first paint in Chromium, slowest page", "ms", most(1000), None)
    async with bench.stage(serve=False) as stage:
        call = Call(stage.world, system("benchmark"))
        began = time.perf_counter()
        made = await demo.fill(call, 500 if bench.quick else _HOSTS, 1, lambda *_: None)
        fill.values.append(time.perf_counter() - began)
        if not bench.quick and made.packages != _PACKAGES:
            raise RuntimeError(f"{made.packages} host packages")
        await stage.serve(RATE_LIMIT_MAX="10000000", PATCHMON_DEVELOPMENT="true")
        places, left_out = await _places(stage)
        for _ in range(_QUICK if bench.quick else _ASKED):
            await _ask_all(stage, places)
        good = [place for place in places if place.status == 200]
        await _paint(stage, [place for place in good if place.is_page])
        whole = await asyncio.to_thread(_whole_list, stage)
    pages = [place for place in good if place.is_page]
    slow.values.append(max(place.p95_ms for place in pages))
    lists.values.append(max(place.p95_ms for place in good if not place.is_page))
    sent.values.append(max(place.packed_bytes for place in pages) / 1000)
    paint.values.append(max(place.paint_ms or 0 for place in pages))
    hosts = next(place for place in pages if place.path == "/hosts")
    ratio.ratio(hosts.p95_ms, whole, faster=False)
    slow.note = ", ".join(f"{place.path} {place.p95_ms:.0f}" for place in _slowest(pages))
    lists.note = ", ".join(f"{place.path} {place.p95_ms:.0f}" for place in _slowest(places) if not place.is_page)
    _keep(places, left_out)
    bench.say(f"each address is in {TABLE}")
    return [fill, slow, lists, ratio, sent, paint]


async def _places(stage: Stage) -> tuple[list[Place], list[str]]:
    """Return every address that can be read, from the application's own routes."""
    values = {name: await stage.world.db.value(sql) for name, sql in _VALUES.items()}
    async with _keeping() as keeper:
        routes = list(build(stage.world, keeper).router.routes())
    paths, left_out = [], []
    for route in routes:
        gate = gate_of(route.handler)
        if route.method != "GET" or gate is None or gate.kind not in {"permission", "signed_in"} or not route.resource:
            continue
        canonical = route.resource.canonical
        names = _names(route.resource)
        if (route.name or "").rsplit(".", 1)[-1] in _LEFT_OUT or any(not values.get(name) for name in names):
            left_out.append(canonical)
            continue
        paths.append(canonical.format(**{name: quote(str(values[name]), safe="") for name in names}))
    return [Place(path) for path in sorted({*paths, *_MORE})], sorted(set(left_out))


@asynccontextmanager
async def _keeping() -> AsyncIterator[Keeper]:
    keeper = Keeper()
    yield keeper
    await keeper.close()


def _names(resource: web.AbstractResource) -> list[str]:
    return [part.partition("}")[0] for part in resource.canonical.split("{")[1:]]


async def _ask_all(stage: Stage, places: list[Place]) -> None:
    """Ask each address once, as a program with a token does; pages the way a browser asks for them."""
    async with aiohttp.ClientSession(auto_decompress=False) as web_session:
        for place in places:
            accept = "text/html" if place.is_page else "application/json"
            headers = {**stage.api.headers, "Accept": accept, "Accept-Encoding": "gzip"}
            began = time.perf_counter()
            url = stage.url + place.path
            async with web_session.get(url, headers=headers, allow_redirects=False) as answer:
                body = await answer.read()
            place.seconds.append(time.perf_counter() - began)
            place.status = answer.status
            packed = answer.headers.get("Content-Encoding") == "gzip"
            place.packed_bytes = len(body)
            place.size_bytes = len(gzip.decompress(body)) if packed else len(body)


async def _paint(stage: Stage, pages: list[Place]) -> None:
    """Note when something is first seen of each page, with what browsers keep already there."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        return
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        context = await browser.new_context(viewport={"width": 1440, "height": 900})
        cookie = await stage.browser_cookie()
        pairs = [pair.partition("=") for pair in cookie.split("; ")]
        await context.add_cookies([{"name": name, "value": value, "url": stage.url} for name, _, value in pairs])
        await _painted(context, f"{stage.url}/hosts")
        for place in pages:
            place.paint_ms = await _painted(context, stage.url + place.path)
        await browser.close()


async def _painted(context: BrowserContext, url: str) -> float | None:
    page = await context.new_page()
    try:
        await page.goto(url, wait_until="load")
        await page.wait_for_timeout(150)
        found: float | None = await page.evaluate(
            "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null"
        )
        return found
    finally:
        await page.close()


def _whole_list(stage: Stage) -> float:
    """Return the milliseconds of the query that reads all hosts and counts their packages each time."""
    raw = connect(stage.dsn)
    best = float("inf")
    for _ in range(3):
        began = time.perf_counter()
        with raw.cursor() as cursor:
            cursor.execute(
                """
                select h.*, p.updates, p.security
                  from hosts h
                  left join (select host_id, count(*) filter (where needs_update) as updates,
                                    count(*) filter (where is_security_update) as security
                               from host_packages
                              group by host_id) p on p.host_id = h.id
                 order by lower(h.friendly_name)
                """
            )
            cursor.fetchall()
        best = min(best, (time.perf_counter() - began) * 1000)
    raw.close()
    return best


def _slowest(places: list[Place]) -> list[Place]:
    return sorted(places, key=lambda place: -place.p95_ms)[:5]


def _keep(places: list[Place], left_out: list[str]) -> None:
    lines = [
        "| address | status | p50 ms | p95 ms | bytes | compressed | first paint ms |",
        "|---|---|---|---|---|---|---|",
    ]
    for place in sorted(places, key=lambda one: -one.p95_ms):
        paint = f"{place.paint_ms:.0f}" if place.paint_ms is not None else ""
        lines.append(
            f"| `{place.path}` | {place.status} | {percentile(place.seconds, 0.5) * 1000:.0f} | {place.p95_ms:.0f} "
            f"| {place.size_bytes:,} | {place.packed_bytes:,} | {paint} |"
        )
    lines += ["", "Not asked (streams, files, or nothing there to ask for): " + ", ".join(left_out)]
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
