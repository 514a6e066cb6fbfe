"""The list of hosts: what narrows it, what is done with many, sections, files, and the same for programs."""

import asyncio
import csv
import io
import re
from typing import Any
from urllib.parse import urlencode

import pytest

from server.core import clock
from server.core.bus import announce
from server.core.call import Call
from server.hosts import rules, service
from server.hosts.events import HostsSeen
from tests.factories.hosts import Browser, added, alike, enrolled, full_report, package, repository
from tests.factories.people import HTML, bearer, role_with, sign_in_as
from tests.hosts.test_people import group, page, posted

NAMES = ("web-01", "web-02", "db-01")


def shown_names(text: str) -> list[str]:
    return re.findall(r'class="row-link" href="/hosts/[0-9a-f-]+">([^<]+)<', text)


async def names(browser: Browser, query: str) -> list[str]:
    return shown_names(await page(browser, f"/hosts?{query}"))


async def rows(browser: Browser, query: str = "") -> list[dict[str, Any]]:
    answer = await browser.get(f"/api/v1/dashboard/hosts?{query}")
    body: list[dict[str, Any]] = await answer.json()
    assert answer.status == 200, body
    return body


async def ids(call: Call) -> dict[str, str]:
    return {row["friendly_name"]: row["uuid"] for row in await call.db.all("select friendly_name, uuid from hosts")}


async def set_status(call: Call) -> None:
    """One host of each status."""
    for name in ("pending-1", "active-1", "inactive-1", "error-1"):
        await added(call, name)
    await call.db.execute("update hosts set status = 'active', last_update = now() where friendly_name <> 'pending-1'")
    await call.db.execute(
        "update hosts set last_update = now() - interval '181 minutes' where friendly_name = 'inactive-1'"
    )
    await call.db.execute("update hosts set report_failed = true where friendly_name = 'error-1'")


@pytest.mark.proves("INV-20", "INV-59", "A-4")
async def test_each_status_is_derived_when_it_is_read(as_admin: Browser, call: Call) -> None:
    await set_status(call)
    found = {row["friendly_name"]: row["status"] for row in await rows(as_admin)}
    assert found == {"pending-1": "pending", "active-1": "active", "inactive-1": "inactive", "error-1": "error"}
    for status in found.values():
        assert await names(as_admin, f"status={status}") == [f"{status}-1"]
        stored = await call.db.one("select * from hosts where friendly_name = %(name)s", name=f"{status}-1")
        assert stored
        before = clock.now() - rules.silence(60)
        failed = stored["report_failed"]
        assert rules.status_of(stored["status"], stored["last_update"], before, failed=failed) == status
    assert await names(as_admin, "filter=stale") == ["inactive-1"]
    assert await names(as_admin, "hide_stale=1") == ["active-1", "error-1", "pending-1"]
    counts = await (await as_admin.get("/api/v1/dashboard/host-counts")).json()
    assert (counts["total"], counts["stale"], counts["inactive"], counts["error"], counts["up"]) == (4, 1, 1, 1, 0)


async def test_a_refused_report_is_an_error_until_a_good_one(as_admin: Browser, client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    await agent.update(full_report([package("a")]))
    refused = await agent.update({**full_report([]), "packages": [{"name": 1}]})
    assert refused.status == 400
    assert [row["status"] for row in await rows(as_admin)] == ["error"]
    await agent.ping()
    assert [row["status"] for row in await rows(as_admin)] == ["error"]
    assert (await agent.update(full_report([package("a"), package("b")]))).status == 200
    assert [row["status"] for row in await rows(as_admin)] == ["active"]


@pytest.mark.proves("INV-24")
async def test_another_interval_makes_hosts_inactive_earlier(as_admin: Browser, call: Call) -> None:
    await added(call, "web-01")
    await call.db.execute("update hosts set status = 'active', last_update = now() - interval '100 minutes'")
    assert (await rows(as_admin))[0]["status"] == "active"
    answer = await as_admin.put("/api/v1/settings", json={"updateInterval": 30})
    assert answer.status == 200, await answer.text()
    assert (await rows(as_admin))[0]["status"] == "inactive"


@pytest.mark.proves("INV-51")
async def test_four_cards_count_the_whole_fleet(as_admin: Browser, client: Browser, call: Call) -> None:
    agent = await enrolled(call, client, "web-01")
    await agent.update(full_report([package("a", "1", "2")]))
    await added(call, "db-01")
    text = await page(as_admin, "/hosts?search=nothing-like-this")
    tiles = re.findall(r'tile-label">([^<]+)</span>\s*<span class="tile-value num">([^<]+)<', text)
    assert tiles == [
        ("Total hosts", "2"),
        ("Needs updates", "1"),
        ("Needs reboots", "1"),
        ("Connection status", "0 / 2"),
    ]


@pytest.mark.proves("INV-52", "INV-46", "A-7")
async def test_a_row_has_what_people_look_for(as_admin: Browser, client: Browser, call: Call) -> None:
    web = await group(as_admin, "web")
    agent = await enrolled(call, client, "web-01", group_ids=(web["id"],))
    await agent.update(full_report([package("a", "1", "2", isSecurityUpdate=True)]))
    uuid = (await ids(call))["web-01"]
    text = await page(as_admin, "/hosts")
    assert f'href="/hosts/{uuid}">web-01</a>' in text
    assert f'hx-get="/hosts/{uuid}/cell/groups"' in text
    assert f'href="/hosts?group={web["id"]}"' in text
    for part in ("Offline", "Active", "10.20.0.12", "Debian GNU/Linux 12 (bookworm)", 'aria-label="Delete web-01"'):
        assert part in text, part
    every = ",".join(one.key for one in (await _columns()))
    text = await page(as_admin, f"/hosts?columns={every}")
    for part in ("web-01.example.net", "12 (bookworm)", "3.0.0", "10.20.0.12"):
        assert part in text, part


async def _columns() -> Any:
    from server.hosts.table import TABLE  # noqa: PLC0415

    return TABLE.columns


@pytest.mark.proves("INV-57", "INV-60", "INV-165", "A-9", "A-17")
async def test_everything_that_narrows_the_list(as_admin: Browser, client: Browser, call: Call) -> None:
    web = await group(as_admin, "web")
    first = await enrolled(call, client, "web-01", group_ids=(web["id"],))
    second = await enrolled(call, client, "web-02", group_ids=(web["id"],))
    await added(call, "db-01")
    await first.update(
        full_report([package("openssl", "3.0.1", "3.0.2", isSecurityUpdate=True)], machineId="m1", hostname="w1")
    )
    await second.update(
        full_report(
            [package("openssl", "3.0.2")],
            [repository(name="other", url="http://other.example.org")],
            osType="Alpine Linux",
            osVersion="3.19",
            machineId="m2",
            hostname="w2",
            needsReboot=False,
        )
    )
    openssl = await call.db.value("select id from packages where name = 'openssl'")
    other = await call.db.value("select uuid from repositories where url like '%%other%%'")
    for query, expected in (
        (f"group={web['id']}", ["web-01", "web-02"]),
        ("group=none", ["db-01"]),
        ("group=00000000-0000-0000-0000-000000000000", []),
        ("filter=needsUpdates", ["web-01"]),
        ("filter=security", ["web-01"]),
        ("filter=reboot", ["web-01"]),
        (f"package={openssl}", ["web-01", "web-02"]),
        (f"package={openssl}&filter=needsUpdates", ["web-01"]),
        ("package=openssl&filter=security", ["web-01"]),
        ("package=nothing", []),
        (f"repo={other}", ["web-02"]),
        ("os=alpine+linux", ["web-02"]),
        ("osVersion=3.19", ["web-02"]),
        ("search=w2", ["web-02"]),
        ("search=10.20.0", ["web-01", "web-02"]),
        ("search=alpine", ["web-02"]),
        ("search=100%25", []),
        (f"group={web['id']}&filter=reboot&search=web", ["web-01"]),
        ("sort=updates", ["web-01", "db-01", "web-02"]),
        ("sort=os&direction=desc", ["web-01", "web-02", "db-01"]),
    ):
        assert await names(as_admin, query) == expected, query
        assert [row["friendly_name"] for row in await rows(as_admin, query.replace("direction", "order"))] == expected
    text = await page(as_admin, "/hosts")
    assert "Ungrouped" in text
    assert ">web</option>" in text


async def test_every_order_and_every_filter_can_be_read(as_admin: Browser, call: Call) -> None:
    await added(call, "web-01")
    for column in await _columns():
        for direction in ("asc", "desc"):
            assert await names(as_admin, f"sort={column.key}&direction={direction}") == ["web-01"]
    for query in ("filter=duplicates", "filter=never", "filter=stale", "tag=a%3Db", "connection=online", "page=9"):
        assert await names(as_admin, query) == []


@pytest.mark.proves("INV-58")
async def test_sections_with_their_counts(as_admin: Browser, call: Call) -> None:
    web, db = await group(as_admin, "web"), await group(as_admin, "db")
    await added(call, "both", group_ids=(web["id"], db["id"]))
    await added(call, "one", group_ids=(web["id"],))
    await added(call, "none")
    text = await page(as_admin, "/hosts?grouping=group")
    heads = re.findall(r'<th scope="colgroup"[^>]*>([^<]+?) <span class="muted num">(\d+)<', text)
    assert heads == [("db", "1"), ("web", "2"), ("In no group", "1")]
    assert shown_names(text) == ["both", "both", "one", "none"]
    heads = re.findall(r'scope="colgroup"[^>]*>([^<]+?) <span', await page(as_admin, "/hosts?grouping=status"))
    assert heads == ["Pending"]
    heads = re.findall(r'scope="colgroup"[^>]*>([^<]+?) <span', await page(as_admin, "/hosts?grouping=os"))
    assert heads == ["Not known yet"]


async def test_duplicates_and_those_that_never_joined(as_admin: Browser, client: Browser, call: Call) -> None:
    for number, machine in enumerate(("same", "same", "other")):
        agent = await enrolled(call, client, f"host-{number}")
        await agent.update(full_report([package("a")], machineId=machine, hostname=f"h{number}", ip=f"10.0.0.{number}"))
    await added(call, "forgotten")
    await added(call, "fresh")
    await call.db.execute("update hosts set created_at = now() - interval '2 days' where friendly_name = 'forgotten'")
    text = await page(as_admin, "/hosts?filter=duplicates")
    assert shown_names(text) == ["host-0", "host-1"]
    assert "one machine that joined twice" in text
    assert await names(as_admin, "filter=never") == ["forgotten"]


@pytest.mark.proves("INV-61")
async def test_a_list_opens_as_its_reader_left_it(as_admin: Browser, call: Call) -> None:
    await added(call, "web-01")
    form = {
        "list": "hosts",
        "path": "/hosts",
        "columns": "name,agent,ip",
        "query": "columns=name%2Cagent%2Cip&sort=ip&search=web&page=3",
    }
    status, _, location = await posted(as_admin, "/views/keep", form)
    assert (status, location) == (303, "/hosts")
    answer = await as_admin.get("/hosts", headers=HTML, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, "/hosts?sort=ip&search=web")
    text = await page(as_admin, "/hosts?sort=ip")
    heads = re.findall(r'id="hosts-sort-(\w+)"', text)
    assert heads == ["name", "agent", "ip"]
    for place, status in (("http://127.0.0.1/hosts?sort=ip", 200), ("http://127.0.0.1/", 303), ("http://[", 303)):
        came = {**HTML, "Referer": place}
        assert (await as_admin.get("/hosts", headers=came, allow_redirects=False)).status == status


async def test_files_of_the_list(as_admin: Browser, client: Browser, call: Call) -> None:
    agent = await enrolled(call, client, "web-01")
    await agent.update(full_report([package("a", "1", "2")]))
    await added(call, "=cmd|'/c calc'!A1")
    answer = await as_admin.get("/api/v1/hosts/export.csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="hosts.csv"'
    table = list(csv.DictReader(io.StringIO(await answer.text())))
    assert [row["friendly_name"] for row in table] == ["'=cmd|'/c calc'!A1", "web-01"]
    assert table[1]["updates_count"] == "1"
    found = await (await as_admin.get("/api/v1/hosts/export.json?filter=needsUpdates")).json()
    assert [row["friendly_name"] for row in found] == ["web-01"]


@pytest.mark.proves("INV-01", "INV-04", "INV-07")
async def test_who_may_do_what_with_the_list(client: Browser, call: Call) -> None:
    made = await added(call, "web-01")
    await sign_in_as(client, call, "readonly")
    text = await page(client, "/hosts")
    assert "web-01" in text
    assert "Add host" not in text
    assert "Delete web-01" not in text
    assert "export.csv" not in text
    for method, path in (
        ("POST", "/api/v1/hosts"),
        ("DELETE", "/api/v1/hosts/bulk"),
        ("PUT", "/api/v1/hosts/bulk/groups"),
        ("PUT", f"/api/v1/hosts/{made.uuid}/tags"),
        ("GET", "/api/v1/hosts/export.csv"),
        ("GET", "/options"),
        ("POST", "/hosts/bulk/delete"),
    ):
        assert (await client.request(method, path, json={})).status == 403, path
    assert (await client.get("/api/v1/dashboard/hosts")).status == 200
    await role_with(call, "exporter", "can_export_data")
    headers = await bearer(call, "exporter")
    await client.post("/api/v1/auth/logout")
    client.session.cookie_jar.clear()
    assert (await client.get("/api/v1/hosts/export.json", headers=headers)).status == 403


async def test_a_part_of_the_list_for_programs(as_admin: Browser, call: Call) -> None:
    web = await group(as_admin, "web")
    made = [await added(call, name, group_ids=(web["id"],)) for name in NAMES]
    await as_admin.put(f"/api/v1/hosts/{made[0].uuid}/tags", json={"tags": {"role": "web", "canary": ""}})
    answer = await as_admin.get("/api/v1/dashboard/hosts?limit=2&offset=1&sort=name")
    body = await answer.json()
    assert [row["friendly_name"] for row in body["items"]] == ["web-01", "web-02"]
    assert (body["total"], body["limit"], body["offset"]) == (3, 2, 1)
    # A part and the whole say the same of a host.
    whole = alike(await rows(as_admin))
    assert all(whole[name] == row for name, row in alike(body["items"]).items()), (whole, body["items"])
    chosen = (await ids(call))["db-01"]
    assert [row["friendly_name"] for row in await rows(as_admin, f"selected={chosen}")] == ["db-01"]
    options = await (await as_admin.get("/api/v1/dashboard/host-filter-options")).json()
    assert options == {"osDistribution": []}
    assert (await as_admin.get(f"/api/v1/dashboard/hosts?{urlencode({'filter': 'nonsense'})}")).status == 400


async def told(stream: Any, name: str, within: float = 8.0) -> str:
    """Return the data of the next event of that name."""
    async with asyncio.timeout(within):
        async for line in stream:
            if line == f"event: {name}\n".encode():
                return str((await stream.readline()).decode())
    raise AssertionError(name)


@pytest.mark.proves("INV-21")
async def test_every_open_browser_hears_of_a_link_at_once(as_admin: Browser, client: Browser, call: Call) -> None:
    made, other = await added(call, "web-01"), await added(call, "web-02")
    await sign_in_as(client, call, "readonly")
    async with (
        as_admin.get(f"/hosts/live?rows={made.uuid}") as first,
        client.get(f"/hosts/live?rows={made.uuid},{other.uuid}") as second,
        client.get(f"/hosts/live?rows={other.uuid}") as third,
    ):
        for one in (first, second, third):
            await told(one.content, "counts")
        await announce(HostsSeen((made.host_id,)))(call.world)
        assert '"all":false' in await told(first.content, "rows")
        await told(second.content, "rows")
        with pytest.raises(TimeoutError):
            await told(third.content, "rows", 1.0)
        await service.note_connected(call, made.host_id, secure=True)
        await announce(HostsSeen((made.host_id,)))(call.world)
        await told(first.content, "rows")
        text = await page(client, "/hosts?connection=online")
        assert shown_names(text) == ["web-01"]
        assert "WSS" in text
        assert '"online":1' in await told(second.content, "counts")
        await service.note_disconnected(call, made.host_id)
    assert await names(as_admin, "connection=online") == []
    assert (await rows(as_admin, "connection=offline"))[0]["status"] == "pending"
