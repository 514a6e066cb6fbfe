"""What PostgreSQL means to do for a statement, and which parts of that grow with the fleet."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiopg
import pytest

from server.core import db as database
from server.core.db import Database

#: Tables from here on may not be read from one end to the other while somebody waits.
LARGE_ROWS: Final = 12_500
_EXPLAINED: Final = ("select", "with", "insert", "update", "delete")
#: Indexes of a small part of a large table: reading all of one is what it is for.
SMALL: Final = frozenset({"host_packages_outdated"})
_SCANS: Final = frozenset({"Index Scan", "Index Only Scan", "Bitmap Index Scan"})


@dataclass
class Heard:
    """Statements that ran, by their text, with the values of the first time and the address that was asked."""

    statements: dict[str, tuple[dict[str, Any], str]] = field(default_factory=dict)
    address: str = ""

    def listen(self, patch: pytest.MonkeyPatch) -> None:
        """Write down every statement from now on; each of them still runs."""
        run = database._statement

        async def heard(
            connection: aiopg.Connection, sql: str, params: dict[str, Any], *, fetch: bool
        ) -> tuple[list[tuple[Any, ...]], list[str], int]:
            if sql.lstrip().lower().startswith(_EXPLAINED) and self.address:
                self.statements.setdefault(sql, (params, self.address))
            return await run(connection, sql, params, fetch=fetch)

        patch.setattr(database, "_statement", heard)


async def large_tables(db: Database) -> dict[str, int]:
    """Return the tables and partitions that are large now, and how many rows they have."""
    rows = await db.all(
        """
        select relname, reltuples::bigint as rows
          from pg_class
         where relkind = 'r' and relnamespace = 'public'::regnamespace and reltuples > %(least)s
        """,
        least=LARGE_ROWS,
    )
    return {row["relname"]: row["rows"] for row in rows}


async def whole_reads(db: Database, sql: str, params: dict[str, Any], large: Mapping[str, int]) -> list[str]:
    """Return the large tables that the plan of a statement reads from one end to the other, and how."""
    (answer,) = await db.column(f"explain (format json) {sql}", **params)
    return [f"{node['Node Type']} on {_table(node)}" for node in _nodes(answer[0]["Plan"]) if _reads_all(node, large)]


def _nodes(node: dict[str, Any], limited: bool = False) -> Iterator[dict[str, Any]]:
    # Below a limit an index in the right order is read only as far as needed; a sort or a sum in between reads it all.
    limited = node["Node Type"] == "Limit" or (
        limited and node["Node Type"] not in {"Sort", "Aggregate", "WindowAgg", "Hash", "Materialize", "Unique"}
    )
    yield {**node, "limited": limited}
    for child in node.get("Plans", []):
        yield from _nodes(child, limited)


def _reads_all(node: dict[str, Any], large: Mapping[str, int]) -> bool:
    table = _table(node)
    if table not in large or node.get("Index Name") in SMALL:
        return False
    if node["Node Type"] == "Seq Scan":
        return True
    return node["Node Type"] in _SCANS and "Index Cond" not in node and not node["limited"]


def _table(node: dict[str, Any]) -> str:
    return str(node.get("Relation Name", ""))
