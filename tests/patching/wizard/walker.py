"""A person with a browser without scripts: reads a page, ticks, presses buttons, goes where that leads."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, Self
from urllib.parse import urlencode

from tests.conftest import Browser
from tests.factories.people import HTML

VOID = {"input", "br", "meta", "link", "hr", "img"}


@dataclass
class Form:
    """A form as it stands: its fields with their values, its buttons by their words."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    offered: list[tuple[str, str, bool]] = field(default_factory=list)
    buttons: dict[str, dict[str, str]] = field(default_factory=dict)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: dict[str, Form] = {}
        self.steps: list[tuple[str, str]] = []
        self.links: dict[str, str] = {}
        self._form: str | None = None
        self._open: list[tuple[str, dict[str, str], list[str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = found.get("id") or f"form {len(self.forms)}"
            self.forms[self._form] = Form(found.get("action", ""), found.get("method", "get"))
        form = self.forms.get(found.get("form") or self._form or "")
        if tag == "input" and form is not None and "disabled" not in found:
            self._input(form, found)
        if tag not in VOID:
            self._open.append((tag, found, []))

    def _input(self, form: Form, found: dict[str, str]) -> None:
        if found.get("type") in {"checkbox", "radio"} and found.get("name"):
            form.offered.append((found["name"], found["value"], "checked" in found))
        elif found.get("name"):
            form.fields.append((found["name"], found.get("value", "")))

    def handle_data(self, data: str) -> None:
        for _, _, words in self._open:
            words.append(data)

    def handle_endtag(self, tag: str) -> None:
        while any(name == tag for name, _, _ in self._open):
            name, found, words = self._open.pop()
            self._ended(name, found, re.sub(r"\s+", " ", "".join(words)).strip())
            if name == tag:
                break

    def _ended(self, tag: str, found: dict[str, str], text: str) -> None:
        if tag == "button":
            form = self.forms.get(found.get("form") or self._form or "")
            if form is not None:
                form.buttons[text] = found
        elif tag == "a":
            self.links[text] = found.get("href", "")
        elif tag == "li" and ("is-" in found.get("class", "") or found.get("aria-current") == "step"):
            self.steps.append((text.split(" (", maxsplit=1)[0], found.get("class") or "now"))
        elif tag == "form":
            self._form = None


@dataclass
class Walker:
    """Where a person is."""

    browser: Browser
    url: str = ""
    text: str = ""
    status: int = 0
    _read: _Reader = field(default_factory=_Reader)

    async def open(self, path: str, **query: Any) -> Self:
        """Go to an address."""
        url = f"{path}?{urlencode(query, doseq=True)}" if query else path
        return await self._took(await self.browser.get(url, headers=HTML))

    async def _took(self, answer: Any) -> Self:
        self.url, self.text, self.status = str(answer.url.relative()), await answer.text(), answer.status
        self._read = _Reader()
        self._read.feed(self.text)
        return self

    @property
    def sentence(self) -> str:
        """What the page says will happen."""
        found = re.search(r'id="sentence"[^>]*>([^<]*)<', self.text)
        assert found is not None, self.text[:500]
        return found[1].replace("&amp;", "&").strip()

    @property
    def step(self) -> str:
        """The step that is marked as the current one."""
        return next(name for name, how in self._read.steps if how == "now")

    @property
    def unused(self) -> list[str]:
        """The steps that are muted."""
        return [name for name, how in self._read.steps if how == "is-unused"]

    def buttons(self) -> list[str]:
        """Return the words of every button of the page's own forms."""
        return [words for form in self._read.forms.values() for words in form.buttons]

    def link(self, words: str) -> str:
        """Return where a link leads, by the beginning of its words."""
        return next(url for text, url in self._read.links.items() if text.startswith(words))

    def offered(self, name: str) -> list[str]:
        """Return the values of the boxes with this name."""
        return [value for form in self._read.forms.values() for key, value, _ in form.offered if key == name]

    async def press(self, words: str, *ticked: tuple[str, str], follow: bool = True, **typed: str) -> Self:
        """Press a button after ticking boxes (what is ticked of a name replaces what was) and typing into fields."""
        form, button = next(
            (form, button)
            for form in self._read.forms.values()
            for text, button in form.buttons.items()
            if text.startswith(words)
        )
        named = {name for name, _ in ticked}
        fields = [(name, value) for name, value in form.fields if name not in typed]
        fields += [(name, value) for name, value, checked in form.offered if checked and name not in named]
        fields += [*ticked, *typed.items()]
        if button.get("name"):
            fields.append((button["name"], button["value"]))
        url = button.get("formaction") or form.action
        assert form.method == "post"
        sent = [(name, value) for name, value in fields if value]
        answer = await self.browser.post(
            url, data=urlencode(sent), allow_redirects=follow,
            headers={**HTML, "Content-Type": "application/x-www-form-urlencoded"},
        )  # fmt: skip
        if not follow:
            self.status, self.url = answer.status, answer.headers.get("Location", "")
            return self
        return await self._took(answer)

    async def follow(self, words: str) -> Self:
        """Follow a link."""
        return await self._took(await self.browser.get(self.link(words), headers=HTML))
