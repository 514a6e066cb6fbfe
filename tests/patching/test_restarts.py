"""What surrounds a run on its host: snapshot, hooks and the restart, as the server orders and sees them."""

import asyncio

import pytest

from agent.protocol.messages import JobState
from server.automation import progress
from server.core.call import Call
from tests.factories.automation import Fleet
from tests.factories.patching import Patching, change, finish, heard, upload
from tests.stand_ins.scripted_agent import Held, ScriptedAgent


async def rebooting(agent: ScriptedAgent, held: Held, state: str = "rebooting") -> None:
    """Say that the host restarts for a job, or that the job goes on behind it."""
    held.state = state
    await agent.send(JobState(held.offer.job, state, len(held.spool["runner"]), len(held.spool["live"])))


async def of_job(call: Call, column: str) -> object:
    return await call.db.value(f"select {column} from job_hosts order by id desc limit 1")


async def test_snapshot_hooks_and_restart_are_stages_of_one_job(api: Patching, fleet: Fleet) -> None:
    agent = await fleet.online("web-01")
    await api.trigger(
        fleet.ids["web-01"], snapshot=True, pre_playbook="ping", post_playbook="inventory_facts", reboot="always"
    )
    held = await agent.job()
    assert held.spec["stages"] == [
        {"name": "snapshot", "playbook": "snapshot.yml"},
        {"name": "pre_playbook", "playbook": "ping.yml"},
        {"name": "main", "playbook": "patch.yml"},
        {"name": "after_restart", "playbook": "after_restart.yml"},
        {"name": "post_playbook", "playbook": "inventory_facts.yml"},
    ]
    await agent.end(held)
    await api.trigger(fleet.ids["web-01"])

    def other() -> Held | None:
        return next((one for one in agent.jobs.values() if one.offer != held.offer and one.state == "running"), None)

    plain = await agent.until(other)
    assert "stages" not in plain.spec


async def test_a_dry_run_has_nothing_around_it(api: Patching, fleet: Fleet) -> None:
    agent = await fleet.online("web-01")
    await api.trigger(fleet.ids["web-01"], dry_run=True, snapshot=True, pre_playbook="ping", reboot="always")
    assert "stages" not in (await agent.job()).spec


async def test_an_agent_that_cannot_run_stages_says_so_on_the_run(api: Patching, fleet: Fleet) -> None:
    await fleet.online("old-01", abilities=())
    made = await api.trigger(fleet.ids["old-01"], snapshot=True)
    run = await api.becomes(made["patch_run_id"], "failed")
    assert "too old to run playbooks around a run" in run["error_message"]


@pytest.mark.proves("PATCH-151")
async def test_a_run_goes_through_the_restart_of_its_host(api: Patching, fleet: Fleet, call: Call) -> None:
    agent = await fleet.online("web-01")
    made = await api.trigger(fleet.ids["web-01"], reboot="if_required")
    held = await agent.job()
    await agent.tell(held, {"event": "live", "stdout": "Setting up linux-image\n"}, source="live")
    await rebooting(agent, held)
    await _status(call, "rebooting")
    run = await api.becomes(made["patch_run_id"], "running")
    assert run["restarted_at"] is None
    await agent.drop()
    # The host is down; nobody gives the run up while it may.
    await progress.sweep(call)
    assert await of_job(call, "status") == "rebooting"
    agent.hello["boot_id"] = "b2"
    await agent.connect()
    assert await of_job(call, "status") == "rebooting"
    await rebooting(agent, held, "running")
    await agent.tell(held, {"event": "live", "stdout": "The host is back after 40 s\n"}, source="live")
    async with call.world.bus.following("patch_run_completed", "patch_reboot_required") as bell:
        await finish(api, agent, held, change("linux-image"), reboot_required=True)
        assert (await heard(bell, "patch_run_completed"))["run"] == made["patch_run_id"]
        news = await bell.ring(within=0.3)
        assert "patch_reboot_required" not in [one["event"] for one in news]
    run = await api.becomes(made["patch_run_id"], "completed")
    assert run["restarted_at"] is not None
    assert "Setting up linux-image\nThe host is back after 40 s\n" in run["shell_output"]


async def test_a_failed_hook_is_named_and_what_was_changed_is_kept(api: Patching, fleet: Fleet) -> None:
    agent = await fleet.online("web-01")
    made = await api.trigger(fleet.ids["web-01"], post_playbook="ping")
    reason = "post playbook ping failed: Ask the service: no answer"
    await _end(api, agent, await agent.job(), "nginx", "failed", reason)
    run = await api.becomes(made["patch_run_id"], "failed")
    assert run["error_message"] == reason
    assert [one["name"] for one in run["packages_affected"]] == ["nginx"]


async def test_a_host_that_does_not_come_back_is_given_up_and_its_late_word_counts(
    api: Patching, fleet: Fleet, call: Call
) -> None:
    agent = await fleet.online("web-01")
    made = await api.trigger(fleet.ids["web-01"], reboot="always")
    held = await agent.job()
    await rebooting(agent, held)
    await _status(call, "rebooting")
    await agent.drop()
    await call.db.execute("update job_hosts set rebooting_at = now() - interval '44 minutes'")
    await progress.sweep(call)
    assert await of_job(call, "status") == "rebooting"
    await call.db.execute("update job_hosts set rebooting_at = now() - interval '46 minutes'")
    await progress.sweep(call)
    run = await api.becomes(made["patch_run_id"], "agent_disconnected")
    assert run["error_message"] == "the host did not come back from its restart"
    held.state = "ended"
    await agent.connect()
    reason = "the host came back 960 s after the time it had for its restart"
    await _end(api, agent, held, "curl", "timed_out", reason)
    run = await api.becomes(made["patch_run_id"], "timed_out")
    assert run["error_message"] == reason


async def test_a_host_that_forgot_the_job_during_its_restart_lost_it(api: Patching, fleet: Fleet, call: Call) -> None:
    agent = await fleet.online("web-01")
    made = await api.trigger(fleet.ids["web-01"], reboot="always")
    await rebooting(agent, await agent.job())
    await _status(call, "rebooting")
    await agent.drop()
    agent.jobs.clear()
    await agent.connect()
    run = await api.becomes(made["patch_run_id"], "agent_disconnected")
    assert run["error_message"] == "the host no longer knows this job"


async def _status(call: Call, wanted: str) -> None:

    async with asyncio.timeout(10):
        while await of_job(call, "status") != wanted:
            await asyncio.sleep(0.03)


async def _end(api: Patching, agent: ScriptedAgent, held: Held, package: str, status: str, reason: str) -> None:
    result = await upload(api.session, agent, api.url, {"manager": "apt", "changes": [change(package)]})
    await agent.end(held, status, results=(result,), reason=reason)
