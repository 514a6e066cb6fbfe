"""Automatic remediation: what policies try and apply by themselves, and what they leave alone."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from server.compliance import policies
from server.compliance.queries import policies as rows
from server.core import clock
from server.core.call import Call
from server.hosts import service as hosts
from server.settings import service as settings
from tests.conftest import Browser
from tests.factories.compliance import PREFIX, Compliance, decided, hand_in, scan
from tests.factories.house import House
from tests.factories.openscap import RULE, needs_oscap, scanned
from tests.factories.overview import page
from tests.factories.people import HTML, form_token
from tests.stand_ins.existing_agent import Enrol

BAD = f"{PREFIX}bad_0000"


async def group_of(call: Call, *members: str) -> str:
    """A group with these hosts."""
    group = str((await hosts.create_group(call, "Web", "", "#112233"))["id"])
    for host in members:
        await hosts.set_groups(call, host, [group])
    return group


async def ended(api: Compliance, number: int, *states: str) -> list[dict[str, Any]]:
    """Ask until there are so many remediations and the newest is in one of these states."""
    async with asyncio.timeout(90):
        while True:
            found: list[dict[str, Any]] = (await api.get("remedies"))["remedies"]
            if len(found) == number and found[0]["status"] in states:
                return found
            await asyncio.sleep(0.2)


@needs_oscap
@pytest.mark.real
@pytest.mark.timeout(300)
async def test_what_fails_is_tried_and_applied_by_itself_and_what_did_not_help_is_left_alone(
    house: House, unused_tcp_port_factory: Callable[[], int], tmp_path: Path
) -> None:
    async with scanned(house, unused_tcp_port_factory(), tmp_path, breaks=True) as box:
        api, world = box.api, house.call.world
        # Policies compose where the guides are: as the server itself does, but when this test wants it.
        call = replace(house.call, world=replace(world, env=replace(world.env, content_dir=tmp_path / "content")))
        body = {"name": "Files", "group_id": await group_of(call, box.host), "enabled": True, "approval": "apply"}
        await api.post("policies", {**body, "rules": [f"{RULE}fixable", f"{RULE}unfixable"]}, status=201)
        assert await policies.sweep(replace(call, now=clock.now())) == (1, 0)
        assert await policies.sweep(replace(call, now=clock.now())) == (0, 0), "each scan is looked at once"
        (tried,) = await ended(api, 1, "checked")
        assert (tried["automatic"], [one["predicted"] for one in tried["rules"]]) == (True, ["changes", "unknown"])
        assert await policies.sweep(replace(call, now=clock.now())) == (0, 1)
        (done,) = await ended(api, 1, "applied", "failed")
        # The first fix helped, the second one's folder is not there.
        assert [one["after"] for one in done["rules"]] == ["pass", "fail"]
        assert (box.watched / "missing").exists()
        assert (await api.scanned(2))["failed"] == 1
        await asyncio.sleep(1)
        assert await policies.sweep(replace(call, now=clock.now())) == (0, 0), "what did not help is not tried again"
        # Somebody took the file away: what a policy mended once it mends again, and nothing else.
        (box.watched / "missing").unlink()
        await api.trigger(box.host)
        assert (await api.scanned(3))["failed"] == 2
        assert await policies.sweep(replace(call, now=clock.now())) == (1, 0)
        again = await ended(api, 2, "checked")
        assert [one["rule_ref"] for one in again[0]["rules"]] == [f"{RULE}fixable"]
        # Since then the settings demand a second person: it waits for one.
        await settings.change(call, {"compliance_remediation_approval": "second_person"})
        assert await policies.sweep(replace(call, now=clock.now())) == (0, 0)
        await api.post(f"remedies/{again[0]['id']}/apply", status=202)
        assert (await ended(api, 2, "applied", "failed"))[0]["status"] == "applied"


async def policy(api: Compliance, call: Call, host: str, **more: Any) -> dict[str, Any]:
    body = {"name": "Files", "group_id": await group_of(call, host), "rules": [BAD], "enabled": True, **more}
    made: dict[str, Any] = await api.post("policies", body, status=201)
    return made


async def due(call: Call) -> list[list[str]]:
    return [row["refs"] for row in await rows.list_due(call.db, 10)]


async def test_only_failing_rules_of_the_list_on_hosts_of_the_group_are_due(
    api: Compliance, enrol: Enrol, call: Call
) -> None:
    (agent, host), (other, _) = await enrol("web-01"), await enrol("db-01")
    for one in (agent, other):
        await hand_in(one, scan(*decided(1, 3)))
    made = await policy(api, call, host, rules=[BAD, f"{PREFIX}good_0000"])
    assert await due(call) == [[BAD]]
    assert (await api.get(f"policies/{made['id']}"))["rules"] == made["rules"]
    await api.ask("PUT", f"/compliance/policies/{made['id']}", {**body_of(made), "enabled": False})
    assert await due(call) == []
    await api.ask("PUT", f"/compliance/policies/{made['id']}", body_of(made))
    assert await due(call) == [[BAD]]
    # Waived: it may fail there.
    await api.post(
        "waivers",
        {"rule_id": BAD, "target": "host", "target_id": host, "reason": "So it is", "owner": "Ada",
         "expires_on": (call.now.date() + timedelta(days=20)).isoformat()},
        status=201,
    )  # fmt: skip
    assert await due(call) == [[]]


def body_of(made: dict[str, Any]) -> dict[str, Any]:
    return {name: made[name] for name in ("name", "group_id", "rules", "approval", "enabled")}


async def test_an_existing_agent_is_left_alone_and_its_scan_is_looked_at_once(
    api: Compliance, enrol: Enrol, call: Call
) -> None:
    agent, host = await enrol("old-01")
    await hand_in(agent, scan(*decided(1, 1)))
    await policy(api, call, host)
    assert await policies.sweep(call) == (0, 0)
    assert await due(call) == []
    assert (await api.get("remedies"))["remedies"] == []


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"name": " "}, "Give it a name"),
        ({"rules": []}, "at least one rule"),
        ({"rules": ["nobody_knows"]}, "No scan has a rule of this name: nobody_knows"),
        ({"group_id": "nonsense"}, "Host group not found"),
        ({"approval": "always"}, "approval"),
    ],
)
async def test_a_wrong_policy_is_refused_with_what_is_wrong(
    api: Compliance, enrol: Enrol, call: Call, wrong: dict[str, Any], said: str
) -> None:
    agent, host = await enrol("web-01")
    await hand_in(agent, scan(*decided(1, 1)))
    body = {"name": "Files", "group_id": await group_of(call, host), "rules": [BAD]}
    assert said in str(await api.post("policies", {**body, **wrong}, status=400))
    made = await api.post("policies", body, status=201)
    assert (made["enabled"], made["approval"], made["hosts"]) == (False, "wait", 1)
    assert "Another policy has this name" in str(await api.post("policies", {**body, "name": "files"}, status=400))
    await api.ask("DELETE", f"/compliance/policies/{made['id']}")
    await api.get(f"policies/{made['id']}", status=404)
    words = await call.db.column("select action from audit_log where action like 'compliance.policy%%' order by id")
    assert words == ["compliance.policy_made", "compliance.policy_deleted"]


async def test_people_make_change_and_delete_one_by_pages(as_admin: Browser, enrol: Enrol, call: Call) -> None:
    agent, host = await enrol("web-01")
    await hand_in(agent, scan(*decided(1, 2)))
    group = await group_of(call, host)
    assert "No policy." in await page(as_admin, "/compliance/policies")
    token = await form_token(as_admin, "/compliance/policies/new")
    form: dict[str, Any] = {
        "csrf": token,
        "name": "Files",
        "group": group,
        "rules": f"{BAD}\n nowhere",
        "approval": "apply",
    }
    refused = await as_admin.post("/compliance/policies", data=form, headers=HTML)
    text = await refused.text()
    assert (refused.status, "No scan has a rule of this name: nowhere" in text, BAD in text) == (400, True, True)
    form |= {"rules": f"{BAD}, {PREFIX}bad_0001", "enabled": ["false", "true"]}
    assert "Saved." in await (await as_admin.post("/compliance/policies", data=form, headers=HTML)).text()
    (made,) = await policies.list_all(call)
    assert (made.rules, made.enabled, made.approval) == ([BAD, f"{PREFIX}bad_0001"], True, "apply")
    here = f"/compliance/policies/{made.id}"
    seen = await page(as_admin, "/compliance/policies")
    assert here in seen
    assert "Tried and applied" in seen
    form["enabled"] = "false"
    await as_admin.post(here, data=form, headers=HTML)
    assert not (await policies.fetch(call, made.id)).enabled
    await as_admin.post(f"{here}/delete", data={"csrf": token}, headers=HTML)
    assert await policies.list_all(call) == []
