"""What the styleguide shows: lists in every state, numbers for charts, a life to draw a timeline of."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from multidict import MultiMapping

from server.dashboard.models import State
from server.web import charts
from server.web.filters import Filter
from server.web.tables import Bulk, Column, Listing, Table, listing, parse

TABLE: Final = Table(
    name="sample",
    path="/styleguide",
    noun="host",
    columns=(
        Column("name", "Name", sortable=True, fixed=True, place="title"),
        Column("state", "State", place="state"),
        Column("os", "System", sortable=True),
        Column("updates", "Updates", sortable=True, numeric=True, first="desc"),
        Column("trend", "30 days", wide_only=True),
        Column("seen", "Last report", sortable=True, first="desc"),
        Column("address", "Address", shown=False),
    ),
    filters=(
        Filter("os", "System", "choice", (("debian", "Debian"), ("ubuntu", "Ubuntu"), ("rocky", "Rocky Linux"))),
        Filter("state", "State", "choices", (("good", "Connected"), ("neutral", "Offline"), ("bad", "Failing"))),
        Filter("least", "Updates, at least", "number"),
        Filter("since", "Reported since", "day"),
        Filter("reboot", "Needs a reboot", "flag"),
    ),
    search="Search the samples",
    sort="name",
    sizes=(5, 10, 25),
    size=5,
    bulk=(
        Bulk("Run a playbook", "/none", "player-play", "primary"),
        Bulk("Delete", "/none", "trash", "danger", "Their packages, reports and jobs go with them."),
    ),
    exports=(("CSV", "/none"), ("JSON", "/none")),
    empty="No host yet. Add the first one and it reports within a minute.",
    empty_icon="server-2",
    empty_action=("Add a host", "/hosts/new"),
    save_url="/none",
    keep_url="/none",
)
_SYSTEMS: Final = (("debian", "Debian 12"), ("ubuntu", "Ubuntu 24.04"), ("rocky", "Rocky Linux 9"))
_STATES: Final[tuple[tuple[State, str], ...]] = (("good", "Connected"), ("neutral", "Offline"), ("bad", "Failing"))
_ROWS: Final = 23


@dataclass(frozen=True, slots=True)
class Row:
    """A host that is none."""

    id: str
    name: str
    kind: str
    system: str
    state: State
    word: str
    updates: int
    trend: charts.Spark
    seen_at: datetime
    address: str


@dataclass(frozen=True, slots=True)
class Happening:
    """A moment of the timeline, with the day it is listed under."""

    at: datetime
    icon: str
    state: State
    title: str
    text: str = ""
    url: str = ""
    who: str = ""

    @property
    def day(self) -> str:
        """Its day, as the timeline's heads write it."""
        return self.at.strftime("%Y-%m-%d")


def rows(now: datetime) -> list[Row]:
    """Return every sample row."""
    return [_row(number, now) for number in range(1, _ROWS + 1)]


def _row(number: int, now: datetime) -> Row:
    kind, system = _SYSTEMS[number % 3]
    state, word = _STATES[2 if number % 9 == 4 else number % 5 == 2]  # noqa: PLR2004 (a pattern to look at)
    values = [(number * 7 + day * (number % 4) + day * day // 5) % 40 for day in range(12)]
    return Row(
        id=str(number),
        name=f"web-fra-{number:03d}",
        kind=kind,
        system=system,
        state=state,
        word=word,
        updates=values[-1],
        trend=charts.spark(values),
        seen_at=now - timedelta(minutes=number * number * 3),
        address=f"10.16.0.{number + 10}",
    )


def live_list(query: MultiMapping[str], now: datetime) -> tuple[Listing, list[Row]]:
    """Return the list that can be played with: what the address asks for, done in memory."""
    wanted = parse(TABLE, query)
    states, least = wanted.filters.get("state", ()), str(wanted.filters.get("least", "0"))
    found = [
        row
        for row in rows(now)
        if wanted.search.lower() in row.name
        and wanted.filters.get("os", row.kind) == row.kind
        and (not states or row.state in states)
        and row.updates >= int(least)
    ]
    found.sort(key=lambda row: _order(row, wanted.sort), reverse=wanted.direction == "desc")
    window = wanted.window
    views = (("All hosts", "/styleguide"), ("Failing", "/styleguide?state=bad"))
    shown = found[window.offset : window.offset + window.size]
    return listing(wanted, len(found), may=lambda _: True, views=views), shown


def _order(row: Row, column: str) -> tuple[int, str]:
    numbers = {"updates": row.updates, "seen": int(row.seen_at.timestamp())}
    return numbers.get(column, 0), row.system if column == "os" else row.name


def still_lists() -> list[tuple[str, Listing]]:
    """Return lists without a row, in each state that a list can be in."""
    queries: Sequence[tuple[str, dict[str, str], int, str]] = (
        ("Nothing there yet", {}, 0, ""),
        ("Nothing matches", {"search": "nothing", "os": "debian"}, 0, ""),
        ("A filter that makes no sense", {"since": "yesterday", "least": "many"}, 0, ""),
        ("It could not be read", {}, 0, "The database did not answer in time. Everything else still works."),
        ("Beyond the end", {"page": "9"}, 12, ""),
    )
    return [
        (title, listing(parse(_named(number), query), total, may=lambda _: False, trouble=trouble))
        for number, (title, query, total, trouble) in enumerate(queries, start=1)
    ]


def _named(number: int) -> Table:
    return Table(
        name=f"state-{number}",
        path="/styleguide",
        noun="host",
        columns=TABLE.columns[:3],
        filters=TABLE.filters[2:4] + TABLE.filters[:1],
        search="Search",
        sort="name",
        empty=TABLE.empty,
        empty_icon=TABLE.empty_icon,
        empty_action=TABLE.empty_action,
    )


def updates_trend(now: datetime) -> charts.Trend:
    """Return thirty days of updates, with a day on which nobody counted."""
    days = [(now - timedelta(days=29 - number)).date() for number in range(30)]
    every = [None if number == 11 else 620 - number * 13 + (number * number * 7) % 90 for number in range(30)]  # noqa: PLR2004 (the gap)
    security = [None if value is None else value // 4 + 12 for value in every]
    return charts.trend(
        days, (charts.Series("All updates", tuple(every)), charts.Series("Security", tuple(security), "bad"))
    )


def systems() -> tuple[charts.Bar, ...]:
    """Return a distribution with a long tail."""
    named = (
        ("Debian 12", 412),
        ("Ubuntu 24.04", 288),
        ("Rocky Linux 9", 164),
        ("openSUSE Leap 15.6", 31),
        ("Alpine", 3),
    )
    return charts.bars([(name, count, f"/hosts?os={name.split()[0].lower()}") for name, count in named])


def health() -> charts.Donut:
    """Return parts of a whole, one of them tiny."""
    return charts.donut(
        [
            ("Up to date", 641, "/hosts", "good"),
            ("Updates wait", 198, "/hosts?state=updates", "attention"),
            ("Security updates wait", 52, "/hosts?state=security", "bad"),
            ("Never reported", 7, "/hosts", "neutral"),
        ]
    )


def life(now: datetime) -> list[Happening]:
    """Return the last days of a host."""
    moments: tuple[tuple[timedelta, str, State, str, str, str, str], ...] = (
        (timedelta(minutes=14), "report", "good", "Report", "212 packages, 3 updates wait", "", ""),
        (timedelta(hours=2), "refresh-alert", "attention", "Needs a reboot", "6.1.0-27 is installed", "", ""),
        (timedelta(hours=2, minutes=5), "package", "good", "14 packages upgraded", "openssl, libssl3, curl …", "", ""),
        (timedelta(hours=2, minutes=6), "player-play", "good", "Patch hosts", "changed 3, ok 4", "/jobs", "ada"),
        (timedelta(days=1, hours=3), "circle-x", "bad", "Patch failed", "Could not get lock", "/jobs", "schedule"),
        (timedelta(days=1, hours=9), "plug-connected-x", "neutral", "Offline for 12 min", "", "", ""),
    )
    return [
        Happening(now - ago, icon, state, title, text, url, who) for ago, icon, state, title, text, url, who in moments
    ]
