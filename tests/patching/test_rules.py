"""The state machine under everything that can happen in any order, and the effective policy against its definition."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.patching import rules
from server.patching.models import DEFAULT, Assignment, Policy, Status, Work
from server.patching.rules import DELETABLE, MOVES, Happening

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)
ENDS = {Happening.COMPLETE, Happening.FAIL, Happening.CANCEL, Happening.VALIDATE, Happening.FIND_NOTHING}


@dataclass
class Life:
    """A run, its hand on the host, and how often the host began."""

    status: Status | None
    hand: str = "none"
    begun: int = 0
    seen: list[Status] = field(default_factory=list)

    def apply(self, what: Happening) -> None:
        if self.status is None:
            return
        after = rules.after(self.status, what)
        if after is not None:
            self.status = after
            self.seen.append(after)


def step(life: Life, who: str) -> None:
    """One thing that the operator, the scheduler, the worker, the agent or a crash does."""
    if who == "scheduler" and life.status == Status.SCHEDULED:
        life.apply(Happening.RELEASE)
        life.hand = "queued"
    elif who == "delete" and life.status in DELETABLE and life.hand in {"none", "queued"}:
        life.status, life.hand = None, "cancelled"
    elif who == "approve":
        life.apply(Happening.APPROVE)
        if life.status == Status.APPROVED and life.hand == "queued":
            life.hand = "cancelled"
    elif who == "begin" and life.hand == "queued":
        life.hand, life.begun = "running", life.begun + 1
    elif who == "look" and life.hand == "running":
        life.apply(Happening.START)
    elif who in {"time_out", "lose"} and life.hand == "running":
        life.apply(Happening(who))
    elif who in {"complete", "fail", "cancel", "validate"} and life.hand in {"running", "over"}:
        life.hand = "over"
        life.apply(Happening(who))


EVERYBODY = (
    "scheduler", "delete", "approve", "begin", "look", "time_out", "lose", "complete", "fail", "cancel", "validate",
    "crash",
)  # fmt: skip


@given(
    st.sampled_from([(Status.SCHEDULED, "none"), (Status.QUEUED, "queued"), (Status.PENDING_VALIDATION, "queued")]),
    st.lists(st.sampled_from(EVERYBODY), max_size=30),
)
def test_nothing_begins_twice_ends_twice_or_comes_back(start: tuple[Status, str], order: list[str]) -> None:
    life = Life(*start)
    for who in order:
        before, hand = life.status, life.hand
        step(life, who)
        if before is None:
            assert life.status is None
            assert life.begun == 0
        if before in {Status.COMPLETED, Status.FAILED, Status.CANCELLED, Status.DRY_RUN_COMPLETED, Status.APPROVED}:
            assert life.status in {before, None}
        if hand == "cancelled":
            assert life.hand == "cancelled"
    assert life.begun <= 1


@pytest.mark.parametrize("status", [Status.TIMED_OUT, Status.AGENT_DISCONNECTED])
@pytest.mark.parametrize("said", sorted(ENDS))
def test_the_hosts_late_word_corrects_our_guess(status: Status, said: Happening) -> None:
    assert rules.after(status, said) is not None


@pytest.mark.proves("PATCH-20", "PATCH-94")
def test_every_state_has_its_moves_and_only_what_has_not_begun_is_deleted() -> None:
    assert set(MOVES) == set(Status)
    assert {str(one) for one in DELETABLE} == {
        "queued", "pending_validation", "pending_approval", "validated", "approved", "scheduled",
    }  # fmt: skip
    assert not MOVES[Status.APPROVED]


POLICIES = {name: Policy(name, name.upper(), "delayed", 5) for name in ("a", "b", "c")}


@given(
    st.lists(st.builds(Assignment, st.sampled_from(sorted(POLICIES)), st.booleans()), max_size=6),
    st.sets(st.sampled_from(sorted(POLICIES))),
    st.booleans(),
)
def test_the_effective_policy_is_the_one_the_rules_name(
    given_ones: list[Assignment], excluded: set[str], on: bool
) -> None:
    found = rules.effective(given_ones, excluded, POLICIES, on=on)
    direct = [one.policy_id for one in given_ones if one.direct]
    inherited = [one.policy_id for one in given_ones if one.policy_id not in excluded]
    wanted = next(iter(direct or inherited), None) if on else None
    assert found == (DEFAULT if wanted is None else POLICIES[wanted])


@pytest.mark.proves("PATCH-71")
@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Policy("", "x"), None),
        (Policy("", "x", "delayed", 90), NOW + timedelta(minutes=90)),
        (Policy("", "x", "fixed_time", None, "12:01"), NOW + timedelta(minutes=1)),
        (Policy("", "x", "fixed_time", None, "12:00"), NOW + timedelta(days=1)),
        (Policy("", "x", "fixed_time", None, "03:00", "Europe/London"), datetime(2026, 2, 1, 3, 0, tzinfo=UTC)),
    ],
)
def test_when_a_run_begins(policy: Policy, expected: datetime | None) -> None:
    assert rules.run_at(policy, NOW) == expected


@pytest.mark.proves("PATCH-152")
def test_messages_name_five_packages_and_how_many_more() -> None:
    assert rules.some_packages(list("abcdefg")) == "a, b, c, d, e ... and 2 more"
    assert rules.some_packages(["a"]) == "a"
    assert len(rules.cut("x" * 1000)) == 300


def test_what_the_host_reports_in_another_shape_counts_as_not_said() -> None:
    strange = rules.outcome_of({"changes": [1, {"name": 2}, {"name": "curl"}], "error": None}, Work("patch_all"))
    assert [row["name"] for row in strange.packages] == ["curl"]
    assert rules.outcome_of({"changes": "none"}, Work("patch_all")).packages == []
