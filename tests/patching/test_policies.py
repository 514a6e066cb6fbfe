"""Which policy holds for a host, and when its runs begin."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from server.core.call import Call
from server.patching import rules, schedule
from server.patching.models import DEFAULT, Assignment, Policy
from server.patching.queries import policies as rows
from server.settings import service as settings
from tests.factories.automation import Fleet
from tests.factories.patching import Patching
from tests.factories.scopes import fleet as grouped
from tests.factories.scopes import limited, program_of


@pytest.mark.proves("PATCH-79d", "PATCH-63", "PATCH-62")
async def test_a_delay_counts_from_the_trigger_or_the_approval_and_can_be_overridden(
    api: Patching, fleet: Fleet
) -> None:
    await fleet.enrol("web-01")
    host = fleet.ids["web-01"]
    await api.assign(await api.policy("Half an hour", "delayed", delay_minutes=30), "host", host)
    before = datetime.now(UTC)
    made = await api.trigger(host)
    assert made["status"] == "scheduled"
    due = datetime.fromisoformat(made["run_at"])
    assert timedelta(minutes=29) < due - before < timedelta(minutes=31)
    at_once = await api.run((await api.trigger(host, schedule_override="immediate"))["patch_run_id"])
    assert (at_once["status"], at_once["scheduled_at"]) == ("queued", None)
    assert at_once["policy_name"] == "Half an hour"
    assert at_once["schedule_override"] == "immediate"
    waiting = await api.trigger(host, submit_for_approval=True)
    assert waiting["run_at"] is None
    approved = await api.act(waiting["patch_run_id"], "approve")
    assert datetime.fromisoformat(approved["run_at"]) > due
    second = await api.trigger(host, submit_for_approval=True)
    approved = await api.act(second["patch_run_id"], "approve", {"schedule_override": "immediate"})
    assert approved["run_at"] is None
    assert (await api.run(approved["patch_run_id"]))["status"] == "queued"


@pytest.mark.proves("PATCH-71", "PATCH-72", "PATCH-79c", "A-20")
async def test_a_fixed_time_is_utc_whatever_its_label_says(api: Patching, fleet: Fleet) -> None:
    await fleet.enrol("web-01")
    past = datetime.now(UTC) - timedelta(minutes=1)
    policy = await api.policy("Night", "fixed_time", fixed_time_utc=past.strftime("%H:%M"), timezone="America/New_York")
    await api.assign(policy, "host", fleet.ids["web-01"])
    tomorrow = (past + timedelta(days=1)).replace(second=0, microsecond=0)
    shown = await api.preview(fleet.ids["web-01"])
    assert datetime.fromisoformat(shown["run_at_iso"]) == tomorrow
    assert (shown["policy_id"], shown["policy_name"], shown["patch_delay_type"]) == (
        policy["id"], "Night", "fixed_time",
    )  # fmt: skip
    made = await api.trigger(fleet.ids["web-01"])
    assert (made["status"], datetime.fromisoformat(made["run_at"])) == ("scheduled", tomorrow)


@pytest.mark.proves("PATCH-75", "PATCH-76", "PATCH-79b", "PATCH-73")
async def test_the_oldest_policy_that_does_not_exclude_the_host_holds_and_its_own_first(
    api: Patching, call: Call
) -> None:
    there = await grouped(call)
    first, second, third = [await api.policy(name) for name in ("P1", "P2", "P3")]
    await api.assign(first, "host_group", there.north)
    await api.assign(second, "host_group", there.south)

    async def holds() -> tuple[str | None, str]:
        shown = await api.preview(there.both)
        return shown["policy_id"], shown["policy_name"]

    assert await holds() == (first["id"], "P1")
    await api.exclude(first, there.both)
    assert await holds() == (second["id"], "P2")
    assert (await api.preview(there.inside))["policy_name"] == "P1"
    await api.exclude(second, there.both)
    assert await holds() == (None, "Default")
    await api.assign(third, "host", there.both)
    assert await holds() == (third["id"], "P3")
    refused = await api.exclude(third, there.both, status=400)
    assert "directly" in refused["error"]
    await api.ask("DELETE", f"/patching/policies/{second['id']}/exclusions/{there.both}", status=204)
    shown = await api.ask("GET", f"/patching/policies/{third['id']}")
    assignment = shown["assignments"][0]
    assert assignment in await api.ask("GET", f"/patching/policies/{third['id']}/assignments")
    assert (assignment["target_type"], assignment["target_id"]) == ("host", there.both)
    await api.ask("DELETE", f"/patching/policies/{third['id']}/assignments/{assignment['id']}", status=204)
    assert await holds() == (second["id"], "P2")


async def test_the_statement_for_many_hosts_says_what_the_rule_says(call: Call) -> None:
    dice = random.Random(7)
    await call.db.execute(
        "insert into hosts (friendly_name, api_id, api_key) select n, n, '' from generate_series(1, 60) n"
    )
    hosts = await call.db.column("select id from hosts order by id")
    groups = await call.db.column("insert into host_groups (name) values ('a'), ('b'), ('c') returning id")
    members = {host: [one for one in groups if dice.random() < 0.5] for host in hosts}
    names = ("p", "q", "r", "s")
    made = {name: await rows.insert_policy(call.db, Policy("", name), call.now) for name in names}  # type: ignore[arg-type]
    assigned: list[tuple[str, str, int]] = []
    for number in range(24):
        policy = made[dice.choice(names)]
        column, target = dice.choice((("host_id", dice.choice(hosts[:20])), ("host_group_id", dice.choice(groups))))
        added = await call.db.value(
            f"insert into patch_policy_assignments (policy_id, {column}, created_at)"
            " values (%(policy)s, %(target)s, now() + make_interval(secs => %(number)s))"
            " on conflict do nothing returning 1",
            policy=policy, target=target, number=number,
        )  # fmt: skip
        assigned += [(policy, column, target)] if added else []
    excluded = {host: {made[name] for name in names if dice.random() < 0.3} for host in hosts}
    for host in hosts:
        for group_id in members[host]:
            await call.db.execute("insert into host_group_members values (%(h)s, %(g)s)", h=host, g=group_id)
        for policy in excluded[host]:
            await call.db.execute(
                "insert into patch_policy_exclusions (policy_id, host_id) values (%(p)s, %(h)s)", p=policy, h=host
            )
    policies = {policy: Policy(policy, name) for name, policy in made.items()}
    found = await rows.list_effective(call.db, hosts)
    for host in hosts:
        mine = [
            Assignment(policy, column == "host_id")
            for policy, column, target in assigned
            if (column == "host_id" and target == host) or (column == "host_group_id" and target in members[host])
        ]
        assert found.get(host, DEFAULT).name == rules.effective(mine, excluded[host], policies).name
    assert len({policy.name for policy in found.values()}) > 2


@pytest.mark.proves("PATCH-14", "PATCH-77", "PATCH-78", "PATCH-74")
async def test_changing_or_deleting_a_policy_moves_no_run_that_was_made(
    api: Patching, fleet: Fleet, call: Call
) -> None:
    await fleet.enrol("web-01")
    policy = await api.policy("Nightly", "delayed", delay_minutes=5)
    assert policy["_count"] == {"assignments": 0, "exclusions": 0}
    await api.assign(policy, "host", fleet.ids["web-01"])
    assert (await api.ask("GET", "/patching/runs"))["total"] == 0
    made = await api.trigger(fleet.ids["web-01"])
    changed = await api.ask(
        "PUT", f"/patching/policies/{policy['id']}",
        {"name": "Weekly", "patch_delay_type": "delayed", "delay_minutes": 600},
    )  # fmt: skip
    assert (changed["name"], changed["_count"]["assignments"]) == ("Weekly", 1)
    run = await api.run(made["patch_run_id"])
    assert (run["scheduled_at"], run["policy_snapshot"]["name"]) == (made["run_at"], "Nightly")
    await api.ask("DELETE", f"/patching/policies/{policy['id']}", status=204)
    assert await call.db.value("select count(*) from patch_policy_assignments") == 0
    run = await api.run(made["patch_run_id"])
    assert (run["status"], run["scheduled_at"], run["policy_name"]) == ("scheduled", made["run_at"], "Nightly")
    await call.db.execute("update patch_runs set scheduled_at = now() - interval '1 hour'")
    assert await schedule.release_due(call) == 1
    assert (await api.run(made["patch_run_id"]))["status"] == "queued"


@pytest.mark.parametrize(
    "body",
    [
        {"name": "", "patch_delay_type": "immediate"},
        {"name": "x", "patch_delay_type": "delayed", "delay_minutes": 0},
        {"name": "x", "patch_delay_type": "delayed"},
        {"name": "x", "patch_delay_type": "fixed_time", "fixed_time_utc": "25:00"},
        {"name": "x", "patch_delay_type": "fixed_time"},
        {"name": "x", "patch_delay_type": "fixed_time", "fixed_time_utc": "03:00", "timezone": "Mars/Base"},
        {"name": "x", "patch_delay_type": "sometimes"},
    ],
)
@pytest.mark.proves("PATCH-70")
async def test_what_is_no_policy_is_refused(api: Patching, body: dict[str, object]) -> None:
    await api.ask("POST", "/patching/policies", body, status=400)
    assert await api.ask("GET", "/patching/policies") == []


@pytest.mark.proves("PATCH-02")
async def test_without_the_module_of_policies_runs_begin_at_once(api: Patching, fleet: Fleet, call: Call) -> None:
    await fleet.enrol("web-01")
    await api.assign(await api.policy("Later", "delayed", delay_minutes=30), "host", fleet.ids["web-01"])
    await settings.change(call, {"disabled_modules": ["patching_policies"]})
    await api.ask("GET", "/patching/policies", status=403)
    made = await api.trigger(fleet.ids["web-01"])
    assert (made["status"], (await api.run(made["patch_run_id"]))["policy_name"]) == ("queued", "Default")


@pytest.mark.proves("PATCH-01")
async def test_without_the_module_of_patching_nothing_answers(api: Patching, fleet: Fleet, call: Call) -> None:
    await fleet.enrol("web-01")
    await settings.change(call, {"disabled_modules": ["patching"]})
    await api.ask("GET", "/patching/runs", status=403)
    await api.trigger(fleet.ids["web-01"], status=403)


async def test_who_is_limited_to_a_group_patches_and_sees_only_its_hosts(api: Patching, call: Call) -> None:
    there = await grouped(call)
    mine = Patching(api.session, api.url, await program_of(call, await limited(call, there.north)))
    foreign = await api.trigger(there.outside)
    await mine.trigger(there.outside, status=404)
    await mine.trigger(host_group_id=there.south, status=404)
    await mine.run(foreign["patch_run_id"], status=404)
    await mine.delete(foreign["patch_run_id"], status=404)
    made = await mine.trigger(host_group_id=there.north)
    assert [run["host_name"] for run in made["runs"]] == ["both", "inside"]
    assert (await mine.ask("GET", "/patching/runs"))["total"] == 2
    assert (await mine.ask("GET", "/patching/dashboard"))["summary"]["total"] == 2
    policy = await api.policy("All")
    await mine.policy("Mine", status=403)
    await mine.assign(policy, "host", there.outside, status=404)
    await api.assign(policy, "host", there.outside)
    assert (await mine.ask("GET", f"/patching/policies/{policy['id']}"))["assignments"] == []


@pytest.mark.proves("PATCH-79e")
async def test_one_trigger_reaches_canaries_production_and_the_rest_at_their_own_times(
    api: Patching, call: Call
) -> None:
    there = await grouped(call)
    canary = await api.policy("Canary", "fixed_time", fixed_time_utc="01:00")
    production = await api.policy("Production", "fixed_time", fixed_time_utc="04:00")
    await api.assign(canary, "host_group", there.north)
    await api.assign(production, "host_group", there.south)
    made = await api.trigger(there.inside, there.outside, there.alone)
    when = {run["host_name"]: (run["status"], (run["run_at"] or "")[11:16]) for run in made["runs"]}
    assert when == {"inside": ("scheduled", "01:00"), "outside": ("scheduled", "04:00"), "alone": ("queued", "")}
    second_thoughts = next(run for run in made["runs"] if run["host_name"] == "outside")
    await api.delete(second_thoughts["patch_run_id"])
    await call.db.execute("update patch_runs set scheduled_at = now() - interval '1 hour' where status = 'scheduled'")
    assert await schedule.release_due(call) == 1
    assert [run["status"] for run in (await api.ask("GET", "/patching/runs"))["runs"]] == ["queued", "queued"]
