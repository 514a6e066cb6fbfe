"""The state machine, waves, causes and expectations, without a database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.campaigns import causes, rules
from server.campaigns.models import AHEAD, LIVE, OVER, Plan, Share, Standing, Status, StepKind, Wave
from server.campaigns.progress import progress_of
from server.patching.models import Status as RunStatus

NOW = datetime(2027, 1, 1, 12, tzinfo=UTC)
PLAN = Plan(soak_minutes=30, check_playbook="ping", max_failure_percent=20)

SHARES = st.lists(
    st.one_of(
        st.builds(Share, hosts=st.integers(1, 20)),
        st.builds(Share, percent=st.integers(1, 100)),
        st.builds(Share, host_ids=st.lists(st.integers(0, 30).map(str), min_size=1, max_size=4).map(tuple)),
        st.just(Share()),
    ),
    max_size=6,
)


@given(st.integers(0, 30), SHARES)
def test_every_host_is_in_exactly_one_wave_and_no_wave_is_empty(number: int, shares: list[Share]) -> None:
    hosts = list(range(number))
    waves = rules.cut(hosts, {host: str(host) for host in hosts}, shares)
    assert sorted(host for wave in waves for host in wave) == hosts
    assert all(waves)
    assert all(wave == sorted(wave) for wave in waves)


def test_canaries_come_first_and_percentages_are_of_all() -> None:
    hosts = [f"h{number:02}" for number in range(40)]
    ids = {host: host for host in hosts}
    waves = rules.cut(hosts, ids, [Share(host_ids=("h39", "gone")), Share(percent=10), Share()])
    assert [len(wave) for wave in waves] == [1, 4, 35]
    assert waves[0] == ["h39"]
    assert [len(wave) for wave in rules.cut(hosts[:3], ids, [Share(percent=1), Share(hosts=1)])] == [1, 1, 1]


def test_every_state_of_a_run_is_one_of_a_host_and_every_state_of_a_campaign_has_its_moves() -> None:
    assert set(rules.STATES) == {str(status) for status in RunStatus}
    assert set(rules.MOVES) == set(Status)
    assert {*AHEAD, *LIVE, *OVER, Status.PAUSED, Status.STOPPED} == set(Status)
    reached = {target for moves in rules.MOVES.values() for target in moves.values()}
    assert reached | {Status.DRAFT} == set(Status)
    assert not rules.MOVES[Status.ABANDONED]
    assert not rules.MOVES[Status.MISSED]


def at(status: Status, *waves: Wave, wave: int = 1, ends_at: datetime | None = None) -> Standing:
    return Standing(status, PLAN, wave, waves, None, ends_at)


DONE = Wave(1, 5, finished_at=NOW - timedelta(hours=1))
REST = Wave(2, 5, waiting=5)


@pytest.mark.parametrize(
    ("standing", "expected"),
    [
        (at(Status.DRAFT), None),
        (at(Status.AWAITING_APPROVAL), None),
        (at(Status.AWAITING_APPROVAL, ends_at=NOW), StepKind.MISS),
        (at(Status.SCHEDULED), StepKind.START),
        (at(Status.SCHEDULED, ends_at=NOW), StepKind.MISS),
        (at(Status.RUNNING, Wave(1, 5, waiting=5)), StepKind.RELEASE),
        (at(Status.RUNNING, Wave(1, 5, open=2)), None),
        (at(Status.RUNNING, Wave(1, 5, open=4, bad=1)), None),
        (at(Status.RUNNING, Wave(1, 5, open=3, bad=2)), StepKind.STOP),
        (at(Status.RUNNING, Wave(1, 5, open=3, bad=2, forgiven=2)), None),
        (at(Status.RUNNING, Wave(1, 5, bad=1)), StepKind.WAVE_OVER),
        (at(Status.RUNNING, Wave(1, 5, finished_at=NOW)), StepKind.FINISH),
        (at(Status.RUNNING, Wave(1, 5, finished_at=NOW), REST), StepKind.SOAK),
        (at(Status.SOAKING, Wave(1, 5, finished_at=NOW), REST), None),
        (at(Status.SOAKING, DONE, REST), StepKind.CHECK),
        (at(Status.CHECKING, Wave(1, 5, finished_at=NOW, check_status="running"), REST), None),
        (at(Status.CHECKING, replace(DONE, check_status="running"), REST), None),
        (at(Status.CHECKING, replace(DONE, check_status="failed"), REST), StepKind.STOP),
        (at(Status.CHECKING, replace(DONE, check_status="passed"), REST), StepKind.NEXT_WAVE),
        (at(Status.PAUSED, Wave(1, 5, waiting=5)), None),
        (at(Status.PAUSED, Wave(1, 5, open=2, queued=1)), StepKind.HOLD_BACK),
        (at(Status.STOPPED, Wave(1, 5, open=1, queued=1), ends_at=NOW), StepKind.HOLD_BACK),
        (at(Status.PAUSED, Wave(1, 5, waiting=1), ends_at=NOW), StepKind.EXPIRE),
        (at(Status.SOAKING, Wave(1, 5, finished_at=NOW), REST, ends_at=NOW), StepKind.EXPIRE),
        # What is on its hosts when the window ends may end.
        (at(Status.RUNNING, Wave(1, 5, open=2), ends_at=NOW), None),
        (at(Status.RUNNING, Wave(1, 5, open=2, queued=1), ends_at=NOW), StepKind.EXPIRE),
        (at(Status.EXPIRED, Wave(1, 5, open=2, queued=1)), StepKind.WITHDRAW),
        (at(Status.ABANDONED, Wave(1, 5, open=2)), None),
        (at(Status.COMPLETED, Wave(1, 5)), None),
    ],
)  # fmt: skip
def test_the_next_step_is_the_one_that_is_due(standing: Standing, expected: StepKind | None) -> None:
    step = rules.next_step(standing, NOW)
    assert (step.kind if step is not None else None) == expected


WAVES = st.builds(
    Wave, st.just(1), st.just(10), st.integers(0, 3), st.integers(0, 2), st.integers(0, 4), st.integers(0, 3),
    st.integers(0, 3), st.none(), st.sampled_from([None, NOW - timedelta(minutes=10), NOW - timedelta(hours=1)]),
    st.sampled_from(["", "running", "passed", "failed", "overruled"]),
)  # fmt: skip


@given(st.sampled_from(list(Status)), st.lists(WAVES, min_size=1, max_size=3), st.data())
def test_a_step_is_always_a_move_the_table_has_and_nothing_begins_while_held(
    status: Status, waves: list[Wave], data: st.DataObject
) -> None:
    wave = data.draw(st.integers(1, len(waves)))
    step = rules.next_step(at(status, *waves, wave=wave, ends_at=data.draw(st.sampled_from([None, NOW]))), NOW)
    if step is None:
        return
    if step.kind in {StepKind.RELEASE, StepKind.WAVE_OVER}:
        assert status in LIVE
    elif step.kind is StepKind.HOLD_BACK:
        assert status in {Status.PAUSED, Status.STOPPED}
    elif step.kind is StepKind.WITHDRAW:
        assert status in {Status.ABANDONED, Status.EXPIRED}
    elif not (step.kind is StepKind.CHECK and status == Status.CHECKING):
        assert rules.after(status, rules.Happening(step.kind)) is not None


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        ("E: Could not get lock /var/lib/dpkg/lock-frontend", "Package manager locked"),
        ("You don't have enough free space in /var/cache/apt/archives/. No space left on device", "Disk full"),
        ("The following packages have unmet dependencies", "Dependency conflict"),
        ("E: Failed to fetch http://deb.example.test/x 404  Not Found", "Package source unreachable"),
        ("E: Unable to locate package nginxx", "Package gone"),
        ("Host was offline during its window", "Host offline"),
        ("Stopped by anna", "Stopped by somebody"),
        ("Agent disconnected during patch run", "Agent disconnected"),
        ("The run took longer than it may", "Took too long"),
        ("", "The run failed without a reason"),
        ("Something nobody foresaw\nwith details", "Something nobody foresaw"),
    ],
)
def test_what_a_host_said_becomes_a_cause_in_plain_words(reason: str, cause: str) -> None:
    assert causes.cause_of(reason)[0] == cause


def test_many_failures_are_grouped_and_the_most_frequent_cause_comes_first() -> None:
    said = [("1", "a", "odd 17 in '/srv/a'"), ("2", "b", "No space left"), ("3", "c", "odd 9 in '/srv/c'")]
    found = causes.grouped(said)
    assert [(cause.text, [name for _, name in cause.hosts]) for cause in found] == [
        ("odd 17 in '/srv/a'", ["a", "c"]), ("Disk full", ["b"]),
    ]  # fmt: skip


def test_the_end_is_expected_from_what_took_how_long_and_from_the_gates_ahead() -> None:
    begun = Wave(1, 5, open=5, started_at=NOW - timedelta(minutes=2))
    standing = at(Status.RUNNING, begun, REST, Wave(3, 1, waiting=1))
    assert progress_of(standing, {"running": 5, "waiting": 6}, [], NOW).expected_end_at is None
    found = progress_of(standing, {"running": 5, "waiting": 5}, [300.0], NOW)
    # Three minutes of this wave, two gates of 31 minutes, two waves of five.
    assert found.expected_end_at == NOW + timedelta(minutes=3 + 31 + 5 + 31 + 5)
    assert (found.total, found.done, found.percent) == (10, 0, 25)
    soaked = at(Status.SOAKING, Wave(1, 5, finished_at=NOW - timedelta(minutes=20)), REST)
    later = progress_of(soaked, {"succeeded": 5, "waiting": 5}, [300.0], NOW).expected_end_at
    assert later == NOW + timedelta(minutes=11 + 5)
