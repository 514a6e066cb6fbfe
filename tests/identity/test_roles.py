"""Roles of one's own: who may make them, what may be in them, and that a change holds at once."""

from dataclasses import replace
from typing import Any

import pytest

from server.core.call import Call
from server.core.env import Env
from server.core.secretbox import Secret
from server.identity.permissions import KEYS
from tests.conftest import Browser
from tests.factories.people import HTML, bearer, person, post_form, role_with, sign_in, sign_in_as

ROLES = "/api/v1/permissions/roles"


async def said(client: Browser, method: str, path: str, body: object = None) -> tuple[int, Any]:
    answer = await client.request(method, path, json=body)
    return answer.status, await answer.json()


@pytest.mark.proves("ROLE-01", "ROLE-02", "SET-05")
async def test_built_in_roles_stay_and_only_two_can_be_changed(as_admin: Browser) -> None:
    for role in ("superadmin", "admin", "user"):
        status, body = await said(as_admin, "PUT", f"{ROLES}/{role}", {"can_manage_hosts": True})
        assert (status, body["error"]) == (403, "Cannot modify built-in role permissions"), role
    for role in ("superadmin", "admin", "user", "host_manager", "readonly"):
        assert (await said(as_admin, "DELETE", f"{ROLES}/{role}"))[0] == 403
    status, body = await said(as_admin, "PUT", f"{ROLES}/readonly", {"can_export_data": True})
    assert (status, body["permissions"]["can_export_data"], body["permissions"]["can_view_hosts"]) == (200, True, True)
    assert sum(value is True for key, value in body["permissions"].items() if key in KEYS) == 6
    _, body = await said(as_admin, "GET", f"{ROLES}/readonly")
    assert body["can_export_data"] is True


async def test_a_role_of_ones_own_holds_from_the_next_call(as_admin: Browser, client: Browser, call: Call) -> None:
    assert (await said(as_admin, "PUT", f"{ROLES}/watcher", {"can_view_hosts": True}))[0] == 200
    await sign_in(client, (await person(call, "watcher")).username)
    users = "/api/v1/auth/admin/users"
    assert (await said(client, "GET", users))[0] == 403
    assert (await said(as_admin, "PUT", f"{ROLES}/watcher", {"can_view_users": True}))[0] == 200
    assert (await said(client, "GET", users))[0] == 200
    assert (await said(as_admin, "PUT", f"{ROLES}/watcher", {"can_view_users": False}))[0] == 200
    assert (await said(client, "GET", users))[0] == 403


@pytest.mark.proves("ROLE-09")
async def test_a_role_goes_only_when_nobody_has_it(as_admin: Browser, call: Call) -> None:
    await role_with(call, "watcher", "can_view_hosts")
    user = await person(call, "watcher")
    status, body = await said(as_admin, "DELETE", f"{ROLES}/watcher")
    assert (status, body["error"]) == (409, "Cannot delete role: users are assigned to it")
    assert (await said(as_admin, "DELETE", f"/api/v1/auth/admin/users/{user.id}"))[0] == 200
    assert (await said(as_admin, "DELETE", f"{ROLES}/watcher"))[0] == 200
    assert (await said(as_admin, "GET", f"{ROLES}/watcher"))[0] == 404


async def test_names_and_bodies_that_cannot_be(as_admin: Browser) -> None:
    for name in ("A", "Big", "1st", "with-dash", "x" * 51, "ü"):
        assert (await said(as_admin, "PUT", f"{ROLES}/{name}", {}))[0] == 400, name
    odd: tuple[Any, ...] = ([], "x", {"can_view_hosts": "yes"})
    for body in odd:
        assert (await said(as_admin, "PUT", f"{ROLES}/fine", body))[0] == 400, body
    assert (await said(as_admin, "GET", f"{ROLES}/fine"))[0] == 404


async def test_nobody_puts_more_into_a_role_than_they_may_pass_on(client: Browser, call: Call) -> None:
    await role_with(call, "keeper", "can_manage_settings")
    await sign_in_as(client, call, "keeper")
    assert (await said(client, "PUT", f"{ROLES}/keeper", {"can_manage_users": True}))[0] == 403
    assert (await said(client, "PUT", f"{ROLES}/crew", {"can_manage_patching": True}))[0] == 200
    await sign_in_as(client, call, "admin")
    assert (await said(client, "PUT", f"{ROLES}/crew", {"can_manage_superusers": True}))[0] == 403
    assert (await said(client, "PUT", f"{ROLES}/crew", {"can_manage_users": True}))[0] == 200
    await sign_in_as(client, call, "superadmin")
    assert (await said(client, "PUT", f"{ROLES}/crew", {"can_manage_superusers": True}))[0] == 200
    client.session.cookie_jar.clear()
    answer = await client.put(f"{ROLES}/crew", json={}, headers=await bearer(call))
    assert answer.status == 403, "a token changes no roles"


@pytest.mark.proves("ROLE-08", "ROLE-16", "SET-05")
async def test_the_page_shows_and_changes_them(as_admin: Browser, call: Call) -> None:
    page = await (await as_admin.get("/settings/roles", headers=HTML)).text()
    for total in (20, 19, 13, 6, 5):
        assert f"{total}/20" in page
    assert "edit=readonly" in page
    assert "edit=user" not in page
    preset = await (await as_admin.get("/settings/roles?new=1&preset=operator", headers=HTML)).text()
    assert "data-permission-count>13</span>/20 permissions selected" in preset
    new = "/settings/roles?new=1"
    bad = await post_form(as_admin, new, "/settings/roles", {"role": "Patch Crew", "permissions[]": "can_view_hosts"})
    assert (bad.status, "must have 2 to 50 lowercase" in await bad.text()) == (400, True)
    made = await post_form(as_admin, new, "/settings/roles", {"role": "crew", "permissions[]": "can_view_hosts"})
    assert made.headers["Location"] == "/settings/roles"
    twice = await post_form(as_admin, new, "/settings/roles", {"role": "crew"})
    assert twice.status == 409
    edit = "/settings/roles?edit=crew"
    assert (
        await post_form(as_admin, edit, "/settings/roles/crew", {"permissions[]": "can_view_reports"})
    ).status == 303
    stored = await call.db.value("select permissions from role_permissions where role = 'crew'")
    assert stored == ["can_view_reports"]
    await person(call, "crew")
    kept = await post_form(as_admin, edit, "/settings/roles/crew/delete")
    assert (kept.status, "users are assigned to it" in await kept.text()) == (409, True)
    await call.db.execute("delete from users where role = 'crew'")
    assert (await post_form(as_admin, edit, "/settings/roles/crew/delete")).status == 303


class TestWithoutTheModule:
    @pytest.fixture
    def env(self, env: Env) -> Env:
        return replace(env, given=Secret({"PATCHMON_DISABLED_MODULES": "rbac_custom"}))

    @pytest.mark.proves("ROLE-05")
    async def test_the_page_says_so_and_the_doors_are_closed(self, as_admin: Browser) -> None:
        page = await (await as_admin.get("/settings/roles", headers=HTML)).text()
        assert "Not Available" in page
        assert "Add Role" not in page
        status, body = await said(as_admin, "PUT", f"{ROLES}/crew", {})
        assert (status, body["code"]) == (403, "module_not_available")
