"""The life of a job host, as a table and under arbitrary histories."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.protocol.messages import JobEnded, JobPosition
from server.automation import rules
from server.automation.ledger import Ledger
from server.automation.models import Batch, Ending, Note, Sighting, Standing, Status
from server.core.ids import HostId, JobHostId, JobId

NOW = datetime(2026, 1, 1, tzinfo=UTC)
UUIDS = st.sampled_from(["a", "b", "c", "d"])


def standing(uuid: str = "a", status: Status = Status.DISPATCHED, **fields: object) -> Standing:
    values: dict[str, object] = {
        "id": JobHostId(ord(uuid)), "uuid": uuid, "job_id": JobId(1), "job_uuid": "job", "job_date": date(2026, 1, 1),
        "job_position": 5, "host_id": HostId(1), "status": status, "stop_asked_at": None, "runner_counter": 0,
        "live_counter": 0, **fields,
    }  # fmt: skip
    return Standing(**values)  # type: ignore[arg-type]


def test_every_status_has_its_line_in_the_table_and_ends_are_ends() -> None:
    assert set(rules.MOVES) == set(Status)
    for status in rules.ENDED - {Status.LOST, Status.TIMED_OUT}:
        assert rules.MOVES[status] == frozenset()
    for guess in (Status.LOST, Status.TIMED_OUT):
        assert rules.MOVES[guess] & rules.OPEN <= {Status.RUNNING}


def test_from_every_open_status_an_end_can_be_reached() -> None:
    for start in rules.OPEN:
        reached, edge = {start}, [start]
        while edge:
            for following in rules.MOVES[edge.pop()] - reached:
                reached.add(following)
                edge.append(following)
        assert reached & rules.ENDED


@pytest.mark.parametrize(
    ("counts", "status", "code"),
    [
        ({"succeeded": 3}, Status.SUCCEEDED, 0),
        ({"succeeded": 3, "failed": 1, "unreachable": 1}, Status.FAILED, 1),
        ({"succeeded": 3, "unreachable": 1}, Status.UNREACHABLE, 3),
        ({"timed_out": 1, "lost": 1}, Status.TIMED_OUT, 3),
        ({"cancelled": 1, "succeeded": 1}, Status.CANCELLED, 1),
        ({"queued": 1, "failed": 5}, Status.QUEUED, 1),
        ({"queued": 1, "running": 1}, Status.RUNNING, 1),
    ],
)
def test_a_job_is_judged_by_its_hosts(counts: dict[str, int], status: Status, code: int) -> None:
    assert rules.job_status(counts) == status
    assert rules.exit_code(status) == code


STANDINGS = st.lists(
    st.builds(
        standing, UUIDS, st.sampled_from(sorted(rules.ON_HOST | {Status.LOST, Status.SUCCEEDED, Status.QUEUED})),
        stop_asked_at=st.sampled_from([None, NOW]), runner_counter=st.integers(0, 9),
    ),
    unique_by=lambda row: row.uuid,
)  # fmt: skip
ANNOUNCED = st.lists(
    st.builds(JobPosition, UUIDS, st.sampled_from(["receiving", "running", "rebooting", "ended"])),
    unique_by=lambda p: p.job,
)


@given(STANDINGS, ANNOUNCED)
def test_a_hello_never_forgets_what_runs_and_never_starts_it_twice(
    rows: list[Standing], announced: list[JobPosition]
) -> None:
    verdicts = rules.judge_hello(rows, announced)
    said = {position.job: position.state for position in announced}
    goes_on = {position.job for position in verdicts.welcome}
    for row in rows:
        if row.uuid in said and row.status in rules.ON_HOST:
            assert row.uuid in goes_on, "what the host has and we think it has goes on"
        if row in verdicts.again:
            assert row.uuid not in said, "only what the host does not have is queued again"
            assert row.status == Status.DISPATCHED, "and only what never started"
        if row in verdicts.offer:
            assert said[row.uuid] == "receiving"
        if row in verdicts.rebooting:
            assert said[row.uuid] == "rebooting"
        if row.status == Status.REBOOTING and row.uuid not in said:
            assert row in verdicts.lost, "a host that is back without its job has lost it"
        if row.status in {Status.SUCCEEDED, Status.QUEUED}:
            assert row.uuid not in goes_on
    assert goes_on <= set(said)


NOTES = st.lists(
    st.one_of(
        st.builds(
            Batch, st.just(JobHostId(97)), st.sampled_from(["runner", "live"]), st.integers(1, 12),
            st.integers(1, 5).map(lambda n: ({},) * n),
        ),
        st.builds(Sighting, st.just(JobHostId(97)), st.sampled_from(["receiving", "running", "rebooting", "ended"])),
        st.builds(
            Ending, st.just(JobHostId(97)),
            st.builds(JobEnded, st.just("a"), st.sampled_from(["succeeded", "failed", "cancelled", "nonsense"]),
                      runner=st.integers(0, 12), live=st.integers(0, 12)),
        ),
    ),
    max_size=25,
)  # fmt: skip


@given(NOTES, st.sampled_from(sorted(rules.ON_HOST | {Status.LOST})))
def test_whatever_a_host_says_counters_have_no_gaps_and_an_end_is_complete(notes: list[Note], start: Status) -> None:
    ledger = Ledger([standing("a", start)], NOW)
    before = ledger.outcome()[0]
    for note in notes:
        ledger.take(note)
        after = ledger.outcome()[0]
        assert after.runner >= before.runner
        assert after.live >= before.live
        if before.over:
            assert (after.runner, after.live, after.over) == (before.runner, before.live, True)
        if after.over and not before.over:
            assert isinstance(note, Ending)
            assert after.runner >= note.ended.runner
            assert after.live >= note.ended.live
        before = after
    rows = ledger._batches
    for source in (0, 1):
        mine = [row for row in rows if row["s"] == source]
        counters = [row["f"] + place for row in mine for place in range(len(row["i"]))]
        assert counters == list(range(1, len(counters) + 1))
    positions = [row["p"] + place for row in rows for place in range(len(row["i"]))]
    assert positions == list(range(6, 6 + len(positions)))


@pytest.mark.parametrize("full", [{"live_counter": rules.MOST_EVENTS}, {"bytes": rules.MOST_BYTES}])
def test_a_host_that_keeps_no_cap_is_counted_and_not_believed(full: dict[str, int]) -> None:
    ledger = Ledger([standing("a", Status.RUNNING, **full)], NOW)
    ledger.take(Batch(JobHostId(97), "runner", 1, ({}, {}), 100))
    assert ledger._batches == []
    assert ledger.outcome()[0].runner == 2
    ledger.take(Ending(JobHostId(97), JobEnded("a", "succeeded", runner=2, live=full.get("live_counter", 0))))
    assert ledger.outcome()[0].over
