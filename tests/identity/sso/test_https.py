"""Single sign-on over https only, as it is unless the operator says otherwise."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from yarl import URL

from server.core.env import Env
from tests.conftest import Browser
from tests.factories.people import HTML
from tests.identity.sso.conftest import ADA, come_back, me
from tests.stand_ins import identity_provider
from tests.stand_ins.identity_provider import Provider

SECURE = {**HTML, "X-Forwarded-Proto": "https"}


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return identity_provider.certificate(tmp_path)


@pytest.fixture
async def provider(certificate: Path) -> AsyncIterator[Provider]:
    """A provider whose certificate only its own authority signed."""
    async with identity_provider.running(certificate) as running:
        running.person = dict(ADA)
        yield running


@pytest.fixture
def variables() -> dict[str, str]:
    return {"OIDC_ENFORCE_HTTPS": "", "OIDC_REDIRECT_URI": "https://patchmon.test/api/v1/auth/oidc/callback"}


class TestKnownAuthority:
    @pytest.fixture
    def env(self, env: Env, certificate: Path) -> Env:
        return replace(env, trust_proxy="true", authorities=certificate)

    @pytest.mark.proves("OIDC-13", "ENV-105g")
    @pytest.mark.usefixtures("root")
    async def test_plain_http_is_refused_on_the_way_out_and_back(self, client: Browser, provider: Provider) -> None:
        config = await (await client.get("/api/v1/auth/oidc/config")).json()
        assert config["enabled"] is True
        for path in ("login", "callback?state=x&code=y"):
            for headers in (HTML, {"Accept": "application/json"}):
                answer = await client.get(f"/api/v1/auth/oidc/{path}", headers=headers, allow_redirects=False)
                assert answer.status == 403, path
        start = await client.get("/api/v1/auth/oidc/login", headers=SECURE, allow_redirects=False)
        assert start.status == 302
        assert start.cookies["oidc_state"]["secure"] is True
        asked = URL(start.headers["Location"])
        handle = start.cookies["oidc_state"].value
        back = await self.asked_at(asked, provider)
        cookie = {"Cookie": f"oidc_state={handle}"}
        plain = await client.get(back, headers={**HTML, **cookie}, allow_redirects=False)
        assert plain.status == 403
        landed = await client.get(back, headers={**SECURE, **cookie}, allow_redirects=False)
        assert landed.headers["Location"] == "/?oidc=success"
        assert landed.cookies["token"]["secure"] is True

    @staticmethod
    async def asked_at(url: URL, provider: Provider) -> str:
        """Ask the provider as a browser that trusts it would; return the path to come back to."""
        door = identity_provider._Doors(provider)
        answer = door._granted(_Query(url.query), provider.person)  # type: ignore[arg-type]
        return URL(answer.headers["Location"], encoded=True).raw_path_qs


class _Query:
    def __init__(self, query: Any) -> None:
        self.query = query


@pytest.mark.usefixtures("root")
async def test_a_certificate_that_nobody_known_signed_is_not_believed(client: Browser, provider: Provider) -> None:
    config = await (await client.get("/api/v1/auth/oidc/config")).json()
    assert config["enabled"] is False
    assert provider.seen == []
    assert (await come_back(client, URL("/api/v1/auth/oidc/callback"))).error
    assert await me(client) is None
