"""Every page renders with exactly its fields, holds to the strict policy, and can be used without a mouse or eyes."""

import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tools.preview import render_all
from tools.preview_samples import samples

ROOT = Path(__file__).resolve().parents[2]
PAGES = dict(render_all())
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


def test_every_page_of_the_product_has_a_sample() -> None:
    extended = {
        path for path in (ROOT / "templates").rglob("*.html") if re.search(r'extends "', path.read_text("utf-8"))
    }
    pages = {str(path.relative_to(ROOT / "templates")) for path in extended} - {"hosts/detail.html"}
    missing = pages - {template for _, template, _ in samples()}
    assert missing <= {"dashboard/overview.html", "settings/server_url.html"}


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_page_holds_to_the_policy_and_names_its_things(name: str) -> None:
    read = Reader(PAGES[name])
    assert not read.inline
    assert not read.nameless
    assert read.posts_without_token == 0
    assert not [one for one, times in Counter(read.ids).items() if times > 1]
    assert not [one for one in read.pointed if one not in read.ids]
    for field in read.fields:
        named = field.get("aria-label") or field["inside label"] or field.get("id") in read.labelled
        assert named or field.get("type") == "hidden", field


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_page_stands_in_the_frame(name: str) -> None:
    page = PAGES[name]
    assert 'lang="en"' in page
    assert page.count("<h1") == 1
    assert '<main class="' in page
    assert 'href="#main"' in page
    assert re.search(r"<title>[^<]+ · PatchMon</title>", page)


def test_what_hosts_print_is_only_ever_text() -> None:
    assert "<script>alert(1)" not in PAGES["job-output"]
    assert "&lt;script&gt;alert(1)" in PAGES["job-output"]


def test_the_theme_of_the_cookie_is_in_the_page_before_any_script_runs() -> None:
    dark = dict(render_all("login", "dark"))["login"]
    auto = dict(render_all("login", "auto"))["login"]
    assert 'data-bs-theme="dark"' in dark
    assert "data-bs-theme=" not in auto
    assert 'data-theme-choice="auto"' in auto
