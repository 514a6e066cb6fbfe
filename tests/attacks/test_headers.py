"""Names the server is called by, what every answer carries, and addresses that clients invent."""

import re
from dataclasses import replace

import pytest
from aiohttp import ClientResponse

from server.core.call import Call
from server.core.env import Env
from server.hosts import service as hosts
from server.hosts.models import NewHost
from server.settings import service as settings
from tests.conftest import Browser
from tests.factories.people import HTML, PASSWORD, bearer, person, post_form, sign_in

EVIL = {"Host": "evil.example", "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
UPGRADE = {
    "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}  # fmt: skip


async def test_links_are_built_from_the_server_url_and_never_from_the_host_header(
    as_admin: Browser, client: Browser, call: Call
) -> None:
    await settings.change_server_url(call, "https://patch.example")
    host = await hosts.create(call, NewHost("web-01"))
    told = {"Host": "patch.example", "X-API-ID": host.api_id, "X-API-KEY": host.api_key.reveal()}
    script = await (await client.get("/api/v1/hosts/install", headers=told)).text()
    assert "https://patch.example" in script
    for path in ("/login", "/hosts", f"/hosts/{host.uuid}", "/hosts/new", "/settings/environment", "/nowhere"):
        page = await as_admin.get(path, headers={**HTML, **EVIL}, allow_redirects=False)
        assert "evil.example" not in await page.text(), path
        assert "evil.example" not in str(page.headers), path


@pytest.mark.parametrize("name", ["Host", "X-Forwarded-Host"])
async def test_an_install_script_asked_for_under_another_name_leads_to_the_server_url(
    client: Browser, call: Call, name: str
) -> None:
    await settings.change_server_url(call, "https://patch.example")
    host = await hosts.create(call, NewHost("web-01"))
    headers = {"X-API-ID": host.api_id, "X-API-KEY": host.api_key.reveal(), name: "evil.example"}
    for path in ("/api/v1/hosts/install", "/api/v1/hosts/remove"):
        answer = await client.get(path, headers=headers)
        assert answer.status == 200
        assert answer.headers["Cache-Control"] == "no-store"
        assert "evil.example" not in await answer.text()


async def test_pages_are_kept_by_no_cache(as_admin: Browser) -> None:
    for path in ("/", "/hosts", "/login", "/settings/profile", "/nowhere"):
        answer = await as_admin.get(path, headers=HTML, allow_redirects=False)
        assert answer.headers.get("Cache-Control") == "no-store", path


EXPECTED = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "X-XSS-Protection": "1; mode=block",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Server": "PatchMon",
}


def lacks(answer: ClientResponse) -> list[str]:
    """Return the names of the headers that are missing or say something else."""
    policy = answer.headers.get("Content-Security-Policy", "")
    strict = "script-src 'self'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    wrong = [name for name, value in EXPECTED.items() if answer.headers.getall(name, []) != [value]]
    return wrong if strict else [*wrong, "Content-Security-Policy"]


@pytest.mark.proves("OPS-71")
async def test_every_kind_of_answer_carries_the_security_headers(
    as_admin: Browser, client: Browser, call: Call
) -> None:
    headers = await bearer(call, "admin")
    foreign = {**UPGRADE, "Origin": "https://evil.example"}
    answers = {
        "page": await as_admin.get("/hosts", headers=HTML),
        "page that is not there": await as_admin.get("/nowhere", headers=HTML),
        "redirect": await client.get("/hosts", headers=HTML, allow_redirects=False),
        "refused form": await client.post("/login", data={}, headers=HTML),
        "api": await client.get("/api/v1/auth/profile", headers=headers),
        "api refusal": await client.get("/api/v1/settings"),
        "api that is not there": await client.get("/api/v1/nowhere"),
        "wrong method": await client.put("/api/v1/settings/current-url"),
        "preflight": await client.options("/api/v1/hosts", headers={"Origin": "https://evil.example"}),
        "host gate": await client.get("/api/v1/hosts", headers={"X-Forwarded-Host": "evil.example"}),
        "static": await client.get("/static/css/base.css"),
        "static that is not there": await client.get("/static/nothing.css"),
        "socket without credentials": await client.get("/api/v1/agents/ws", headers=UPGRADE),
        "socket of a foreign page": await client.get("/api/v1/jobs/none/stream", headers=foreign),
        "download": await as_admin.get("/api/v1/audit/export.csv"),
        "probe": await client.get("/health"),
        "robots": await client.get("/robots.txt"),
    }
    assert {name: missing for name, answer in answers.items() if (missing := lacks(answer))} == {}
    assert len({answer.status for answer in answers.values()}) >= 6


def cookies_of(answer: ClientResponse) -> dict[str, str]:
    return {text.partition("=")[0]: text.lower() for text in answer.headers.getall("Set-Cookie", [])}


class TestBehindAProxy:
    @pytest.fixture
    def env(self, env: Env) -> Env:
        return replace(env, trust_proxy="127.0.0.0/8")

    @pytest.mark.proves("OPS-65", "OPS-66")
    @pytest.mark.parametrize(("scheme", "secure"), [("https", True), ("http", False), ("", False)])
    async def test_cookies_are_secure_exactly_when_the_browser_speaks_https(
        self, client: Browser, call: Call, scheme: str, secure: bool
    ) -> None:
        user = await person(call, "admin")
        headers = {
            "X-Forwarded-Proto": scheme,
            "X-Forwarded-Host": "patch.example:8443",
            "X-Forwarded-For": "203.0.113.9",
        }
        credentials = {"username": user.username, "password": PASSWORD}
        signed_in = await client.post("/api/v1/auth/login", json=credentials, headers=headers)
        form = await client.get("/login", headers={**HTML, **headers})
        cookies = {**cookies_of(signed_in), **cookies_of(form)}
        assert {"token", "refresh_token", "patchmon_form"} <= cookies.keys()
        for name, text in cookies.items():
            assert ("; secure" in text) is secure, name
            assert "httponly" in text, name
            assert "samesite=" in text, name
            assert "samesite=none" not in text, name
        seen = await (await client.get("/api/v1/settings/current-url", headers=headers)).json()
        assert seen["url"] == f"{scheme or 'http'}://patch.example:8443"
        address = await call.db.value("select address::text from user_sessions order by created_at desc limit 1")
        assert str(address).startswith("203.0.113.9")


@pytest.mark.proves("OPS-65", "OPS-66")
async def test_without_trust_nothing_a_client_says_about_itself_counts(client: Browser, call: Call) -> None:
    user = await person(call, "admin")
    lies = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9"}
    answer = await client.post(
        "/api/v1/auth/login", json={"username": user.username, "password": PASSWORD}, headers=lies
    )
    assert answer.status == 200
    assert all("; secure" not in text for text in cookies_of(answer).values())
    address = await call.db.value("select address::text from user_sessions order by created_at desc limit 1")
    assert str(address).startswith("127.0.0.1")
    seen = await (await client.get("/api/v1/settings/current-url", headers=lies)).json()
    assert seen["protocol"] == "http"


@pytest.mark.proves("OPS-60", "OPS-76")
async def test_plain_http_is_never_led_to_https_and_pages_name_no_host(as_admin: Browser) -> None:
    for path in ("/", "/hosts", "/health", "/api/v1/settings"):
        answer = await as_admin.get(path, headers=HTML, allow_redirects=False)
        assert answer.status == 200, path
        absolute = re.findall(r'(?:src|action|href|data-source)="(https?:[^"]*)"', await answer.text())
        assert absolute == [], path


@pytest.mark.parametrize("bad", ["a\r\nX-Evil: 1", "a\nSet-Cookie: x=1", "a\0b", "é" * 40])
async def test_what_is_echoed_into_headers_adds_none(as_admin: Browser, bad: str) -> None:
    for query in ({"next": bad}, {"q": bad}, {"search": bad}, {"return_to": bad}):
        for path in ("/login", "/search", "/hosts", "/audit"):
            answer = await as_admin.get(path, params=query, headers=HTML, allow_redirects=False)
            assert "X-Evil" not in answer.headers
            assert "x" not in answer.cookies
            assert answer.status < 500, (path, query)


async def test_a_session_is_not_taken_over_from_before_the_sign_in(client: Browser, call: Call) -> None:
    user = await person(call, "admin")
    client.session.cookie_jar.update_cookies({"token": "planted", "patchmon_form": "planted"})
    page = await client.get("/login", headers=HTML)
    assert page.status == 200
    await sign_in(client, user.username)
    held = {cookie.key: cookie.value for cookie in client.session.cookie_jar}
    assert held["token"] != "planted"
    assert (await post_form(client, "/settings/profile", "/logout")).status == 303
    assert (await client.get("/api/v1/auth/profile", headers={"Cookie": f"token={held['token']}"})).status == 401
