"""How times, durations, numbers and links read."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from server.core import clock, words
from server.web import formats

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.fixture(autouse=True)
def fixed_clock() -> Iterator[None]:
    """Stop the clock."""
    clock.set_source(lambda: NOW)
    yield
    clock.set_source(None)


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (timedelta(seconds=3), "just now"),
        (timedelta(seconds=59), "59 s ago"),
        (timedelta(minutes=59, seconds=59), "59 min ago"),
        (timedelta(hours=23), "23 h ago"),
        (timedelta(days=12), "12 d ago"),
        (timedelta(days=60), "2026-01-03"),
        (-timedelta(hours=2, minutes=1), "in 2 h"),
    ],
)
def test_a_moment_reads_relative_until_the_date_says_more(before: timedelta, words: str) -> None:
    assert formats.ago(NOW - before) == words


def test_a_moment_that_never_was() -> None:
    assert (formats.ago(None), formats.exact(None), formats.iso(None)) == ("never", "", "")


def test_a_moment_for_machines_and_for_the_hover() -> None:
    assert formats.iso(NOW) == "2026-03-04T05:06:07.000Z"
    assert formats.exact(NOW) == "2026-03-04 05:06:07 UTC"


@pytest.mark.parametrize(
    ("seconds", "taken", "watch"),
    [
        (None, "", ""),
        (0.04, "< 0.1 s", "0:00"),
        (9.96, "10.0 s", "0:09"),
        (42, "42 s", "0:42"),
        (185.9, "3 min 05 s", "3:05"),
        (7440, "2 h 04 min", "2:04:00"),
    ],
)
def test_durations(seconds: float | None, taken: str, watch: str) -> None:
    assert formats.duration(seconds) == taken
    assert formats.stopwatch(seconds) == watch


def test_numbers_with_their_nouns() -> None:
    assert words.counted(1, "host") == "1 host"
    assert words.counted(1204, "host") == "1\u202f204 hosts"
    assert words.counted(0, "repository", "repositories") == "0 repositories"
    assert words.counted(28, "repository") == "28 repositories"
    assert words.counted(2, "day") == "2 days"


def test_links_leave_out_what_is_empty_and_escape_the_rest() -> None:
    assert formats.link("/hosts", {"search": "", "page": None, "group": False}) == "/hosts"
    assert (
        formats.link("/hosts", {"search": "a&b", "sort": "name"}, sort="os", page=2)
        == "/hosts?search=a%26b&sort=os&page=2"
    )
    assert formats.link("/playbooks", host=["1", "2"]) == "/playbooks?host=1&host=2"
    assert formats.link("/jobs/1/stream?host=2", after=0, live=True) == "/jobs/1/stream?host=2&after=0&live=1"


@pytest.mark.parametrize(
    ("repository", "short"),
    [
        ("http://deb.debian.org/debian bookworm/main", ("bookworm/main", "deb.debian.org")),
        ("https://packages.example.net:8443/apt stable/main", ("stable/main", "packages.example.net:8443")),
        ("file:/srv/mirror stable/main", ("stable/main", "/srv/mirror")),
        ("file:///srv/mirror stable/main", ("stable/main", "/srv/mirror")),
        ("https://packages.example.net/rpm", ("packages.example.net", "")),
        ("baseos", ("baseos", "")),
        ("Windows Update", ("Windows Update", "")),
        ("", ("", "")),
    ],
)
def test_where_a_package_comes_from_in_short(repository: str, short: tuple[str, str]) -> None:
    assert formats.origin(repository) == short
