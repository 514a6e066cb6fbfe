"""What somebody would try who is not the person, or not the provider."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import ClientResponse
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey

from server.core import fetch
from server.core.call import Call
from tests.conftest import Browser
from tests.identity.sso.conftest import NewBrowser, come_back, enter, me, set_out
from tests.stand_ins.identity_provider import CLIENT, PASSWORD, Claims, Provider

Twist = Callable[[Claims], None]


def part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def unsigned(claims: Claims) -> str:
    return f"{part({'alg': 'none'})}.{part(claims)}."


def signed_with_the_secret(claims: Claims) -> str:
    return jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(PASSWORD), algorithms=["HS256"])


def signed_by_a_stranger(claims: Claims) -> str:
    key = RSAKey.generate_key(2048, {"kid": "one"})
    return jwt.encode({"alg": "RS256", "kid": "one"}, claims, key)


async def refused(browser: Browser, call: Call) -> None:
    landed = await enter(browser)
    assert landed.error == "Authentication Failed", landed.location
    assert await me(browser) is None
    assert await call.db.value("select count(*) from user_identities") == 0


@pytest.mark.proves("OIDC-16")
@pytest.mark.parametrize(
    "sign", [unsigned, signed_with_the_secret, signed_by_a_stranger, lambda _: "x.y.z", lambda _: ""]
)
@pytest.mark.usefixtures("root")
async def test_only_the_providers_signature_counts(
    client: Browser, provider: Provider, call: Call, sign: Callable[[Claims], str]
) -> None:
    provider.sign = sign
    await refused(client, call)


@pytest.mark.proves("OIDC-16")
@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://other.example"},
        {"iss": None},
        {"aud": "another-client"},
        {"aud": ["another-client"]},
        {"aud": [CLIENT, "another-client"]},
        {"aud": [CLIENT, "another-client"], "azp": "another-client"},
        {"azp": "another-client"},
        {"exp": int(time.time()) - 3600},
        {"exp": None},
        {"exp": "never"},
        {"iat": int(time.time()) + 3600},
        {"nbf": int(time.time()) + 3600},
        {"nonce": "another"},
        {"nonce": None},
        {"sub": ""},
        {"sub": None},
        {"sub": 7},
        {"sub": "x" * 300},
        {"sub": "a\x00b"},
        {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
    ],
    # Without the time: processes that share the tests must give them the same names.
    ids="-".join,
)
@pytest.mark.usefixtures("root")
async def test_a_token_for_another_purpose_opens_nothing(
    client: Browser, provider: Provider, call: Call, change: dict[str, Any]
) -> None:
    def twist(claims: Claims) -> None:
        claims.update(change)
        for name in [name for name, value in change.items() if value is None]:
            del claims[name]

    provider.twist = twist
    await refused(client, call)


@pytest.mark.usefixtures("root")
async def test_new_keys_of_the_provider_are_fetched(
    client: Browser, new_browser: NewBrowser, provider: Provider, pass_time: Callable[..., None]
) -> None:
    from datetime import timedelta  # noqa: PLC0415

    await enter(client)
    pass_time(timedelta(seconds=40))
    provider.new_key()
    assert (await enter(await new_browser())).location == "/?oidc=success"
    # Whoever makes keys up does not make us ask for them each time.
    asked = len([1 for path, _ in provider.seen if path == "/jwks"])
    provider.sign = signed_by_a_stranger
    for _ in range(3):
        assert (await enter(await new_browser())).error == "Authentication Failed"
    assert len([1 for path, _ in provider.seen if path == "/jwks"]) == asked


@pytest.mark.usefixtures("root")
async def test_odd_claims_and_queries_harm_nothing(
    client: Browser, new_browser: NewBrowser, provider: Provider
) -> None:
    odds: tuple[Any, ...] = ("a\x00b", "é" * 500, "<script>", "' or 1=1 --", 7, None, [], {"a": 1})
    for odd in odds:
        provider.person = {
            "sub": "odd", "email": "odd@example.com", "given_name": odd, "family_name": odd, "picture": odd,
            "groups": [odd], "preferred_username": odd,
        }  # fmt: skip
        assert (await enter(await new_browser())).location == "/?oidc=success", odd
    for odd in ("a\x00b@example.com", "<b>@x.y", "x" * 300 + "@example.com", 7, [], "a b@example.com"):
        provider.person = {"sub": f"odd-{odd}"[:50].replace("\x00", ""), "email": odd}
        landed = await enter(await new_browser())
        assert landed.error in {"The identity provider sent no email address", "Authentication Failed"}, odd
    for query in ("state=%00&code=%00", "state=%ED%A0%80", "error=%00", "state=a&state=b", "code[]=x"):
        answer = await client.get(f"/api/v1/auth/oidc/callback?{query}", allow_redirects=False)
        assert answer.status == 302, query


async def test_odd_ids_have_no_picture_and_nobody_to_link(as_admin: Browser) -> None:
    from tests.factories.people import post_form  # noqa: PLC0415

    for odd in ("x", "%00", "' or 1=1", "00000000-0000-0000-0000-000000000000"):
        answer = await as_admin.get(f"/avatars/{odd}")
        assert (answer.status, answer.content_type) == (200, "image/svg+xml")
        linked = await post_form(
            as_admin, "/settings/profile", f"/settings/users/{odd}/oidc-subject", {"oidc_subject": "x"}
        )
        assert linked.status in {303, 404}


@pytest.mark.usefixtures("root")
async def test_an_answer_of_another_provider_is_refused(client: Browser) -> None:
    back = await set_out(client)
    landed = await come_back(client, back.update_query(iss="https://other.example"))
    assert landed.error == "Authentication Failed"


@pytest.mark.usefixtures("root")
async def test_a_code_of_somebody_elses_way_is_worth_nothing(client: Browser, new_browser: NewBrowser) -> None:
    """Whoever steals a code lacks the verifier: the provider refuses it on another way."""
    stolen = (await set_out(await new_browser())).query["code"]
    mine = await set_out(client)
    landed = await come_back(client, mine.update_query(code=stolen))
    assert landed.error == "Authentication Failed"
    assert await me(client) is None


@pytest.mark.usefixtures("root")
async def test_user_info_about_somebody_else_is_not_used(client: Browser, provider: Provider) -> None:
    provider.person = {"sub": "ada-1"}
    provider.info = {"sub": "other", "email": "other@example.com", "email_verified": True}
    assert (await enter(client)).error == "The identity provider sent no email address"


@pytest.mark.usefixtures("root")
async def test_user_info_adds_what_the_token_lacks_but_verifies_no_other_address(
    client: Browser, new_browser: NewBrowser, provider: Provider
) -> None:
    provider.person = {"sub": "ada-1"}
    provider.info = {"email": "ada@example.com", "email_verified": True, "groups": ["x"]}
    await enter(client)
    assert (await me(client) or {})["email"] == "ada@example.com"
    provider.person = {"sub": "eve", "email": "ada@example.com"}
    provider.info = {"email": "eve@example.com", "email_verified": True}
    assert (await enter(await new_browser())).error == "Email not verified by identity provider"


@pytest.mark.usefixtures("root")
async def test_a_session_that_somebody_planted_does_not_survive(client: Browser) -> None:
    client.session.cookie_jar.update_cookies({"token": "planted", "refresh_token": "planted"}, client.make_url("/"))
    landed = await enter(client)
    assert landed.answer.cookies["token"].value != "planted"


def login(answer: ClientResponse) -> tuple[int, str]:
    return answer.status, answer.headers.get("Location", "")


class TestOverHttps:
    @pytest.fixture
    def variables(self) -> dict[str, str]:
        return {"OIDC_ENFORCE_HTTPS": "true"}

    @pytest.mark.proves("OIDC-13")
    @pytest.mark.usefixtures("root")
    async def test_an_issuer_over_http_is_refused(self, client: Browser, provider: Provider) -> None:
        config = await (await client.get("/api/v1/auth/oidc/config")).json()
        assert config["enabled"] is False
        assert provider.seen == []
        answer = await client.get("/api/v1/auth/oidc/login", allow_redirects=False)
        assert answer.status == 503


class TestUntrusted:
    """The issuer was entered on the page, so it is not the operator's own word."""

    @pytest.fixture
    def variables(self) -> dict[str, str]:
        return {"OIDC_ISSUER_URL": "", "OIDC_ENABLED": "", "OIDC_REDIRECT_URI": ""}

    async def problem(self, browser: Browser, issuer: str) -> str:
        same = {"Sec-Fetch-Site": "same-origin"}
        answer = await browser.put(
            "/api/v1/auth/oidc/settings",
            json={"oidc_enabled": True, "oidc_issuer_url": issuer, "oidc_enforce_https": False},
            headers=same,
        )
        body = await answer.json()
        assert answer.status == 200, body
        assert body["initialized"] is False
        return str(body["problem"])

    @pytest.mark.parametrize(
        ("issuer", "why"),
        [
            ("http://127.0.0.1:1/x", "private network"),
            ("http://localhost:1", "private network"),
            ("http://[::1]:1", "private network"),
            ("http://[::ffff:10.0.0.1]", "private network"),
            ("http://2130706433:1", "not a canonical"),
            ("http://10.1.2.3", "private network"),
            ("http://169.254.169.254/latest", "link-local"),
            ("http://0.0.0.0:1", "not the address"),
        ],
    )
    async def test_an_issuer_inside_is_not_asked(self, as_admin: Browser, issuer: str, why: str) -> None:
        assert why in await self.problem(as_admin, issuer)

    async def test_the_provider_beside_the_server_is_not_asked_either(
        self, as_admin: Browser, provider: Provider
    ) -> None:
        assert "private network" in await self.problem(as_admin, provider.url)
        assert provider.seen == []

    async def test_a_name_that_changes_its_address_reaches_nothing_inside(
        self, as_admin: Browser, provider: Provider
    ) -> None:
        """The first lookup says a public address, every other one this machine: only what was checked is reached."""
        public = ["192.88.99.1"]

        async def lookup(_host: str, _port: int) -> list[str]:
            return [public.pop()] if public else ["127.0.0.1"]

        fetch.set_lookup(lookup)
        try:
            port = provider.url.rpartition(":")[2]
            await self.problem(as_admin, f"http://rebinding.example:{port}")
            second = await self.problem(as_admin, f"http://rebinding.example:{port}/again")
        finally:
            fetch.set_lookup(None)
        assert "rebinding.example (127.0.0.1) is an address of a private network" in second
        assert provider.seen == []


class TestPictures:
    @pytest.fixture
    def variables(self) -> dict[str, str]:
        # This machine's public side, as it were; the other private networks stay closed.
        return {"OUTBOUND_ALLOW_PRIVATE": "127.0.0.1/32"}

    @pytest.mark.parametrize(
        "target",
        [
            "http://169.254.169.254/latest/meta-data/",
            "http://127.0.0.2:1/",
            "file:///etc/passwd",
            "http://a:b@127.0.0.1/",
        ],
    )
    @pytest.mark.usefixtures("root")
    async def test_a_picture_that_leads_inside_is_not_fetched(
        self, client: Browser, provider: Provider, call: Call, target: str
    ) -> None:
        for url in (target, f"{provider.url}/moved?to={target}"):
            provider.person |= {"picture": url}
            assert (await enter(client)).location == "/?oidc=success"
        assert await call.db.value("select count(*) from user_avatars") == 0
        assert any(path == "/moved" for path, _ in provider.seen)

    @pytest.mark.usefixtures("root")
    async def test_a_picture_takes_no_secrets_along(self, client: Browser, provider: Provider) -> None:
        provider.person |= {"picture": f"{provider.url}/picture"}
        await enter(client)
        headers = next(headers for path, headers in provider.seen if path == "/picture")
        assert not {"Authorization", "Cookie"} & set(headers)
