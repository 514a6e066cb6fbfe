"""Repositories over the fleet: lists, records, what reports and people do to them, and cleaning up."""

from typing import Any

import pytest

from server.core.call import Call
from server.packages import sources, tasks
from tests.conftest import Browser
from tests.factories.hosts import Agent, enrolled, full_report, package, repository
from tests.factories.people import HTML, bearer, post_form
from tests.factories.scopes import limited, program_of
from tests.packages.fleets import SECURE

NOTHING = "00000000-0000-4000-8000-000000000000"


async def ask(client: Browser, call: Call, path: str, method: str = "GET", body: Any = None, status: int = 200) -> Any:
    answer = await client.request(method, f"/api/v1/repositories{path}", json=body, headers=await bearer(call))
    assert answer.status == status, await answer.text()
    return await answer.json()


async def page(client: Browser, path: str, status: int = 200) -> str:
    answer = await client.get(path, headers=HTML)
    text = await answer.text()
    assert answer.status == status, text
    return text


async def two_hosts(call: Call, client: Browser) -> list[Agent]:
    """Two hosts: both use debian, the first also debian-security over HTTPS."""
    agents = [await enrolled(call, client, name) for name in ("web-01", "web-02")]
    bash = package("bash", "5.2.15", "5.2.21", sourceRepository="debian")
    first = full_report([bash], [repository(), repository("deb-debian-security", **SECURE)])
    assert (await agents[0].update(first)).status == 200
    assert (
        await agents[1].update(full_report([bash], [repository()], machineId="other", hostname="web-02"))
    ).status == 200
    return agents


async def host_id(call: Call, name: str) -> str:
    return str(await call.db.value("select uuid from hosts where friendly_name = %(name)s", name=name))


@pytest.mark.proves("INV-141", "INV-142", "INV-144", "INV-149")
async def test_one_record_for_an_address_and_inactive_when_nobody_has_it(client: Browser, call: Call) -> None:
    agents = await two_hosts(call, client)
    found = await ask(client, call, "")
    assert [(one["name"], one["host_count"], one["is_secure"], one["is_active"]) for one in found] == [
        ("debian", 2, False, True),
        ("debian-security", 1, True, True),
    ]
    assert (found[0]["distribution"], found[0]["components"]) == ("bookworm", "main")
    assert await ask(client, call, "/stats/summary") == {
        "totalRepositories": 2,
        "activeRepositories": 2,
        "secureRepositories": 1,
        "enabledHostRepositories": 3,
        "securityPercentage": 50,
    }
    moved = repository(url="https://mirror.example.net/debian", isSecure=True)
    for agent in agents:
        await agent.update(full_report([package("bash")], [moved]))
    by_url = {one["url"]: one for one in await ask(client, call, "")}
    assert by_url["https://mirror.example.net/debian"]["host_count"] == 2, "hosts move to the record of the new address"
    old = by_url["http://deb.debian.org/debian"]
    assert (old["host_count"], old["is_active"]) == (0, False)
    assert (await ask(client, call, "/stats/summary"))["activeRepositories"] == 1


@pytest.mark.proves("A-14", "INV-140")
async def test_an_address_and_a_release_make_a_record_whatever_package_manager_uses_it(
    client: Browser, call: Call
) -> None:
    agents = [await enrolled(call, client, name) for name in ("web-01", "web-02")]
    sources = {
        "deb": ("debian", "http://deb.debian.org/debian", "trixie"),
        "rpm": ("baseos", "https://mirror.example/rocky/9/BaseOS/x86_64/os", "el9"),
        "apk": ("main", "https://dl-cdn.alpinelinux.org/alpine/v3.19/main", "3.19"),
        "pacman": ("core", "https://mirror.example/archlinux/core/os/x86_64", ""),
        "freebsd": ("FreeBSD", "https://pkg.FreeBSD.org/FreeBSD:14:amd64/quarterly", ""),
    }
    rows = [
        repository(name, url=url, distribution=release, repoType=kind, isSecure=url.startswith("https"))
        for kind, (name, url, release) in sources.items()
    ]
    bookworm = repository(components="main contrib")
    assert (await agents[0].update(full_report([package("bash")], [*rows, bookworm]))).status == 200
    second = full_report([package("bash")], [rows[0]], machineId="other", hostname="web-02")
    assert (await agents[1].update(second)).status == 200
    found = await ask(client, call, "")
    assert {(one["url"], one["distribution"], one["host_count"]) for one in found} == {
        *((url, release, 2 if kind == "deb" else 1) for kind, (_, url, release) in sources.items()),
        ("http://deb.debian.org/debian", "bookworm", 1),
    }
    assert {one["components"] for one in found if one["distribution"] == "bookworm"} == {"main contrib"}
    assert {one["is_secure"] for one in found if "rocky" in one["url"]} == {True}


@pytest.mark.proves("INV-144")
async def test_without_repositories_the_score_is_nothing(client: Browser, call: Call) -> None:
    assert (await ask(client, call, "/stats/summary"))["securityPercentage"] == 0


@pytest.mark.proves("INV-142")
async def test_a_repository_is_active_while_one_host_has_it_enabled(client: Browser, call: Call) -> None:
    one, two = await enrolled(call, client), await enrolled(call, client, "web-02")
    await one.update(full_report([package("bash")], [repository(isEnabled=False)]))
    assert not (await ask(client, call, ""))[0]["is_active"]
    await two.update(full_report([package("bash")], [repository()]))
    assert (await ask(client, call, ""))[0]["is_active"]


@pytest.mark.proves("INV-143", "INV-145", "INV-146", "INV-175")
async def test_the_list_is_searched_filtered_and_sorted(as_admin: Browser, client: Browser, call: Call) -> None:
    await two_hosts(call, client)
    host = await host_id(call, "web-02")

    async def found(query: str) -> list[str]:
        return [one["name"] for one in await ask(client, call, query)]

    assert await found("?search=SECURITY.debian") == ["debian-security"]
    assert await found("?type=secure") == await found("?type=https") == ["debian-security"]
    assert await found("?type=insecure") == ["debian"]
    assert await found("?status=inactive") == []
    assert await found("?sort=hosts&order=asc") == ["debian-security", "debian"]
    assert await found(f"?host={host}") == ["debian"]
    assert [one["name"] for one in await ask(client, call, f"/host/{host}")] == ["debian"]
    part = await ask(client, call, "?limit=1&offset=1")
    assert (part["total"], part["limit"], part["offset"]) == (2, 1, 1)
    assert [one["name"] for one in part["items"]] == ["debian-security"]
    text = await page(as_admin, "/repositories")
    for card in ("Total repositories", "Active repositories", "Secure (HTTPS)", "Security score"):
        assert f'<span class="tile-label">{card}</span>' in text
    assert "50 %" in text
    assert ">debian-security<" in text, "the kind of line is no part of a name"
    assert all(word in text for word in ("Insecure", "Secure", "Active", "bookworm-security"))
    text = await page(as_admin, f"/repositories?host={host}")
    assert "Host: web-02" in text
    assert ">debian-security<" not in text
    assert "No repository matches." in await page(as_admin, "/repositories?security=secure&status=inactive")


@pytest.mark.proves("INV-147", "INV-175")
async def test_a_repository_has_a_page_with_its_hosts_and_packages(
    as_admin: Browser, client: Browser, call: Call
) -> None:
    await two_hosts(call, client)
    repository_id = (await ask(client, call, "?search=deb.debian"))[0]["id"]
    text = await page(as_admin, f"/repositories/{repository_id}")
    assert all(word in text for word in ("web-01", "web-02", "Debian GNU/Linux 12 (bookworm)", "Insecure", "Active"))
    assert "last updated" in text
    assert ">web-02<" not in await page(as_admin, f"/repositories/{repository_id}?search=web-01")
    text = await page(as_admin, f"/repositories/{repository_id}/packages")
    assert "bash" in text
    assert "5.2.21" in text
    assert "bash" not in (await page(as_admin, f"/repositories/{repository_id}/packages?search=zsh")).split("<main")[1]
    told = await ask(client, call, f"/{repository_id}")
    assert [one["hosts"]["friendly_name"] for one in told["host_repositories"]] == ["web-01", "web-02"]
    assert all(one["is_enabled"] and one["last_checked"] for one in told["host_repositories"])
    for path in (f"/{NOTHING}", "/nonsense"):
        await ask(client, call, path, status=404)
        await page(as_admin, f"/repositories{path}", 404)


@pytest.mark.proves("INV-147", "INV-148")
async def test_a_record_is_changed_and_what_hosts_say_stays(as_admin: Browser, client: Browser, call: Call) -> None:
    agents = await two_hosts(call, client)
    found = (await ask(client, call, "?search=deb.debian"))[0]
    path = f"/repositories/{found['id']}"
    form = {"name": "Debian main", "description": "Ours", "is_active": "false", "priority": "10"}
    answer = await post_form(as_admin, f"{path}/edit", f"{path}/edit", form)
    assert (answer.status, answer.headers["Location"]) == (303, path)
    told = await ask(client, call, f"/{found['id']}")
    assert (told["name"], told["description"], told["is_active"], told["priority"]) == (
        "Debian main",
        "Ours",
        False,
        10,
    )
    answer = await post_form(as_admin, f"{path}/edit", f"{path}/edit", {"name": "", "priority": "much"})
    text = await answer.text()
    assert answer.status == 400
    assert 'href="#field-name"' in text
    assert 'href="#field-priority"' in text
    told = await ask(client, call, f"/{found['id']}", "PUT", {"isActive": True, "priority": None})
    assert (told["is_active"], told["priority"], told["name"]) == (True, None, "Debian main")
    await ask(client, call, f"/{found['id']}", "PUT", {"name": " "}, 400)
    await agents[0].update(full_report([package("zsh", sourceRepository="debian")]))
    told = await ask(client, call, f"/{found['id']}")
    assert told["name"] == "Debian main", "a report says nothing about a name somebody gave"
    source = await call.db.value(
        "select r.uuid from host_packages join repositories r on r.id = repository_id"
        " join packages p on p.id = package_id where p.name = 'zsh'"
    )
    assert str(source) == found["id"], "packages are still found by what hosts call it"
    assert await call.db.value("select count(*) from audit_log where action = 'packages.repository_changed'") == 2


@pytest.mark.proves("INV-148")
async def test_a_deleted_repository_comes_back_with_the_next_report(
    as_admin: Browser, client: Browser, call: Call
) -> None:
    agents = await two_hosts(call, client)
    told = full_report(
        [package("bash", sourceRepository="debian")], [repository(), repository("deb-debian-security", **SECURE)]
    )
    await agents[0].update(told)
    body = {"hashes": told["hashes"]}
    calm = await (await agents[0].ping(body)).json()
    found = (await ask(client, call, "?search=deb.debian"))[0]
    path = f"/repositories/{found['id']}"
    text = await page(as_admin, path)
    assert "Its record and its links to 2 hosts are deleted." in text
    assert "Nothing changes on the hosts" in text
    answer = await post_form(as_admin, path, f"{path}/delete")
    assert (answer.status, answer.headers["Location"]) == (303, "/repositories")
    assert [one["name"] for one in await ask(client, call, "")] == ["debian-security"]
    assert await call.db.column("select repositories from host_inventory order by host_id") == [1, 0]
    asked = await (await agents[0].ping(body)).json()
    assert asked != calm, "the host is asked for everything again although it has nothing new"
    assert {"packages", "repos"} <= set(asked["requestFull"])
    await agents[0].update(told)
    (back,) = await ask(client, call, "?search=deb.debian")
    assert back["host_count"] == 1
    gone = await as_admin.delete(f"/api/v1/repositories/{back['id']}")
    assert (gone.status, (await gone.json())["deletedRepository"]["hostCount"]) == (200, 1)
    assert await ask(client, call, "?search=deb.debian") == []


@pytest.mark.proves("INV-141")
async def test_one_host_can_be_said_to_have_it_disabled(client: Browser, call: Call) -> None:
    await two_hosts(call, client)
    found = (await ask(client, call, "?search=security"))[0]["id"]
    host = await host_id(call, "web-01")
    told = await ask(client, call, f"/host/{host}/repository/{found}", "PATCH", {"isEnabled": False})
    assert told["message"] == "Repository disabled for host"
    assert told["hostRepository"]["is_enabled"] is False
    assert not (await ask(client, call, "?search=security"))[0]["is_active"]
    other = await host_id(call, "web-02")
    await ask(client, call, f"/host/{other}/repository/{found}", "PATCH", {"isEnabled": True}, 404)
    await ask(client, call, f"/host/{host}/repository/{found}", "PATCH", {}, 400)


@pytest.mark.proves("INV-149", "A-22")
async def test_what_nobody_uses_goes_only_when_somebody_says_so(client: Browser, call: Call) -> None:
    agents = await two_hosts(call, client)
    await agents[0].update(full_report([package("bash")], [repository()]))
    assert len(await ask(client, call, "")) == 2
    told = await ask(client, call, "/cleanup/orphaned", "DELETE")
    assert told["deletedCount"] == 1
    assert told["deletedRepositories"][0]["name"] == "deb-debian-security"
    assert (await ask(client, call, "/cleanup/orphaned", "DELETE"))["deletedCount"] == 0
    by_hand = next(task for task in tasks.TASKS if task.also == "orphaned-repo-cleanup")
    assert by_hand.every_seconds is None, "nothing does it by itself"
    await agents[0].update(full_report([package("bash")], [repository(url="https://new.example.net/debian")]))
    await agents[1].update(full_report([package("bash")], [repository(url="https://new.example.net/debian")]))
    await by_hand.work(call)
    assert [one["url"] for one in await ask(client, call, "")] == ["https://new.example.net/debian"]


async def test_limited_people_see_what_their_hosts_use_and_change_no_record(client: Browser, call: Call) -> None:
    await two_hosts(call, client)
    group = await call.db.value("insert into host_groups (name) values ('south') returning uuid")
    await call.db.execute(
        "insert into host_group_members select h.id, g.id from hosts h, host_groups g where h.friendly_name = 'web-02'"
    )
    mine = await program_of(call, await limited(call, str(group)))
    both = await ask(client, call, "")

    async def told(path: str, method: str = "GET", body: Any = None) -> tuple[int, Any]:
        answer = await client.request(method, f"/api/v1/repositories{path}", json=body, headers=mine)
        return answer.status, await answer.json()

    _, seen = await told("")
    assert [(one["name"], one["host_count"]) for one in seen] == [("debian", 1)]
    assert (await told("/stats/summary"))[1]["totalRepositories"] == 1
    debian, security = both[0]["id"], both[1]["id"]
    assert (await told(f"/{security}"))[0] == 404
    assert (await told(f"/{security}", "DELETE"))[0] == 404
    assert (await told(f"/{debian}", "PUT", {"name": "Mine"}))[0] == 403
    assert (await told(f"/{debian}", "DELETE"))[0] == 403
    assert (await told("/cleanup/orphaned", "DELETE"))[0] == 403
    host = await host_id(call, "web-01")
    assert (await told(f"/host/{host}/repository/{debian}", "PATCH", {"isEnabled": False}))[0] == 404
    assert len(await ask(client, call, "")) == 2
    assert (await sources.counts(call)).total == 2
