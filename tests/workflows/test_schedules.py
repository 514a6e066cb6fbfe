"""Schedules through the front door: once for each time, in any zone, as their owner may by then, missed or paused."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from server.core.call import Call
from server.workflows import schedules
from server.workflows.events import ScheduleRefused
from tests.factories.automation import Api, Fleet
from tests.factories.people import bearer, person, role_with, token_of

NIGHTLY = {"name": "Nightly", "playbook": "ping", "hosts": ["web-01"], "check": True, "cron": "30 2 * * *"}


async def made(api: Api, **more: Any) -> Any:
    return await api.ask("POST", "/schedules", {**NIGHTLY, **more}, status=201)


async def rewind(call: Call, until: datetime) -> None:
    """Let schedules have been considered up to a moment."""
    await call.db.execute("update schedules set considered_until = %(until)s", until=until)


async def starts(api: Api, schedule: Any) -> list[tuple[str, str]]:
    found = await api.ask("GET", f"/schedules/{schedule['id']}")
    return [(one["outcome"], one["due_at"]) for one in found["starts"]]


async def test_a_time_starts_one_job_however_many_servers_look(api: Api, fleet: Fleet, call: Call) -> None:
    await fleet.enrol("web-01")
    schedule = await made(api, timezone="Europe/Berlin")
    assert len(schedule["upcoming"]) == 5
    await rewind(call, datetime(2026, 6, 1, 0, 0, tzinfo=UTC))
    before = replace(call, now=datetime(2026, 6, 1, 0, 29, tzinfo=UTC))
    assert await schedules.start_due(before) == 0
    due = replace(call, now=datetime(2026, 6, 1, 0, 30, 3, tzinfo=UTC))
    await asyncio.gather(*(schedules.start_due(due) for _ in range(5)))
    assert await starts(api, schedule) == [("started", "2026-06-01T00:30:00Z")]
    (job,) = (await api.ask("GET", "/jobs"))["jobs"]
    assert (job["title"], job["check"]) == ("Nightly", True)
    entry = await call.db.one("select actor_name, via_name from audit_log where action = 'automation.job_launched'")
    assert entry is not None
    assert entry["via_name"] == "schedule Nightly"


async def test_the_nights_when_clocks_change_have_one_start_each(api: Api, fleet: Fleet, call: Call) -> None:
    await fleet.enrol("web-01")
    schedule = await made(api, timezone="Europe/Berlin")
    # 02:30 does not exist on 29 March and comes twice on 25 October.
    for day in (datetime(2026, 3, 28, 12, tzinfo=UTC), datetime(2026, 10, 24, 12, tzinfo=UTC)):
        await rewind(call, day)
        for hours in range(25):
            await schedules.start_due(replace(call, now=day + timedelta(hours=hours, minutes=2)))
            await schedules.start_due(replace(call, now=day + timedelta(hours=hours, minutes=31)))
    assert sorted(when for _, when in await starts(api, schedule)) == [
        "2026-03-29T01:00:00Z", "2026-10-25T00:30:00Z",
    ]  # fmt: skip
    assert await call.db.value("select count(*) from jobs") == 2


async def test_what_passed_while_no_server_ran_is_made_up_for_once_or_recorded(
    api: Api, fleet: Fleet, call: Call
) -> None:
    await fleet.enrol("web-01")
    once, record = await made(api), await made(api, name="Recorded", missed="record")
    await rewind(call, datetime(2026, 6, 1, tzinfo=UTC))
    await schedules.start_due(replace(call, now=datetime(2026, 6, 3, 9, tzinfo=UTC)))
    assert [outcome for outcome, _ in await starts(api, once)] == ["started", "missed", "missed"]
    assert [outcome for outcome, _ in await starts(api, record)] == ["missed", "missed", "missed"]
    assert await call.db.value("select count(*) from jobs") == 1


async def test_a_paused_schedule_starts_nothing_and_makes_up_for_nothing(api: Api, fleet: Fleet, call: Call) -> None:
    await fleet.enrol("web-01")
    schedule = await made(api)
    paused = await api.ask("POST", f"/schedules/{schedule['id']}/pause", {})
    assert (paused["enabled"], paused["upcoming"]) == (False, [])
    await rewind(call, datetime(2026, 6, 1, tzinfo=UTC))
    assert await schedules.start_due(replace(call, now=datetime(2026, 6, 3, 9, tzinfo=UTC))) == 0
    await api.ask("POST", f"/schedules/{schedule['id']}/resume", {})
    assert await schedules.start_due(call) == 0
    by_hand = await api.ask("POST", f"/schedules/{schedule['id']}/start", {}, status=201)
    assert await starts(api, schedule) != []
    assert (await api.ask("GET", f"/jobs/{by_hand['job']}"))["title"] == "Nightly"


async def test_the_owner_counts_as_they_are_by_then(api: Api, fleet: Fleet, call: Call) -> None:
    await fleet.enrol("web-01")
    await role_with(call, "runner", "can_view_hosts", "can_manage_automation")
    user = await person(call, "runner")
    theirs = Api(api.session, api.url, {"Authorization": f"Bearer {await token_of(call, user)}"})
    schedule = await made(theirs)
    night = datetime(2026, 6, 1, 2, 30, 1, tzinfo=UTC)
    await rewind(call, night - timedelta(hours=1))
    await schedules.start_due(replace(call, now=night))
    await call.db.execute("update role_permissions set permissions = '{can_view_hosts}' where role = 'runner'")
    async with call.world.bus.following(ScheduleRefused.name) as bell:
        await schedules.start_due(replace(call, now=night + timedelta(days=1)))
        (news,) = await bell.ring(within=5)
    assert "needs the permission" in news["reason"]
    await call.db.execute("update users set is_active = false where id = %(id)s", id=user.id)
    await schedules.start_due(replace(call, now=night + timedelta(days=2)))
    found = await api.ask("GET", f"/schedules/{schedule['id']}")
    assert [one["outcome"] for one in found["starts"]] == ["refused", "refused", "started"]
    assert "is switched off" in found["starts"][0]["reason"]
    # Whoever changes it owns it, and it starts again.
    again = await api.ask("PUT", f"/schedules/{schedule['id']}", NIGHTLY)
    assert again["owner"] != user.username
    await rewind(call, night + timedelta(days=2, minutes=1))
    await schedules.start_due(replace(call, now=night + timedelta(days=3)))
    assert (await starts(api, schedule))[0][0] == "started"


async def test_a_workflow_starts_by_itself_and_wrong_times_are_explained(api: Api, fleet: Fleet, call: Call) -> None:
    await fleet.enrol("web-01")
    workflow = await api.ask(
        "POST", "/workflows", {"name": "Deploy", "nodes": [{"key": "ask", "kind": "approval"}]}, status=201
    )
    schedule = await made(api, workflow=workflow["id"], playbook="")
    night = datetime(2026, 6, 1, 2, 30, 1, tzinfo=UTC)
    await rewind(call, night - timedelta(hours=1))
    await schedules.start_due(replace(call, now=night))
    (run,) = (await api.ask("GET", "/workflow-runs"))["runs"]
    assert (run["cause"], run["status"]) == ("schedule Nightly", "waiting")
    for wrong, named in (
        ({"cron": "30 2 30 2 *"}, "cron"),
        ({"cron": "often"}, "cron"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"playbook": "nothing"}, "playbook"),
        ({"hosts": []}, "hosts"),
        ({"name": "NIGHTLY"}, "name"),
    ):
        refused = await api.ask("POST", "/schedules", {**NIGHTLY, "name": "Other", **wrong}, status=400)
        assert named in refused["complaints"], wrong
    readonly = Api(api.session, api.url, await bearer(call, "readonly"))
    await readonly.ask("GET", "/schedules", status=403)
    await api.ask("DELETE", f"/workflows/{workflow['id']}")
    await api.ask("GET", f"/schedules/{schedule['id']}", status=404)
    alone = await made(api, hosts=["web-01"])
    await api.ask("DELETE", f"/schedules/{alone['id']}")
    assert (await api.ask("GET", "/schedules"))["schedules"] == []


async def test_secrets_of_steps_and_schedules_are_sealed_and_kept(api: Api, call: Call, fleet: Fleet) -> None:
    from server.automation.models import Field, Playbook, Project  # noqa: PLC0415 (a playbook of an operator)
    from server.automation.queries import library  # noqa: PLC0415

    await fleet.enrol("web-01")
    async with call.transaction() as tx:
        project = Project("0" * 64, b"x")
        await library.insert_project(tx, project)
        fields = (Field("greeting", "str"), Field("password", "str", secret=True, required=True))
        await library.upsert_playbooks(tx, (Playbook("greet", "greet.yml", "Greet", "", project.digest, fields),))
    task = {"playbook": "greet", "hosts": ["web-01"], "variables": {"greeting": "hi", "password": "canary-7"}}
    schedule = await made(api, **task)
    body = {"name": "Deploy", "nodes": [{"key": "greet", **task}]}
    workflow = await api.ask("POST", "/workflows", body, status=201)
    assert schedule["variables"] == workflow["nodes"][0]["variables"] == {"greeting": "hi", "password": "********"}
    changed = await api.ask("PUT", f"/workflows/{workflow['id']}", {**workflow, "description": "changed"})
    assert changed["description"] == "changed"
    for found in (
        await api.ask("POST", f"/schedules/{schedule['id']}/start", {}, status=201),
        (await api.ask("POST", f"/workflows/{workflow['id']}/launch", {}, status=201))["nodes"][0],
    ):
        sealed = await call.db.value(
            "select h.secrets_sealed from job_hosts h join jobs j on j.id = h.job_id where j.uuid = %(job)s",
            job=found["job"],
        )
        assert "canary-7" in call.world.box.open(sealed)
    everything = await call.db.column(
        "select t::text from workflows t union all select t::text from schedules t union all "
        "select t::text from workflow_runs t union all select t::text from audit_log t"
    )
    assert "canary-7" not in "".join(everything)
