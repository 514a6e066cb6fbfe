"""How freshly hosts are patched: counted by their real runs, announced once."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from server.core.bus import Bell
from server.core.call import Call
from server.patching import freshness, projection
from server.patching.verdicts import OTHER, cause_of
from server.settings import service as settings
from tests.factories.automation import Fleet
from tests.factories.patching import Patching, change, finish, heard

LOCKED = "Gave up after 600 seconds: apt-get (process 812) holds /var/lib/dpkg/lock. Nothing was changed by this run"
FULL = "The disk of the host is full: free some space and start this again"


async def kept(call: Call) -> dict[str, Any]:
    """The one row about the one host."""
    row = await call.db.one("select * from host_patching")
    return row or {}


async def run(api: Patching, fleet: Fleet, name: str, error: str = "", **more: Any) -> dict[str, Any]:
    """Patch a host; with an error it fails so."""
    agent = fleet.agents[list(fleet.ids).index(name)]
    made = await api.trigger(fleet.ids[name], **more)
    held = await agent.job()
    if error:
        await finish(api, agent, held, status="failed", error=error)
    else:
        await finish(api, agent, held, change("openssl"))
    await agent.dropped(held)
    ended = "failed" if error else "validated" if more.get("dry_run") else "completed"
    return dict(await api.becomes(made["patch_run_id"], ended))


async def test_only_real_runs_count_and_failures_add_up_until_one_succeeds(
    api: Patching, fleet: Fleet, call: Call
) -> None:
    await fleet.online("web-01")
    await run(api, fleet, "web-01", dry_run=True)
    assert await kept(call) == {}
    await run(api, fleet, "web-01", LOCKED)
    second = await run(api, fleet, "web-01", FULL)
    row = await kept(call)
    assert (row["last_success_at"], row["last_status"], row["consecutive_failures"]) == (None, "failed", 2)
    assert (row["last_run"], row["last_error"], row["cause"]) == (second["id"], FULL, "Disk full")
    third = await run(api, fleet, "web-01")
    row = await kept(call)
    assert (row["last_status"], row["consecutive_failures"], row["last_error"], row["cause"]) == (
        "completed",
        0,
        "",
        "",
    )
    assert row["last_success_at"] == row["last_attempt_at"]
    assert row["last_run"] == third["id"]


async def test_what_fails_is_announced_once_per_cause_and_once_when_it_is_over(
    api: Patching, fleet: Fleet, call: Call
) -> None:
    await fleet.online("web-01")
    async with call.world.bus.following("host_patch_failing", "host_patch_recovered") as bell:
        await run(api, fleet, "web-01", LOCKED)
        await run(api, fleet, "web-01", LOCKED)
        await run(api, fleet, "web-01", FULL)
        await run(api, fleet, "web-01")
        await run(api, fleet, "web-01")
        told = await all_news(bell)
    assert [(one["event"], one["cause"], one["failures"]) for one in told] == [
        ("host_patch_failing", "Package manager locked", 1),
        ("host_patch_failing", "Disk full", 3),
        ("host_patch_recovered", "Disk full", 0),
    ]
    assert {one["host_name"] for one in told} == {"web-01"}
    assert told[0]["error"] == LOCKED


async def all_news(bell: Bell) -> list[dict[str, Any]]:
    """Everything that was announced until it is quiet."""
    found: list[dict[str, Any]] = []
    while news := await bell.ring(within=0.3):
        found += news
    return found


async def test_a_run_given_up_too_early_is_counted_as_it_really_ended(api: Patching, fleet: Fleet, call: Call) -> None:
    agent = await fleet.online("web-01")
    made = await api.trigger(fleet.ids["web-01"])
    held = await agent.job()
    await agent.tell(held, {"event": "live", "stdout": "Get:1 openssl\n"}, source="live")
    await api.becomes(made["patch_run_id"], "running")
    await call.db.execute("update job_hosts set status = 'lost', reason = 'the agent is gone', finished_at = now()")
    await api.becomes(made["patch_run_id"], "agent_disconnected")
    assert ((await kept(call))["consecutive_failures"], (await kept(call))["last_status"]) == (1, "agent_disconnected")
    await call.db.execute("update job_hosts set status = 'running', reason = '', finished_at = null")
    await projection.sweep(call)
    await api.becomes(made["patch_run_id"], "running")
    assert ((await kept(call))["consecutive_failures"], (await kept(call))["last_status"]) == (0, "")
    await finish(api, agent, held, change("openssl"))
    await api.becomes(made["patch_run_id"], "completed")
    row = await kept(call)
    assert (row["consecutive_failures"], row["last_status"]) == (0, "completed")


async def test_a_host_is_announced_as_stale_once_and_as_fresh_when_it_was_patched(
    api: Patching, fleet: Fleet, call: Call
) -> None:
    await fleet.online("web-01")
    await fleet.enrol("web-02")
    await call.db.execute("update hosts set status = 'active' where friendly_name = 'web-01'")
    assert await freshness.look(call) == (0, 0)
    # The second never joined: nobody has to patch what is not there.
    await call.db.execute("update hosts set created_at = created_at - interval '31 days'")
    async with call.world.bus.following("host_patch_stale", "host_patch_fresh") as bell:
        assert await freshness.look(call) == (1, 0)
        assert await freshness.look(call) == (0, 0)
        assert (await heard(bell, "host_patch_stale"))["host"] == fleet.ids["web-01"]
        await run(api, fleet, "web-01")
        assert await freshness.look(call) == (0, 1)
        assert (await heard(bell, "host_patch_fresh"))["last_success_at"] != ""
    assert await freshness.look(call) == (0, 0)
    late = Call(call.world, call.actor, now=call.now + timedelta(days=31))
    assert await freshness.look(late) == (1, 0)
    # Who gives hosts more time takes that back.
    await settings.change(call, {"patch_stale_days": 60})
    assert await freshness.look(late) == (0, 1)


async def test_two_runs_of_a_host_that_end_at_once_are_both_counted(fleet: Fleet, call: Call) -> None:
    await fleet.enrol("web-01")
    host = await call.db.value("select id from hosts")
    await call.db.execute(
        "insert into patch_runs (host_id, patch_type, status, error_message, batch_id, policy_snapshot, created_at,"
        " updated_at) select %(host)s, 'patch_all', 'running', '', gen_random_uuid(), '{}', now(), now()"
        " from generate_series(1, 8)",
        host=host,
    )
    runs = await call.db.column("select id from patch_runs")

    async def end(run: str) -> None:
        async with call.transaction() as tx:
            await tx.execute(
                "update patch_runs set status = 'failed', completed_at = clock_timestamp() where id = %(run)s", run=run
            )
            await freshness.note(tx, [host])

    await asyncio.gather(*(end(run) for run in runs))
    assert (await kept(call))["consecutive_failures"] == 8


@pytest.mark.parametrize(
    ("status", "error", "cause"),
    [
        ("failed", LOCKED, "Package manager locked"),
        ("failed", FULL, "Disk full"),
        ("failed", "Dependencies contradict each other: a depends on b (>= 2).", "Dependency conflict"),
        ("failed", "A package source cannot be reached: http://deb.example.org", "Package source unreachable"),
        ("failed", "curl is not, or no longer, in the package sources of this host", "Package gone"),
        ("failed", "nginx could not be set up (installed post-installation script returned 1)",
         "Package could not be set up"),
        ("timed_out", "", "Took too long"),
        ("agent_disconnected", "the agent is gone", "Agent disconnected"),
        ("failed", "Segmentation fault", OTHER),
    ],
)  # fmt: skip
def test_failures_are_grouped_by_what_to_do_about_them(status: str, error: str, cause: str) -> None:
    assert cause_of(status, error) == cause
