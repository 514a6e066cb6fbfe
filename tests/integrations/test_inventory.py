"""The inventory in one answer: what it holds, what narrows it, and how it is paged."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from server.core.call import Call
from tests.conftest import Browser
from tests.factories.hosts import added
from tests.integrations.conftest import Maker, said
from tests.integrations.test_api import reporting

SCRIPT = Path(__file__).resolve().parents[2] / "inventory_plugin" / "patchmon_inventory.py"


async def printed(*words: str, **environment: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPT), *words, env=environment, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, errors = await process.communicate()
    return process.returncode or 0, out.decode(), errors.decode()


@pytest.mark.proves("INTG-ANS-14", "INTG-ANS-15", "INTG-ANS-16")
async def test_the_script_for_places_that_want_one(call: Call, client: Browser, make: Maker) -> None:
    made = await added(call, "Web 1")
    await call.db.execute("update hosts set ip = '10.0.0.1', hostname = 'web-01'")
    group = await call.db.value(
        """
        with one as (insert into host_groups (name) values ('Web-Servers West') returning id, uuid),
             in_it as (insert into host_group_members (host_id, host_group_id) select h.id, one.id from hosts h, one)
        select uuid::text from one
        """
    )
    token = await make("api")
    url = str(client.make_url("/"))
    said = {"PATCHMON_API_KEY": token.key, "PATCHMON_API_SECRET": token.secret, "PATCHMON_URL": url}
    code, out, _ = await printed("--list", **said)
    variables = {"ansible_host": "10.0.0.1", "patchmon_id": made.uuid, "patchmon_hostname": "web-01"}
    members = {"hosts": ["Web 1"], "vars": {"patchmon_group_id": group}}
    listed = {
        "_meta": {"hostvars": {"Web 1": variables}},
        "all": {"hosts": ["Web 1"]},
        "web_servers_west": members,
    }
    assert (code, orjson.loads(out)) == (0, listed)
    static = orjson.loads((await printed("--static", **said))[1])
    assert (static["all"]["children"], static["Web-Servers_West"]) == (["Web-Servers_West"], members)
    code, out, _ = await printed("--host", "Web 1")
    assert (code, orjson.loads(out)) == (0, {})
    missing = "Error: PATCHMON_API_KEY and PATCHMON_API_SECRET must be set\n"
    assert await printed("--list", PATCHMON_API_KEY="x") == (1, "", missing)
    code, _, errors = await printed("--list", **{**said, "PATCHMON_API_SECRET": "other"})
    assert (code, errors.startswith("Error fetching inventory: ")) == (1, True)
    code, _, errors = await printed("--what")
    assert (code, errors.startswith("Usage: ")) == (1, True)


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
