"""What every answer carries, and what the porch refuses."""

from dataclasses import replace

import pytest

from server.core.call import Call
from server.core.env import Env
from tests.conftest import Browser
from tests.factories.people import HTML, bearer, person


@pytest.mark.parametrize(
    "path", ["/health", "/login", "/api/v1/auth/profile", "/nowhere", "/api/v1/nowhere", "/static/css/base.css"]
)
async def test_every_answer_carries_the_security_headers(client: Browser, call: Call, path: str) -> None:
    await person(call, "superadmin")
    answer = await client.get(path, headers=HTML, allow_redirects=False)
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-XSS-Protection"] == "1; mode=block"
    assert answer.headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
    policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "Strict-Transport-Security" not in answer.headers


class TestHsts:
    @pytest.fixture
    def env(self, env: Env) -> Env:
        return replace(env, hsts=True)

    @pytest.mark.proves("OPS-70")
    async def test_it_is_sent_everywhere_when_switched_on(self, client: Browser) -> None:
        for path in ("/health", "/login", "/api/v1/auth/profile"):
            answer = await client.get(path)
            assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains", path


@pytest.mark.parametrize(("given", "kept"), [("abc-123", True), ("x" * 65, False), ("a b", False), ("", False)])
async def test_the_request_id_is_echoed_or_made(client: Browser, given: str, kept: bool) -> None:
    answer = await client.get("/health", headers={"X-Request-ID": given})
    assert (answer.headers["X-Request-ID"] == given) is kept
    assert answer.headers["X-Request-ID"]


async def test_the_request_id_reaches_the_audit_log(client: Browser, call: Call) -> None:
    headers = {**await bearer(call, "admin"), "X-Request-ID": "from-the-proxy-1"}
    await client.patch("/api/v1/settings", json={"update_interval": 10}, headers=headers)
    assert await call.db.value("select request_id from audit_log order by id desc limit 1") == "from-the-proxy-1"


async def test_unknown_paths_are_json_for_programs_and_a_page_for_people(client: Browser) -> None:
    program = await client.get("/api/v1/nowhere")
    assert (program.status, await program.json()) == (404, {"error": "Not Found"})
    page = await client.get("/nowhere", headers=HTML)
    assert page.status == 404
    assert page.content_type == "text/html"


async def test_a_wrong_method_is_405(client: Browser) -> None:
    assert (await client.put("/api/v1/settings/current-url")).status == 405


class TestSmallBodies:
    @pytest.fixture
    def env(self, env: Env) -> Env:
        return replace(env, body_limit_bytes=1000)

    @pytest.mark.parametrize("chunked", [False, True])
    async def test_a_body_beyond_the_limit_is_413(self, client: Browser, call: Call, chunked: bool) -> None:
        headers = await bearer(call, "admin")
        body = b'{"timezone": "' + b"x" * 1000 + b'"}'

        async def pieces():  # type: ignore[no-untyped-def]  # noqa: ANN202
            yield body[:500]
            yield body[500:]

        data = pieces() if chunked else body  # type: ignore[no-untyped-call]
        answer = await client.patch("/api/v1/settings", data=data, headers=headers)
        assert (answer.status, (await answer.json())["error"]) == (413, "Request Entity Too Large")
        fine = await client.patch("/api/v1/settings", data=b'{"timezone": "UTC"}', headers=headers)
        assert fine.status == 200


async def test_an_error_names_nothing_of_the_inside(client: Browser, call: Call) -> None:
    headers = {**await bearer(call, "admin")}
    await call.db.execute("drop table settings cascade")
    answer = await client.get("/api/v1/settings/public", headers=headers)
    assert (answer.status, await answer.json()) == (500, {"error": "Internal Server Error"})


async def test_the_form_cookie_is_out_of_reach_of_scripts_and_given_once(client: Browser) -> None:
    first = await client.get("/setup", headers=HTML)
    cookie = first.cookies["patchmon_form"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    assert "patchmon_form" not in (await client.get("/setup", headers=HTML)).cookies
    client.session.cookie_jar.clear()
    assert "patchmon_form" not in (await client.get("/health")).cookies
