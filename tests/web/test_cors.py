"""Which pages may use the API, and under which names it answers."""

from dataclasses import replace

import pytest

from server.core.call import Call
from server.core.env import Env
from server.core.secretbox import Secret
from server.settings import rules
from server.settings import service as settings
from tests.conftest import Browser
from tests.factories.people import bearer

URL = "/api/v1/settings/current-url"
ALLOW = "Access-Control-Allow-Origin"


def with_origins(env: Env, origins: str) -> Env:
    return replace(env, given=Secret({"CORS_ORIGIN": origins}))


BROWSER_SOCKET = "/api/v1/jobs/none/stream"


class TestListed:
    @pytest.fixture
    def env(self, env: Env) -> Env:
        return with_origins(env, "https://a.example, https://B.example:443/,http://c.example:8080")

    @pytest.mark.proves("OPS-68")
    @pytest.mark.parametrize("origin", ["https://a.example", "https://b.example", "http://c.example:8080"])
    async def test_listed_origins_may(self, client: Browser, origin: str) -> None:
        preflight = await client.options(URL, headers={"Origin": origin, "Access-Control-Request-Method": "PATCH"})
        assert (preflight.status, preflight.headers[ALLOW]) == (204, origin)
        assert preflight.headers["Access-Control-Allow-Credentials"] == "true"
        assert preflight.headers["Access-Control-Allow-Methods"] == "GET, POST, PUT, PATCH, DELETE, OPTIONS"
        for name in ("Content-Type", "Authorization", "X-API-ID", "X-API-KEY", "X-Device-ID"):
            assert name in preflight.headers["Access-Control-Allow-Headers"]
        answer = await client.get(URL, headers={"Origin": origin})
        assert (answer.status, answer.headers[ALLOW], answer.headers["Vary"]) == (200, origin, "Origin")

    @pytest.mark.proves("AGENT-ENR-10")
    @pytest.mark.parametrize("path", ["/api/v1/hosts/install", "/api/v1/ws/status/patchmon_0123456789abcdef"])
    async def test_what_adding_a_host_asks_is_for_listed_pages_only(self, client: Browser, path: str) -> None:
        for origin, status in (("https://a.example", 204), ("https://d.example", 403)):
            asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
            preflight = await client.options(path, headers=asked)
            answer = await client.get(path, headers={"Origin": origin})
            # Even a refusal is for listed pages to read, and its reason for nobody else.
            allowed = (preflight.headers.get(ALLOW), answer.headers.get(ALLOW))
            assert (preflight.status, answer.status) == (status, 401)
            assert allowed == ((origin, origin) if status == 204 else (None, None))

    @pytest.mark.proves("OPS-68")
    @pytest.mark.parametrize(
        "origin", ["https://d.example", "http://a.example", "https://a.example:8443", "https://a.example.evil", "null"]
    )
    async def test_others_may_not(self, client: Browser, origin: str) -> None:
        preflight = await client.options(URL, headers={"Origin": origin, "Access-Control-Request-Method": "GET"})
        assert preflight.status == 403
        assert ALLOW not in preflight.headers
        assert ALLOW not in (await client.get(URL, headers={"Origin": origin})).headers

    @pytest.mark.proves("OPS-69")
    async def test_programs_and_our_own_pages_are_never_refused(self, client: Browser) -> None:
        assert (await client.get(URL)).status == 200
        own = str(client.make_url("/")).rstrip("/")
        assert (await client.options(URL, headers={"Origin": own})).status == 204
        assert (await client.options(URL)).status == 204

    async def test_refusals_carry_it_too(self, client: Browser) -> None:
        answer = await client.get("/api/v1/auth/profile", headers={"Origin": "https://a.example"})
        assert (answer.status, answer.headers[ALLOW]) == (401, "https://a.example")

    @pytest.mark.parametrize(
        ("headers", "status", "code"),
        [
            ({"Host": "a.example"}, 200, None),
            ({"Host": "A.EXAMPLE:3000"}, 200, None),
            ({"Host": "localhost:3000"}, 200, None),
            ({"Host": "[::1]:3000"}, 200, None),
            ({"Host": "evil.example"}, 403, "host_mismatch"),
            ({"Host": "a.example.evil"}, 403, "host_mismatch"),
            ({"Host": "a.example", "X-Forwarded-Host": "evil.example"}, 403, "cors_mismatch"),
            ({"Host": "server:3000", "X-Forwarded-Host": "a.example"}, 200, None),
            ({"Host": "a.example", "X-Forwarded-Host": "localhost"}, 403, "cors_mismatch"),
            ({"Host": "a.example", "X-Forwarded-Host": ""}, 403, "cors_mismatch"),
        ],
    )
    async def test_the_api_answers_under_its_names_only(
        self, client: Browser, headers: dict[str, str], status: int, code: str | None
    ) -> None:
        answer = await client.get(URL, headers=headers)
        assert (answer.status, (await answer.json()).get("code")) == (status, code)

    async def test_probes_may_use_any_name(self, client: Browser) -> None:
        assert (await client.get("/health", headers={"Host": "10.0.0.9:3000"})).status == 200

    async def test_the_server_url_is_a_name_too(self, client: Browser, call: Call) -> None:
        headers = {"Host": "patch.example"}
        assert (await client.get(URL, headers=headers)).status == 403
        await settings.change_server_url(call, "https://patch.example")
        assert (await client.get(URL, headers=headers)).status == 200

    @pytest.mark.parametrize(
        ("origin", "status"), [("https://evil.example", 403), ("https://a.example", 401), (None, 401)]
    )
    async def test_sockets_of_foreign_pages_are_refused(self, client: Browser, origin: str | None, status: int) -> None:
        headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        answer = await client.get(BROWSER_SOCKET, headers={**headers, **({"Origin": origin} if origin else {})})
        assert answer.status == status
        if status == 403:
            assert await answer.text() == "Forbidden: origin not allowed"


class TestAny:
    @pytest.fixture
    def env(self, env: Env) -> Env:
        return with_origins(env, "*")

    async def test_any_page_may_but_without_cookies(self, client: Browser) -> None:
        answer = await client.get(URL, headers={"Origin": "https://x.example", "Host": "anything.example"})
        assert (answer.status, answer.headers[ALLOW]) == (200, "*")
        assert "Access-Control-Allow-Credentials" not in answer.headers

    async def test_but_not_open_sockets(self, client: Browser) -> None:
        headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Origin": "https://x.example"}
        assert (await client.get(BROWSER_SOCKET, headers=headers)).status == 403

    async def test_an_agents_socket_may_say_any_origin(self, client: Browser) -> None:
        headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Origin": "https://x.example"}
        assert (await client.get("/api/v1/agents/ws", headers=headers)).status == 401


class TestNobodyDecided:
    async def test_only_the_default_origin_and_any_name(self, client: Browser) -> None:
        answer = await client.get(URL, headers={"Origin": "http://localhost:3000", "Host": "10.0.0.9:3000"})
        assert (answer.status, answer.headers[ALLOW]) == (200, "http://localhost:3000")
        assert ALLOW not in (await client.get(URL, headers={"Origin": "https://x.example"})).headers

    @pytest.mark.proves("ENV-171")
    def test_the_plural_decides(self) -> None:
        found = rules.effective({"CORS_ORIGINS": "https://b.example", "CORS_ORIGIN": "https://a.example"}, {})
        assert found.settings.cors_origin == ("https://b.example",)

    async def test_a_stored_origin_holds_at_the_next_request(self, client: Browser, call: Call) -> None:
        headers = await bearer(call, "admin")
        stored = await client.patch("/api/v1/settings", json={"cors_origin": "https://a.example"}, headers=headers)
        assert stored.status == 200
        answer = await client.get(URL, headers={"Origin": "https://a.example"})
        assert answer.headers[ALLOW] == "https://a.example"


@pytest.mark.parametrize("origins", ["a.example", "https://a.example/path", "ftp://a.example", "https://u@a.example"])
async def test_what_is_no_origin_is_refused(client: Browser, call: Call, origins: str) -> None:
    answer = await client.patch("/api/v1/settings", json={"cors_origin": origins}, headers=await bearer(call, "admin"))
    assert (answer.status, list((await answer.json())["complaints"])) == (400, ["cors_origin"])
