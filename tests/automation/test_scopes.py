"""Of a job, people who are limited to host groups see and stop the part on their own hosts."""

import asyncio
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from server.core.call import Call
from server.identity import scopes, tokens
from server.identity.models import User
from tests.conftest import Browser
from tests.factories.automation import Api, Fleet, url_of
from tests.factories.people import HTML, acting, post_form, sign_in
from tests.factories.scopes import group, limited, program_of
from tests.stand_ins.scripted_agent import JobStop, ScriptedAgent


class Case:
    """A job on a host inside and one outside the groups of a person."""

    def __init__(self, user: User, mine: Api, north: str, inside: ScriptedAgent, outside: ScriptedAgent) -> None:
        self.user, self.mine, self.north, self.inside, self.outside = user, mine, north, inside, outside


@pytest.fixture
async def case(server: TestServer, call: Call, fleet: Fleet, api: Api) -> Any:
    inside, outside = await fleet.online("inside"), await fleet.online("outside")
    north = await group(call, "north")
    await api.ask("PUT", f"/hosts/{fleet.ids['inside']}/groups", {"groupIds": [north]})
    user = await limited(call, north)
    async with ClientSession() as session:
        yield Case(user, Api(session, url_of(server), await program_of(call, user)), north, inside, outside)


async def test_a_job_shows_only_ones_own_hosts(case: Case, api: Api) -> None:
    job = await api.launch("inside", "outside")
    held_inside, held_outside = await case.inside.job(), await case.outside.job()
    await case.outside.tell(held_outside, {"task": "Secret", "stdout": "of another host"})
    await case.inside.tell(held_inside, {"task": "Ping", "stdout": "of my host"})
    await case.inside.end(held_inside)
    await case.outside.end(held_outside, status="failed", rc=2)
    await api.until(job, lambda found: found["finished_at"])
    mine = await case.mine.show(job)
    assert [host["name"] for host in mine["hosts"]] == ["inside"]
    assert mine["status"] == "succeeded"
    assert (await api.show(job))["status"] == "failed"
    assert {event["host"] for event in await case.mine.events(job)} == {"inside"}
    assert "outside" not in str(mine)
    listed = await case.mine.ask("GET", "/jobs?only=failed")
    assert listed == {"jobs": [], "total": 0}
    assert (await case.mine.ask("GET", "/jobs?q=outside"))["total"] == 0
    assert (await case.mine.ask("GET", "/jobs?q=inside"))["total"] == 1


async def test_a_job_outside_does_not_exist(client: Browser, case: Case, api: Api) -> None:
    job = await api.launch("outside")
    held = await case.outside.job()
    await case.outside.end(held)
    await api.status(job, "succeeded")
    path = f"/jobs/{job['id']}"
    for tail in ("", "/events", "/stream"):
        await case.mine.ask("GET", path + tail, status=404)
    for tail in ("/stop", "/relaunch"):
        await case.mine.ask("POST", path + tail, {}, status=404)
    assert await case.mine.ask("GET", "/jobs") == {"jobs": [], "total": 0}
    await sign_in(client, case.user.username)
    for page in (path, f"{path}/stream", f"{path}/output", f"{path}/results/1"):
        assert await _status(client, page) == 404, page
    for page in ("/", "/jobs", "/playbooks", "/playbooks/ping/launch"):
        assert job["id"] not in await (await client.get(page, headers=HTML)).text(), page
    assert (await post_form(client, "/hosts/new", f"{path}/stop")).status == 404


async def test_results_and_output_of_hosts_outside_do_not_exist(client: Browser, case: Case, api: Api) -> None:
    job = await api.launch("inside", "outside")
    held = await case.outside.job()
    await case.outside.tell(held, {"task": "Secret", "stdout": "hush", "result": {"word": "hush"}})
    await api.until(job, lambda found: any(host["events"] for host in found["hosts"]))
    event = (await api.events(job))[0]
    there = next(host for host in (await api.show(job))["hosts"] if host["name"] == "outside")
    await sign_in(client, case.user.username)
    page = f"/jobs/{job['id']}"
    assert await _status(client, f"{page}/results/{event['position']}") == 404
    for name in ("outside", there["id"]):
        assert await _status(client, f"{page}/output?host={name}") == 404
        await case.mine.ask("GET", f"/jobs/{job['id']}/events?host={name}", status=404)
        await case.mine.ask("GET", f"/jobs/{job['id']}/hosts/{name}/results/{'0' * 64}", status=404)
    # Who names a host that is not theirs gets the page as if none were named.
    text = await (await client.get(f"{page}?host={there['id']}&tab=output", headers=HTML)).text()
    assert "hush" not in text
    assert "outside" not in text


@pytest.mark.parametrize(
    "order",
    [
        {"hosts": ["outside"]},
        {"hosts": ["inside", "outside"]},
        {"hosts": [], "groups": ["south"]},
    ],
)
async def test_nobody_launches_on_hosts_outside(case: Case, call: Call, order: dict[str, Any]) -> None:
    await group(call, "south")
    refused = await case.mine.ask("POST", "/jobs", {"playbook": "ping", "check": True, **order}, status=400)
    assert "unknown: " in str(refused)
    assert await call.db.value("select count(*) from jobs") == 0


async def test_all_hosts_are_all_of_ones_own(case: Case) -> None:
    job = await case.mine.ask("POST", "/jobs", {"playbook": "ping", "groups": ["all"], "check": True}, status=201)
    assert [host["name"] for host in job["hosts"]] == ["inside"]


async def test_stopping_ends_ones_own_part_of_a_job(case: Case, api: Api) -> None:
    job = await api.launch("inside", "outside")
    held_inside, held_outside = await case.inside.job(), await case.outside.job()
    await case.mine.ask("POST", f"/jobs/{job['id']}/stop", {})
    await case.inside.heard_times(JobStop, 1)
    await case.inside.end(held_inside, status="cancelled", rc=254)
    await case.outside.end(held_outside)
    done = await api.until(job, lambda found: found["finished_at"])
    assert {host["name"]: host["status"] for host in done["hosts"]} == {"inside": "cancelled", "outside": "succeeded"}
    assert case.outside.heard_of(JobStop) == []


async def test_running_again_takes_ones_own_hosts(case: Case, api: Api) -> None:
    job = await api.launch("inside", "outside")
    for agent in (case.inside, case.outside):
        await agent.end(await agent.job(), status="failed", rc=2)
    await api.until(job, lambda found: found["finished_at"])
    again = await case.mine.ask("POST", f"/jobs/{job['id']}/relaunch", {}, status=201)
    assert [host["name"] for host in again["hosts"]] == ["inside"]


async def test_a_stream_tells_only_of_ones_own_hosts(case: Case, api: Api) -> None:
    job = await api.launch("inside", "outside")
    held_inside, held_outside = await case.inside.job(), await case.outside.job()
    told: list[Any] = []
    async with case.mine.following(job) as frames, asyncio.timeout(10):
        await case.outside.tell(held_outside, {"task": "Secret", "stdout": "of another host"})
        await case.inside.tell(held_inside, {"task": "Ping", "stdout": "of my host"})
        await case.outside.end(held_outside)
        await case.inside.end(held_inside)
        async for name, _, data in frames:
            told.append((name, data))
    assert told[-1][0] == "end"
    assert "of my host" in str(told)
    assert "outside" not in str(told)
    assert "of another host" not in str(told)


async def test_a_limit_narrows_an_open_stream_within_seconds(case: Case, api: Api, call: Call) -> None:
    both = await group(call, "both")
    for name in ("inside", "outside"):
        uuid = (await api.ask("GET", f"/hosts/options?search={name}"))[0]["id"]
        await api.ask("PUT", f"/hosts/{uuid}/groups", {"groupIds": [both, *([case.north] if name == "inside" else [])]})
    await scopes.limit_user(call, case.user.id, [both])
    job = await api.launch("inside", "outside")
    held_inside, held_outside = await case.inside.job(), await case.outside.job()
    async with case.mine.following(job) as frames, asyncio.timeout(20):
        await case.outside.tell(held_outside, {"task": "One", "stdout": "while it was mine"})
        await _until(frames, "while it was mine")
        await scopes.limit_user(call, case.user.id, [case.north])
        await asyncio.sleep(2.2)
        await case.outside.tell(held_outside, {"task": "Two", "stdout": "no longer mine"})
        await case.inside.tell(held_inside, {"task": "Three", "stdout": "still mine"})
        told = await _until(frames, "still mine")
    assert "no longer mine" not in told


async def test_a_stream_ends_when_its_reader_may_no_longer(case: Case, api: Api, call: Call) -> None:
    job = await api.launch("inside")
    held = await case.inside.job()
    mine = await acting(call, case.user)
    token = (await tokens.mine(mine))[0]
    async with case.mine.following(job) as frames, asyncio.timeout(20):
        await case.inside.tell(held, {"task": "One", "stdout": "first"})
        await _until(frames, "first")
        await tokens.revoke(mine, token.id)
        await asyncio.sleep(2.2)
        await case.inside.tell(held, {"task": "Two", "stdout": "hush"})
        rest = [data async for _, _, data in frames]
    assert "hush" not in str(rest)
    await case.mine.ask("GET", f"/jobs/{job['id']}", status=401)


async def _status(client: Browser, page: str) -> int:
    async with client.get(page, headers=HTML) as answer:
        await answer.read()
        return answer.status


async def _until(frames: Any, word: str) -> str:
    told = ""
    async for _, _, data in frames:
        told += str(data)
        if word in told:
            return told
    raise AssertionError(told)
