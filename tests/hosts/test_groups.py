"""Host groups: their pages, their doors, and what may not be done with them."""

from typing import Any

import pytest

from server.core.call import Call
from tests.factories.hosts import Browser, added
from tests.factories.people import role_with, sign_in_as
from tests.hosts.test_people import group, page, posted

PAGES = ("/settings/host-groups", "/options")


@pytest.mark.parametrize("home", PAGES)
@pytest.mark.proves("INV-110", "INV-111")
async def test_a_group_is_made_and_changed_on_its_pages(as_admin: Browser, call: Call, home: str) -> None:
    assert "Create Host Group" in await page(as_admin, f"{home}?new=1")
    status, _, location = await posted(as_admin, home, {"name": "web", "description": "Front ends"})
    assert (status, location) == (303, home)
    text = await page(as_admin, home)
    assert "Front ends" in text
    assert ">0 hosts</a>" in text
    assert 'fill="#3B82F6"' in text
    uuid = await call.db.value("select uuid from host_groups")
    assert "Edit Host Group" in await page(as_admin, f"{home}?edit={uuid}")
    changed = {"name": "edge", "description": "", "color": "#ff0000"}
    status, _, _ = await posted(as_admin, f"{home}/{uuid}", changed)
    assert status == 303
    text = await page(as_admin, home)
    assert 'fill="#ff0000"' in text
    assert "edge" in text
    for wrong, said in (
        ({"name": "", "color": "#ff0000"}, 'name="name"'),
        ({"name": "x", "color": "red"}, "Color"),
        ({"name": "x" * 101, "color": "#ff0000"}, "Name"),
    ):
        status, text, _ = await posted(as_admin, f"{home}/{uuid}", wrong)
        assert status == 400
        assert said in text


@pytest.mark.proves("INV-113", "INV-118", "INV-117")
async def test_a_changed_group_is_seen_everywhere(as_admin: Browser, call: Call) -> None:
    web = await group(as_admin, "web")
    made = await added(call, "web-01", group_ids=(web["id"],))
    body = {"name": "edge", "description": "Front ends", "color": "#123456"}
    answer = await as_admin.put(f"/api/v1/host-groups/{web['id']}", json=body)
    assert answer.status == 200
    assert (await answer.json())["name"] == "edge"
    text = await page(as_admin, "/hosts")
    assert f'href="/hosts?group={web["id"]}" title="Front ends"' in text
    assert 'fill="#123456"' in text
    assert f'href="/hosts?group={web["id"]}"' in await page(as_admin, f"/hosts/{made.uuid}")
    host = await (await as_admin.get(f"/api/v1/hosts/{made.uuid}")).json()
    assert host["host_groups"] == [{"id": web["id"], "name": "edge", "color": "#123456"}]


@pytest.mark.proves("INV-114", "INV-115", "A-8")
async def test_a_group_with_hosts_is_not_deleted(as_admin: Browser, call: Call) -> None:
    web = await group(as_admin, "web")
    made = await added(call, "web-01", group_ids=(web["id"],))
    answer = await as_admin.delete(f"/api/v1/host-groups/{web['id']}")
    assert answer.status == 400
    assert (await answer.json())["error"] == "This group still has hosts: web-01"
    text = await page(as_admin, f"/options?delete={web['id']}")
    assert f'href="/hosts/{made.uuid}"' in text
    assert "disabled>Delete Group" in text
    status, text, _ = await posted(as_admin, f"/options/{web['id']}/delete", {})
    assert status == 400
    assert "web-01" in text
    members = await (await as_admin.get(f"/api/v1/host-groups/{web['id']}/hosts")).json()
    assert [one["friendly_name"] for one in members] == ["web-01"]
    await as_admin.put(f"/api/v1/hosts/{made.uuid}/groups", json={"groupIds": []})
    status, _, location = await posted(as_admin, f"/options/{web['id']}/delete", {})
    assert (status, location) == (303, "/options")
    assert await call.db.value("select count(*) from host_groups") == 0
    assert await call.db.value("select count(*) from hosts") == 1
    assert "web-01" in await page(as_admin, "/hosts?group=none")


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_an_unknown_group(as_admin: Browser, method: str) -> None:
    body: Any = {"name": "x"}
    for uuid in ("nonsense", "00000000-0000-0000-0000-000000000000"):
        answer = await as_admin.request(method, f"/api/v1/host-groups/{uuid}", json=body)
        assert answer.status == 404
    first = await group(as_admin, "one")
    await group(as_admin, "two")
    answer = await as_admin.put(f"/api/v1/host-groups/{first['id']}", json={"name": "TWO"})
    assert answer.status == 400
    assert await answer.json() == {"error": "A host group with this name already exists"}


@pytest.mark.proves("INV-05", "A-1")
async def test_either_permission_is_enough_for_groups(client: Browser, call: Call) -> None:
    await role_with(call, "settler", "can_manage_settings")
    await role_with(call, "keeper", "can_manage_hosts", "can_view_hosts")
    for role in ("settler", "keeper"):
        client.session.cookie_jar.clear()
        await sign_in_as(client, call, role)
        answer = await client.post("/api/v1/host-groups", json={"name": role})
        assert answer.status == 201
        for home in PAGES:
            assert role in await page(client, home)
    client.session.cookie_jar.clear()
    await sign_in_as(client, call, "readonly")
    assert (await client.get("/options")).status == 403
    assert (await client.post("/api/v1/host-groups", json={"name": "x"})).status == 403
