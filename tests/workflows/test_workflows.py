"""Workflows through the front door: playbooks in sequence on scripted agents, approvals, pauses, cancelling."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from server.core import clock
from server.core.call import Call
from server.settings import service as settings
from server.workflows import advancing, service
from tests.client.test_jobs import Shell
from tests.factories.automation import Api, Fleet
from tests.factories.people import bearer, person, role_with, token_of

PING = {"playbook": "ping", "hosts": ["web-01"], "check": True}


def steps(*nodes: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"kind": "playbook", **(PING if one.get("kind", "playbook") == "playbook" else {}), **one} for one in nodes]


def ways(*texts: str) -> list[dict[str, str]]:
    marks = {">": "success", "!": "failure", "*": "always"}
    return [
        {"from": text.split(mark)[0], "to": text.split(mark)[1], "when": when}
        for text in texts
        for mark, when in marks.items()
        if mark in text
    ]


async def made(api: Api, *nodes: dict[str, Any], edges: list[dict[str, str]], name: str = "Deploy") -> Any:
    return await api.ask("POST", "/workflows", {"name": name, "nodes": steps(*nodes), "edges": edges}, status=201)


async def begun(api: Api, workflow: Any) -> Any:
    return await api.ask("POST", f"/workflows/{workflow['id']}/launch", {}, status=201)


async def until(api: Api, run: Any, condition: Callable[[dict[str, str]], bool], seconds: float = 15) -> Any:
    async with asyncio.timeout(seconds):
        while True:
            found = await api.ask("GET", f"/workflow-runs/{run['id']}")
            if condition({node["key"]: node["state"] for node in found["nodes"]}):
                return found
            await asyncio.sleep(0.05)


async def over(api: Api, run: Any) -> Any:
    await until(api, run, lambda states: not {"pending", "running", "waiting"} & set(states.values()))
    return await api.ask("GET", f"/workflow-runs/{run['id']}")


def states(run: Any) -> dict[str, str]:
    return {node["key"]: node["state"] for node in run["nodes"]}


async def test_steps_follow_each_other_live_and_failures_take_their_own_way(api: Api, fleet: Fleet) -> None:
    agent = await fleet.online("web-01")
    workflow = await made(
        api,
        {"key": "build"},
        {"key": "sign-off", "kind": "approval", "title": "Sign off"},
        {"key": "deploy"},
        {"key": "undo"},
        {"key": "never"},
        edges=ways("build>sign-off", "sign-off>deploy", "deploy!undo", "deploy>never"),
    )
    run = await begun(api, workflow)
    assert (run["status"], states(run)["build"], states(run)["deploy"]) == ("running", "running", "pending")
    heard: list[tuple[str, Any]] = []

    async def listen() -> None:
        from tests.factories.automation import _frames  # noqa: PLC0415 (the reader of every stream)

        address = f"{api.url}/api/v1/workflow-runs/{run['id']}/stream"
        async with api.session.get(address, headers=api.headers) as answer:
            async for name, _, data in _frames(answer.content):
                heard.append((name, data))

    listening = asyncio.get_running_loop().create_task(listen())
    held = await agent.job()
    assert held.offer.job
    await agent.end(held, "succeeded")
    agent.jobs.clear()
    waiting = await until(api, run, lambda now: now["sign-off"] == "waiting")
    assert waiting["status"] == "waiting"
    await api.ask("POST", f"/workflow-runs/{run['id']}/nodes/deploy/approve", {}, status=409)
    going = await api.ask("POST", f"/workflow-runs/{run['id']}/nodes/sign-off/approve", {})
    assert states(going)["deploy"] == "running"
    await agent.end(await agent.job(), "failed", reason="no room")
    agent.jobs.clear()
    await until(api, run, lambda now: now["undo"] == "running")
    await agent.end(await agent.job(), "succeeded")
    ended = await over(api, run)
    assert states(ended) == {
        "build": "succeeded", "sign-off": "succeeded", "deploy": "failed", "undo": "succeeded", "never": "skipped",
    }  # fmt: skip
    assert (ended["status"], ended["finished_at"] is not None) == ("succeeded", True)
    async with asyncio.timeout(10):
        await listening
    assert [name for name, _ in heard][-1] == "end"
    assert len({json.dumps(states(data)) for _, data in heard}) >= 4


async def test_a_run_that_failed_begins_again_where_it_failed(api: Api, fleet: Fleet, call: Call) -> None:
    agent = await fleet.online("web-01")
    workflow = await made(api, {"key": "one"}, {"key": "two"}, edges=ways("one>two"))
    run = await begun(api, workflow)
    await api.ask("POST", f"/workflow-runs/{run['id']}/relaunch", {}, status=409)
    await agent.end(await agent.job(), "succeeded")
    agent.jobs.clear()
    await until(api, run, lambda now: now["two"] == "running")
    await agent.end(await agent.job(), "failed", reason="no room")
    agent.jobs.clear()
    failed = await over(api, run)
    assert (failed["status"], "two" in failed["reason"] or "ping" in failed["reason"]) == ("failed", True)
    again = await api.ask("POST", f"/workflow-runs/{run['id']}/relaunch", {}, status=201)
    assert (states(again), again["relaunch_of"]) == ({"one": "succeeded", "two": "running"}, run["id"])
    await agent.end(await agent.job(), "succeeded")
    assert (await over(api, again))["status"] == "succeeded"
    assert await call.db.value("select count(*) from jobs") == 3
    await api.ask("POST", f"/workflow-runs/{again['id']}/relaunch", {}, status=409)


async def test_cancelling_stops_the_job_and_begins_nothing_more(api: Api, fleet: Fleet) -> None:
    agent = await fleet.online("web-01")
    workflow = await made(api, {"key": "one"}, {"key": "two"}, edges=ways("one*two"))
    run = await begun(api, workflow)
    held = await agent.job()
    asked = await api.ask("POST", f"/workflow-runs/{run['id']}/cancel", {})
    assert (asked["status"], states(asked)["two"]) == ("cancelling", "cancelled")
    await agent.end(held, "cancelled")
    ended = await over(api, run)
    assert (ended["status"], states(ended)["one"], "cancelled by" in ended["reason"]) == (
        "cancelled",
        "cancelled",
        True,
    )
    await api.ask("POST", f"/workflow-runs/{run['id']}/cancel", {}, status=409)


async def test_pauses_end_by_the_clock_and_approvals_come_too_late(api: Api, fleet: Fleet, call: Call) -> None:
    await fleet.enrol("web-01")
    workflow = await made(
        api,
        {"key": "wait", "kind": "pause", "minutes": 5},
        {"key": "ask", "kind": "approval", "minutes": 10},
        edges=ways("wait>ask"),
    )
    run = await begun(api, workflow)
    assert (run["status"], states(run)) == ("waiting", {"wait": "waiting", "ask": "pending"})
    await advancing.advance_all(replace(call, now=clock.now() + timedelta(minutes=4)))
    assert states(await api.ask("GET", f"/workflow-runs/{run['id']}"))["wait"] == "waiting"
    await advancing.advance_all(replace(call, now=clock.now() + timedelta(minutes=6)))
    assert states(await api.ask("GET", f"/workflow-runs/{run['id']}"))["ask"] == "waiting"
    await advancing.advance_all(replace(call, now=clock.now() + timedelta(minutes=30)))
    ended = await over(api, run)
    assert (ended["status"], ended["nodes"][1]["reason"]) == ("failed", "nobody approved it in time")


async def test_many_servers_at_once_launch_each_step_once(api: Api, fleet: Fleet, call: Call) -> None:
    await fleet.enrol("web-01")
    workflow = await made(
        api, {"key": "wait", "kind": "pause", "minutes": 1}, *({"key": f"n{n}"} for n in range(5)),
        edges=ways(*(f"wait>n{n}" for n in range(5))),
    )  # fmt: skip
    await begun(api, workflow)
    later = replace(call, now=clock.now() + timedelta(minutes=2))
    await asyncio.gather(*(advancing.advance_all(later) for _ in range(6)))
    assert await call.db.value("select count(*) from jobs") == 5


async def test_a_step_that_cannot_be_launched_says_why(api: Api, fleet: Fleet, call: Call) -> None:
    await fleet.enrol("web-01")
    workflow = await made(api, {"key": "one", "hosts": ["web-09"]}, edges=[])
    ended = await over(api, await begun(api, workflow))
    assert ended["status"] == "failed"
    assert "unknown: web-09" in ended["nodes"][0]["reason"]
    # Whoever may not launch the playbooks starts, decides and cancels nothing.
    looking = Api(api.session, api.url, await bearer(call, "readonly"))
    assert (await looking.ask("GET", f"/workflows/{workflow['id']}"))["name"] == "Deploy"
    await looking.ask("POST", f"/workflows/{workflow['id']}/launch", {}, status=403)
    await looking.ask("POST", f"/workflow-runs/{ended['id']}/relaunch", {}, status=403)
    await looking.ask("DELETE", f"/workflows/{workflow['id']}", status=403)


async def test_what_is_wrong_is_said_step_by_step_and_nothing_is_saved(api: Api, fleet: Fleet, call: Call) -> None:
    await fleet.enrol("web-01")
    nodes = steps(
        {"key": "a", "playbook": "nothing"},
        {"key": "b", "playbook": "patch", "variables": {"patch_scope": "some"}},
        {"key": "c", "options": {"forks": 3, "before": ["x"]}},
    )
    body = await api.ask("POST", "/workflows", {"name": "Deploy", "nodes": nodes}, status=400)
    assert body["complaints"]["nodes.a.playbook"] == "Playbook nothing not found"
    assert "must be one of" in body["complaints"]["nodes.b.variables.patch_scope"]
    assert "nodes.c.options.before" in body["complaints"]
    assert await call.db.value("select count(*) from workflows") == 0
    await made(api, {"key": "one"}, edges=[])
    twice = await api.ask("POST", "/workflows", {"name": "DEPLOY", "nodes": steps({"key": "x"})}, status=400)
    assert twice["complaints"] == {"name": "Another workflow has this name"}


async def test_permissions_of_whoever_started_it_count_at_every_step(api: Api, fleet: Fleet, call: Call) -> None:
    agent = await fleet.online("web-01")
    await role_with(call, "runner", "can_view_hosts", "can_manage_automation")
    user = await person(call, "runner")
    theirs = Api(api.session, api.url, {"Authorization": f"Bearer {await token_of(call, user)}"})
    workflow = await made(theirs, {"key": "one"}, {"key": "two"}, edges=ways("one>two"))
    run = await begun(theirs, workflow)
    held = await agent.job()
    await call.db.execute("update role_permissions set permissions = '{can_view_hosts}' where role = 'runner'")
    await agent.end(held, "succeeded")
    ended = await over(api, run)
    assert (states(ended), ended["status"]) == ({"one": "succeeded", "two": "failed"}, "failed")
    assert "needs the permission" in ended["nodes"][1]["reason"]


async def test_the_command_line_launches_approves_and_waits_once(api: Api, fleet: Fleet, call: Call) -> None:
    await fleet.enrol("web-01")
    await made(api, {"key": "ask", "kind": "approval"}, edges=[], name="Sign off")
    shell = Shell(api.url, await token_of(call, await person(call, "admin")))
    shell.group = "workflows"
    codes = [await shell.run("launch", "Sign off", "--key", "night 7", "--json") for _ in range(2)]
    first, second = (json.loads(out) for _, out, _ in codes)
    assert (first["id"], await call.db.value("select count(*) from workflow_runs")) == (second["id"], 1)
    waiting = await shell.start("wait", first["id"])
    code, out, err = await shell.run("approve", first["id"], "ask", "--reject")
    assert (code, "failed" in out) == (0, True), err
    text, _ = await waiting.communicate()
    assert (waiting.returncode, b"rejected by" in text) == (1, True)
    code, out, _ = await shell.run("relaunch", first["id"])
    assert (code, "waiting" in out) == (0, True)


async def test_who_is_limited_to_groups_sees_no_hosts_beyond_and_changes_nothing(
    api: Api, fleet: Fleet, call: Call
) -> None:
    await fleet.enrol("web-01")
    workflow = await made(api, {"key": "one"}, edges=[])
    run = await begun(api, workflow)
    user = await person(call, "admin")
    limited = Api(api.session, api.url, {"Authorization": f"Bearer {await token_of(call, user)}"})
    await call.db.execute("update users set limited_to_groups = true where id = %(id)s", id=user.id)
    assert (await limited.ask("GET", f"/workflows/{workflow['id']}"))["nodes"][0]["hosts"] == []
    assert (await limited.ask("GET", "/workflow-runs"))["runs"] == []
    await limited.ask("GET", f"/workflow-runs/{run['id']}", status=404)
    await limited.ask("DELETE", f"/workflows/{workflow['id']}", status=403)
    await limited.ask("PUT", f"/workflows/{workflow['id']}", {"name": "Mine"}, status=403)
    theirs = await begun(limited, workflow)
    assert "unknown: web-01" in theirs["nodes"][0]["reason"]


async def test_old_runs_are_forgotten_with_their_jobs(api: Api, fleet: Fleet, call: Call) -> None:
    await fleet.enrol("web-01")
    workflow = await made(api, {"key": "ask", "kind": "approval"}, edges=[])
    kept, old = await begun(api, workflow), await begun(api, workflow)
    for run in (kept, old):
        await api.ask("POST", f"/workflow-runs/{run['id']}/nodes/ask/approve", {})
    await call.db.execute(
        "update workflow_runs set finished_at = now() - interval '10 years' where id = %(id)s", id=old["id"]
    )
    assert (await settings.effective(call)).job_days > 0
    assert await service.forget(call) == 1
    assert [run["id"] for run in (await api.ask("GET", "/workflow-runs"))["runs"]] == [kept["id"]]
