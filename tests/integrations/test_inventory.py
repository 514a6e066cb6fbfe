"""The inventory in one answer: what it holds, what narrows it, and how it is paged."""

from typing import Any

import pytest

from server.core.call import Call
from tests.conftest import Browser
from tests.factories.hosts import added
from tests.integrations.conftest import Maker, said
from tests.integrations.test_api import reporting


@pytest.mark.proves("INTG-ANS-12")
async def test_the_inventory_holds_what_plays_decide_by(call: Call, client: Browser, make: Maker) -> None:
    await reporting(call, client, "web-01", needsReboot=True, rebootReason="a new kernel")
    quiet = await added(call, "quiet")
    await call.db.execute(
        """
        with one as (insert into host_groups (name) values ('Production') returning id)
        insert into host_group_members (host_id, host_group_id)
        select h.id, one.id from hosts h, one where h.friendly_name = 'web-01'
        """
    )
    await call.db.execute(
        "insert into host_tags (host_id, key, value) select id, 'env', 'prod' from hosts where friendly_name = 'web-01'"
    )
    token = await make("api")

    async def names(query: str) -> list[str]:
        found = await token.read(f"/api/inventory?{query}")
        assert found["total"] == len(found["hosts"])
        return sorted(host["variables"]["patchmon_friendly_name"] for host in found["hosts"])

    found = await token.read("/api/inventory")
    web: dict[str, Any] = next(one for one in found["hosts"] if one["variables"]["patchmon_friendly_name"] == "web-01")
    told = web["variables"]
    assert (told["patchmon_packages"], told["patchmon_updates"], told["patchmon_security_updates"]) == (3, 2, 1)
    assert told["patchmon_groups"] == ["Production"]
    assert told["patchmon_tags"] == {"env": "prod"}
    assert told["patchmon_needs_reboot"] is True
    assert web["name"] == told["patchmon_hostname"]
    assert next(one["name"] for one in found["hosts"] if one is not web) == "quiet"
    system = told["patchmon_os_type"].upper()
    for query in (
        "group=Production",
        "tag=env",
        "tag=env%3Dprod",
        f"os={system}",
        "needs_reboot=true",
        "outdated=true",
    ):
        assert await names(query) == ["web-01"], query
    for query in ("group=production", "tag=env%3Dtest", "os=plan9", "security=true&needs_reboot=false"):
        assert await names(query) == [], query
    assert await names("security=false") == await names("stale=true") == ["quiet"]
    assert await names("group=Production&group=other") == ["web-01"]

    first = await token.read("/api/inventory?limit=1")
    second = await token.read(f"/api/inventory?limit=1&after={first['next']}")
    last = await token.read(f"/api/inventory?limit=1&after={second['next']}")
    assert {one["variables"]["patchmon_id"] for one in first["hosts"] + second["hosts"]} == {
        told["patchmon_id"],
        quiet.uuid,
    }
    assert (last["hosts"], last["next"]) == ([], None)
    for query, text in (
        ("limit=0", "limit must be a number from 1 to 20000"),
        ("after=x", "after must be the id of a host"),
        ("stale=perhaps", "stale must be true or false"),
    ):
        assert (await said(await token.get(f"/api/inventory?{query}")))[1]["error"] == text
    deletes = await make("api", scopes={"host": ["delete"]})
    assert (await deletes.get("/api/inventory")).status == 403
