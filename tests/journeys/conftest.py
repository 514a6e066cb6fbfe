"""A house to live in, and a real browser that keeps its pictures."""

import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright, expect

from server.core.call import Call
from tests.factories.house import ROOT, House, ServerProcess
from tests.factories.people import PASSWORD, person

PICTURES = ROOT / "build" / "screenshots"
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]}
#: A machine that does other things as well takes its time.
PATIENCE_MS = 20_000
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip


@pytest.fixture
async def server_process(house: House, unused_tcp_port: int, pyz: Path) -> ServerProcess:
    running = house.server(unused_tcp_port, AGENT_BINARIES_DIR=str(pyz.parent))
    await running.start()
    return running


@pytest.fixture(scope="session")
def pyz() -> Path:
    """The agent's one file, built from what is here now."""
    subprocess.run(
        [sys.executable, str(ROOT / "tools/build_agent.py")], check=True, cwd=ROOT, stdout=subprocess.DEVNULL
    )
    return ROOT / "dist" / "patchmon-agent.pyz"


@pytest.fixture
async def chromium() -> AsyncIterator[Browser]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no chromium is installed")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=QUIET)
        yield browser
        await browser.close()


async def picture(page: Page, name: str) -> None:
    """Keep the page as a person sees it (light, dark, on a phone); nothing on it may shut anybody out."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    wide = page.viewport_size or {"width": 1280, "height": 860}
    at_end = await page.evaluate("scrollY > 0 && innerHeight + scrollY >= document.documentElement.scrollHeight - 2")
    for look, scheme, width in (
        ("light", "light", wide["width"]),
        ("dark", "dark", wide["width"]),
        ("phone", "light", 390),
    ):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        await page.set_viewport_size({"width": width, "height": 860})
        if at_end:
            # Where the page is longer now, its end is elsewhere, and a bar in front of it would hide half a link.
            await page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        await settled(page, scheme)
        await page.screenshot(path=PICTURES / f"{name}-{look}.png", full_page=True)
        overflow = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert overflow <= 0, f"{name} scrolls sideways at {width} px"
        assert await barriers(page) == [], f"{name}, {look}"
    await page.emulate_media(color_scheme="light")
    await page.set_viewport_size(wide)


async def settled(page: Page, scheme: str) -> None:
    """Wait until the page has taken the theme and nothing on it fades any more: colours half way fail any contrast."""
    await page.wait_for_function(
        """scheme => {
          const root = document.documentElement;
          if (root.dataset.themeChoice === "auto" && root.dataset.bsTheme !== scheme) return false;
          return document.getAnimations().every(one => one.effect.getTiming().iterations === Infinity
            || one.playState !== "running");
        }""",
        arg=scheme,
    )
    await page.wait_for_timeout(150)


async def barriers(page: Page) -> list[str]:
    """Return what axe finds serious or critical: the rule, and where."""
    found = (await Axe().run(page, options=RULES)).response["violations"]
    return [
        f"{one['id']}: {', '.join(str(node['target'][0]) for node in one['nodes'][:3])}"
        for one in found
        if one["impact"] in {"serious", "critical"}
    ]


async def signed_in(chromium: Browser, url: str, call: Call) -> tuple[Page, list[str]]:
    """Return a page of an administrator, and what its scripts complain about."""
    user = await person(call, "superadmin")
    context = await chromium.new_context(viewport={"width": 1280, "height": 860}, base_url=url)
    page = await context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    await page.goto("/login")
    await page.get_by_label("Username or email").fill(user.username)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Sign in", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    return page, problems


async def tab_stops(page: Page, number: int) -> list[str]:
    """Press Tab that often; return what had the focus each time, marked where nothing shows that it has."""
    stops = []
    for _ in range(number):
        await page.keyboard.press("Tab")
        stops.append(await page.evaluate(
            """() => {
                const node = document.activeElement, style = getComputedStyle(node);
                const text = (node.getAttribute("aria-label") || node.textContent || node.name || node.tagName).trim();
                const seen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
                return (seen ? "" : "UNSEEN ") + text.replace(/\\s+/g, " ").slice(0, 40);
            }"""
        ))  # fmt: skip
    return stops


def setup_link(server: ServerProcess) -> str:
    """Return the one-time link that the server printed."""
    found = re.search(r"http://\S+/setup\?token=[A-Za-z0-9_-]+", server.program.log.read_text())
    assert found is not None, server.program.log.read_text()[-2000:]
    return re.sub(r"http://[^/]+", server.url, found[0])
