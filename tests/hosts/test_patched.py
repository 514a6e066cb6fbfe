"""How freshly hosts are patched, on the list, on their pages and for programs."""

from datetime import timedelta

import pytest

from server.core.call import Call
from server.hosts import service as hosts
from server.hosts.models import NewHost
from tests.conftest import Browser
from tests.factories.hosts import alike
from tests.factories.people import HTML, bearer, role_with, sign_in_as

LATE = "Checking in is not patching"


@pytest.fixture
async def fleet(call: Call) -> dict[str, str]:
    """Hosts of every kind, by name; their UUIDs."""
    made = {name: await hosts.create(call, NewHost(name)) for name in ("fresh", "old", "never", "failing", "new")}
    await call.db.execute("update hosts set status = 'active', last_update = now() where friendly_name <> 'new'")
    await call.db.execute(
        "insert into host_patching (host_id, last_success_at, last_status, consecutive_failures, cause, last_error)"
        " select id, case friendly_name when 'old' then %(old)s when 'failing' then %(lately)s else %(now)s end,"
        " case friendly_name when 'failing' then 'failed' else 'completed' end,"
        " case friendly_name when 'failing' then 2 else 0 end,"
        " case friendly_name when 'failing' then 'Disk full' else '' end,"
        " case friendly_name when 'failing' then 'The disk of the host is full' else '' end"
        " from hosts where friendly_name in ('fresh', 'old', 'failing')",
        old=call.now - timedelta(days=45),
        lately=call.now - timedelta(days=10),
        now=call.now,
    )
    await call.db.execute("update hosts set unfinished_packages = '{nginx,libc6}' where friendly_name = 'fresh'")
    return {name: one.uuid for name, one in made.items()}


async def names(client: Browser, query: str) -> list[str]:
    answer = await client.get(f"/api/v1/dashboard/hosts?{query}")
    assert answer.status == 200, await answer.text()
    return [one["friendly_name"] for one in await answer.json()]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("filter=patchStale", ["old"]),
        ("filter=patchNever", ["never"]),
        ("filter=patchFailing", ["failing"]),
        ("filter=unfinished", ["fresh"]),
        ("unpatched_days=9", ["failing", "old"]),
        ("unpatched_days=60", []),
        ("filter=patchStale&unpatched_days=50", []),
        ("sort=patched&order=asc", ["never", "new", "old", "failing", "fresh"]),
        ("sort=patched&order=desc", ["fresh", "failing", "old", "never", "new"]),
    ],
)
@pytest.mark.usefixtures("fleet")
async def test_the_list_finds_who_needs_patching(as_admin: Browser, query: str, found: list[str]) -> None:
    assert await names(as_admin, query) == found


async def test_a_host_that_was_never_patched_becomes_stale_with_time(
    as_admin: Browser, call: Call, fleet: dict[str, str]
) -> None:
    await call.db.execute("update hosts set created_at = created_at - interval '31 days'")
    # What never joined is nobody's to patch.
    assert await names(as_admin, "filter=patchStale") == ["never", "old"]
    assert fleet["new"] != fleet["never"]


async def test_programs_are_told_the_same_by_every_door(as_admin: Browser, fleet: dict[str, str]) -> None:
    expected = {"last_patch_status": "failed", "patch_failures": 2, "patch_failure_cause": "Disk full"}
    whole = {one["id"]: one for one in await (await as_admin.get("/api/v1/dashboard/hosts")).json()}
    part = await (await as_admin.get("/api/v1/dashboard/hosts?limit=200")).json()
    one = await (await as_admin.get(f"/api/v1/hosts/{fleet['failing']}")).json()
    for told in (whole[fleet["failing"]], {row["id"]: row for row in part["items"]}[fleet["failing"]], one):
        assert {key: told[key] for key in expected} == expected
        assert told["last_patched_at"] is not None
    assert alike(whole.values()) == alike(part["items"])
    assert whole[fleet["fresh"]]["unfinished_packages"] == ["nginx", "libc6"]
    assert whole[fleet["old"]]["patch_stale"] is True
    csv = await (await as_admin.get("/api/v1/hosts/export.csv?filter=patchFailing")).text()
    assert "last_patched_at" in csv
    assert "Disk full" in csv


async def test_the_pages_say_it_in_words_and_offer_the_repair(as_admin: Browser, fleet: dict[str, str]) -> None:
    listed = await (await as_admin.get("/hosts", headers=HTML)).text()
    for words in ("failed 2", "interrupted", "stale"):
        assert words in listed
    assert LATE in await (await as_admin.get("/hosts?filter=patchStale", headers=HTML)).text()
    failing = await (await as_admin.get(f"/hosts/{fleet['failing']}", headers=HTML)).text()
    assert "Patching failed 2 times in a row: Disk full" in failing
    assert "The disk of the host is full" in failing
    half = await (await as_admin.get(f"/hosts/{fleet['fresh']}", headers=HTML)).text()
    assert "nginx, libc6" in half
    repair = f"/playbooks/repair/launch?hosts={fleet['fresh']}"
    assert repair in half
    assert (await as_admin.get(repair, headers=HTML)).status == 200
    assert "Never patched" not in await (await as_admin.get(f"/hosts/{fleet['never']}", headers=HTML)).text()


async def test_who_only_looks_is_offered_no_repair(client: Browser, call: Call, fleet: dict[str, str]) -> None:
    await sign_in_as(client, call, "readonly")
    page = await (await client.get(f"/hosts/{fleet['fresh']}", headers=HTML)).text()
    assert "nginx, libc6" in page
    assert "/playbooks/repair" not in page


async def test_who_patches_may_repair_without_being_trusted_with_every_playbook(
    client: Browser, call: Call, fleet: dict[str, str]
) -> None:
    await role_with(call, "patcher", "can_view_hosts", "can_manage_patching")
    headers = await bearer(call, "patcher")
    for playbook, status in (("repair", 201), ("ping", 403)):
        body = {"playbook": playbook, "hosts": [fleet["fresh"]], "check": True}
        answer = await client.post("/api/v1/jobs", headers=headers, json=body)
        assert answer.status == status, await answer.text()
