"""A server whose people sign in with a provider beside it."""

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession, CookieJar
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from server.core.call import Call
from server.core.env import Env
from server.core.secretbox import Secret
from tests.conftest import Browser
from tests.factories.people import HTML, PASSWORD, person
from tests.identity.conftest import pass_time
from tests.stand_ins import identity_provider
from tests.stand_ins.identity_provider import CLIENT, Provider

__all__ = ["pass_time"]

ADA: dict[str, Any] = {
    "sub": "ada-1",
    "email": "ada.lovelace@example.com",
    "email_verified": True,
    "given_name": "Ada",
    "family_name": "Lovelace",
}
NewBrowser = Callable[[], Awaitable[Browser]]


@dataclass(frozen=True, slots=True)
class Landed:
    """Where a way to the provider and back ended."""

    answer: ClientResponse
    location: str

    @property
    def error(self) -> str:
        """What the sign-in page is told."""
        return URL(self.location).query.get("error", "")


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with identity_provider.running() as running:
        running.person = dict(ADA)
        yield running


@pytest.fixture
def variables() -> dict[str, str]:
    """What a test adds to the environment."""
    return {}


@pytest.fixture
def env(env: Env, provider: Provider, variables: dict[str, str]) -> Env:
    given = {
        "OIDC_ENABLED": "true",
        "OIDC_ISSUER_URL": provider.url,
        "OIDC_CLIENT_ID": CLIENT,
        "OIDC_CLIENT_SECRET": provider.password,
        "OIDC_REDIRECT_URI": "http://patchmon.test/api/v1/auth/oidc/callback",
        "OIDC_ENFORCE_HTTPS": "false",
        "OIDC_AUTO_CREATE_USERS": "true",
        **variables,
    }
    known = {name: value for name, value in given.items() if value}
    return replace(
        env,
        given=Secret(known),
        discord_api_url=known.get("DISCORD_API_URL") or f"{provider.url}/api",
        discord_images_url=provider.url,
        graph_url=f"{provider.url}/v1.0",
        outbound_allow_private=known.get("OUTBOUND_ALLOW_PRIVATE", ""),
    )


@pytest.fixture
async def new_browser(server: TestServer) -> AsyncIterator[NewBrowser]:
    """Makes browsers that are not signed in."""
    opened: list[Browser] = []

    async def make() -> Browser:
        browser: Browser = TestClient(server, cookie_jar=CookieJar(unsafe=True))
        await browser.start_server()
        opened.append(browser)
        return browser

    yield make
    for browser in opened:
        await browser.session.close()


@pytest.fixture
async def root(call: Call) -> None:
    """Somebody administers this server already."""
    await person(call, "superadmin", username="root")


async def set_out(browser: Browser, path: str = "/api/v1/auth/oidc/login") -> URL:
    """Begin a sign-in; return where the provider sends the browser back to."""
    start = await browser.get(path, headers=HTML, allow_redirects=False)
    assert start.status == 302, await start.text()
    async with (
        ClientSession() as outside,
        outside.get(URL(start.headers["Location"], encoded=True), allow_redirects=False) as asked,
    ):
        assert asked.status == 302, await asked.text()
        return URL(asked.headers["Location"], encoded=True)


async def come_back(browser: Browser, back: URL) -> Landed:
    """End a sign-in."""
    answer = await browser.get(back.raw_path_qs, headers=HTML, allow_redirects=False)
    return Landed(answer, answer.headers.get("Location", ""))


async def enter(browser: Browser, path: str = "/api/v1/auth/oidc/login") -> Landed:
    """Go to the provider and back."""
    return await come_back(browser, await set_out(browser, path))


async def me(browser: Browser) -> dict[str, Any] | None:
    """Return who the browser is signed in as."""
    answer = await browser.get("/api/v1/auth/profile")
    return (await answer.json())["user"] if answer.status == 200 else None


async def local_sign_in(browser: Browser, name: str, password: str = PASSWORD) -> ClientResponse:
    """Try name and password."""
    return await browser.post("/api/v1/auth/login", json={"username": name, "password": password})


async def heading(browser: Browser, page: str) -> str:
    """Return what the sign-in page says about a failure."""
    text = await (await browser.get(page, headers=HTML)).text()
    found = re.search(r"<strong>([^<]+)</strong>", text)
    return found[1] if found else ""


async def until(wanted: Callable[[], Awaitable[bool]], seconds: float = 5) -> bool:
    """Wait for something to become true."""
    async with asyncio.timeout(seconds):
        while not await wanted():
            await asyncio.sleep(0.05)
    return True
