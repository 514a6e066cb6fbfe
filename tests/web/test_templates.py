"""Every page renders with exactly its fields, holds to the strict policy, and can be used without a mouse or eyes."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import aiohttp_jinja2
import pytest
from aiohttp import CookieJar, web
from aiohttp.test_utils import TestClient, TestServer

from server.core.call import Call
from server.demo import service as fleet
from server.web.routing import gate_of
from tests.conftest import Browser
from tests.factories.people import HTML
from tools.preview import render_all

ROOT = Path(__file__).resolve().parents[2]
PAGES = dict(render_all())
LONG = {"stream", "socket", "download", "upload"}
VALUES = {
    "host": "select uuid::text from hosts order by id limit 1",
    "job": "select uuid::text from jobs order by id limit 1",
    "playbook": "select name from playbooks order by name limit 1",
    "position": "select position::text from job_events where event = 'runner_on_ok' and job_id = "
    "(select id from jobs order by id limit 1) limit 1",
    "package": "select id::text from packages order by id limit 1",
    "repository": "select uuid::text from repositories order by id limit 1",
    "report": "select a.id::text from host_activity a join hosts h on h.id = a.host_id where a.kind = 'full' "
    "order by h.id, a.id limit 1",
    "user_id": "select id::text from users limit 1",
    "role": "select 'readonly'",
    "key": "select 'RATE_LIMIT_MAX'",
    "container": "select uuid::text from docker_containers order by id limit 1",
    "image": "select uuid::text from docker_images order by id limit 1",
    "volume": "select uuid::text from docker_volumes order by id limit 1",
    "network": "select uuid::text from docker_networks order by id limit 1",
    "docker_host": "select h.uuid::text from docker_hosts d join hosts h on h.id = d.host_id order by h.id limit 1",
}
#: Pages that an address leads to only with a query.
ASKED = (
    "/patching?tab=runs",
    "/patching/new?type=patch_package&package=curl&package=bash&host={host}",
    "/patching/new?type=patch_package&package=curl&host={host}",
    "/patching/new?type=patch_all&host={host}",
    "/patching/new?type=patch_all&host={host}&step=approval",
    "/patching/new?type=patch_all&host={host}&step=submit",
    "/hosts/{docker_host}/docker",
    "/docker/hosts/{docker_host}",
)
#: Pages that come only after something was sent or went wrong; the tests of their rooms see them.
ELSEWHERE = {
    "campaigns/campaign.html",
    "campaigns/report.html",
    "compliance/beside.html",
    "compliance/bulk.html",
    "compliance/compare.html",
    "compliance/fleet_report.html",
    "compliance/off.html",
    "compliance/remedy.html",
    "compliance/report.html",
    "compliance/rule.html",
    "compliance/waiver.html",
    "compliance/waiver_new.html",
    "docker/off.html",
    "error.html",
    "hosts/between.html",
    "hosts/bulk.html",
    "identity/finishing.html",
    "identity/leaving.html",
    "identity/second_step.html",
    "identity/setup.html",
    "identity/sign_up.html",
    "integrations/created.html",
    "library/editor.html",
    "library/history.html",
    "library/playbook.html",
    "library/project.html",
    "patching/off.html",
    "patching/run.html",
    "patching/wizard/results.html",
    "webhooks/webhook.html",
    "workflows/run.html",
    "workflows/schedule.html",
    "workflows/workflow.html",
}
VOID = {"input", "link", "meta", "path", "rect", "use", "br", "hr", "img"}


class Reader(HTMLParser):
    """Notes what the tests ask about."""

    def __init__(self, page: str) -> None:
        """Read ``page`` at once."""
        super().__init__()
        self.ids: list[str] = []
        self.inline: list[str] = []
        self.nameless: list[str] = []
        self.labelled: set[str] = set()
        self.fields: list[dict[str, str | None]] = []
        self.posts_without_token = 0
        self.pointed: list[str] = []
        self._open: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note ids, inline code, fields and forms."""
        found = dict(attrs)
        if found.get("id"):
            self.ids.append(str(found["id"]))
        self.inline += [f"{tag} {name}" for name in found if name == "style" or name.startswith(("on", "hx-on"))]
        if tag == "style" or (tag == "script" and not found.get("src")):
            self.inline.append(tag)
        self.pointed += [str(found[name]) for name in ("popovertarget", "data-opens") if found.get(name)]
        for name in ("aria-labelledby", "aria-describedby"):
            self.pointed += str(found.get(name) or "").split()
        if found.get("aria-label"):
            self.handle_data(str(found["aria-label"]))
        self._note_form(tag, found)
        if tag not in VOID:
            self._open.append((tag, found, []))

    def _note_form(self, tag: str, found: dict[str, str | None]) -> None:
        if tag == "label" and found.get("for"):
            self.labelled.add(str(found["for"]))
        if tag in {"input", "select", "textarea"}:
            inside = any(name == "label" for name, _, _ in self._open)
            self.fields.append({**found, "inside label": "yes" if inside else None})
            self.posts_without_token -= found.get("name") == "csrf"
        self.posts_without_token += tag == "form" and str(found.get("method", "get")).lower() == "post"

    def handle_data(self, data: str) -> None:
        """Give words to every element around them."""
        if data.strip():
            for _, _, words in self._open:
                words.append(data.strip())

    def handle_endtag(self, tag: str) -> None:
        """Note links and buttons that have no name."""
        if tag in VOID:
            return
        while self._open:
            name, attrs, words = self._open.pop()
            if name in {"a", "button", "summary"} and not words and not attrs.get("aria-label"):
                self.nameless.append(f"{name} {attrs}")
            if name == tag:
                break


@dataclass(frozen=True)
class Walked:
    """What a walk through the whole product brought: pages by address, and which templates were used."""

    pages: dict[str, str]
    templates: set[str]


@pytest.fixture
async def walked(server: TestServer, call: Call, as_admin: Browser) -> Walked:
    """Every page that can be read, with hosts, jobs and people there, and those for who is not signed in."""
    await fleet.fill(call, 12, 1, lambda *_: None)
    values = {name: await call.db.value(sql) for name, sql in VALUES.items()}
    pages = {}
    for path in (*sorted(addresses(server.app, values)), *(one.format(**values) for one in ASKED)):
        answer = await as_admin.get(path, headers=HTML, allow_redirects=False)
        if answer.content_type == "text/html":
            pages[path] = await answer.text()
    async with TestClient(server, cookie_jar=CookieJar(unsafe=True)) as nobody:
        for path in ("/login", "/signup", "/setup", "/login/tfa"):
            answer = await nobody.get(path, headers=HTML)
            if answer.content_type == "text/html":
                pages[f"{path} (nobody)"] = await answer.text()
    loaded = {str(name) for _, name in aiohttp_jinja2.get_env(server.app).cache or ()}
    return Walked(pages, loaded)


def addresses(app: web.Application, values: dict[str, str]) -> Iterator[str]:
    for route in app.router.routes():
        gate = gate_of(route.handler)
        if route.method != "GET" or gate is None or gate.kind == "agent" or route.resource is None:
            continue
        canonical = route.resource.canonical
        # Programs' addresses answer no pages, and some of them sign in or out.
        is_program = canonical.startswith("/api/") and "api-docs" not in canonical
        if is_program or (route.name or "").rsplit(".", 1)[-1] in LONG:
            continue
        names = re.findall(r"{(\w+)}", canonical)
        if all(values.get(name) for name in names):
            yield canonical.format(**{name: values[name] for name in names})


async def test_every_page_holds_to_the_policy_stands_in_the_frame_and_names_its_things(walked: Walked) -> None:
    assert len(walked.pages) > 20, sorted(walked.pages)
    assert {path: found for path, page in walked.pages.items() if (found := wrong(page))} == {}
    assert [path for path, page in walked.pages.items() if "<html" in page and not stands_in_the_frame(page)] == []
    folder = ROOT / "templates"
    pages = {str(path.relative_to(folder)) for path in folder.rglob("*.html") if 'extends "' in path.read_text("utf-8")}
    unseen = (
        pages
        - walked.templates
        - ELSEWHERE
        - {"hosts/detail.html", "packages/_frame.html", "patching/wizard/_frame.html", "repositories/_frame.html"}
    )
    assert not unseen, sorted(unseen)


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_sample_holds_to_the_policy_and_stands_in_the_frame(name: str) -> None:
    assert wrong(PAGES[name]) == []
    assert stands_in_the_frame(PAGES[name])


def wrong(page: str) -> list[str]:
    """Return what the strict policy, a screen reader or a script would stumble over."""
    read = Reader(page)
    found = [*read.inline, *read.nameless]
    found += ["a form without its token"] * max(0, read.posts_without_token)
    found += [f"twice the id {one}" for one, times in Counter(read.ids).items() if times > 1]
    found += [f"nothing has the id {one}" for one in read.pointed if one not in read.ids]
    found += [
        f"a field without a name: {field}"
        for field in read.fields
        if not (field.get("aria-label") or field["inside label"] or field.get("id") in read.labelled)
        and field.get("type") != "hidden"
    ]
    return found


def stands_in_the_frame(page: str) -> bool:
    title = re.search(r"<title>[^<]+ · [^<]+</title>", page) is not None
    return title and 'lang="en"' in page and page.count("<h1") == 1 and 'href="#main"' in page


def test_what_hosts_print_is_only_ever_text() -> None:
    assert "<script>alert(1)" not in PAGES["job-output"]
    assert "&lt;script&gt;alert(1)" in PAGES["job-output"]


async def test_the_theme_of_the_cookie_is_in_the_page_before_any_script_runs(client: Browser) -> None:
    dark = await (await client.get("/login", headers={**HTML, "Cookie": "theme=dark"})).text()
    auto = await (await client.get("/login", headers=HTML)).text()
    assert 'data-bs-theme="dark"' in dark
    assert "data-bs-theme=" not in auto
    assert 'data-theme-choice="auto"' in auto
