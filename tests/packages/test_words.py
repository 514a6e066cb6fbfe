"""Who may see packages at all, and who may say what about them."""

import pytest

from server.core.call import Call
from tests.factories import scopes
from tests.factories.hosts import Browser, enrolled, full_report, package
from tests.factories.people import bearer, role_with
from tests.hosts.test_people import page, posted


async def key_of(call: Call, name: str) -> str:
    return str(await call.db.value("select id from packages where name = %(name)s", name=name))


@pytest.mark.proves("INV-02")
async def test_packages_are_for_who_may_see_them(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    await agent.update(full_report([package("openssl", "1", "2")]))
    key = await key_of(call, "openssl")
    host = await call.db.value("select uuid from hosts")
    await role_with(call, "watcher", "can_view_hosts")
    await role_with(call, "reader", "can_view_hosts", "can_view_packages")
    watcher, reader = await bearer(call, "watcher"), await bearer(call, "reader")
    for path in ("/api/v1/packages", f"/api/v1/packages/{key}", f"/api/v1/packages/{key}/hosts", "/packages",
                 f"/packages/{key}", f"/packages/{key}/activity", f"/hosts/{host}/packages",
                 f"/hosts/{host}/reports"):  # fmt: skip
        assert (await client.get(path, headers=watcher)).status == 403, path
        assert (await client.get(path, headers=reader)).status == 200, path
        assert (await client.get(path, headers={"Accept": "application/json"})).status == 401, path


@pytest.mark.proves("INV-06", "A-2")
async def test_what_is_said_of_a_package_outlives_reports(as_admin: Browser, client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    await agent.update(full_report([package("openssl", "1", "2", description="As reported", category="libs")]))
    key = await key_of(call, "openssl")
    path = f"/api/v1/packages/{key}"
    answer = await as_admin.patch(path, json={"description": " Keys and certificates ", "category": "crypto"})
    assert (answer.status, await answer.json()) == (
        200, {"id": key, "name": "openssl", "description": "Keys and certificates", "category": "crypto"},
    )  # fmt: skip
    await agent.update(full_report([package("openssl", "2", description="As reported", category="libs")]))
    text = await page(as_admin, f"/packages/{key}")
    assert "Keys and certificates" in text
    assert f'href="/packages/{key}/edit"' in text
    found = await (await as_admin.get("/api/v1/packages?category=crypto")).json()
    assert [one["name"] for one in found["packages"]] == ["openssl"]
    # Where nothing is said, the next report says it again.
    status, _, location = await posted(as_admin, f"/packages/{key}/edit", {})
    assert (status, location) == (303, f"/packages/{key}")
    await agent.update(full_report([package("openssl", "3", description="As reported", category="libs")]))
    assert "As reported" in await page(as_admin, f"/packages/{key}")
    actions = await call.db.column("select action from audit_log where action like 'packages.%%'")
    assert actions == ["packages.package_changed"] * 2


async def test_a_form_with_too_long_words_keeps_them(as_admin: Browser, client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    await agent.update(full_report([package("openssl")]))
    key = await key_of(call, "openssl")
    status, text, _ = await posted(as_admin, f"/packages/{key}/edit", {"category": "x" * 101})
    assert status == 400
    assert "x" * 101 in text
    assert (await as_admin.patch(f"/api/v1/packages/{key}", json={"category": 7})).status == 400
    assert (await as_admin.patch("/api/v1/packages/99999", json={})).status == 404


@pytest.mark.proves("INV-06")
async def test_it_needs_its_permission_and_the_whole_fleet(client: Browser, call: Call) -> None:
    group = await scopes.group(call, "web")
    agent = await enrolled(call, client, group_ids=(group,))
    await agent.update(full_report([package("openssl")]))
    path = f"/api/v1/packages/{await key_of(call, 'openssl')}"
    await role_with(call, "reader", "can_view_hosts", "can_view_packages")
    await role_with(call, "keeper", "can_view_packages", "can_manage_packages")
    for role, status in (("reader", 403), ("keeper", 200)):
        answer = await client.patch(path, json={"category": "x"}, headers=await bearer(call, role))
        assert answer.status == status, role
    part = await scopes.program_of(call, await scopes.limited(call, group))
    refused = await client.patch(path, json={"category": "y"}, headers=part)
    assert refused.status == 403
    assert (await refused.json())["code"] == "whole_fleet_only"
