"""New agents in two steps: some hosts first, the others once those are back; trouble stops it."""

import hashlib
import re
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from server.core.call import Call
from server.core.env import Env
from server.hosts import rollouts
from server.hosts.turns import Rollout, RolloutRule, comes_first, next_state
from server.settings import service as settings
from tests.factories.hosts import Agent, Browser, enrolled, full_report, package
from tests.factories.people import bearer
from tests.hosts.test_people import page, posted

NOW = datetime(2026, 6, 1, tzinfo=UTC)
HOME = "/settings/agent-versions"


@pytest.fixture
def env(env: Env, tmp_path: Path) -> Env:
    put_on_shelf(tmp_path, "9.0.0")
    return replace(env, agents_dir=tmp_path)


def put_on_shelf(folder: Path, version: str) -> None:
    with (folder / "patchmon-agent.pyz").open("wb") as file:
        file.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("agent/__init__.py", f'__version__ = "{version}"\n')


async def is_told(agent: Agent, now: str = "3.0.0", more: str = "") -> bool:
    answer = await agent.get(f"/hosts/agent/version?os=linux&arch=amd64&type=pyz&currentVersion={now}{more}")
    told = await answer.json()
    assert told["latestVersion"].startswith("9.")
    assert len(told["hash"]) == 64
    return bool(told["hasUpdate"])


async def fleet(call: Call, client: Browser, first: bool) -> list[Agent]:
    """Return three hosts of which none, but for the one that asks first, is drawn as one of the first."""
    await settings.change(call, {"auto_update": True})
    found: list[Agent] = []
    sha256 = hashlib.sha256((call.world.env.agents_dir / "patchmon-agent.pyz").read_bytes()).hexdigest()
    while len(found) < 3:
        agent = await enrolled(call, client, f"web-{len(found)}")
        if comes_first(agent.api_id, sha256, RolloutRule()) == first:
            found.append(agent)
    return found


async def reports(agent: Agent, version: str) -> None:
    assert (await agent.update({**full_report([package("a")]), "agentVersion": version})).status == 200


async def rollout(call: Call) -> Rollout:
    return (await rollouts.shown(call))[0][0]


async def backdate(call: Call, minutes: int) -> None:
    await call.db.execute(f"update agent_rollouts set begun_at = begun_at - interval '{minutes} minutes'")
    await call.db.execute(f"update agent_offers set offered_at = offered_at - interval '{minutes} minutes'")


@pytest.mark.proves("AGENT-UPD-02", "AGENT-UPD-07", "AGENT-API-08")
async def test_some_first_then_the_others(client: Browser, call: Call, tmp_path: Path) -> None:
    one, other, third = await fleet(call, client, first=False)
    assert await is_told(one), "somebody has to be the first"
    assert not await is_told(other)
    assert await is_told(one), "who was told is told again"
    await reports(one, "9.0.0")
    assert not await is_told(other), "not before the time has passed"
    await backdate(call, 60)
    assert await is_told(other)
    assert await is_told(third)
    now = await rollout(call)
    assert (now.state, now.offered, now.back) == ("everywhere", 3, 1)
    # Another file begins anew, as soon as it lies there.
    put_on_shelf(tmp_path, "9.1.0")
    assert [await is_told(agent, "9.0.0") for agent in (one, other)].count(True) >= 1
    assert (await rollout(call)).version == "9.1.0"
    # A host that does not update by itself, and a fleet that does not, are told nothing.
    assert not await is_told(other, "9.1.0")
    await settings.change(call, {"auto_update": False})
    assert not await is_told(third)


async def test_who_does_not_come_back_stops_it(client: Browser, call: Call) -> None:
    one, other, _ = await fleet(call, client, first=False)
    assert await is_told(one)
    await backdate(call, 61)
    assert not await is_told(other)
    now = await rollout(call)
    assert (now.state, now.reason) == ("stopped", "1 host did not come back with it within 30 minutes")


async def test_what_was_taken_back_stops_it_wherever_it_is(client: Browser, call: Call, as_admin: Browser) -> None:
    one, other, third = await fleet(call, client, first=False)
    assert await is_told(one)
    shown = await page(as_admin, HOME)
    assert "patchmon-agent.pyz 9.0.0" in shown
    assert "First hosts" in shown
    assert "Not back yet" in shown
    number = (await rollout(call)).id
    status, _, _ = await posted(as_admin, f"{HOME}/{number}", {"decision": "everywhere"})
    assert status == 303
    assert await is_told(other)
    assert not await is_told(other, more="&takenBack=9.0.0"), "the host says why it will not take it"
    assert not await is_told(third)
    shown = await page(as_admin, HOME)
    assert "web-1 took version 9.0.0 back." in shown
    assert "Took it back" in shown
    # A person decides, and it is written down.
    status, _, _ = await posted(as_admin, f"{HOME}/{number}", {"decision": "everywhere"})
    assert status == 303
    assert await is_told(third)
    status, _, _ = await posted(as_admin, f"{HOME}/{number}", {"decision": "stopped"})
    assert not await is_told(third)
    actions = await call.db.column("select action from audit_log where action like 'hosts.rollout%%' order by id")
    assert actions == ["hosts.rollout_changed"] * 3


async def test_the_rule_and_who_may(client: Browser, call: Call, as_admin: Browser) -> None:
    status, shown, _ = await posted(as_admin, HOME, {"first_percent": "0", "wait_minutes": "x"})
    assert status == 400
    assert "Must be a whole number" in shown
    assert (await posted(as_admin, HOME, {"first_percent": "10", "wait_minutes": "9" * 5000}))[0] == 400
    status, shown, _ = await posted(as_admin, HOME, {"first_percent": "0", "wait_minutes": "5"})
    assert (status, "Must be from 1 to 100" in shown) == (400, True)
    status, _, _ = await posted(as_admin, HOME, {"first_percent": "100", "wait_minutes": "5"})
    assert status == 303
    assert await rollouts.rule(call) == RolloutRule(100, 5)
    hosts = await fleet(call, client, first=False)
    assert [await is_told(agent) for agent in hosts] == [True] * 3
    assert (await as_admin.post(f"{HOME}/999", data={})).status in {403, 404}
    headers = await bearer(call, "host_manager")
    assert (await client.get(HOME, headers=headers)).status == 403


@pytest.mark.proves("AGENT-PLAT-01", "AGENT-PLAT-02", "AGENT-DIFF-06", "AGENT-UPD-07")
async def test_there_is_an_agent_for_every_machine(client: Browser, call: Call, tmp_path: Path) -> None:
    agent = await enrolled(call, client)
    version, download = "/hosts/agent/version", "/hosts/agent/download"
    for system in ("linux", "freebsd"):
        for architecture in ("amd64", "arm64", "arm", "386"):
            query = f"?os={system}&arch={architecture}"
            # Ours runs on all of them, until the operator puts another one there.
            told = await (await agent.get(f"{version}{query}&type=go")).json()
            assert (told["latestVersion"], told["architecture"]) == ("9.0.0", architecture)
            ours = await (await agent.get(f"{download}{query}&force=binary")).read()
            assert hashlib.sha256(ours).hexdigest() == told["hash"]
            name = f"patchmon-agent-{system}-{architecture}"
            (tmp_path / name).write_bytes(b"\x7fELF -X main.version=2.1.4 " + name.encode())
            told = await (await agent.get(f"{version}{query}&type=go")).json()
            answer = await agent.get(f"{download}{query}")
            assert told["latestVersion"] == "2.1.4"
            assert hashlib.sha256(await answer.read()).hexdigest() == told["hash"]
            assert f'filename="{name}"' in answer.headers["Content-Disposition"]


def test_how_it_goes_on() -> None:
    begun = Rollout(1, "f", "9", "first", "", NOW, NOW, offered=2, back=2)
    rule = RolloutRule(wait_minutes=60)
    hour = NOW + timedelta(hours=1)
    assert next_state(begun, rule, hour - timedelta(seconds=1)) == ("first", "")
    assert next_state(begun, rule, hour) == ("everywhere", "")
    assert next_state(replace(begun, back=1), rule, hour) == ("first", "")
    assert next_state(replace(begun, failed=2), rule, NOW) == ("stopped", "2 hosts took version 9 back")
    assert next_state(replace(begun, state="stopped", reason="so"), rule, hour) == ("stopped", "so")
    drawn = sum(comes_first(f"patchmon_{number}", "a" * 64, RolloutRule(first_percent=10)) for number in range(2000))
    assert 120 < drawn < 280


@pytest.mark.proves("INV-171")
async def test_every_file_is_listed_and_a_new_one_at_once(as_admin: Browser, tmp_path: Path) -> None:
    async def rows() -> list[list[str]]:
        text = await page(as_admin, HOME)
        table = text[text.index("The agent file of every system") :]
        found = re.findall(r"<tr>(.*?)</tr>", table[: table.index("</table>")], re.DOTALL)[1:]
        return [re.sub(r"<[^>]+>", " ", row).split() for row in found]

    (tmp_path / "patchmon-agent-linux-arm64").write_bytes(b"\x7fELF -X version.Version=2.0.3 ")
    listed = {" ".join(row[:2]): row[2:] for row in await rows()}
    assert list(listed) == [
        *(f"{system} {one}" for system in ("Linux", "FreeBSD") for one in ("386", "amd64", "arm", "arm64")),
        "Windows amd64", "Windows arm64",
    ]  # fmt: skip
    digest = hashlib.sha256((tmp_path / "patchmon-agent.pyz").read_bytes()).hexdigest()
    assert listed["FreeBSD arm"] == ["patchmon-agent.pyz", "9.0.0", "0.0", "MB", digest[:12]]
    assert listed["Linux arm64"][:2] == ["patchmon-agent-linux-arm64", "2.0.3"]
    assert listed["Windows amd64"][:2] == ["no", "file:"]
    put_on_shelf(tmp_path, "9.1.0")
    (tmp_path / "patchmon-agent-windows-amd64.exe").write_bytes(b"MZ -X version.Version=2.0.4 ")
    listed = {" ".join(row[:2]): row[2:] for row in await rows()}
    assert (listed["FreeBSD arm"][1], listed["Windows amd64"][1]) == ("9.1.0", "2.0.4")
