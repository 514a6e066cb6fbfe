"""Forms that others made, and addresses that lead away."""

import re
from collections.abc import Iterator

import pytest
from aiohttp import CookieJar, web
from aiohttp.test_utils import TestClient, TestServer
from yarl import URL

from server.core.call import Call
from server.web.routing import Gate, gate_of
from tests.conftest import Browser
from tests.factories.people import HTML, PASSWORD, form_token, person, post_form, sign_in

UUID = "00000000-0000-4000-8000-000000000000"
PAGE = "/settings/profile"
FOREIGN = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
CHANGES = {"POST", "PUT", "PATCH", "DELETE"}


def changing(app: web.Application) -> Iterator[tuple[str, str, Gate]]:
    """Every route that changes something and that a browser could be made to call."""
    for route in app.router.routes():
        gate = gate_of(route.handler)
        if gate is not None and route.resource is not None and route.method in CHANGES and gate.kind != "agent":
            yield route.method, re.sub(r"\{[^}]+\}", UUID, route.resource.canonical), gate


def pages(app: web.Application) -> list[str]:
    return [path for method, path, _ in changing(app) if method == "POST" and not path.startswith("/api/")]


async def audited(call: Call) -> int:
    return int(await call.db.value("select count(*) from audit_log"))


async def test_no_form_is_taken_without_its_token(server: TestServer, as_admin: Browser, call: Call) -> None:
    before = await audited(call)
    taken = []
    for path in pages(server.app):
        for body in ({}, {"csrf": ""}, {"csrf": "0" * 56}):
            answer = await as_admin.post(path, data=body, headers=HTML, allow_redirects=False)
            if answer.status != 403:
                taken.append(f"{path}: {answer.status}")
    assert taken == []
    assert len(pages(server.app)) > 30
    assert await audited(call) == before


async def test_no_form_is_taken_with_the_token_of_another_session(
    server: TestServer, as_admin: Browser, call: Call
) -> None:
    other = TestClient(server, cookie_jar=CookieJar(unsafe=True))
    stranger = await form_token(other, "/login")
    await sign_in(other, (await person(call, "superadmin")).username)
    token = await form_token(other, PAGE)
    await other.session.close()
    before, taken = await audited(call), []
    for path in pages(server.app):
        for stolen in (token, stranger):
            answer = await as_admin.post(path, data={"csrf": stolen}, headers=HTML, allow_redirects=False)
            if answer.status != 403:
                taken.append(f"{path}: {answer.status}")
    assert taken == []
    assert await audited(call) == before


async def test_no_program_s_route_is_changed_by_a_foreign_page_with_the_browser_s_cookies(
    server: TestServer, as_admin: Browser, call: Call
) -> None:
    before, taken, walked = await audited(call), [], 0
    for method, path, gate in changing(server.app):
        if not path.startswith("/api/") or gate.kind == "open":
            continue
        for headers in (
            FOREIGN,
            {"Sec-Fetch-Site": "same-site"},
            {"Origin": "null"},
            {"Origin": "https://evil.example"},
        ):
            answer = await as_admin.request(method, path, json={}, headers=headers)
            walked += 1
            if (answer.status, (await answer.json()).get("code")) != (403, "csrf"):
                taken.append(f"{method} {path}: {answer.status}")
    assert taken == []
    assert walked > 80
    assert await audited(call) == before


async def test_the_token_is_spelled_differently_each_time_and_each_spelling_holds(as_admin: Browser) -> None:
    first, second = await form_token(as_admin, PAGE), await form_token(as_admin, PAGE)
    assert first != second
    for token in (first, second):
        answer = await as_admin.post("/theme", data={"csrf": token}, headers=HTML, allow_redirects=False)
        assert answer.status == 303
    mixed = first[:16] + second[16:]
    assert (await as_admin.post("/theme", data={"csrf": mixed}, headers=HTML)).status == 403


async def test_the_token_of_a_session_that_ended_is_worth_nothing(as_admin: Browser, call: Call) -> None:
    token = await form_token(as_admin, PAGE)
    user = await call.db.value("select username from users order by id limit 1")
    assert (await post_form(as_admin, PAGE, "/logout")).status == 303
    await sign_in(as_admin, str(user))
    answer = await as_admin.post("/theme", data={"csrf": token}, headers=HTML, allow_redirects=False)
    assert answer.status == 403


@pytest.mark.parametrize(
    "body",
    [
        b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\nContent-Disposition: form-data; name=csrf\r\nContent-Type: text/a; charset=b\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\nContent-Disposition: form-data; name=csrf\r\n\r\n\xff\xfe\r\n--b--\r\n",
        b"--b\r\nContent-Disposition: form-data; name=csrf\r\n\r\nno end",
        b"no boundary at all",
        b"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\n--c--\r\n--b--\r\n",
        b"",
    ],
)
async def test_what_no_browser_sends_is_refused_and_breaks_nothing(client: Browser, body: bytes) -> None:
    headers = {**HTML, "Content-Type": "multipart/form-data; boundary=b"}
    assert (await client.post("/login", data=body, headers=headers)).status in {400, 403}


AWAY = [
    "https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "///evil.example",
    "/\t/evil.example",
    "/%09/evil.example", "javascript:alert(1)", "/%5cevil.example", "/\r\nSet-Cookie: a=b", "/.//evil.example", "",
]  # fmt: skip


@pytest.mark.parametrize("target", AWAY)
async def test_no_form_leads_to_another_site(client: Browser, call: Call, target: str) -> None:
    user = await person(call, "superadmin")
    fields = {"username": user.username, "password": PASSWORD, "return_to": target, "next": target}
    for page, url in (("/login", "/login"), (PAGE, "/theme")):
        answer = await post_form(client, page, url, fields)
        assert answer.status == 303, url
        assert stays(answer.headers["Location"]), answer.headers["Location"]
        assert "a" not in answer.cookies
    led = await client.get("/login", params={"next": target}, headers=HTML, allow_redirects=False)
    assert led.status == 200 or stays(led.headers["Location"])


def stays(location: str) -> bool:
    """Tell whether a browser that follows this stays on the server: browsers drop tabs and take \\ for /."""
    seen = re.sub(r"[\t\r\n]", "", location).replace("\\", "/")
    return seen.startswith("/") and not seen.startswith("//")


@pytest.mark.parametrize(
    "path", ["//evil.example/%2e%2e", "//evil.example", "/\\evil.example", "/x%0d%0aSet-Cookie:a=b"]
)
async def test_no_address_leads_to_another_site(client: Browser, call: Call, path: str) -> None:
    await person(call, "superadmin")
    url = URL(str(client.make_url("/")).rstrip("/") + path, encoded=True)
    answer = await client.session.get(url, headers=HTML, allow_redirects=False)
    assert "evil" not in answer.headers.get("Location", "") or stays(answer.headers["Location"])
    assert "a" not in answer.cookies
