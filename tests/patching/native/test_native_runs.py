"""Runs on existing agents from trigger to end: commands out, posts in, the same run for everybody else."""

import asyncio
import json

import pytest
from aiohttp import WSMsgType

from server.automation import native as native_jobs
from server.channel import service as channel
from server.core.call import Call
from server.patching import native
from tests.factories.patching import Patching
from tests.stand_ins.existing_agent import Enrol

TRAILER = "--- Patch run completed at 2026-01-01T00:00:00Z ---\n"


@pytest.mark.proves("PATCH-33", "PATCH-109")
async def test_a_run_is_sent_streamed_and_completed(api: Patching, enrol: Enrol, call: Call) -> None:
    agent, host = await enrol()
    await agent.connect()
    made = await api.trigger(host)
    run = made["patch_run_id"]
    assert await agent.told("run_patch", run) == {
        "type": "run_patch", "patch_run_id": run, "patch_type": "patch_all", "dry_run": False,
    }  # fmt: skip
    assert agent.raw == [json.dumps(agent.heard[0], separators=(",", ":"))]
    found = await api.run(run)
    assert (found["status"], found["executor"]) == ("running", "native")
    await agent.say(run, "started")
    stream = f"{api.url}/api/v1/patching/runs/{run}/stream"
    async with api.session.ws_connect(stream, headers=api.headers) as first:
        assert json.loads((await first.receive()).data)["shell_output"] == ""
        await agent.say(run, "progress", "$ apt-get update -qq\n$ apt-get --with-new-pkgs upg")
        await agent.say(run, "progress", "rade -y\nUnpacking curl (8.1) over (8.0) ...\n")
        assert (await api.run(run))["shell_output"].endswith("upgrade -y\nUnpacking curl (8.1) over (8.0) ...\n")
        async with api.session.ws_connect(stream, headers=api.headers) as second:
            late = json.loads((await second.receive()).data)["shell_output"]
            whole = late + "Setting up curl (8.1) ...\n" + TRAILER
            await agent.say(run, "completed", whole)
            done = await api.run(run)
            texts = []
            for socket, begun in ((first, ""), (second, late)):
                heard = [json.loads(one.data) async for one in socket if one.type is WSMsgType.TEXT]
                texts.append(begun + "".join(one["chunk"] for one in heard[:-1]))
                assert (heard[-1]["type"], heard[-1]["stage"]) == ("done", "completed")
    assert texts == [whole, whole] == [done["shell_output"]] * 2
    assert (done["status"], done["error_message"], done["awaiting_post_patch_report"]) == ("completed", "", True)
    assert [(one["name"], one["from"], one["to"]) for one in done["packages_affected"]] == [("curl", "8.0", "8.1")]
    job = await call.db.one(
        "select h.status, h.executor, h.live_counter from job_hosts h join patch_runs r on r.job_host = h.uuid"
    )
    assert job == {"status": "succeeded", "executor": "native", "live_counter": 2}


@pytest.mark.proves("PATCH-64")
async def test_a_dry_run_waits_for_its_host_and_is_validated(api: Patching, enrol: Enrol) -> None:
    agent, host = await enrol()
    made = await api.dry(host, "curl", "vim")
    run = made["patch_run_id"]
    assert (await api.act(run, "retry-validation"))["patch_run_id"] == run
    assert (await api.run(run))["status"] == "pending_validation"
    await agent.connect()
    assert await agent.told("run_patch", run) == {
        "type": "run_patch", "patch_run_id": run, "patch_type": "patch_package", "package_names": ["curl", "vim"],
        "dry_run": True,
    }  # fmt: skip
    await agent.say(run, "started")
    text = (
        "Inst curl [8.0] (8.1 Debian-Security:12/stable-security [amd64])\nInst libcurl4 [8.0] (8.1 Debian [amd64])\n"
    )
    await agent.say(run, "dry_run_completed", text)
    done = await api.run(run)
    assert (done["status"], done["extra_deps"], done["shell_output"]) == ("validated", True, text)
    assert [(one["name"], one["security"], one["requested"]) for one in done["packages_affected"]] == [
        ("curl", True, True), ("libcurl4", False, False),
    ]  # fmt: skip
    real = (await api.act(run, "approve"))["patch_run_id"]
    sent = await agent.told("run_patch", real)
    assert (sent["dry_run"], sent["package_names"]) == (False, ["curl", "vim"])


@pytest.mark.proves("PATCH-82")
async def test_a_manager_the_agent_cannot_patch_fails_in_the_agents_own_words(api: Patching, enrol: Enrol) -> None:
    agent, host = await enrol()
    await agent.connect()
    run = (await api.trigger(host))["patch_run_id"]
    await agent.told("run_patch", run)
    said = 'package manager "apk" not supported for patching (apt, dnf, yum, pkg, pacman required)'
    await agent.say(run, "failed", error=said)
    assert ((await api.run(run))["status"], (await api.run(run))["error_message"]) == ("failed", said)


@pytest.mark.proves("PATCH-91", "PATCH-92", "PATCH-93")
async def test_a_run_is_stopped_by_the_agent_and_not_without_it(api: Patching, enrol: Enrol, call: Call) -> None:
    agent, host = await enrol()
    run = (await api.trigger(host))["patch_run_id"]
    await api.act(run, "stop", status=400)
    await agent.connect()
    await agent.told("run_patch", run)
    await agent.say(run, "progress", "half\n")
    async with api.session.ws_connect(f"{api.url}/api/v1/patching/runs/{run}/stream", headers=api.headers) as ws:
        await ws.receive()
        assert await api.act(run, "stop", status=202) == {"ok": True, "cancelled_via": "agent_signal"}
        assert await agent.told("patch_run_stop", run) == {"type": "patch_run_stop", "patch_run_id": run}
        await agent.say(
            run, "cancelled", "half\n--- Patch run stopped by user at 2026-01-01T00:00:00Z ---\n", "stopped"
        )
        assert json.loads((await ws.receive()).data)["chunk"].startswith("--- Patch run stopped")
        assert json.loads((await ws.receive()).data)["stage"] == "cancelled"
    done = await api.run(run)
    assert (done["status"], done["shell_output"][:5]) == ("cancelled", "half\n")
    assert done["error_message"].startswith("Stopped by superadmin")
    assert (await api.act(run, "stop", status=409))["error"] == "Run already finished"
    second = (await api.trigger(host))["patch_run_id"]
    await agent.told("run_patch", second)
    await agent.drop()
    keys = await call.db.column("select id from hosts")
    async with asyncio.timeout(5):
        while await channel.online(call, keys):
            await asyncio.sleep(0.01)
    assert (await api.act(second, "stop", status=409))["error"] == "Agent is not currently connected"


async def test_a_lost_agent_ends_the_run_until_it_has_the_last_word(api: Patching, enrol: Enrol) -> None:
    agent, host = await enrol()
    await agent.connect()
    run = (await api.trigger(host))["patch_run_id"]
    await agent.told("run_patch", run)
    await agent.say(run, "progress", "one\n")
    await agent.drop()
    lost = await api.becomes(run, "agent_disconnected")
    assert (lost["error_message"], lost["shell_output"]) == ("Agent disconnected during patch run", "one\n")
    await agent.say(run, "progress", "two\n")
    assert (await api.run(run))["status"] == "agent_disconnected"
    await agent.say(run, "completed", "one\ntwo\nthree\n")
    done = await api.run(run)
    assert (done["status"], done["error_message"], done["shell_output"]) == ("completed", "", "one\ntwo\nthree\n")


async def test_an_agent_that_is_back_in_a_moment_is_not_lost(api: Patching, enrol: Enrol) -> None:
    agent, host = await enrol()
    await agent.connect()
    run = (await api.trigger(host))["patch_run_id"]
    await agent.told("run_patch", run)
    await agent.drop()
    await agent.connect()
    await asyncio.sleep(1.5)
    assert (await api.run(run))["status"] == "running"
    assert len(agent.raw) == 1, "a command is sent once"


async def test_a_silent_run_times_out_until_the_agent_has_the_last_word(
    api: Patching, enrol: Enrol, call: Call
) -> None:
    agent, host = await enrol()
    await agent.connect()
    run = (await api.trigger(host))["patch_run_id"]
    await agent.told("run_patch", run)
    await call.db.execute("update patch_native set heard_at = now() - interval '31 minutes'")
    await agent.say(run, "progress", "still here\n")
    assert await native.give_up_silent(call) == 0
    await call.db.execute("update patch_native set heard_at = now() - interval '31 minutes'")
    assert await native.give_up_silent(call) == 1
    silent = await api.run(run)
    assert (silent["status"], silent["error_message"]) == (
        "timed_out", "The agent said nothing about this run for 30 minutes",
    )  # fmt: skip
    await agent.say(run, "started")
    assert (await api.run(run))["status"] == "timed_out"
    await agent.say(run, "failed", "still here\nE: broken\n", "exit status 100")
    done = await api.run(run)
    assert (done["status"], done["error_message"]) == ("failed", "exit status 100")


async def test_what_a_killed_server_left_is_given_up_or_sent_again(api: Patching, enrol: Enrol, call: Call) -> None:
    agent, host = await enrol()
    await agent.connect()
    run = (await api.trigger(host))["patch_run_id"]
    await agent.told("run_patch", run)
    await native_jobs.sweep(call)
    assert (await api.run(run))["status"] == "running"
    # A stop that the agent never confirms does not keep the host for ever; its late output is still kept.
    await api.act(run, "stop", status=202)
    await call.db.execute("update job_hosts set stop_asked_at = now() - interval '4 minutes'")
    await native_jobs.sweep(call)
    stopped = await api.becomes(run, "cancelled")
    await agent.say(run, "cancelled", "late but whole\n", "stopped by user")
    filled = await api.run(run)
    assert (filled["shell_output"], filled["error_message"]) == ("late but whole\n", stopped["error_message"])
    await agent.say(run, "completed", "never\n")
    assert (await api.run(run))["shell_output"] == "late but whole\n"
    second = (await api.trigger(host))["patch_run_id"]
    await agent.told("run_patch", second)
    await call.db.execute(
        "update hosts set last_connected_at = now() - interval '1 hour',"
        " last_disconnected_at = now() - interval '5 minutes'"
    )
    await call.db.execute("update job_hosts set started_at = now() - interval '30 minutes' where status = 'running'")
    await native_jobs.sweep(call)
    await api.becomes(second, "agent_disconnected")
    third = (await api.trigger(host))["patch_run_id"]
    await agent.told("run_patch", third)
    unsent = (
        "update job_hosts set status = 'dispatched', dispatched_at = now() - interval '1 hour' where status = 'running'"
    )
    await call.db.execute(unsent)
    await native_jobs.sweep(call)
    assert await call.db.value("select count(*) from job_hosts where status = 'queued'") == 1


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"hold_patterns": ["linux-*"]}, "hold packages back by pattern"),
        ({"security_only": True}, "install security updates alone"),
        ({"reboot": "always"}, "restart the host"),
        ({"patch_type": "patch_package", "package_names": ["libc6:amd64"]}, "this name: libc6:amd64"),
    ],
)
async def test_what_an_existing_agent_cannot_do_is_refused_on_the_run(
    api: Patching, enrol: Enrol, wish: dict[str, object], said: str
) -> None:
    agent, host = await enrol()
    await agent.connect()
    run = (await api.trigger(host, **wish))["patch_run_id"]  # type: ignore[arg-type]
    failed = await api.becomes(run, "failed")
    assert failed["error_message"].startswith("The host has an existing PatchMon agent, which cannot ")
    assert said in failed["error_message"]
    assert failed["started_at"] is None or agent.raw == []
    assert agent.raw == []


async def test_one_run_that_changes_a_host_waits_for_the_one_before(api: Patching, enrol: Enrol) -> None:
    agent, host = await enrol()
    await agent.connect()
    first = (await api.trigger(host))["patch_run_id"]
    second = (await api.trigger(host))["patch_run_id"]
    await agent.told("run_patch", first)
    await asyncio.sleep(0.3)
    assert len(agent.raw) == 1
    await agent.say(first, "completed", "done\n")
    await agent.told("run_patch", second, 20)


async def test_other_playbooks_say_that_the_agent_cannot(api: Patching, enrol: Enrol) -> None:
    agent, host = await enrol()
    await agent.connect()
    job = await api.launch(host)
    done = await api.status(job, "failed")
    assert "existing agents have no command for this playbook" in done["hosts"][0]["reason"]
    patch = await api.launch(host, playbook="patch")
    done = await api.status(patch, "failed")
    assert done["hosts"][0]["reason"] == "existing agents patch only by patch runs"
    assert agent.raw == []
