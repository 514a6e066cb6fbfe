"""Views of lists: kept, shared by link, and only for those who may open the list."""

import re

import pytest

from server.core.call import Call
from tests.factories.hosts import Browser, added
from tests.factories.people import HTML, role_with, sign_in_as
from tests.hosts.test_people import page, posted


async def kept(
    browser: Browser, name: str = "Mine", *, shared: bool = False, address: str = "/hosts?search=web"
) -> str:
    answer = await browser.post("/api/v1/list-views", json={"name": name, "address": address, "shared": shared})
    body = await answer.json()
    assert answer.status == 201, body
    return str(body["id"])


def views_of(text: str) -> list[str]:
    return re.findall(r'class="view-link"[^>]*?>([^<]+)</a>', text)


async def test_a_view_is_kept_above_its_list(as_admin: Browser, call: Call) -> None:
    await added(call, "web-01")
    text = await page(as_admin, "/hosts?search=web&page=2")
    assert 'href="/views/new?address=%2Fhosts%3Fsearch%3Dweb"' in text
    assert "/hosts?search=web" in await page(as_admin, "/views/new?address=%2Fhosts%3Fsearch%3Dweb")
    form = {"name": "Web", "address": "/hosts?search=web&page=2", "shared": "false"}
    status, _, location = await posted(as_admin, "/views/new", form)
    assert (status, location) == (303, "/hosts?search=web")
    text = await page(as_admin, "/hosts?search=web")
    assert views_of(text) == ["Web"]
    assert re.search(r'class="view-link"[^>]*aria-current="true"[^>]*>Web<', text)
    status, text, _ = await posted(as_admin, "/views/new", {"name": "", "address": "/hosts"})
    assert status == 400


async def test_a_shared_view_is_for_whoever_may_open_the_list(as_admin: Browser, client: Browser, call: Call) -> None:
    await added(call, "web-01")
    own, shared = await kept(as_admin, "Own"), await kept(as_admin, "Shared", shared=True)
    await sign_in_as(client, call, "readonly")
    assert views_of(await page(client, "/hosts")) == ["Shared"]
    answer = await client.get(f"/views/{shared}", headers=HTML, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, "/hosts?search=web")
    assert (await client.get(f"/views/{own}", headers=HTML)).status == 404
    assert [one["name"] for one in await (await client.get("/api/v1/list-views")).json()] == ["Shared"]
    assert (await client.delete(f"/api/v1/list-views/{shared}")).status == 404
    await role_with(call, "blind", "can_view_dashboard")
    client.session.cookie_jar.clear()
    await sign_in_as(client, call, "blind")
    assert await (await client.get("/api/v1/list-views")).json() == []
    assert (await client.get(f"/views/{shared}", headers=HTML)).status == 404
    refused = await client.post("/api/v1/list-views", json={"name": "x", "address": "/hosts"})
    assert refused.status == 400


@pytest.mark.parametrize(
    "address",
    ["https://evil.example/hosts", "//evil.example", "hosts", "/no-such-page", "/login", "/\\evil", "/hosts/../x", ""],
)
async def test_what_is_no_list_of_ours(as_admin: Browser, address: str) -> None:
    answer = await as_admin.post("/api/v1/list-views", json={"name": "x", "address": address})
    assert answer.status == 400


async def test_a_view_is_replaced_and_removed(as_admin: Browser, call: Call) -> None:
    first = await kept(as_admin, "Web")
    again = await kept(as_admin, "WEB", address="/hosts?filter=reboot", shared=True)
    assert first == again
    found = await (await as_admin.get(f"/api/v1/list-views/{first}")).json()
    assert (found["name"], found["address"], found["shared"]) == ("WEB", "/hosts?filter=reboot", True)
    assert "WEB" in await page(as_admin, "/views")
    status, _, _ = await posted(as_admin, f"/views/{first}/delete", {})
    assert status == 303
    assert await call.db.value("select count(*) from list_views") == 0
    assert (await as_admin.delete(f"/api/v1/list-views/{first}")).status == 404
    other = await kept(as_admin, "Other")
    assert (await as_admin.delete(f"/api/v1/list-views/{other}")).status == 200
    assert await call.db.value("select count(*) from list_views") == 0
    actions = await call.db.column("select action from audit_log where action like 'lists.%%' order by id")
    assert actions == ["lists.view_shared", "lists.view_removed"], "what is one person's own is nobody else's business"


async def test_what_somebody_keeps_goes_with_them(as_admin: Browser, client: Browser, call: Call) -> None:
    person = await sign_in_as(client, call, "readonly")
    await kept(client)
    status, _, _ = await posted(client, "/views/keep", {"list": "hosts", "path": "/hosts", "columns": "name,ip"})
    assert status == 303
    status, _, _ = await posted(client, "/views/forget", {"list": "hosts", "path": "/hosts"})
    assert status == 303
    assert await call.db.value("select count(*) from list_choices") == 0
    assert (await as_admin.delete(f"/api/v1/auth/admin/users/{person.id}")).status == 200
    assert await call.db.value("select count(*) from list_views") == 0
