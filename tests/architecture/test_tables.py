"""One room writes a table; any room may read it."""

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
SERVER: Final = ROOT / "server"
WRITE: Final = re.compile(
    r"\b(?:insert\s+into|(?<!for )(?<!do )(?<!no key )update|delete\s+from|merge\s+into)\s+([a-z_]+)", re.IGNORECASE
)
CREATE: Final = re.compile(r"\bcreate\s+(?:unlogged\s+)?table\s+(?:if\s+not\s+exists\s+)?([a-z_]+)", re.IGNORECASE)
# The demonstration fills an empty database with what the other rooms would have written; it is no room of the product.
EXEMPT: Final = {"demo"}
ROOMS: Final = sorted(
    p.name
    for p in SERVER.iterdir()
    if ((p / "models.py").exists() or (p / "queries.py").exists()) and p.name not in EXEMPT
)


def owned(room: str) -> set[str]:
    """Return the tables that the room's own migrations made."""
    return {
        table
        for file in (SERVER / "migrations").glob(f"[0-9]*_{room}*.sql")
        for table in CREATE.findall(file.read_text(encoding="utf-8"))
    }


def statements(room: str) -> str:
    folder = SERVER / room
    files = [*folder.glob("queries.py"), *folder.glob("queries/*.py")]
    # Only what stands in string literals: comments and docstrings may use the words.
    literals = re.compile(r'"""(.*?)"""', re.DOTALL)
    return "\n".join(block for file in files for block in literals.findall(file.read_text(encoding="utf-8")))


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_writes_only_its_own_tables(room: str) -> None:
    text = statements(room)
    common_tables = set(re.findall(r"\b([a-z_]+)\s+as\s+(?:not\s+)?(?:materialized\s+)?\(", text))
    assert set(WRITE.findall(text)) - common_tables <= owned(room)


def test_sql_stands_only_in_queries() -> None:
    sql = re.compile(
        r"\b(?:select\s.+\sfrom|insert\s+into|delete\s+from)\s+[a-z_]+|\bupdate\s+[a-z_]+\s+set\b", re.IGNORECASE
    )
    allowed = {"queries", "core"}
    strays = [
        str(file.relative_to(ROOT))
        for file in SERVER.rglob("*.py")
        if not allowed & {file.stem, *file.relative_to(SERVER).parts}
        and any(
            sql.search(block)
            for block in re.findall(r'"""(.*?)"""|"([^"\n]*)"', file.read_text(encoding="utf-8"), re.DOTALL)
            for block in block
        )
    ]
    assert strays == []
