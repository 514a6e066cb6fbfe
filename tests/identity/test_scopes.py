"""People who are limited to host groups see and change the hosts in them, and nothing tells them of others."""

import asyncio
from typing import Any

import pytest

from server.core.call import Call
from server.identity import scopes
from tests.conftest import Browser
from tests.factories.people import HTML, bearer, person, post_form, role_with, sign_in, sign_in_as
from tests.factories.scopes import Fleet, fleet, limited, program_of

NOBODYS = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
async def placed(call: Call) -> Fleet:
    return await fleet(call)


async def ask(
    client: Browser, headers: dict[str, Any], path: str, method: str = "GET", body: Any = None, status: int = 200
) -> Any:
    answer = await client.request(method, f"/api/v1{path}", json=body, headers=headers)
    assert answer.status == status, f"{method} {path}: {answer.status} {await answer.text()}"
    return await answer.json()


async def shown(client: Browser, path: str) -> str:
    answer = await client.get(path, headers=HTML)
    assert answer.status == 200, path
    return await answer.text()


async def boss_of(client: Browser, call: Call) -> dict[str, Any]:
    """Headers of a signed-in administrator: tokens change no roles."""
    opened = await sign_in(client, (await person(call, "superadmin")).username)
    return {"Authorization": f"Bearer {opened['token']}"}


def names(hosts: list[dict[str, Any]]) -> set[str]:
    return {host["friendly_name"] for host in hosts}


async def test_lists_counts_and_picks_hold_only_the_hosts_of_ones_groups(
    client: Browser, call: Call, placed: Fleet
) -> None:
    mine = await program_of(call, await limited(call, placed.north))
    assert names(await ask(client, mine, "/hosts")) == {"inside", "both"}
    assert names(await ask(client, mine, "/hosts/options")) == {"inside", "both"}
    paged = await ask(client, mine, "/hosts/admin/list?pageSize=1")
    assert paged["pagination"]["total"] == 2
    assert len(paged["data"]) == 1
    everything = await bearer(call)
    assert names(await ask(client, everything, "/hosts")) == {"inside", "outside", "both", "alone"}


async def test_pages_say_nothing_of_other_hosts_and_groups(client: Browser, call: Call, placed: Fleet) -> None:
    user = await limited(call, placed.north)
    await sign_in(client, user.username)
    for page in ("/hosts", "/hosts?search=out", "/hosts/new", f"/hosts/{placed.both}", "/playbooks/ping/launch"):
        text = await shown(client, page)
        assert "outside" not in text, page
        assert "alone" not in text, page
        assert "south" not in text, page
    # A filter by a group one does not see answers as for a group that does not exist.
    assert "both" not in await shown(client, f"/hosts?group={placed.south}")
    assert "both" in await shown(client, f"/hosts?group={placed.north}")
    overview = await shown(client, "/")
    assert "Overview" in overview


async def test_the_overview_counts_only_ones_own_hosts(client: Browser, call: Call, placed: Fleet) -> None:
    await call.db.execute("update hosts set needs_reboot = true")
    for groups, expected in ((placed.north,), 2), ((), 0), ((placed.north, placed.south), 3):
        user = await limited(call, *groups)
        await sign_in(client, user.username)
        text = " ".join((await shown(client, "/hosts?state=reboot")).split())
        assert f'page-count">{expected}<' in text, groups


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/hosts/{host}", None),
        ("DELETE", "/hosts/{host}", None),
        ("PUT", "/hosts/{host}/groups", {"groupIds": []}),
        ("POST", "/hosts/{host}/regenerate-credentials", None),
    ],
)
async def test_a_host_outside_is_not_found(
    client: Browser, call: Call, placed: Fleet, method: str, path: str, body: Any
) -> None:
    mine = await program_of(call, await limited(call, placed.north))
    outside = await ask(client, mine, path.format(host=placed.outside), method, body, 404)
    unknown = await ask(client, mine, path.format(host=NOBODYS), method, body, 404)
    assert outside == unknown
    assert await call.db.value("select count(*) from hosts") == 4


@pytest.mark.parametrize("tab", ["", "/system", "/network", "/packages", "/repositories", "/jobs", "/connect"])
async def test_the_pages_of_a_host_outside_do_not_exist(client: Browser, call: Call, placed: Fleet, tab: str) -> None:
    user = await limited(call, placed.north)
    await sign_in(client, user.username)
    assert (await client.get(f"/hosts/{placed.inside}{tab}", headers=HTML)).status == 200
    assert (await client.get(f"/hosts/{placed.outside}{tab}", headers=HTML)).status == 404


async def test_forms_change_no_host_outside(client: Browser, call: Call, placed: Fleet) -> None:
    user = await limited(call, placed.north)
    await sign_in(client, user.username)
    for what in ("delete", "credentials"):
        answer = await post_form(client, "/hosts/new", f"/hosts/{placed.outside}/{what}")
        assert answer.status == 404
    assert (await post_form(client, "/hosts/new", f"/hosts/{placed.inside}/delete")).status == 303


async def test_connections_of_hosts_outside_are_not_told(client: Browser, call: Call, placed: Fleet) -> None:
    rows = await call.db.all("select uuid, api_id from hosts")
    ids = {row["uuid"]: row["api_id"] for row in rows}
    mine = await program_of(call, await limited(call, placed.north))
    found = await ask(client, mine, f"/ws/status?apiIds={ids[placed.inside]},{ids[placed.outside]}")
    assert set(found["data"]) == {ids[placed.inside]}
    await ask(client, mine, f"/ws/status/{ids[placed.outside]}", status=404)
    await call.db.execute("update hosts set last_connected_at = now()")
    assert await ask(client, mine, "/ws/status/summary") == {"connected": 2}


async def test_groups_one_does_not_see_do_not_exist(client: Browser, call: Call, placed: Fleet) -> None:
    mine = await program_of(call, await limited(call, placed.north))
    assert [one["name"] for one in await ask(client, mine, "/host-groups")] == ["north"]
    await ask(client, mine, f"/host-groups/{placed.south}", status=404)
    await ask(client, mine, "/host-groups", "POST", {"name": "west"}, 403)
    shown_groups = (await ask(client, mine, f"/hosts/{placed.both}"))["host_groups"]
    assert [one["name"] for one in shown_groups] == ["north"]


async def test_a_new_host_stands_in_a_group_of_whoever_adds_it(client: Browser, call: Call, placed: Fleet) -> None:
    mine = await program_of(call, await limited(call, placed.north))
    made = await ask(client, mine, "/hosts", "POST", {"friendly_name": "new"}, 201)
    assert [one["name"] for one in made["hostGroups"]] == ["north"]
    await ask(client, mine, f"/hosts/{made['id']}")
    order = {"friendly_name": "other", "hostGroupIds": [placed.south]}
    assert (await ask(client, mine, "/hosts", "POST", order, 400))["error"] == "One or more host groups not found"
    of_two = await program_of(call, await limited(call, placed.north, placed.south))
    refused = await ask(client, of_two, "/hosts", "POST", {"friendly_name": "where"}, 400)
    assert "choose at least one" in refused["error"]
    blind = await program_of(call, await limited(call))
    await ask(client, blind, "/hosts", "POST", {"friendly_name": "nowhere"}, 400)
    assert await call.db.value("select count(*) from hosts") == 5


async def test_nobody_moves_a_host_out_of_their_own_sight(client: Browser, call: Call, placed: Fleet) -> None:
    mine = await program_of(call, await limited(call, placed.north))
    path = f"/hosts/{placed.both}/groups"
    assert "choose at least one" in (await ask(client, mine, path, "PUT", {"groupIds": []}, 400))["error"]
    await ask(client, mine, path, "PUT", {"groupIds": [placed.south]}, 400)
    # The group one does not see stays, whatever one chooses.
    await ask(client, mine, path, "PUT", {"groupIds": [placed.north]})
    everything = await bearer(call)
    kept = (await ask(client, everything, f"/hosts/{placed.both}"))["host_groups"]
    assert [one["name"] for one in kept] == ["north", "south"]


async def test_limits_of_role_and_account_leave_what_they_have_in_common(
    client: Browser, call: Call, placed: Fleet
) -> None:
    await role_with(call, "crew", "can_view_hosts")
    await scopes.limit_role(call, "crew", [placed.north, placed.south])
    by_role = await person(call, "crew")
    program = await program_of(call, by_role)
    assert names(await ask(client, program, "/hosts")) == {"inside", "outside", "both"}
    await scopes.limit_user(call, by_role.id, [placed.south])
    assert names(await ask(client, program, "/hosts")) == {"outside", "both"}
    await scopes.limit_role(call, "crew", [placed.north])
    assert names(await ask(client, program, "/hosts")) == set()
    await scopes.limit_user(call, by_role.id, None)
    assert names(await ask(client, program, "/hosts")) == {"inside", "both"}


async def test_a_group_that_is_removed_shows_nobody_more(client: Browser, call: Call, placed: Fleet) -> None:
    program = await program_of(call, await limited(call, placed.north))
    await call.db.execute("delete from host_group_members")
    await call.db.execute("delete from host_groups where uuid = %(uuid)s", uuid=placed.north)
    assert await ask(client, program, "/hosts") == []


async def test_administrators_are_not_limited_by_their_role(client: Browser, call: Call, placed: Fleet) -> None:
    everything = await boss_of(client, call)
    path = "/permissions/roles/admin/host-groups"
    assert (await ask(client, everything, path, "PUT", {"host_groups": []}, 403))["code"] == "role_locked"
    path = "/permissions/roles/readonly/host-groups"
    await ask(client, everything, path, "PUT", {"host_groups": [placed.north]})
    assert (await ask(client, everything, path))["host_groups"] == [placed.north]
    boss = await person(call, "superadmin")
    path = f"/auth/admin/users/{boss.id}/host-groups"
    await ask(client, everything, path, "PUT", {"host_groups": [placed.north]}, 400)
    # Written past the door, it still holds for nobody.
    for table in ("users", "role_permissions"):
        await call.db.execute(f"update {table} set limited_to_groups = true")
    assert len(await ask(client, everything, "/hosts")) == 4


async def test_who_is_limited_holds_no_permission_over_the_whole_server(
    client: Browser, call: Call, placed: Fleet
) -> None:
    manager = await limited(call, placed.north, role="admin")
    await sign_in(client, manager.username)
    for page in ("/settings/environment", "/settings/roles", "/audit", "/settings/users/registration"):
        answer = await client.request("GET" if "reg" not in page else "POST", page, headers=HTML)
        assert answer.status == 403, page
    assert (await client.get("/settings/users", headers=HTML)).status == 200
    mine = await program_of(call, manager)
    flags = await ask(client, mine, "/permissions/user-permissions")
    assert flags["can_manage_users"] is True
    assert flags["can_manage_settings"] is False


async def test_who_is_limited_manages_only_who_reaches_no_further(client: Browser, call: Call, placed: Fleet) -> None:
    mine = await program_of(call, await limited(call, placed.north, role="admin"))
    body = {"username": "recruit", "email": "r@example.com", "password": "Correct-Horse-7", "role": "readonly"}
    made = await ask(client, mine, "/auth/admin/users", "POST", body, 201)
    user_id = made["user"]["id"]
    limits = await ask(client, mine, f"/auth/admin/users/{user_id}/host-groups")
    assert limits["host_groups"] == [placed.north]
    path = f"/auth/admin/users/{user_id}/host-groups"
    assert (await ask(client, mine, path, "PUT", {"host_groups": None}, 403))["code"] == "beyond_your_groups"
    await ask(client, mine, path, "PUT", {"host_groups": [placed.south]}, 400)
    await ask(client, mine, path, "PUT", {"host_groups": []})
    await ask(client, mine, path, "PUT", {"host_groups": [placed.north]})
    wide = await person(call, "readonly")
    wide_path = f"/auth/admin/users/{wide.id}"
    for method, tail, sent in (
        ("PUT", "", {"first_name": "X"}),
        ("DELETE", "", None),
        ("POST", "/reset-password", {"newPassword": "Another-Horse-8"}),
        ("PUT", "/host-groups", {"host_groups": [placed.north]}),
    ):
        refused = await ask(client, mine, wide_path + tail, method, sent, 403)
        assert refused["code"] == "beyond_your_groups", method


async def test_the_list_of_people_offers_only_whom_one_may_change(client: Browser, call: Call, placed: Fleet) -> None:
    wide, near = await person(call, "readonly"), await limited(call, placed.north, role="readonly")
    await sign_in(client, (await limited(call, placed.north, role="admin")).username)
    text = await shown(client, "/settings/users")
    assert f'href="/settings/users/{near.id}"' in text
    assert f'href="/settings/users/{wide.id}"' not in text
    assert wide.username in text


async def test_nobody_lifts_their_own_limit(client: Browser, call: Call, placed: Fleet) -> None:
    manager = await limited(call, placed.north, role="admin")
    mine = await program_of(call, manager)
    path = f"/auth/admin/users/{manager.id}/host-groups"
    assert (await ask(client, mine, path, "PUT", {"host_groups": None}, 403))["code"] == "own_limits"


async def test_another_role_does_not_widen_beyond_the_manager(client: Browser, call: Call, placed: Fleet) -> None:
    await role_with(call, "crew", "can_view_hosts")
    await scopes.limit_role(call, "crew", [placed.north])
    member = await person(call, "crew")
    mine = await program_of(call, await limited(call, placed.north, role="admin"))
    path = f"/auth/admin/users/{member.id}"
    assert (await ask(client, mine, path, "PUT", {"role": "readonly"}, 403))["code"] == "beyond_your_groups"
    assert (await ask(client, await bearer(call), path, "PUT", {"role": "readonly"}))["user"]["role"] == "readonly"


async def test_a_limit_is_audited_with_what_was_before(client: Browser, call: Call, placed: Fleet) -> None:
    user = await person(call, "readonly")
    everything = await boss_of(client, call)
    path = f"/auth/admin/users/{user.id}/host-groups"
    await ask(client, everything, path, "PUT", {"host_groups": [placed.north]})
    await ask(client, everything, path, "PUT", {"host_groups": [placed.south, placed.north]})
    await ask(client, everything, "/permissions/roles/user/host-groups", "PUT", {"host_groups": []})
    found = await ask(client, everything, "/audit?action=identity.user_limits_changed")
    assert [entry["detail"]["host_groups"] for entry in found["entries"]] == [
        {"before": ["north"], "after": ["north", "south"]},
        {"before": "all hosts", "after": ["north"]},
    ]
    of_role = await ask(client, everything, "/audit?action=identity.role_limits_changed")
    assert of_role["entries"][0]["detail"]["host_groups"] == {"before": "all hosts", "after": []}


@pytest.mark.parametrize("groups", [["nonsense"], [NOBODYS], ["'; drop table hosts; --"], ["\x00"]])
async def test_groups_that_do_not_exist_limit_nobody(client: Browser, call: Call, groups: list[str]) -> None:
    user = await person(call, "readonly")
    path = f"/auth/admin/users/{user.id}/host-groups"
    await ask(client, await bearer(call), path, "PUT", {"host_groups": groups}, 400)
    assert (await scopes.of_user(call, user.id)).user_groups is None


async def test_choosing_groups_by_the_forms(client: Browser, call: Call, placed: Fleet) -> None:
    await sign_in_as(client, call, "superadmin")
    user = await person(call, "readonly")
    page = f"/settings/users/{user.id}"
    answer = await post_form(client, page, f"{page}/groups", {"limited": "true", "groups[]": placed.north})
    assert answer.status == 303
    assert (await scopes.of_user(call, user.id)).user_groups == [placed.north]
    text = await shown(client, page)
    assert text.count("checked") >= 2
    assert (await post_form(client, page, f"{page}/groups", {"limited": "false"})).status == 303
    assert (await scopes.of_user(call, user.id)).user_groups is None
    refused = await post_form(client, page, f"{page}/groups", {"limited": "true", "groups[]": NOBODYS})
    assert refused.status == 400
    assert "must be host groups that exist" in await refused.text()
    roles = "/settings/roles/user/groups"
    assert (await post_form(client, roles, roles, {"limited": "true", "groups[]": placed.south})).status == 303
    assert await scopes.of_role(call, "user") == [placed.south]
    assert "1 group" in await shown(client, "/settings/roles")


async def test_two_limits_at_the_same_moment_leave_one_of_them(client: Browser, call: Call, placed: Fleet) -> None:
    user = await person(call, "readonly")
    headers = await bearer(call)
    path = f"/auth/admin/users/{user.id}/host-groups"
    wanted = [[placed.north], [placed.south]] * 4
    await asyncio.gather(*(ask(client, headers, path, "PUT", {"host_groups": one}) for one in wanted))
    assert (await scopes.of_user(call, user.id)).user_groups in ([placed.north], [placed.south])
