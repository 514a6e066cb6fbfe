"""Bar 13: every page and list over ten thousand hosts: what the server takes, what is sent, when something is seen."""

import asyncio
import gzip
import shutil
import time
from dataclasses import dataclass, field
from typing import Final

import aiohttp
from playwright.async_api import BrowserContext, async_playwright

from benchmarks.equipment import ROOT, Bench, Stage, connect
from benchmarks.outcome import Outcome, least, most
from benchmarks.screen import percentile
from server.core.call import Call, system
from server.demo import service as demo
from tests.factories.addresses import addresses

_HOSTS: Final = 10_000
_PACKAGES: Final = 2_000_000
_ASKED: Final = 20
_QUICK: Final = 5
TABLE: Final = ROOT / "build" / "pages.md"


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
        await asyncio.to_thread(_settle, stage)
        await stage.serve(RATE_LIMIT_MAX="10000000", PATCHMON_DEVELOPMENT="true")
        there = await addresses(stage.world)
        places, left_out = [Place(path) for path in there.paths], there.left_out
        for _ in range(_QUICK if bench.quick else _ASKED):
            await _ask_all(stage, places)
        good = [place for place in places if place.status == 200]
        await _paint(stage, [place for place in good if place.is_page and "?" not in place.path])
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


def _settle(stage: Stage) -> None:
    """Do what PostgreSQL does by itself after so many new rows, before anything is timed rather than beside it."""
    raw = connect(stage.dsn)
    raw.autocommit = True
    with raw.cursor() as cursor:
        cursor.execute("vacuum (analyze)")
    raw.close()


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
