"""Renders every page with sample data to static HTML, and takes pictures of them for the eye of a designer.

python tools/preview.py build/preview                 pages only; open them through a web server
python tools/preview.py build/preview --shots         pictures too: light, dark, 390 px wide
python tools/preview.py build/preview --shots --only job-live --axe
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import jinja2

if TYPE_CHECKING:
    from playwright.async_api import ConsoleMessage, Page

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from server.web.formats import FILTERS, FUNCTIONS  # noqa: E402 (after the path of the checkout)
from tools.preview_samples import samples  # noqa: E402

POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; base-uri 'none'; object-src 'none'"
)
LOOKS = (("light", 1440, 900, 1), ("dark", 1440, 900, 1), ("phone", 390, 844, 2))


def environment() -> jinja2.Environment:
    """Return templates as the server sets them up."""
    loader = jinja2.FileSystemLoader(ROOT / "templates")
    result = jinja2.Environment(
        loader=loader, undefined=jinja2.StrictUndefined, autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    result.filters.update(FILTERS)
    result.globals.update(FUNCTIONS)
    return result


def render_all(only: str = "", theme: str = "light") -> Iterator[tuple[str, str]]:
    """Yield (name, HTML) of each sample."""
    templates = environment()
    for name, template, context in samples():
        if only and not name.startswith(only):
            continue
        frame = replace(context["shell"], theme=theme)
        yield name, templates.get_template(template).render({**context, "shell": frame})


class Handler(SimpleHTTPRequestHandler):
    """Serves the rendered pages under the policy of the real server, and static files under ``/static/``."""

    def translate_path(self, path: str) -> str:
        """Send ``/static/`` to the checkout, everything else to the rendered pages."""
        plain = path.split("?", 1)[0].split("#", 1)[0]
        if plain.startswith("/static/"):
            return str(ROOT / "server/web" / plain.lstrip("/"))
        return super().translate_path(path)

    def end_headers(self) -> None:
        """Add the policy."""
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the name is the base class's)
        """Say nothing; failed requests are reported by the browser."""


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve ``folder`` on a free loopback port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


async def shoot(folder: Path, only: str, looks: list[str], *, axe: bool) -> int:
    """Photograph the pages; return how many problems the browser or the accessibility checker saw."""
    from playwright.async_api import async_playwright  # noqa: PLC0415 (only pictures need it)

    problems = 0
    with serving(folder) as base:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            for look, width, height, scale in LOOKS:
                if look not in looks:
                    continue
                context = await browser.new_context(
                    viewport={"width": width, "height": height}, device_scale_factor=scale
                )
                for name, _ in render_all(only):
                    page = await context.new_page()
                    page.on("console", partial(_tell, name))
                    await page.goto(f"{base}/{name}{'.dark' if look == 'dark' else ''}.html")
                    await page.wait_for_load_state("load")
                    wide = await page.evaluate(
                        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                    )
                    if wide > 0:
                        problems += 1
                        print(f"{name} {look}: scrolls sideways by {wide} px")
                    if axe:
                        problems += await _accessible(page, f"{name} {look}")
                    await page.screenshot(path=folder / f"{name}-{look}.png", full_page=True)
                    await page.close()
                await context.close()
            await browser.close()
    return problems


def _tell(name: str, message: "ConsoleMessage") -> None:
    text = message.text
    if message.type in {"error", "warning"} and "404" not in text and "501" not in text and "EventSource" not in text:
        print(f"{name}: {text}")


async def _accessible(page: "Page", name: str) -> int:
    from axe_playwright_python.async_playwright import Axe  # noqa: PLC0415 (only on request)

    results = await Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]})
    for violation in results.response["violations"]:
        places = [node["target"][0] for node in violation["nodes"]][:4]
        summary = violation["nodes"][0].get("failureSummary", "").replace("\n", " ")[:200]
        print(f"{name}: {violation['id']}, {len(violation['nodes'])} {json.dumps(places)} {summary}")
    return len(results.response["violations"])


def main() -> int:
    """Render, and photograph if asked."""
    parser = argparse.ArgumentParser(description="Render every page with sample data.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", default="", help="pages whose name begins like this")
    parser.add_argument("--shots", action="store_true", help="take pictures")
    parser.add_argument("--looks", default="light,dark,phone")
    parser.add_argument("--axe", action="store_true", help="run the accessibility checker on each picture")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for theme, ending in (("light", ""), ("dark", ".dark")):
        for name, html in render_all(options.only, theme):
            (options.folder / f"{name}{ending}.html").write_text(html, "utf-8")
    if not options.shots:
        return 0
    return min(1, asyncio.run(shoot(options.folder, options.only, options.looks.split(","), axe=options.axe)))


if __name__ == "__main__":
    sys.exit(main())
