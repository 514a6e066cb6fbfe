"""What an address asks of a list, and which address a list has: equal lists, equal addresses, whatever was typed."""

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as some
from multidict import MultiDict

from server.web.filters import Filter
from server.web.tables import Bulk, Column, Listing, Table, Wanted, listing, parse, selection

TABLE = Table(
    name="hosts",
    path="/hosts",
    noun="host",
    columns=(
        Column("name", "Name", sortable=True, fixed=True),
        Column("os", "System", sortable=True),
        Column("updates", "Updates", sortable=True, numeric=True, first="desc"),
        Column("notes", "Notes", shown=False),
    ),
    filters=(
        Filter("group", "Group"),
        Filter("state", "State", "choice", (("online", "Connected"), ("offline", "Offline"))),
        Filter("os", "System", "choices", (("debian", "Debian"), ("rocky", "Rocky"), ("suse", "SUSE"))),
        Filter("least", "Updates", "number"),
        Filter("since", "Since", "day"),
        Filter("reboot", "Needs a reboot", "flag"),
    ),
    search="Search",
    sort="name",
    bulk=(Bulk("Delete", "/hosts/delete", permission="can_manage_hosts"), Bulk("Export", "/export")),
)


def asked(query: str) -> Wanted:
    return parse(TABLE, MultiDict(parse_qsl(query, keep_blank_values=True)))


def shown(query: str, total: int = 120) -> Listing:
    return listing(asked(query), total, may=lambda _: True)


@pytest.mark.parametrize(
    ("query", "address"),
    [
        ("", "/hosts"),
        ("search=&sort=name&direction=asc&page=1&size=50&group=", "/hosts"),
        ("search=+web+&state=online", "/hosts?search=web&state=online"),
        ("os=rocky&os=debian", "/hosts?os=debian%2Crocky"),
        ("os=debian%2Crocky", "/hosts?os=debian%2Crocky"),
        ("sort=updates", "/hosts?sort=updates&direction=desc"),
        ("sort=name&direction=desc", "/hosts?sort=name&direction=desc"),
        ("sort=password&direction=sideways", "/hosts"),
        ("size=100&page=3", "/hosts?size=100&page=3"),
        ("size=7&page=-1", "/hosts"),
        ("page=99999999999999", "/hosts"),
        ("columns=name&columns=notes", "/hosts?columns=name%2Cnotes"),
        ("columns=updates,os,updates,nothing", "/hosts?columns=name%2Cupdates%2Cos"),
        ("columns=name,os,updates", "/hosts"),
        ("columns=nothing", "/hosts"),
        ("reboot=on&least=007&since=2026-01-31", "/hosts?least=7&since=2026-01-31&reboot=1"),
        ("reboot=0", "/hosts"),
        ("unknown=1", "/hosts"),
    ],
)
def test_each_list_has_one_address(query: str, address: str) -> None:
    assert asked(query).here == address
    assert asked(urlsplit(address).query).here == address


@given(
    some.lists(
        some.tuples(
            some.sampled_from(
                [
                    "search",
                    "sort",
                    "direction",
                    "page",
                    "size",
                    "columns",
                    "group",
                    "state",
                    "os",
                    "least",
                    "since",
                    "reboot",
                ]
            ),
            some.text(max_size=30) | some.sampled_from(["name", "updates", "desc", "debian", "online", "3", "100"]),
        ),
        max_size=8,
    )
)
def test_nothing_that_can_be_typed_breaks_a_list(pairs: list[tuple[str, str]]) -> None:
    wanted = parse(TABLE, MultiDict(pairs))
    assert wanted.sort in {column.key for column in TABLE.columns if column.sortable}
    assert wanted.window.size in TABLE.sizes
    assert wanted.window.page >= 1
    assert "name" in wanted.columns
    again = asked(urlsplit(wanted.here).query)
    assert (again.here, again.filters, again.columns) == (wanted.here, wanted.filters, wanted.columns)


def test_every_filter_that_makes_no_sense_is_complained_of_and_shown_as_typed() -> None:
    wanted = asked("state=broken&os=debian,amiga&least=many&since=yesterday&group=web")
    assert dict(wanted.complaints) == {
        "state": "must be one of: online, offline",
        "os": "must be among: debian, rocky, suse",
        "least": "must be a whole number",
        "since": "must be a day such as 2026-01-31 or a moment such as 2026-01-31T12:00:00Z",
    }
    assert wanted.value("least") == "many"
    assert dict(wanted.filters) == {"group": "web"}


def test_each_filter_can_be_taken_away_by_itself() -> None:
    chips = dict(shown("search=web&os=debian,rocky&state=online&reboot=1&page=4").chips)
    assert chips == {
        "Search: web": "/hosts?state=online&os=debian%2Crocky&reboot=1",
        "State: Connected": "/hosts?search=web&os=debian%2Crocky&reboot=1",
        "System: Debian": "/hosts?search=web&state=online&os=rocky&reboot=1",
        "System: Rocky": "/hosts?search=web&state=online&os=debian&reboot=1",
        "Needs a reboot": "/hosts?search=web&state=online&os=debian%2Crocky",
    }


def test_a_head_sorts_turns_around_and_comes_back() -> None:
    def head(query: str, key: str) -> tuple[str, str]:
        return next((one.url, one.sorted) for one in shown(query).heads if one.column.key == key)

    assert head("", "updates") == ("/hosts?sort=updates&direction=desc", "")
    assert head("sort=updates", "updates") == ("/hosts?sort=updates&direction=asc", "descending")
    assert head("", "name") == ("/hosts?sort=name&direction=desc", "ascending")
    assert head("sort=name&direction=desc", "name") == ("/hosts", "descending")
    assert head("columns=name,notes", "notes") == ("", "")


def test_what_a_person_keeps_is_their_usual_list() -> None:
    kept = parse(TABLE, {}, kept=("updates", "notes"))
    assert kept.columns == ("name", "updates", "notes")
    assert kept.here == "/hosts"
    assert parse(TABLE, {"columns": "name,os,updates"}, kept=("updates",)).here == "/hosts?columns=name%2Cos%2Cupdates"
    assert parse(TABLE, {}, kept=("gone",)).columns == TABLE.usual_columns
    order = [column.key for column in listing(kept, 0, may=lambda _: True).choosable]
    assert order == ["name", "updates", "notes", "os"]


@pytest.mark.parametrize(
    ("query", "total", "reach", "pages"),
    [
        ("", 0, (0, 0), 1),
        ("", 1, (1, 1), 1),
        ("", 50, (1, 50), 1),
        ("page=3", 120, (101, 120), 3),
        ("page=9", 51, (51, 51), 2),
    ],
)
def test_it_says_which_rows_these_are(query: str, total: int, reach: tuple[int, int], pages: int) -> None:
    found = shown(query, total)
    assert (found.reach, found.pages) == (reach, pages)


def test_only_what_a_person_may_do_is_offered() -> None:
    may_nothing = listing(asked(""), 3, may=lambda _: False)
    assert [one.title for one in may_nothing.bulk] == ["Export"]


def test_a_selection_is_rows_or_everything_that_matches() -> None:
    some_rows = selection(TABLE, MultiDict([("row", "1"), ("row", "2"), ("row", "1"), ("matching", "state=online")]))
    assert (some_rows.ids, some_rows.matching) == (("1", "2"), None)
    every = selection(TABLE, MultiDict([("row", "1"), ("all", "1"), ("matching", "state=online&os=debian%2Crocky")]))
    assert every.ids == ()
    assert every.matching is not None
    assert dict(every.matching.filters) == {"state": "online", "os": ("debian", "rocky")}
