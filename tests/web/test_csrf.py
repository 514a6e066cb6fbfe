"""Forms from elsewhere, and texts no browser sends."""

import re

import pytest

from server.core.call import Call
from server.core.secretbox import Secret, SecretBox
from server.web import csrf
from tests.conftest import Browser
from tests.factories.people import HTML, person


def _token(page: str) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', page)
    assert found is not None
    return found[1]


async def test_a_session_s_id_brought_as_the_form_cookie_does_not_give_its_token(
    as_admin: Browser, client: Browser, call: Call
) -> None:
    session = await call.db.value("select id from user_sessions")
    page = await client.get("/login", headers={**HTML, "Cookie": f"{csrf.COOKIE}={session}"})
    stolen = _token(await page.text())
    answer = await as_admin.post(
        "/settings/profile/sessions/end-others", data={"csrf": stolen}, headers=HTML, allow_redirects=False
    )
    assert answer.status == 403


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded"])
async def test_a_foreign_form_signs_nobody_in(client: Browser, call: Call, kind: str) -> None:
    await person(call, "admin")
    headers = {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site", "Content-Type": kind}
    answer = await client.post("/api/v1/auth/login", data='{"username":"a","password":"b"}', headers=headers)
    assert answer.status == 403
    assert (await answer.json())["code"] == "csrf"


def test_bytes_that_are_no_text_fit_no_signature_and_no_key() -> None:
    box = SecretBox(Secret("master"))
    assert not box.signed("csrf:form", "\udcff")
    assert not box.verifies("\udcff", box.verifier("key"))


async def test_an_id_in_a_spelling_postgresql_refuses_is_nobody(as_admin: Browser) -> None:
    answer = await as_admin.get("/api/v1/jobs/urn:uuid:3b0e7a36-6d2e-4c39-9a3f-0f2f8c1d6a11")
    assert answer.status == 404
