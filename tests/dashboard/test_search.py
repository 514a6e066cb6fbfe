"""Finding things across rooms: as a page without a script, as the palette, and as JSON."""

import re
from typing import Any

import pytest

from server.core.call import Call
from tests.conftest import Browser
from tests.factories.overview import add_host, page
from tests.factories.people import HTML, bearer, person, role_with, sign_in
from tests.factories.scopes import group, limited, program_of


async def search(client: Browser, headers: dict[str, Any], words: str) -> list[dict[str, str]]:
    answer = await client.get("/api/v1/search", params={"q": words}, headers=headers)
    assert answer.status == 200, await answer.text()
    found: list[dict[str, str]] = await answer.json()
    return found


async def things(call: Call) -> str:
    north = await group(call, "north webs")
    await add_host(call, "old-web-01", group=north, packages=[("libwebp", "")])
    await add_host(call, "web-01", packages=[("webkit", ""), ("100%_sure", "")])
    await call.db.execute("insert into repositories (url, name) values ('https://web.example/debian', 'main')")
    await call.db.execute(
        "insert into host_repositories (host_id, repository_id, last_checked)"
        " select h.id, r.id, now() from hosts h, repositories r where h.friendly_name = 'web-01'"
    )
    return north


async def test_words_find_things_of_every_kind_best_first(client: Browser, call: Call) -> None:
    await things(call)
    found = await search(client, await bearer(call), " web ")
    assert {"id", "name", "type", "description"} <= set(found[0])
    assert [one["name"] for one in found if one["type"] == "host"] == ["web-01", "old-web-01"]
    assert [one["name"] for one in found if one["type"] == "package"] == ["webkit", "libwebp"]
    assert [(one["name"], one["description"]) for one in found if one["type"] == "repository"] == [
        ("main", "https://web.example/debian")
    ]
    assert [(one["name"], one["description"]) for one in found if one["type"] == "host_group"] == [
        ("north webs", "1 host")
    ]
    by_system = await search(client, await bearer(call), "debian 12")
    assert {one["name"] for one in by_system} == {"web-01", "old-web-01"}


@pytest.mark.parametrize("words", ["", "w", "\x00w", "%", "_%"])
async def test_too_few_letters_and_wildcards_find_nothing(client: Browser, call: Call, words: str) -> None:
    await things(call)
    assert await search(client, await bearer(call), words) == []


async def test_signs_are_looked_for_as_they_are(client: Browser, call: Call) -> None:
    await things(call)
    assert [one["name"] for one in await search(client, await bearer(call), "0%_")] == ["100%_sure"]
    assert await search(client, await bearer(call), "\\") == []


async def test_limited_people_find_only_what_is_theirs(client: Browser, call: Call) -> None:
    north = await things(call)
    await group(call, "south webs")
    mine = await program_of(call, await limited(call, north))
    found = await search(client, mine, "web")
    assert {(one["type"], one["name"]) for one in found} == {
        ("host", "old-web-01"),
        ("package", "libwebp"),
        ("host_group", "north webs"),
    }


async def test_the_page_of_the_search_needs_no_script(as_admin: Browser, call: Call) -> None:
    await things(call)
    text = await page(as_admin, "/search?q=web")
    for url in ("/hosts/", "/packages/", "/repositories/", "/hosts?group=", "/hosts?search=web"):
        assert f'href="{url}' in text, url
    assert 'href="/audit"' in await page(as_admin, "/search?q=audit+log")
    assert "Nothing is called “&lt;b&gt;x”" in await page(as_admin, "/search?q=<b>x")
    assert "Type at least two letters" in await page(as_admin, "/search")


async def test_the_palette_offers_what_was_found(as_admin: Browser, call: Call) -> None:
    await things(call)
    answer = await as_admin.get("/palette?q=web-01", headers={**HTML, "HX-Request": "true"})
    text = await answer.text()
    assert text.index("web-01") < text.index("old-web-01")
    assert 'role="option"' in text


async def test_who_may_see_nothing_finds_pages_only(client: Browser, call: Call) -> None:
    await things(call)
    await role_with(call, "nothing")
    await sign_in(client, (await person(call, "nothing")).username)
    text = await page(client, "/search?q=web")
    assert "web-01" not in text
    answer = await client.get("/api/v1/search?q=web", headers={"Accept": "application/json"})
    assert answer.status == 403


@pytest.mark.proves("INV-165")
async def test_every_list_has_a_search_of_its_own_on_the_server(as_admin: Browser, call: Call) -> None:
    await things(call)
    await call.db.execute(
        "update host_packages set repository_id = (select id from repositories)"
        " where package_id = (select id from packages where name = 'webkit')"
    )
    webkit = await call.db.value("select id::text from packages where name = 'webkit'")
    main = await call.db.value("select uuid::text from repositories")
    for path, words, there, gone in (
        ("/hosts", "old-web", "old-web-01", "web-01"),
        ("/packages", "webk", "webkit", "libwebp"),
        (f"/packages/{webkit}", "web-01", "web-01", ""),
        (f"/packages/{webkit}", "nothing", "", "web-01"),
        ("/repositories", "web.example", "main", ""),
        ("/repositories", "nothing", "", "main"),
        (f"/repositories/{main}", "web-01", "web-01", ""),
        (f"/repositories/{main}", "nothing", "", "web-01"),
        (f"/repositories/{main}/packages", "webk", "webkit", ""),
        (f"/repositories/{main}/packages", "nothing", "", "webkit"),
    ):
        text = (await page(as_admin, f"{path}?all=1&search={words}")).split("<main")[1]
        linked = set(re.findall(r"<a [^>]*>\s*([^<]+?)\s*<", text))
        assert not there or there in linked, (path, words, linked)
        assert gone not in linked, (path, words)
