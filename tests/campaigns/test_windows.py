"""Maintenance windows: they start by themselves, once, on time or late, or are recorded as missed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from server.campaigns import tasks
from server.core import clock
from server.core.bus import Bell
from server.core.call import Call
from tests.factories.automation import Fleet
from tests.factories.campaigns import Campaigns, patched
from tests.factories.patching import heard
from tests.factories.scopes import fleet as grouped
from tests.factories.scopes import limited, program_of


@dataclass
class Clock:
    """A clock that stands where it is put."""

    now: datetime

    def at(self, text: str) -> None:
        self.now = datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.fixture
def wall() -> Iterator[Clock]:
    # A day ahead of the real clock: sessions and tokens made by the real one hold.
    stands = Clock(datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0) + timedelta(days=1))
    clock.set_source(lambda: stands.now)
    yield stands
    clock.set_source(None)


async def tick(call: Call) -> None:
    await tasks.tick(replace(call, now=clock.now()))


async def campaigns(api: Campaigns) -> list[dict[str, object]]:
    return list((await api.ask("GET", "/patching/campaigns"))["campaigns"])


def day(wall: Clock, days: int, hour: int, minute: int = 0) -> datetime:
    return wall.now.replace(hour=hour, minute=minute, second=0) + timedelta(days=days)


async def test_a_window_starts_its_campaign_once_however_often_and_from_wherever_it_is_looked_at(
    api: Campaigns, fleet: Fleet, call: Call, wall: Clock
) -> None:
    await fleet.enrol("a")
    window = await api.window(*fleet.ids.values(), timezone="UTC")
    assert datetime.fromisoformat(window["next_occurrences"][0]["starts_at"]) == day(wall, 1, 2)
    await tick(call)
    assert await campaigns(api) == []
    wall.now = day(wall, 1, 2, 3)
    for _ in range(3):
        await tick(call)
    (campaign,) = await campaigns(api)
    assert (campaign["status"], campaign["window_id"], campaign["created_by"]) == ("running", window["id"], None)
    assert await call.db.value("select count(*) from patch_runs") == 1
    assert (await api.run((await api.hosts(campaign))["a"]["run_id"]))["initiated_by"] is None


async def test_a_server_that_was_down_starts_late_within_the_window_and_records_what_it_missed(
    api: Campaigns, fleet: Fleet, call: Call, wall: Clock
) -> None:
    await fleet.enrol("a")
    await api.window(*fleet.ids.values())
    wall.now = day(wall, 3, 2, 59)
    await tick(call)
    found = await campaigns(api)
    assert sorted(str(one["status"]) for one in found) == ["missed", "missed", "running"]
    missed = [one for one in found if one["status"] == "missed"]
    assert {one["reason"] for one in missed} == {"The server was not running while its window was open"}


async def test_a_host_that_is_offline_during_its_window_is_withdrawn_with_the_reason(
    api: Campaigns, fleet: Fleet, call: Call, wall: Clock
) -> None:
    agent = await fleet.online("a")
    await fleet.enrol("b")
    await api.window(*fleet.ids.values())
    wall.now = day(wall, 1, 2)
    await tick(call)
    (campaign,) = await campaigns(api)
    await patched(api, agent, await agent.job())
    await api.host_comes(campaign, "a", "succeeded")
    wall.now = day(wall, 0, 3)
    await tick(call)
    expired = await api.comes(campaign, "expired")
    assert expired["reason"] == "The window ended before every host was reached"
    host = await api.host_comes(campaign, "b", "withdrawn")
    assert host["reason"] == "Host was offline during its window"
    assert (await api.becomes(host["run_id"], "cancelled"))["error_message"] == "Host was offline during its window"
    assert [(one["cause"], one["count"]) for one in expired["failures"]] == [("Host offline", 1)]
    # By hand what was left out may be caught up on; the window no longer ends it.
    again = await api.do(campaign, "relaunch")
    assert (again["status"], again["ends_at"]) == ("running", None)
    assert await api.states(campaign) == {"a": "succeeded", "b": "queued"}


async def test_an_approval_in_time_lets_it_start_and_one_that_never_comes_is_a_missed_window(
    api: Campaigns, fleet: Fleet, call: Call, wall: Clock
) -> None:
    await fleet.enrol("a")
    await api.window(*fleet.ids.values(), approve_first=True)
    (planned,) = await campaigns(api)
    assert planned["status"] == "awaiting_approval"
    approved = await api.do(planned, "approve")
    assert (approved["status"], approved["wave_count"]) == ("scheduled", 0)
    wall.now = day(wall, 1, 2)
    await tick(call)
    assert (await api.shown(planned))["status"] == "running"
    wall.now = day(wall, 1, 2, 59)
    await tick(call)
    found = {str(one["starts_at"]): one for one in await campaigns(api)}
    tonight = found[str(wall.now.replace(minute=0).isoformat().replace("+00:00", "Z"))]
    assert tonight["status"] == "awaiting_approval"
    wall.now += timedelta(minutes=1)
    await tick(call)
    missed = await api.shown(tonight)
    assert (missed["status"], missed["reason"]) == ("missed", "Nobody approved it before its window ended")
    await api.do(tonight, "approve", status=409)


async def test_changing_a_window_takes_back_what_was_approved_for_the_old_one(
    api: Campaigns, fleet: Fleet, call: Call, wall: Clock
) -> None:
    await fleet.enrol("a")
    window = await api.window(*fleet.ids.values(), approve_first=True)
    (planned,) = await campaigns(api)
    await api.do(planned, "approve")
    body = {
        "name": "Nightly", "cron": "0 4 * * *", "duration_minutes": 30, "approve_first": True, "enabled": True,
        "host_ids": list(fleet.ids.values()),
    }  # fmt: skip
    await api.ask("PUT", f"/patching/windows/{window['id']}", body)
    (anew,) = await campaigns(api)
    assert (anew["status"], str(anew["starts_at"])[11:16]) == ("awaiting_approval", "04:00")
    await api.ask("PUT", f"/patching/windows/{window['id']}", {**body, "enabled": False})
    assert await campaigns(api) == []
    wall.now = day(wall, 1, 4, 5)
    await tick(call)
    assert await campaigns(api) == []
    # Enabled again it does not make up for what it slept through.
    await api.ask("PUT", f"/patching/windows/{window['id']}", {**body, "approve_first": False})
    await tick(call)
    assert await campaigns(api) == []


async def test_openings_are_shown_before_and_work_starts_beside_them(api: Campaigns, fleet: Fleet) -> None:
    await fleet.enrol("a")
    coming = await api.ask("POST", "/patching/windows/openings", {"cron": "0 2 * * *", "duration_minutes": 60})
    assert [str(one["starts_at"])[11:16] for one in coming["next_occurrences"]][:2] == ["02:00", "02:00"]
    refused = await api.ask("POST", "/patching/windows/openings", {"cron": "often", "duration_minutes": 60}, status=400)
    assert "cron" in refused["complaints"]
    window = await api.window(*fleet.ids.values())
    started = await api.ask("POST", f"/patching/windows/{window['id']}/start", status=201)
    assert (started["window_id"], started["status"]) == (None, "running"), "it is no opening of the window"
    assert started["id"] in {one["id"] for one in await campaigns(api)}


async def test_maintenance_is_announced_once_and_in_time(api: Campaigns, fleet: Fleet, call: Call, wall: Clock) -> None:
    await fleet.enrol("a")
    async with call.world.bus.following("maintenance_announced") as bell:
        await api.window(*fleet.ids.values(), notice_hours=2)
        wall.now = day(wall, 0, 23, 59)
        await tick(call)
        wall.now += timedelta(minutes=1)
        for _ in range(3):
            await tick(call)
            wall.now += timedelta(minutes=10)
        news = await heard(bell, "maintenance_announced")
        assert (news["window_name"], news["starts_at"][11:16], news["hosts"]) == ("Nightly", "02:00", 1)
        assert await silent(bell)


async def silent(bell: Bell) -> bool:
    return await bell.ring(within=0.3) == []


async def test_the_calendar_shows_openings_blackouts_runs_and_what_gets_in_each_others_way(
    api: Campaigns, fleet: Fleet, wall: Clock
) -> None:
    for name in ("a", "b", "c"):
        await fleet.enrol(name)
    ids = fleet.ids
    out = (wall.now + timedelta(days=2)).date().isoformat()
    first = await api.window(ids["a"], ids["b"], blackouts=[{"first": out, "name": "Launch"}])
    second = await api.window(ids["b"], ids["c"], name="Late", cron="30 2 * * *")
    await api.window(ids["a"], name="Apart", cron="0 5 * * *")
    policy = await api.policy("Dusk", "fixed_time", fixed_time_utc="18:30")
    await api.assign(policy, "host", ids["c"])
    run = await api.trigger(ids["c"])
    until = (wall.now + timedelta(days=2)).isoformat().replace("+", "%2B")
    found = await api.ask("GET", f"/patching/calendar?from={wall.now.isoformat().replace('+', '%2B')}&to={until}")
    rows = [(one["kind"], one["title"], one["status"]) for one in found["entries"]]
    assert rows == [
        ("policy", "Dusk", "label"), ("run", "c", "scheduled"),
        ("window", "Nightly", "planned"), ("window", "Late", "planned"), ("window", "Apart", "planned"),
        ("policy", "Dusk", "label"),
        ("window", "Nightly", "blackout"), ("window", "Late", "planned"), ("window", "Apart", "planned"),
    ]  # fmt: skip
    assert found["entries"][1]["starts_at"] == run["run_at"]
    (conflict,) = found["conflicts"]
    assert (conflict["first"], conflict["second"]) == (first["id"], second["id"])
    assert (conflict["hosts"], conflict["host_names"]) == (1, ["b"])
    assert (conflict["starts_at"][11:16], conflict["ends_at"][11:16]) == ("02:30", "03:00")
    assert found["blackouts"] == [
        {"window": first["id"], "title": "Nightly", "name": "Launch", "first": out, "last": out}
    ]  # fmt: skip
    await api.ask("GET", "/patching/calendar?from=2027-01-01&to=2028-01-01", status=400)
    await api.ask("GET", "/patching/calendar?from=yesterday", status=400)


async def test_who_is_limited_sees_and_moves_only_what_is_within_the_groups(api: Campaigns, call: Call) -> None:
    there = await grouped(call)
    mine = Campaigns(api.session, api.url, await program_of(call, await limited(call, there.north)))
    await mine.window(there.inside, status=403)
    window = await api.window(there.inside, there.outside)
    shown = await mine.ask("GET", f"/patching/windows/{window['id']}")
    assert (shown["host_ids"], shown["host_count"], list(shown["names"].values())) == ([there.inside], 1, ["inside"])
    await mine.ask("PUT", f"/patching/windows/{window['id']}", window_body(there.inside), status=403)
    await mine.ask("DELETE", f"/patching/windows/{window['id']}", status=403)
    await mine.campaign(there.outside, status=400)
    foreign = await api.campaign(there.outside)
    await mine.shown(foreign, status=404)
    await mine.do(foreign, "pause", status=404)
    mixed = await api.campaign(there.inside, there.outside)
    assert (await mine.shown(mixed))["counts"] == {"queued": 1}
    assert list(await mine.hosts(mixed)) == ["inside"]
    await mine.do(mixed, "pause", status=403)
    own = await mine.campaign(all_hosts=True)
    assert sorted(await mine.hosts(own)) == ["both", "inside"]
    assert (await mine.do(own, "pause"))["status"] == "paused"
    assert (await mine.ask("GET", "/patching/campaigns"))["total"] == 2


def window_body(host: str) -> dict[str, object]:
    return {"name": "x", "cron": "0 1 * * *", "duration_minutes": 5, "host_ids": [host]}


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"name": " "}, "name"),
        ({"host_ids": []}, "targets"),
        ({"host_ids": ["nonsense"]}, "host_ids"),
        ({"tags": ["=x"]}, "tags"),
        ({"waves": [{"percent": 0}]}, "waves"),
        ({"waves": [{"hosts": 1, "percent": 5}]}, "waves"),
        ({"waves": [{}, {"hosts": 1}]}, "waves"),
        ({"max_failure_percent": 101}, "max_failure_percent"),
        ({"soak_minutes": -1}, "soak_minutes"),
        ({"check_playbook": "../../etc"}, "check_playbook"),
        ({"patch_type": "patch_package"}, "package_names"),
        ({"hold_patterns": ["a b; rm -rf"]}, "hold_patterns"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "ends_at"),
    ],
)
async def test_what_is_no_campaign_is_refused_with_the_field(
    api: Campaigns, fleet: Fleet, call: Call, more: dict[str, object], field: str
) -> None:
    await fleet.enrol("a")
    answer = await api.ask(
        "POST", "/patching/campaigns", {"name": "x", "host_ids": [fleet.ids["a"]], **more}, status=400
    )
    assert field in answer["complaints"]
    assert await call.db.value("select count(*) from campaigns") == 0
