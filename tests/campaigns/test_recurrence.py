"""When windows open, over the days clocks change and around blackouts."""

from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.campaigns.models import Blackout, Plan, Targets, Window
from server.campaigns.recurrence import complaints_of, next_occurrences, occurrences
from server.core.recurrence import openings

BERLIN = "Europe/Berlin"


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def window(cron: str = "0 2 * * *", zone: str = BERLIN, minutes: int = 60, *blackouts: Blackout) -> Window:
    return Window("", "w", cron, zone, minutes, Plan(), Targets(), blackouts)


@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        # In spring 02:30 does not exist: it opens at the first minute that does, once.
        ("30 2 * * *", "2027-03-27T00:00", ["03-27T01:30", "03-28T01:00", "03-29T00:30"]),
        # In autumn 02:30 comes twice: it opens at the first.
        ("30 2 * * *", "2027-10-30T00:00", ["10-30T00:30", "10-31T00:30", "11-01T01:30"]),
        ("30 2 * * *", "2027-10-31T00:45", ["11-01T01:30", "11-02T01:30"]),
        ("30 2 * * *", "2027-10-31T01:30", ["11-01T01:30"]),
        # Every hour is every hour that passes.
        ("15 * * * *", "2027-10-31T00:00", ["10-31T00:15", "10-31T01:15", "10-31T02:15"]),
        # Several times in the hour that is missing are one.
        ("*/20 2 * * *", "2027-03-28T00:00", ["03-28T01:00", "03-29T00:00", "03-29T00:20"]),
        ("0 22 * * SUN#2", "2027-01-01T00:00", ["01-10T21:00", "02-14T21:00", "03-14T21:00", "04-11T20:00"]),
    ],
)
def test_a_window_opens_once_also_on_the_days_clocks_change(cron: str, after: str, expected: list[str]) -> None:
    found = list(islice(openings(cron, BERLIN, moment(after)), len(expected)))
    assert [one.isoformat()[5:16] for one in found] == expected


@given(
    st.datetimes(min_value=datetime(2025, 1, 1), max_value=datetime(2030, 1, 1)),  # noqa: DTZ001 (made aware below)
    st.integers(0, 59),
    st.integers(0, 23),
    st.sampled_from([BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC"]),
)
def test_a_daily_window_opens_once_on_every_day_of_its_zone(start: datetime, minute: int, hour: int, zone: str) -> None:
    after = start.replace(tzinfo=UTC)
    found = list(islice(openings(f"{minute} {hour} * * *", zone, after), 12))
    days = [one.astimezone(ZoneInfo(zone)).date() for one in found]
    assert all(later - earlier == timedelta(days=1) for earlier, later in pairwise(days))
    assert all(one > after for one in found)
    # Asked again from any of them the rest is the same: nothing is left out or doubled at the seams.
    for place, one in enumerate(found[:-1]):
        assert next(openings(f"{minute} {hour} * * *", zone, one)) == found[place + 1]


def test_nothing_opens_on_a_blackout_day_and_what_runs_into_one_ends_at_its_midnight() -> None:
    freeze = Blackout(date(2027, 12, 24), date(2027, 12, 26), "Freeze")
    night = window("0 22 * * *", BERLIN, 240, freeze)
    found = list(occurrences(night, moment("2027-12-22T12:00"), moment("2027-12-27T23:00")))
    assert [(one.starts_at.isoformat()[5:16], one.ends_at.isoformat()[5:16], one.blackout) for one in found] == [
        ("12-22T21:00", "12-23T01:00", ""),
        ("12-23T21:00", "12-23T23:00", ""),
        ("12-24T21:00", "12-25T01:00", "Freeze"),
        ("12-25T21:00", "12-26T01:00", "Freeze"),
        ("12-26T21:00", "12-27T01:00", "Freeze"),
        ("12-27T21:00", "12-28T01:00", ""),
    ]
    assert [one.starts_at.day for one in next_occurrences(night, moment("2027-12-23T22:00"), 2)] == [27, 28]


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (window("0 2 * *"), "cron"),
        (window("0 2 * * * *"), "cron"),
        (window("61 2 * * *"), "cron"),
        (window("x y z a b"), "cron"),
        (window("0 0 31 2 *"), "cron"),
        (window(zone="Mars/Base"), "timezone"),
        (window(minutes=0), "duration_minutes"),
        (window("*/30 * * * *", BERLIN, 31), "duration_minutes"),
        (window("0 2 * * *", BERLIN, 60, Blackout(date(2027, 1, 2), date(2027, 1, 1))), "blackouts"),
    ],
)
def test_what_is_no_window_is_refused_with_the_field(bad: Window, field: str) -> None:
    assert list(complaints_of(bad, moment("2027-01-01T00:00"))) == [field]


def test_a_good_window_has_no_complaints() -> None:
    assert complaints_of(window("*/30 * * * *", BERLIN, 30), moment("2027-01-01T00:00")) == {}
