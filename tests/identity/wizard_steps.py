"""Walking through the first set-up as a browser without scripts does."""

import re
from dataclasses import dataclass

from aiohttp import ClientResponse

from tests.conftest import Browser
from tests.factories.people import HTML, PASSWORD, post_form

FORM = {
    "first_name": "Ada",
    "last_name": "Lovelace",
    "username": "ada",
    "email": "ada@example.com",
    "password": PASSWORD,
    "confirm": PASSWORD,
}
URL_FORM = {"server_protocol": "https", "server_host": "patch.example.com", "server_port": "443"}


@dataclass
class Wizard:
    """One browser in the set-up; ``token`` is of the link."""

    browser: Browser
    token: str

    async def page(self, step: int | str = "", *, token: str | None = None) -> str:
        """Return a step's page."""
        token = self.token if token is None else token
        answer = await self.browser.get(f"/setup?token={token}&step={step}", headers=HTML, allow_redirects=False)
        assert answer.status == 200, (answer.status, answer.headers.get("Location"))
        return await answer.text()

    async def send(self, path: str, fields: dict[str, str], step: int = 1) -> ClientResponse:
        """Send the form of a step."""
        page = f"/setup?token={self.token}&step={step}"
        return await post_form(self.browser, page, path, {"link": self.token, "token": self.token, **fields})

    async def enter_person(self, **changes: str) -> ClientResponse:
        return await self.send("/setup", {**FORM, **changes})

    async def enter_url(self, **changes: str) -> ClientResponse:
        return await self.send("/setup/url", {**URL_FORM, **changes}, 3)

    async def finish(self) -> ClientResponse:
        return await self.send("/setup/finish", {}, 5)


def heading(page: str) -> str:
    """Return what a page's main heading says."""
    found = re.search(r"<h1[^>]*>(.*?)</h1>", page.split("<main")[1], re.DOTALL)
    assert found is not None
    return found[1].strip()


def steps(page: str) -> list[str]:
    """Return the titles of the steps above the form, the current one in brackets."""
    strip = page.split('aria-label="Steps of the set-up"')[1].split("</nav>", maxsplit=1)[0]
    found = []
    for item in strip.split("<li")[1:]:
        title = re.search(r'class="wizard-word">([^<]+)', item)
        assert title is not None
        found.append(f"[{title[1]}]" if "aria-current" in item.split(">")[0] else title[1])
    return found
