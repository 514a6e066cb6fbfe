"""Scans by our own agents: jobs of a playbook, whose result file becomes the scan."""

import asyncio
import hashlib
import json
from typing import Any

import pytest

from agent.protocol.messages import Result
from server.core.call import Call
from tests.factories.automation import Fleet
from tests.factories.compliance import Compliance, decided, result, scan
from tests.stand_ins.scripted_agent import ScriptedAgent

pytestmark = pytest.mark.usefixtures("on")


@pytest.fixture
def on(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every host that is added have compliance on."""
    plain = fleet.enrol

    async def enrol(name: str, **hello: Any) -> ScriptedAgent:
        agent = await plain(name, **hello)
        await fleet.call.db.execute(
            "update hosts set compliance_mode = 'on-demand', status = 'active' where uuid = %(host)s",
            host=fleet.ids[name],
        )
        return agent

    monkeypatch.setattr(fleet, "enrol", enrol)


async def upload(api: Compliance, agent: ScriptedAgent, content: bytes) -> Result:
    """Hand in what module oscap_scan left behind, as an agent does."""
    digest = hashlib.sha256(content).hexdigest()
    url = f"{api.url}/api/v1/agent/results/{digest}"
    async with api.session.put(url, data=content, headers=agent.headers) as answer:
        assert answer.status in {200, 201}, await answer.text()
    return Result("oscap_scan", digest, len(content))


async def ended(api: Compliance, seconds: float = 12) -> dict[str, Any]:
    """Wait until the newest scan is over."""
    async with asyncio.timeout(seconds):
        while not (found := await api.history()) or found[0]["status"] == "running":
            await asyncio.sleep(0.05)
    return found[0]


@pytest.mark.proves("AGENT-WS-05", "COMP-50", "COMP-54", "COMP-60", "COMP-183")
async def test_a_job_carries_the_scan(api: Compliance, fleet: Fleet, call: Call) -> None:
    agent = await fleet.online("new-01")
    made = await api.trigger(fleet.ids["new-01"], profile_id="level2_server", profile_type="openscap")
    held = await agent.job()
    variables = await call.db.value("select variables from jobs")
    assert variables["compliance_scan_scanners"] == ["openscap"]
    assert variables["compliance_scan_profile"] == "level2_server"
    assert variables["compliance_scan_remediate"] is False
    await agent.tell(held, {"event": "live", "stdout": "Evaluating…\n"}, source="live")
    (running,) = await api.running()
    assert (running["profile_id"], running["profile_type"]) == ("level2_server", "openscap")
    told = {"scans": [scan(*decided(5, 3), result("left_out", "notselected"), profile_name="CIS Level 2")]}
    blob = await upload(api, agent, json.dumps({"module": "oscap_scan", "result": told}).encode())
    await agent.end(held, "succeeded", results=(blob,))
    done = await ended(api)
    assert (done["status"], done["profile_name"], done["total_rules"], done["failed"]) == (
        "completed", "CIS Level 2", 8, 3,
    )  # fmt: skip
    assert await call.db.value("select status from compliance_tasks where id = %(id)s", id=made["jobId"]) == "completed"
    assert (await api.get("scans/active"))["count"] == 0


@pytest.mark.parametrize(
    ("content", "status", "why"),
    [
        (b"", "failed", "ended without a result"),
        (b'{"module":"oscap_scan","result":{"scans": 7}}', "succeeded", "cannot be read"),
        (b'{"module":"oscap_scan","result":[' + b"[" * 50_000, "succeeded", "cannot be read"),
    ],
)
async def test_what_fails_says_why(api: Compliance, fleet: Fleet, content: bytes, status: str, why: str) -> None:
    agent = await fleet.online("new-01")
    await api.trigger(fleet.ids["new-01"])
    held = await agent.job()
    results = (await upload(api, agent, content),) if content else ()
    await agent.end(held, status, results=results)
    done = await ended(api)
    assert done["status"] == "failed"
    assert why in (done["error_message"] or "") or status == "failed"
    await api.trigger(fleet.ids["new-01"])


@pytest.mark.proves("AGENT-WS-05", "COMP-76", "COMP-77")
async def test_a_cancelled_job_ends_its_scan(api: Compliance, fleet: Fleet) -> None:
    agent = await fleet.online("new-01")
    host = fleet.ids["new-01"]
    await api.trigger(host)
    held = await agent.job()
    await agent.tell(held, {"event": "live", "stdout": "Evaluating…\n"}, source="live")
    await api.running()
    await api.post(f"cancel/{host}")
    await agent.end(held, "cancelled")
    assert (await ended(api))["status"] == "cancelled"


@pytest.mark.proves("COMP-170", "COMP-173", "COMP-174", "COMP-175")
async def test_a_rule_is_fixed_by_a_job_and_the_next_scan_shows_it(api: Compliance, fleet: Fleet, call: Call) -> None:
    agent = await fleet.online("new-01")
    host, rule = fleet.ids["new-01"], result("motd")["rule_ref"]
    await api.trigger(host)
    held = await agent.job()
    told = {"scans": [scan(result("motd", "fail"))]}
    blob = await upload(api, agent, json.dumps({"module": "oscap_scan", "result": told}).encode())
    await agent.end(held, "succeeded", results=(blob,))
    await ended(api)
    await agent.dropped(held)
    made = await api.post(f"remediate/{host}", {"rule_id": rule})
    held = await agent.job()
    job = await call.db.one("select uuid as id, variables from jobs where playbook = 'compliance_remediate'")
    assert job is not None
    assert job["variables"]["compliance_remediate_rules"] == [rule]
    await agent.tell(held, {"event": "live", "stdout": "Fixing…\n"}, source="live")
    async with api.following(job) as frames:
        async with asyncio.timeout(10):
            while "Fixing…" not in json.dumps(await anext(frames), ensure_ascii=False):
                pass
    told = {"scans": [scan(result("motd", "pass"), remediation_applied=True, remediation_count=1)]}
    blob = await upload(api, agent, json.dumps({"module": "oscap_scan", "result": told}).encode())
    await agent.end(held, "succeeded", results=(blob,))

    async def message() -> Any:
        return await call.db.value("select message from compliance_tasks where id = %(id)s", id=made["jobId"])

    async with asyncio.timeout(10):
        while not await message():
            await asyncio.sleep(0.05)
    assert await message() == "1 rule now as required"
    assert len(await api.history()) == 1, "it is no scan of the whole profile"
    assert await call.db.value("select count(*) from patch_runs") == 0
    await agent.drop()
    await asyncio.sleep(0.3)
    await api.post(f"remediate/{host}", {"rule_id": rule}, status=409)
