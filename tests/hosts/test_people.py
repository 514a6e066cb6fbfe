"""Hosts and groups for people: JSON and pages."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from server.core.call import Call
from server.hosts import service
from tests.factories.hosts import Agent, Browser, added, enrolled, full_report, package
from tests.factories.people import HTML, bearer, role_with


async def page(browser: Browser, path: str, status: int = 200) -> str:
    answer = await browser.get(path, headers=HTML)
    text = await answer.text()
    assert answer.status == status, text
    return text


async def posted(browser: Browser, path: str, form: dict[str, Any]) -> tuple[int, str, str]:
    token = re.search(r'name="csrf" content="([^"]+)"', await page(browser, "/hosts"))
    assert token
    answer = await browser.post(path, data={**form, "csrf": token[1]}, headers=HTML, allow_redirects=False)
    return answer.status, await answer.text(), answer.headers.get("Location", "")


async def group(browser: Browser, name: str) -> dict[str, Any]:
    answer = await browser.post("/api/v1/host-groups", json={"name": name, "description": "d"})
    body: dict[str, Any] = await answer.json()
    assert answer.status == 201, body
    return body


@pytest.mark.proves("INV-33", "AGENT-ENR-04", "INV-101")
async def test_a_host_is_added_and_its_key_shown_once(as_admin: Browser, client: Browser, call: Call) -> None:
    web = await group(as_admin, "web")
    order = {
        "friendly_name": " web-01 ",
        "hostGroupIds": [web["id"]],
        "docker_enabled": True,
        "compliance_enabled": True,
    }
    answer = await as_admin.post("/api/v1/hosts/create", json=order)
    assert answer.status == 201
    body = await answer.json()
    assert re.fullmatch(r"patchmon_[0-9a-f]{16}", body["apiId"])
    assert re.fullmatch(r"[0-9a-f]{64}", body["apiKey"])
    assert body["friendlyName"] == "web-01"
    assert body["hostGroups"] == [{"id": web["id"], "name": "web", "color": "#3B82F6"}]
    shown = await (await as_admin.get(f"/api/v1/hosts/{body['hostId']}")).text()
    assert body["apiKey"] not in shown
    assert "hmac-sha256" not in shown
    assert body["apiKey"] not in str(await call.db.all("select h::text from hosts h"))
    pinged = await (await Agent(client, body["apiId"], body["apiKey"]).ping()).json()
    assert pinged["integrations"] == {"docker": True, "compliance": True}


@pytest.mark.parametrize(
    ("order", "text"),
    [
        ({}, "Friendly name is required"),
        ({"friendly_name": "  "}, "Friendly name is required"),
        ([], "Friendly name is required"),
        ({"friendly_name": "x" * 101}, "Invalid request body"),
        ({"friendly_name": "a", "expected_platform": "plan9"}, "Invalid request body"),
        ({"friendly_name": "a", "hostGroupIds": ["nonsense"]}, "One or more host groups not found"),
        ({"friendly_name": "a", "hostGroupIds": 4}, "Invalid request body"),
    ],
)
async def test_what_is_no_host(as_admin: Browser, call: Call, order: Any, text: str) -> None:
    answer = await as_admin.post("/api/v1/hosts/create", json=order)
    assert answer.status == 400
    assert (await answer.json())["error"] == text
    assert await call.db.value("select count(*) from hosts") == 0


async def test_hosts_as_json(as_admin: Browser, client: Browser, call: Call) -> None:
    agent = await enrolled(call, client, "web-01")
    await agent.update(full_report([package("a", "1", "2", isSecurityUpdate=True), package("b")]))
    await added(call, "db-01")
    rows = await (await as_admin.get("/api/v1/hosts")).json()
    assert [row["friendly_name"] for row in rows] == ["db-01", "web-01"]
    reported = rows[1]
    assert (reported["updates_count"], reported["security_updates_count"], reported["total_packages"]) == (1, 1, 2)
    assert reported["status"] == reported["effective_status"] == "active"
    one = await (await as_admin.get(f"/api/v1/hosts/{reported['id']}")).json()
    assert one["network_interfaces"][0]["name"] == "eth0"
    assert not {"api_key", "packages_seal", "packages_hash"} & set(one)
    times = ("last_update", "created_at")
    assert [datetime.fromisoformat(one[name]) for name in times] == [
        datetime.fromisoformat(reported[name]) for name in times
    ]
    assert {name: one[name] for name in reported if name not in times} == {
        name: value for name, value in reported.items() if name not in times
    }
    await call.db.execute("update hosts set last_update = now() - interval '3 hours' where friendly_name = 'web-01'")
    assert (await (await as_admin.get(f"/api/v1/hosts/{one['id']}")).json())["effective_status"] == "inactive"
    part = await (await as_admin.get("/api/v1/hosts/admin/list?page=2&pageSize=1")).json()
    assert [row["friendly_name"] for row in part["data"]] == ["web-01"]
    assert part["pagination"] == {"page": 2, "pageSize": 1, "total": 2, "totalPages": 2}
    found = await (await as_admin.get("/api/v1/hosts/options?search=DB")).json()
    assert [row["friendly_name"] for row in found] == ["db-01"]


@pytest.mark.parametrize("path", ["nonsense", "00000000-0000-0000-0000-000000000000", "%00", "a/groups"])
async def test_an_unknown_host(as_admin: Browser, path: str) -> None:
    answer = await as_admin.get(f"/api/v1/hosts/{path}")
    assert answer.status in {404, 405}
    answer = await as_admin.delete("/api/v1/hosts/00000000-0000-0000-0000-000000000000")
    assert answer.status == 404
    assert await answer.json() == {"error": "Host not found"}


@pytest.mark.proves("INV-104", "INV-105", "AGENT-RM-08")
async def test_a_deleted_host_takes_everything_along(as_admin: Browser, client: Browser, call: Call) -> None:
    web = await group(as_admin, "web")
    agent = await enrolled(call, client, "web-01", group_ids=(web["id"],))
    await agent.update(full_report([package("a")]))
    uuid = await call.db.value("select uuid from hosts")
    answer = await as_admin.delete(f"/api/v1/hosts/{uuid}")
    assert answer.status == 200
    assert (await answer.json())["message"] == "Host deleted successfully"
    for table in (
        "hosts", "host_packages", "host_repositories", "host_inventory", "host_activity", "host_group_members",
    ):  # fmt: skip
        assert await call.db.value(f"select count(*) from {table}") == 0, table
    assert (await agent.ping()).status == 401
    assert (await agent.update(full_report([package("a")]))).status == 401
    audited = await call.db.column("select action from audit_log order by id")
    assert audited[-1] == "hosts.deleted"


@pytest.mark.proves("INV-102", "AGENT-CRED-03")
async def test_a_new_key_ends_the_old_one(as_admin: Browser, client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    uuid = await call.db.value("select uuid from hosts")
    answer = await as_admin.post(f"/api/v1/hosts/{uuid}/regenerate-credentials")
    body = await answer.json()
    assert answer.status == 200
    assert body["apiId"] != agent.api_id
    assert (await agent.ping()).status == 401
    assert (await Agent(client, body["apiId"], body["apiKey"]).ping()).status == 200


@pytest.mark.proves("A-13")
async def test_groups(as_admin: Browser, call: Call) -> None:
    web, db = await group(as_admin, "web"), await group(as_admin, "db")
    taken = await as_admin.post("/api/v1/host-groups", json={"name": "WEB"})
    assert taken.status == 400
    assert await taken.json() == {"error": "A host group with this name already exists"}
    made = await added(call, "web-01", group_ids=(web["id"],))
    path = f"/api/v1/hosts/{made.uuid}/groups"
    answer = await as_admin.put(path, json={"groupIds": [db["id"], db["id"]]})
    assert answer.status == 200
    assert [one["name"] for one in (await answer.json())["host"]["host_groups"]] == ["db"]
    assert (await as_admin.put(path, json={"groupIds": ["nonsense"]})).status == 400
    listed = await (await as_admin.get("/api/v1/host-groups")).json()
    assert [(one["name"], one["_count"]["hosts"]) for one in listed] == [("db", 1), ("web", 0)]
    assert (await (await as_admin.get(f"/api/v1/host-groups/{db['id']}")).json())["name"] == "db"
    assert (await as_admin.get("/api/v1/host-groups/nonsense")).status == 404


@pytest.mark.proves("INV-42", "AGENT-ENR-07", "AGENT-ENR-08")
async def test_how_far_a_new_host_has_come(as_admin: Browser, client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    host_id = await call.db.value("select id from hosts")
    path = f"/api/v1/ws/status/{agent.api_id}"

    async def stage() -> str:
        return str((await (await as_admin.get(path)).json())["data"]["stage"])

    assert await stage() == "waiting"
    await service.note_connected(call, host_id, secure=True)
    assert await stage() == "connected"
    summary = await (await as_admin.get("/api/v1/ws/status/summary")).json()
    assert summary == {"connected": 1}
    await agent.ping()
    assert await stage() == "receiving"
    await agent.update(full_report([package("a")]))
    assert await stage() == "done"
    many = await (await as_admin.get(f"/api/v1/ws/status?apiIds={agent.api_id},unknown")).json()
    told = {"connected": True, "secure": True, "disconnected_seconds_ago": None}
    assert many == {"success": True, "data": {agent.api_id: told}}
    await service.note_disconnected(call, host_id)
    gone = (await (await as_admin.get(path)).json())["data"]
    assert (gone["connected"], gone["secure"]) == (False, False)
    assert gone["disconnected_seconds_ago"] >= 0
    assert (await as_admin.get("/api/v1/ws/status/unknown")).status == 404


async def test_links_of_a_killed_server_are_ended(call: Call) -> None:
    gone, alive, fresh = [(await added(call, name)).host_id for name in ("a", "b", "c")]
    for host_id in (gone, alive, fresh):
        await service.note_connected(call, host_id, secure=False)
    old = call.now - timedelta(minutes=5)
    await call.db.execute("update hosts set last_connected_at = %(old)s where id <> %(fresh)s", old=old, fresh=fresh)
    assert await service.reconcile_links(call, [alive]) == [gone]
    assert await service.reconcile_links(call, [alive]) == []


@pytest.mark.proves("INV-01", "INV-04", "AGENT-ENR-01")
async def test_who_may_what(client: Browser, call: Call) -> None:
    await role_with(call, "watcher", "can_view_hosts")
    watcher, nobody = await bearer(call, "watcher"), await bearer(call, "user")
    await role_with(call, "empty")
    made = await added(call)
    for path in ("/api/v1/hosts", f"/api/v1/hosts/{made.uuid}", "/api/v1/host-groups", "/api/v1/ws/status/summary"):
        assert (await client.get(path)).status == 401
        assert (await client.get(path, headers=watcher)).status == 200
        assert (await client.get(path, headers=await bearer(call, "empty"))).status == 403
    for method, path in (
        ("POST", "/api/v1/hosts/create"),
        ("DELETE", f"/api/v1/hosts/{made.uuid}"),
        ("PUT", f"/api/v1/hosts/{made.uuid}/groups"),
        ("POST", f"/api/v1/hosts/{made.uuid}/regenerate-credentials"),
        ("POST", "/api/v1/host-groups"),
    ):
        assert (await client.request(method, path, json={}, headers=watcher)).status == 403
        assert (await client.request(method, path, json={})).status == 401
    assert nobody
    assert await call.db.value("select count(*) from hosts") == 1


@pytest.mark.proves("INV-32", "INV-35", "AGENT-ENR-05")
async def test_adding_a_host_by_its_form(as_admin: Browser, client: Browser, call: Call) -> None:
    assert "No host has joined yet" in await page(as_admin, "/hosts")
    web = await group(as_admin, "web")
    assert "/hosts/new?os=freebsd" in await page(as_admin, "/hosts/new")
    assert web["id"] in await page(as_admin, "/hosts/new?os=linux")
    status, text, _ = await posted(as_admin, "/hosts/new", {"friendly_name": "<b>web</b>", "group": web["id"]})
    assert status == 200, text
    assert "&lt;b&gt;web&lt;/b&gt;" in text
    assert "<b>web</b>" not in text
    found = re.search(r"X-API-ID: (patchmon_\w+).{1,30}X-API-KEY: (\w{64})", text)
    assert found
    assert (await Agent(client, found[1], found[2]).ping()).status == 200
    assert await call.db.value("select count(*) from host_group_members") == 1
    status, text, _ = await posted(as_admin, "/hosts/new", {"friendly_name": ""})
    assert status == 400
    assert 'name="friendly_name"' in text


async def test_the_pages_of_a_host(as_admin: Browser, client: Browser, call: Call) -> None:
    agent = await enrolled(call, client, "web-01")
    uuid = await call.db.value("select uuid from hosts")
    for path in ("", "/packages", "/repositories", "/system", "/network", "/connect"):
        assert "web-01" in await page(as_admin, f"/hosts/{uuid}{path}")
    rows = [package("openssl", "3.0.1", "3.0.2", isSecurityUpdate=True), package("bash", "5.1", "5.2"), package("vim")]
    await agent.update(full_report(rows))
    shown = await page(as_admin, f"/hosts/{uuid}")
    assert "Full report" in shown
    assert "3 packages, 2 updates, 1 for security" in shown
    assert "6.1.0-26-amd64" in shown
    shown = await page(as_admin, f"/hosts/{uuid}/packages")
    assert shown.index("openssl") < shown.index("bash") < shown.index("vim")
    shown = await page(as_admin, f"/hosts/{uuid}/packages?only=security")
    assert "openssl" in shown
    assert ">bash<" not in shown
    shown = await page(as_admin, f"/hosts/{uuid}/packages?search=VI&sort=name&direction=desc")
    assert "vim" in shown
    assert "openssl" not in shown
    assert "http://deb.debian.org/debian" in await page(as_admin, f"/hosts/{uuid}/repositories")
    assert "AMD EPYC 7402P" in await page(as_admin, f"/hosts/{uuid}/system")
    shown = await page(as_admin, f"/hosts/{uuid}/network")
    assert "1 Gbit/s" in shown
    assert "52:54:00:aa:bb:01" in shown
    assert "Host not found" in await page(as_admin, "/hosts/nonsense", 404)


async def test_the_list_is_searched_sorted_and_filtered(as_admin: Browser, client: Browser, call: Call) -> None:
    first = await enrolled(call, client, "web-01")
    await added(call, "db_01")
    await first.update(full_report([package("a", "1", "2")]))
    shown = await page(as_admin, "/hosts?sort=name&direction=desc")
    assert shown.index("web-01") < shown.index("db_01")
    for query, names in (
        ("search=WEB", {"web-01"}),
        ("search=b_0", {"db_01"}),
        ("search=%25", set()),
        ("state=updates", {"web-01"}),
        ("filter=needsUpdates", {"web-01"}),
        ("state=reboot", {"web-01"}),
        ("state=security", set()),
        ("state=offline", {"web-01", "db_01"}),
        ("state=online", set()),
        ("page=2", set()),
        ("sort=;drop&page=x&size=-1", {"web-01", "db_01"}),
    ):
        shown = await page(as_admin, f"/hosts?{query}")
        assert {name for name in ("web-01", "db_01") if f">{name}</a>" in shown} == names, query
    assert "must be one of" in await page(as_admin, "/hosts?filter=nonsense", 400)


async def test_deleting_and_re_keying_by_their_buttons(as_admin: Browser, client: Browser, call: Call) -> None:
    agent = await enrolled(call, client, "web-01")
    uuid = await call.db.value("select uuid from hosts")
    answer = await as_admin.post(f"/hosts/{uuid}/delete", headers=HTML)
    assert answer.status == 403
    status, text, _ = await posted(as_admin, f"/hosts/{uuid}/credentials", {})
    assert status == 200
    assert "X-API-KEY: " in text
    assert (await agent.ping()).status == 401
    status, _, location = await posted(as_admin, f"/hosts/{uuid}/delete", {})
    assert (status, location) == (303, "/hosts")
    assert "The host web-01 was removed." in await page(as_admin, "/hosts")
