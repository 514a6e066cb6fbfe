"""The page of a job in a real browser: it grows with the stream, resumes without gaps, shows hostile output as text."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace as Thing
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser, Page, async_playwright, expect

from server.web.ansi import to_html
from server.web.shell import HEADERS
from tools.preview import environment
from tools.preview_samples import samples

pytestmark = pytest.mark.real

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = "/usr/bin/chromium"
FIRST, SECOND = "web-01", "web-02"


@dataclass
class Stage:
    """A server with one job: the test says what the stream tells."""

    url: str = ""
    frames: list[tuple[int | None, str, dict[str, Any]]] = field(default_factory=list)
    cut: asyncio.Event = field(default_factory=asyncio.Event)
    more: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[str] = field(default_factory=list)
    over: bool = False

    def tell(self, name: str, data: dict[str, Any], number: int | None = None) -> None:
        """Add a frame."""
        self.frames.append((number, name, data))
        self.more.set()

    async def page(self, request: web.Request) -> web.Response:
        """Answer the page for the host and tab in the address."""
        context = _context(request.query.get("host", SECOND), request.query.get("tab", "events"), over=self.over)
        text = environment().get_template("automation/job.html").render(context)
        return web.Response(text=text, content_type="text/html", headers=HEADERS)

    async def result(self, _: web.Request) -> web.Response:
        """Answer what a task returned, as a part."""
        changes = [
            {
                "name": "libssl3",
                "from_version": "1",
                "to_version": "2",
                "repository": "r",
                "security": True,
                "requested": True,
            }
        ]
        part = {"message": "", "changes": changes, "fields": [], "raw": '{"changed": true}'}
        text = environment().get_template("automation/_result.html").render(part)
        return web.Response(text=text, content_type="text/html")

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Send what comes after the number the reader has; end when the test cuts the line."""
        after = int(request.headers.get("Last-Event-ID") or request.query["after"])
        self.asked.append(f"{request.query['host']} after {after}")
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(b"retry: 50\n\n")
        self.cut.clear()
        at = 0
        while not self.cut.is_set():
            for number, name, data in self.frames[at:]:
                if number is None or number > after:
                    head = f"id: {number}\n" if number is not None else ""
                    await answer.write(f"{head}event: {name}\ndata: {json.dumps(data)}\n\n".encode())
            at = len(self.frames)
            self.more.clear()
            waits = [asyncio.ensure_future(self.more.wait()), asyncio.ensure_future(self.cut.wait())]
            _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in pending:
                wait.cancel()
        return answer


def _context(host: str, tab: str, *, over: bool) -> dict[str, Any]:
    context = next(context for name, _, context in samples() if name == "job-live")
    rows = context["hosts"][:2]
    for row in rows:
        row.id = row.name
        row.url = f"/jobs/1?host={row.name}"
        row.selected = row.name == host
    job = context["job"]
    job.url, job.error_groups = "/jobs/1", []
    if over:
        job.live, job.can_stop, job.can_relaunch, job.status, job.state = False, False, True, "failed", "bad"
        job.error_groups = [("it broke", ["web-02"])]
    events = [event for event in context["events"] if event.kind != "play"][:1] if tab == "events" else []
    selected = next(row for row in rows if row.selected)
    return {
        **context,
        "hosts": rows,
        "selected": selected,
        "tab": tab,
        "events": events,
        "last_position": 5,
        "console": [],
        "stream_url": f"/jobs/1/stream?host={host}",
    }


def _task(key: str, status: str, name: str = "patchmon.fleet.patch : Upgrade packages") -> dict[str, Any]:
    event = Thing(
        key=key,
        position=0,
        kind="task",
        play="",
        task=name,
        status=status,
        state="attention" if status == "changed" else "neutral",
        duration_seconds=None if status == "running" else 3.25,
        at=_now(),
        message="",
        result_url="" if status == "running" else "/jobs/1/results/9",
    )
    html = environment().get_template("automation/_event.html").render(event=event)
    return {"host": SECOND, "key": key, "status": status, "html": html}


def _now() -> Any:
    return next(context for name, _, context in samples() if name == "job-live")["job"].created_at


def _host(name: str, status: str, state: str) -> dict[str, Any]:
    row = Thing(
        id=name,
        name=name,
        url=f"/jobs/1?host={name}",
        status=status,
        state=state,
        duration_seconds=4.0,
        started_at=_now(),
        summary="",
        selected=False,
    )
    return {
        "id": name,
        "status": status,
        "html": environment().get_template("automation/_host_row.html").render(host=row),
    }


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """Serve the job."""
    made = Stage()
    app = web.Application()
    app.router.add_get("/jobs/1", made.page)
    app.router.add_get("/jobs/1/stream", made.stream)
    app.router.add_get("/jobs/1/results/9", made.result)
    app.router.add_static("/static", ROOT / "server/web/static")
    server = TestServer(app)
    await server.start_server()
    made.url = str(server.make_url("/jobs/1"))
    yield made
    made.cut.set()
    await server.close()


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator[Browser]:
    """Start the machine's browser."""
    if shutil.which(CHROMIUM) is None:
        pytest.skip("chromium is not installed (Debian package chromium)")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest.fixture
async def page(chromium: Browser) -> AsyncIterator[Page]:
    """Open a tab; an error of a script or of the policy fails the test."""
    tab = await chromium.new_page()
    wrong: list[str] = []
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.on("console", lambda message: wrong.append(message.text) if "Content Security" in message.text else None)
    yield tab
    assert not wrong
    await tab.close()


async def test_the_tree_grows_and_a_result_takes_the_place_of_its_start(stage: Stage, page: Page) -> None:
    await page.goto(stage.url)
    await expect(page.locator("[data-live-word]")).to_have_text("Live")
    stage.tell("task", _task("task-9", "running"), 6)
    row = page.locator("#event-task-9")
    await expect(row).to_contain_text("running")
    stage.tell("output", {"host": SECOND, "source": "live", "text": "Setting up <b>libssl3</b> ...\n"}, 7)
    await expect(row.locator(".tree-live")).to_have_text("Setting up <b>libssl3</b> ...")
    stage.tell("output", {"host": FIRST, "source": "live", "text": "of another host\n"}, 8)
    stage.tell("task", _task("task-9", "changed"), 9)
    await expect(row).to_contain_text("changed")
    await expect(page.locator("#tree > li")).to_have_count(2)
    await row.locator("summary").click()
    await expect(row.locator(".result")).to_contain_text("libssl3")


async def test_rows_without_a_number_of_their_own_are_shown_and_keep_the_focus(stage: Stage, page: Page) -> None:
    await page.goto(stage.url)
    link = page.locator("#host-web-02 a")
    await link.focus()
    stage.tell("host", _host(SECOND, "failed", "bad"))
    await expect(page.locator("#host-web-02")).to_contain_text("Failed")
    await expect(link).to_be_focused()
    await expect(link).to_have_attribute("aria-current", "true")


async def test_a_cut_line_is_resumed_where_it_broke(stage: Stage, page: Page) -> None:
    await page.goto(f"{stage.url}?host={SECOND}&tab=output")
    lines = page.locator("#console .chunk")
    for number in range(6, 26):
        stage.tell("output", {"host": SECOND, "source": "live", "text": f"line {number}\n", "position": number}, number)
    await expect(lines).to_have_count(20)
    stage.cut.set()
    for number in range(26, 46):
        stage.tell("output", {"host": SECOND, "source": "live", "text": f"line {number}\n", "position": number}, number)
    await expect(lines).to_have_count(40)
    assert await lines.all_text_contents() == [f"line {number}\n" for number in range(6, 46)]
    assert stage.asked == [f"{SECOND} after 5", f"{SECOND} after 25"]


async def test_output_is_text_in_colours_and_follows_the_end_until_the_person_scrolls(stage: Stage, page: Page) -> None:
    await page.goto(f"{stage.url}?host={SECOND}&tab=output")
    console = page.locator("#console")
    stage.tell(
        "output", {"host": SECOND, "source": "runner", "text": "\x1b[0;31m<img src=x onerror=alert(1)>\x1b[0m\n"}, 6
    )
    await expect(console.locator(".ansi-fg-1")).to_have_text("<img src=x onerror=alert(1)>")
    for number in range(7, 107):
        stage.tell("output", {"host": SECOND, "source": "live", "text": f"line {number}\n"}, number)
    await expect(console.locator(".chunk")).to_have_count(101)
    away = "node => node.scrollHeight - node.scrollTop - node.clientHeight"
    await page.wait_for_function(f"({away})(document.getElementById('console')) < 2")
    await console.evaluate("node => { node.scrollTop = 100; }")
    await expect(page.locator("[data-console-follow]")).not_to_be_checked()
    stage.tell("output", {"host": SECOND, "source": "live", "text": "later\n"}, 107)
    await expect(console).to_contain_text("later")
    assert await console.evaluate("node => node.scrollTop") == 100
    await page.locator("[data-console-follow]").check()
    await page.wait_for_function(f"({away})(document.getElementById('console')) < 2")


async def test_choosing_another_host_follows_that_one(stage: Stage, page: Page) -> None:
    await page.goto(stage.url)
    await page.locator("#host-web-01 a").click()
    await expect(page.locator("#job-detail")).to_have_attribute("data-host", FIRST)
    await expect(page.locator("#host-web-01 a")).to_have_attribute("aria-current", "true")
    await expect(page.locator("#host-web-02 a")).not_to_have_attribute("aria-current", "true")
    assert page.url.endswith(f"host={FIRST}")
    stage.tell("output", {"host": FIRST, "source": "runner", "text": "of the first\n"}, 6)
    await page.locator("#tab-output").click()
    stage.tell("output", {"host": FIRST, "source": "runner", "text": "and after\n"}, 7)
    await expect(page.locator("#console")).to_contain_text("and after")
    assert stage.asked[-1] == f"{FIRST} after 5"


async def test_the_end_brings_buttons_and_causes_and_the_line_goes_quiet(stage: Stage, page: Page) -> None:
    await page.goto(stage.url)
    await expect(page.locator("#job-actions")).to_contain_text("Stop")
    stage.over = True
    stage.tell("end", {}, 50)
    await expect(page.locator("#job-actions")).to_contain_text("Relaunch failed")
    await expect(page.locator("#job-causes")).to_contain_text("it broke")
    await expect(page.locator("[data-live-mark]")).to_be_hidden()
    assert len(stage.asked) == 1


async def test_stopping_asks_first_and_the_focus_comes_back(stage: Stage, page: Page) -> None:
    await page.goto(stage.url)
    button = page.locator("#job-actions button").first
    await button.click()
    await expect(page.get_by_role("dialog")).to_contain_text("Stops “Patch web production” on every host")
    await expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_be_hidden()
    await expect(button).to_be_focused()


async def test_without_scripts_the_page_is_whole(stage: Stage, chromium: Browser) -> None:
    context = await chromium.new_context(java_script_enabled=False)
    tab = await context.new_page()
    await tab.goto(stage.url)
    assert await tab.locator("#tree > li").count() == 1
    await tab.locator("#job-actions button").first.click()
    assert await tab.get_by_role("button", name="Cancel").is_visible()
    assert await tab.locator("dialog form").first.get_attribute("action") == "/jobs/1/stop"
    await tab.keyboard.press("Escape")
    await tab.locator("#tab-variables").click()
    assert await tab.locator("dl.variables").is_visible()
    await context.close()


@pytest.mark.parametrize(
    "text",
    [
        "plain <b>&amp;</b>",
        "\x1b[0;32mok: [web]\x1b[0m after \x1b[1;4mbold\x1b[22m under\x1b[m",
        "\x1b[38;5;208morange\x1b[48;2;1;2;200mblue\x1b[0m \x1b[38;5;240mgrey\x1b[39m",
        "\x1b[2Kdrawn \x1b]8;;http://evil\x07link\x1b]8;;\x07 10%\r 50%\r100%\nbell\x07",
    ],
)
async def test_the_browser_colours_exactly_as_the_server(text: str, stage: Stage, page: Page) -> None:
    await page.goto(stage.url)
    shown = await page.evaluate(
        """async text => {
            const { ansi } = await import("/static/js/ansi.js");
            const node = document.createElement("pre");
            node.append(ansi(text));
            return node.innerHTML;
        }""",
        text,
    )
    expected = await page.evaluate(
        "html => { const node = document.createElement('pre'); node.innerHTML = html; return node.innerHTML; }",
        to_html(text),
    )
    assert shown == expected


async def test_the_theme_changes_at_once_and_is_remembered(stage: Stage, page: Page) -> None:
    await page.goto(stage.url)
    await page.locator('summary[aria-label="Theme and density"]').click()
    await page.get_by_role("button", name="Dark").click()
    await expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    kept = {cookie["name"]: cookie["value"] for cookie in await page.context.cookies()}
    assert kept["theme"] == "dark"
    assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(14, 16, 20)"
