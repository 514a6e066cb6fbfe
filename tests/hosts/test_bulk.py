"""What is done with many hosts at once: groups, tags, reports, deleting."""

import re

import pytest

from server.core.call import Call
from tests.factories.hosts import Browser, added
from tests.factories.people import HTML
from tests.hosts.test_fleet import NAMES, names, rows
from tests.hosts.test_people import group, page, posted


@pytest.mark.proves("INV-54", "INV-55", "INV-110", "INV-112")
async def test_assigning_groups_replaces_what_was(as_admin: Browser, call: Call) -> None:
    a, b = await group(as_admin, "A"), await group(as_admin, "B")
    first = await added(call, "web-01", group_ids=(b["id"],))
    second = await added(call, "web-02")
    chosen = {"row": [first.uuid, second.uuid]}
    status, text, _ = await posted(as_admin, "/hosts/bulk/groups", chosen)
    assert status == 200
    assert "Assign to Groups" in text
    assert all(part in text for part in ("web-01", "web-02", a["id"], b["id"], "replaces their groups"))
    status, _, location = await posted(as_admin, "/hosts/bulk/groups", {**chosen, "sure": "1", "group": a["id"]})
    assert (status, location) == (303, "/hosts")
    held = {row["friendly_name"]: [one["name"] for one in row["host_groups"]] for row in await rows(as_admin)}
    assert held == {"web-01": ["A"], "web-02": ["A"]}
    answer = await as_admin.put(
        "/api/v1/hosts/bulk/groups", json={"hostIds": [first.uuid], "groupIds": [b["id"], "nonsense"]}
    )
    assert answer.status == 400
    answer = await as_admin.put("/api/v1/hosts/bulk/groups", json={"host_ids": [first.uuid], "group_ids": [b["id"]]})
    body = await answer.json()
    assert body["updatedCount"] == 1
    assert [one["name"] for one in body["hosts"][0]["host_groups"]] == ["B"]


@pytest.mark.proves("INV-53")
async def test_groups_are_changed_in_their_cell(as_admin: Browser, call: Call) -> None:
    a, b = await group(as_admin, "A"), await group(as_admin, "B")
    made = await added(call, "web-01", group_ids=(b["id"],))
    cell = f"/hosts/{made.uuid}/cell/groups"
    whole = await page(as_admin, cell)
    assert re.search(rf'value="{b["id"]}" checked', whole)
    part = await (await as_admin.get(cell, headers={**HTML, "HX-Request": "true"})).text()
    assert "<html" not in part
    assert f'data-url="{cell}"' in part
    status, _, location = await posted(as_admin, cell, {"group": [a["id"], b["id"]], "back": "/hosts?search=web"})
    assert (status, location) == (303, "/hosts?search=web")
    assert [one["name"] for one in (await rows(as_admin))[0]["host_groups"]] == ["A", "B"]
    status, _, location = await posted(as_admin, cell, {"group": a["id"], "back": "//evil.example"})
    assert (status, location) == (303, "/hosts")


@pytest.mark.proves("INV-104")
async def test_deleting_many_asks_for_their_number(as_admin: Browser, call: Call) -> None:
    made = [await added(call, f"web-{number:02}") for number in range(12)]
    chosen = {"row": [one.uuid for one in made[:11]]}
    status, text, _ = await posted(as_admin, "/hosts/bulk/delete", chosen)
    assert status == 200
    assert "Type 11 to confirm" in text
    status, text, _ = await posted(as_admin, "/hosts/bulk/delete", {**chosen, "sure": "1", "number": "10"})
    assert status == 400
    assert await call.db.value("select count(*) from hosts") == 12
    status, _, _ = await posted(as_admin, "/hosts/bulk/delete", {**chosen, "sure": "1", "number": "11"})
    assert status == 303
    assert await call.db.column("select friendly_name from hosts") == ["web-11"]
    missing = "00000000-0000-0000-0000-000000000000"
    answer = await as_admin.delete("/api/v1/hosts/bulk", json={"hostIds": [made[11].uuid, missing]})
    body = await answer.json()
    assert (body["deletedCount"], body["requestedCount"]) == (1, 2)
    assert [one["success"] for one in body["results"]] == [True, False]


async def test_all_that_match_are_chosen_on_all_pages(as_admin: Browser, call: Call) -> None:
    for number in range(30):
        await added(call, f"{'web' if number % 2 else 'db'}-{number:02}")
    form = {"all": "1", "matching": "search=web&size=25", "sure": "1", "add": "role=web"}
    status, _, location = await posted(as_admin, "/hosts/bulk/tags", form)
    assert (status, location) == (303, "/hosts?search=web&size=25")
    assert await call.db.value("select count(*) from host_tags") == 15
    status, _, location = await posted(as_admin, "/hosts/bulk/launch", {"all": "1", "matching": "search=web"})
    assert status == 303
    assert location.count("host=") == 15


@pytest.mark.proves("INV-56", "A-8")
async def test_asking_many_for_reports_names_those_that_are_away(as_admin: Browser, call: Call) -> None:
    made = await added(call, "web-01")
    status, _, _ = await posted(as_admin, "/hosts/bulk/fetch-report", {"row": made.uuid})
    assert status == 303
    assert "1 not connected: web-01" in await page(as_admin, "/hosts")
    answer = await as_admin.post("/api/v1/hosts/bulk/fetch-report", json={"hostIds": [made.uuid]})
    body = await answer.json()
    assert (answer.status, body["enqueued"]) == (200, 0)


async def test_tags_are_set_found_and_counted(as_admin: Browser, call: Call) -> None:
    made = {name: await added(call, name) for name in NAMES}
    path = f"/api/v1/hosts/{made['web-01'].uuid}/tags"
    answer = await as_admin.put(path, json={"tags": {"role": "web", "canary": ""}})
    assert (await answer.json())["tags"] == {"canary": "", "role": "web"}
    assert (await (await as_admin.get(path)).json())["tags"] == {"canary": "", "role": "web"}
    bulk = {"hostIds": [made["web-02"].uuid, made["db-01"].uuid], "add": ["role=db", "site=a"]}
    assert (await as_admin.put("/api/v1/hosts/bulk/tags", json=bulk)).status == 200
    assert await names(as_admin, "tag=role") == ["db-01", "web-01", "web-02"]
    assert await names(as_admin, "tag=role%3Ddb") == ["db-01", "web-02"]
    assert await names(as_admin, "tag=canary") == ["web-01"]
    known = await (await as_admin.get("/api/v1/hosts/tags")).json()
    assert {one["tag"]: one["count"] for one in known} == {"canary": 1, "role=db": 2, "role=web": 1, "site=a": 2}
    gone = {"hostIds": [made["db-01"].uuid], "remove": ["site"]}
    assert (await as_admin.put("/api/v1/hosts/bulk/tags", json=gone)).status == 200
    assert await names(as_admin, "tag=site") == ["web-02"]
    for wrong in (["=x"], ["a b"], ["x" * 64], ["a=" + "x" * 201]):
        assert (await as_admin.put(path, json={"tags": wrong})).status == 400
    status, _, _ = await posted(as_admin, f"/hosts/{made['web-01'].uuid}/cell/tags", {"tags": "role=edge, blue"})
    assert status == 303
    assert (await (await as_admin.get(path)).json())["tags"] == {"blue": "", "role": "edge"}
