"""Packages over the fleet: lists, numbers, one package, who sees what, files to take away."""

import csv
import io
import json
from typing import Any
from urllib.parse import urlencode

import pytest

from server.core.call import Call
from server.packages import counters, fleet
from server.packages.views import Asked
from tests.conftest import Browser
from tests.factories.hosts import enrolled, full_report, package
from tests.factories.people import HTML, bearer, post_form
from tests.factories.scopes import limited, program_of
from tests.packages.fleets import three_hosts


async def ask(client: Browser, call: Call, path: str, status: int = 200) -> Any:
    answer = await client.get(f"/api/v1{path}", headers=await bearer(call))
    assert answer.status == status, await answer.text()
    return await answer.json()


async def page(client: Browser, path: str, status: int = 200) -> str:
    answer = await client.get(path, headers=HTML)
    text = await answer.text()
    assert answer.status == status, text
    return text


def names(answer: dict[str, Any]) -> list[str]:
    return [one["name"] for one in answer["packages"]]


def wizard(hosts: list[str], *names: str) -> str:
    """The address of the wizard for these packages on these hosts."""
    chosen = {"type": "patch_package", "package": names, **({"host": hosts} if hosts else {})}
    return f"/patching/new?{urlencode(chosen, doseq=True)}"


async def uuid_of(call: Call, name: str) -> str:
    return str(await call.db.value("select uuid from hosts where friendly_name = %(name)s", name=name))


@pytest.fixture(params=["counted while asked", "counted before"])
def stored(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Both ways numbers are found: large fleets are counted ahead of time, so here every fleet is large."""
    before: bool = request.param == "counted before"
    if before:
        monkeypatch.setattr(counters, "LIVE_MOST", 0)
    return before


@pytest.mark.proves("INV-120", "INV-122", "INV-125", "INV-126", "INV-132")
async def test_every_name_once_with_its_hosts_and_its_state(client: Browser, call: Call, stored: bool) -> None:
    await three_hosts(call, client)
    told = await ask(client, call, "/packages?sort=name")
    assert names(told) == ["bash", "curl", "openssl"]
    assert told["totalInstalls"] == 8
    assert told["pagination"] == {"page": 1, "limit": 50, "total": 3, "pages": 1}
    assert (told["stats"]["countedAt"] is not None) is stored
    by_name = {one["name"]: one for one in told["packages"]}
    assert by_name["curl"]["stats"] == {"totalInstalls": 3, "updatesNeeded": 1, "securityUpdates": 0, "upToDate": 2}
    assert (by_name["curl"]["needsUpdate"], by_name["curl"]["isSecurityUpdate"]) == (True, False)
    assert by_name["openssl"]["isSecurityUpdate"]
    assert by_name["bash"]["latest_version"] == "5.2.21"
    assert [one["name"] for one in by_name["openssl"]["sourceRepos"]] == ["debian-security"]
    numbers = told["stats"]
    assert (numbers["packages"], numbers["outdatedPackages"], numbers["securityPackages"]) == (3, 3, 1)
    assert numbers["outdatedHosts"] == 3


@pytest.mark.proves("INV-120", "INV-122", "INV-123")
async def test_filters_narrow_the_list_and_its_numbers(client: Browser, call: Call, stored: bool) -> None:
    await three_hosts(call, client)
    assert stored in {True, False}
    assert names(await ask(client, call, "/packages?filter=security")) == ["openssl"]
    assert names(await ask(client, call, "/packages?filter=security-updates")) == ["openssl"]
    assert names(await ask(client, call, "/packages?isSecurityUpdate=true")) == ["openssl"]
    assert names(await ask(client, call, "/packages?filter=regular")) == ["bash", "curl"]
    assert names(await ask(client, call, "/packages?needsUpdate=true&search=url")) == ["curl"]
    assert names(await ask(client, call, "/packages?search=%25")) == [], "what is typed is no pattern"
    assert names(await ask(client, call, "/packages?category=shells")) == ["bash"]
    assert await ask(client, call, "/packages/categories/list") == ["shells", "web"]
    told = await ask(client, call, "/packages?filter=regular")
    assert told["totalInstalls"] == 6
    assert told["stats"]["outdatedHosts"] == 3, "curl on the first host, bash on the others"
    assert (await ask(client, call, "/packages?search=openssl"))["stats"]["outdatedHosts"] == 1
    host = await uuid_of(call, "web-03")
    told = await ask(client, call, f"/packages?host={host}")
    assert names(told) == ["bash", "curl"]
    assert told["totalInstalls"] == 2
    assert told["stats"]["outdatedPackages"] == 1
    repository = (await ask(client, call, "/repositories?search=security"))[0]["id"]
    assert names(await ask(client, call, f"/packages?repository={repository}")) == ["openssl"]
    await ask(client, call, "/packages?host=nothing", 404)


@pytest.mark.proves("INV-124", "INV-128")
async def test_lists_are_sorted_and_paged(client: Browser, call: Call, stored: bool) -> None:
    await three_hosts(call, client)
    assert stored in {True, False}
    assert names(await ask(client, call, "/packages?sort=status")) == ["openssl", "bash", "curl"]
    assert names(await ask(client, call, "/packages?sort=installs&order=desc"))[-1] == "openssl"
    assert names(await ask(client, call, "/packages?limit=1&page=3")) == ["openssl"]
    told = await ask(client, call, "/packages?limit=1&page=9")
    assert (names(told), told["pagination"]["total"]) == ([], 3)


@pytest.mark.proves("INV-120", "INV-121", "INV-123", "INV-124", "INV-125", "INV-126", "INV-128", "INV-132")
async def test_the_page_shows_cards_filters_and_columns(as_admin: Browser, client: Browser, call: Call) -> None:
    await three_hosts(call, client)
    text = await page(as_admin, "/packages")
    for card in ("Packages", "Installations", "Outdated packages", "Security packages", "Outdated hosts"):
        assert f'<span class="tile-label">{card}</span>' in text
    assert 'href="/packages?filter=security"' in text
    assert 'href="/hosts?filter=needsUpdates"' in text
    key = await call.db.value("select id from packages where name = 'curl'")
    assert f'href="/hosts?package={key}"' in text
    assert "1/3 hosts" in text
    assert "2/3 hosts" in text
    assert all(word in text for word in ("Security update", "Update available", "command line tool for transferring"))
    assert text.index(">openssl<") < text.index(">bash<"), "security comes first"
    host = await uuid_of(call, "web-03")
    text = await page(as_admin, f"/packages?host={host}")
    assert "Host: web-03" in text, "the chip has its name"
    assert f'href="/patching/new?type=patch_all&amp;host={host}"' in text, "all of one host can be patched"
    assert ">openssl<" not in text
    text = await page(as_admin, "/packages?filter=regular&columns=name,category")
    assert ">openssl<" not in text
    assert 'id="packages-sort-latest"' not in text
    assert "No package matches." in await page(as_admin, "/packages?host=00000000-0000-4000-8000-000000000000")
    assert "must be one of" in await page(as_admin, "/packages?filter=nonsense", 400)
    assert ">bash<" not in await page(as_admin, "/packages?filter=security-updates")


@pytest.mark.proves("INV-128")
async def test_page_sizes_and_columns_are_remembered(as_admin: Browser, client: Browser, call: Call) -> None:
    await three_hosts(call, client)
    kept = {"list": "packages", "path": "/packages", "columns": "name,category", "query": "size=25"}
    answer = await post_form(as_admin, "/packages", "/views/keep", kept)
    assert answer.status == 303, await answer.text()
    text = await page(as_admin, "/packages")
    assert 'id="packages-sort-category"' in text
    assert 'id="packages-sort-latest"' not in text
    assert 'id="packages-sort-latest"' in await page(as_admin, "/packages?columns=name,latest")


async def test_an_empty_fleet_has_empty_lists(as_admin: Browser) -> None:
    assert "No package yet." in await page(as_admin, "/packages")
    assert "No repository yet." in await page(as_admin, "/repositories")


@pytest.mark.proves("INV-131", "INV-132")
async def test_one_package_says_who_has_it_and_why_it_is_outdated(
    as_admin: Browser, client: Browser, call: Call
) -> None:
    await three_hosts(call, client)
    key = await call.db.value("select id from packages where name = 'openssl'")
    text = await page(as_admin, f"/packages/{key}")
    for card in ("Updates needed", "Latest version", "Updated", "Hosts with package", "Up to date"):
        assert f'<span class="tile-label">{card}</span>' in text
    assert ">web-02<" in text
    assert ">web-01<" not in text, "only pending ones unless all are asked for"
    repository = (await ask(client, call, "/repositories?search=security"))[0]["id"]
    assert f'href="/repositories/{repository}"' in text
    assert ">web-01<" in await page(as_admin, f"/packages/{key}?all=1")
    assert ">web-02<" not in await page(as_admin, f"/packages/{key}?search=web-01")
    told = await ask(client, call, f"/packages/{key}")
    assert told["stats"] == {"totalInstalls": 2, "updatesNeeded": 1, "securityUpdates": 1, "upToDate": 1}
    assert told["distributions"] == [{"os_type": "Debian GNU/Linux", "os_version": "12 (bookworm)", "count": 2}]
    first = told["host_packages"][0]
    assert (first["friendlyName"], first["repositoryId"], first["isSecurityUpdate"]) == ("web-02", repository, True)
    assert first["outdatedSince"] is not None
    told = await ask(client, call, f"/packages/{key}/hosts?needsUpdate=true")
    assert [one["friendlyName"] for one in told["hosts"]] == ["web-02"]
    assert told["pagination"]["total"] == 1
    for path in ("/packages/0", "/packages/x", "/packages/99999999999999999999"):
        await ask(client, call, path, 404)
        await page(as_admin, path, 404)


@pytest.mark.proves("INV-131")
async def test_activity_tells_what_happened_to_a_package(as_admin: Browser, client: Browser, call: Call) -> None:
    agents = await three_hosts(call, client)
    await agents[1].update(full_report([package("curl", "7.88.1-12"), package("openssl", "3.0.15")]))
    key = await call.db.value("select id from packages where name = 'openssl'")
    told = await ask(client, call, f"/packages/{key}/activity?limit=5")
    assert [(one["hostName"], one["kind"], one["fromVersion"], one["toVersion"]) for one in told["activities"]] == [
        ("web-02", "upgraded", "3.0.14", "3.0.15")
    ]
    assert (await ask(client, call, f"/packages/{key}/activity?offset=1"))["activities"] == []
    text = await page(as_admin, f"/packages/{key}/activity")
    assert "Upgraded" in text
    assert "3.0.14" in text


@pytest.mark.proves("INV-129", "INV-130", "INV-131", "PATCH-38", "PATCH-42", "PATCH-85")
async def test_chosen_hosts_lead_to_the_wizard_but_not_windows(as_admin: Browser, client: Browser, call: Call) -> None:
    await three_hosts(call, client)
    windows = await enrolled(call, client, "win-01", expected_platform="windows")
    update = package("bash", "5.2", "5.3", isSecurityUpdate=True, wuaKb="KB5031234", wuaSeverity="Critical")
    assert (await windows.update(full_report([update], osType="Windows Server 2022"))).status == 200
    key = await call.db.value("select id from packages where name = 'bash'")
    text = await page(as_admin, f"/packages/{key}")
    assert "KB5031234" in text
    assert "Critical" in text
    one, win = await uuid_of(call, "web-02"), await uuid_of(call, "win-01")
    assert f'href="/patching/new?type=patch_package&amp;package=bash&amp;host={one}"' in text
    assert f"host={win}" not in text, "each host has its own button, but not Windows"
    assert 'href="/patching/new?type=patch_package&amp;package=bash"' in text
    answer = await post_form(as_admin, f"/packages/{key}", f"/packages/{key}/patch", {"row": one})
    assert answer.headers["Location"] == wizard([one], "bash")
    text = await page(as_admin, f"/packages?host={win}")
    assert "Patch all" not in text
    assert "Patch selected" not in text
    answer = await post_form(as_admin, f"/packages/{key}", f"/packages/{key}/patch", {"row": win})
    assert answer.headers["Location"] == f"/packages/{key}"
    answer = await post_form(as_admin, f"/packages/{key}", f"/packages/{key}/patch", {"all": "1", "matching": ""})
    two = await uuid_of(call, "web-03")
    assert answer.headers["Location"] == wizard([one, two], "bash")


@pytest.mark.proves("INV-123", "INV-124", "INV-129", "PATCH-37")
async def test_chosen_packages_of_one_host_are_patched_together(as_admin: Browser, client: Browser, call: Call) -> None:
    await three_hosts(call, client)
    host = await uuid_of(call, "web-02")
    here = f"/packages?host={host}"
    assert "Patch selected" in await page(as_admin, "/packages"), "the wizard asks for the hosts"
    assert "Patch selected" in await page(as_admin, here)
    rows = await call.db.all("select name, id::text from packages")
    keys = {row["name"]: row["id"] for row in rows}
    form = {"row": keys["bash"], "matching": f"host={host}"}
    answer = await post_form(as_admin, here, "/packages/patch", form)
    assert answer.headers["Location"] == wizard([host], "bash")
    assert "Update bash on web-02" in await page(as_admin, answer.headers["Location"])
    answer = await post_form(as_admin, here, "/packages/patch", {"all": "1", "matching": f"host={host}"})
    assert answer.headers["Location"] == wizard([host], "openssl", "bash")
    answer = await post_form(as_admin, here, "/packages/patch", {**form, "row": keys["curl"]})
    assert answer.headers["Location"] == here, "it is up to date on this host"
    answer = await post_form(as_admin, here, "/packages/patch", {"row": keys["bash"], "matching": ""})
    assert answer.headers["Location"] == wizard([], "bash")
    text = await page(as_admin, answer.headers["Location"])
    assert "2 hosts need an update of bash." in text
    assert (await post_form(as_admin, here, "/packages/patch", {"all": "1", "matching": "host=nobody"})).status == 404


async def test_limited_people_see_the_packages_of_their_hosts_only(
    client: Browser, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counters, "LIVE_MOST", 0)
    await three_hosts(call, client)
    await counters.refresh(call)
    group = await call.db.value(
        "insert into host_groups (name) values ('north') returning uuid",
    )
    await call.db.execute(
        "insert into host_group_members select h.id, g.id from hosts h, host_groups g where h.friendly_name = 'web-03'"
    )
    mine = await program_of(call, await limited(call, str(group)))
    told = await (await client.get("/api/v1/packages", headers=mine)).json()
    assert names(told) == ["bash", "curl"]
    assert told["totalInstalls"] == 2
    assert told["stats"]["outdatedHosts"] == 1
    keys = {row["name"]: row["id"] for row in await call.db.all("select name, id from packages")}
    assert (await client.get(f"/api/v1/packages/{keys['openssl']}", headers=mine)).status == 404
    told = await (await client.get(f"/api/v1/packages/{keys['bash']}/hosts", headers=mine)).json()
    assert [one["friendlyName"] for one in told["hosts"]] == ["web-03"]
    assert await (await client.get("/api/v1/packages/categories/list", headers=mine)).json() == ["shells", "web"]


async def test_what_matches_can_be_taken_away(as_admin: Browser, client: Browser, call: Call) -> None:
    await three_hosts(call, client)
    answer = await as_admin.get("/api/v1/packages/export.csv?filter=security&sort=state")
    rows = list(csv.DictReader(io.StringIO(await answer.text())))
    assert [(row["name"], row["outdated"], row["repositories"]) for row in rows] == [
        ("openssl", "1", "debian-security")
    ]
    answer = await as_admin.get("/api/v1/packages/export.json?direction=desc&sort=name")
    assert [row["name"] for row in json.loads(await answer.text())] == ["openssl", "curl", "bash"]
    answer = await as_admin.get("/api/v1/repositories/export.json")
    assert [row["name"] for row in json.loads(await answer.text())] == ["debian", "debian-security"]
    answer = await as_admin.get("/api/v1/repositories/export.csv")
    assert [row["name"] for row in csv.DictReader(io.StringIO(await answer.text()))] == ["debian", "debian-security"]


async def test_counts_follow_what_hosts_report(call: Call, client: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    agents = await three_hosts(call, client)
    monkeypatch.setattr(counters, "LIVE_MOST", 0)
    found, counts = await fleet.page_of(call, Asked(search="openssl"))
    assert found.items[0].installs == 2
    await agents[1].update(full_report([package("curl", "7.88.1-12")]))
    await agents[0].update(full_report([package("curl", "7.88.1-12")]))
    found, again = await fleet.page_of(call, Asked(search="openssl"))
    assert found.items[0].installs == 2, "what was counted stays until it is counted again"
    assert again.counted_at is not None
    assert counts.counted_at is not None
    await counters.refresh(call)
    found, _ = await fleet.page_of(call, Asked(search="openssl"))
    assert found.items == []
    assert found.total == 0


async def test_packages_nobody_has_go_when_nothing_is_remembered_of_them(call: Call, client: Browser) -> None:
    agent = await enrolled(call, client)
    await agent.update(full_report([package("bash"), package("curl")]))
    await agent.update(full_report([package("bash")]))
    assert await counters.remove_unused(call) == 0, "its removal is remembered"
    await call.db.execute("delete from host_package_changes")
    assert await counters.remove_unused(call) == 1
    assert await call.db.column("select name from packages") == ["bash"]
    assert await call.db.value("select count(*) from audit_log where action = 'packages.unused_removed'") == 1
    assert (await agent.update(full_report([package("bash"), package("curl")]))).status == 200
