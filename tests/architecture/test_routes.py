"""docs/routes.md is the table of every route: it says what the code does, and no route is without a gate."""

from server.identity.permissions import KEYS, MODULES
from tools import route_table


def test_the_page_lists_every_route_with_its_gate() -> None:
    listed, there = route_table.written(route_table.PAGE.read_text(encoding="utf-8")), route_table.table()
    missing = [f"{row.method} {row.path}" for row in there if row not in listed]
    assert missing == [], "run `make fix` and look at what changed"
    assert [f"{row.method} {row.path}" for row in listed if row not in there] == []


def test_no_route_is_without_a_gate() -> None:
    rows = route_table.table()
    assert len(rows) > 100
    assert [row.path for row in rows if row.gate == "NONE"] == []
    assert [row.path for row in rows if row.gate == "open" and len(row.note) < 10] == []
    assert {key for row in rows for key in row.permissions} <= KEYS
    assert {row.module for row in rows if row.module} <= set(MODULES)


def test_a_line_of_the_page_is_read_as_it_was_written() -> None:
    for row in route_table.table():
        assert route_table.written(row.text() + "\n") == [row]
