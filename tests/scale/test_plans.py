"""Every statement behind every page and list, explained by PostgreSQL over a fleet whose tables are large."""

from collections.abc import AsyncIterator, Iterable
from typing import Final

import pytest

from server.core.call import Call
from server.core.db import Database
from server.demo import service as demo
from server.packages import counters
from tests.conftest import Browser
from tests.factories.addresses import addresses
from tests.factories.people import HTML, bearer
from tests.factories.scopes import limited, program_of
from tests.scale.plans import Heard, large_tables, whole_reads

_HOSTS: Final = 2_500
_LIVE: Final = "counted ahead of time for the whole fleet only; live for who sees a part of it, by several processes"
#: Part of a statement, and why it may read a large table from one end to the other for somebody who is limited.
ALLOWED: Final[dict[str, str]] = {
    "from host_packages i": _LIVE,
}


@pytest.fixture
async def fleet(call: Call) -> Call:
    made = await demo.fill(call, _HOSTS, 1, lambda *_: None)
    assert made.packages == 200 * _HOSTS
    # What the server does every two minutes.
    await counters.refresh(call)
    return call


@pytest.fixture
async def heard(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Heard]:
    listening = Heard()
    with monkeypatch.context() as patch:
        listening.listen(patch)
        yield listening


async def walk(client: Browser, headers: dict[str, str], paths: Iterable[str], heard: Heard) -> dict[str, int]:
    """Ask each address once; return what the server could not answer."""
    broken = {}
    for path in paths:
        heard.address = path
        accept = {} if path.startswith("/api/") else HTML
        async with client.get(path, headers={**headers, **accept}, allow_redirects=False) as answer:
            await answer.read()
            if answer.status >= 500:
                broken[path] = answer.status
    heard.address = ""
    return broken


async def complaints(db: Database, heard: Heard, allowed: Iterable[str] = ()) -> list[str]:
    large = await large_tables(db)
    assert {"host_packages", "host_activity"} <= set(large)
    found = []
    for sql, (params, address) in heard.statements.items():
        reads = await whole_reads(db, sql, params, large)
        if reads and not any(part in sql for part in allowed):
            found.append(f"{address}: {', '.join(reads)}: {' '.join(sql.split())[:200]}")
    return found


@pytest.mark.real
@pytest.mark.timeout(900)
async def test_no_page_and_no_list_reads_a_large_table_from_one_end_to_the_other(
    fleet: Call, client: Browser, heard: Heard
) -> None:
    there = await addresses(fleet.world)
    assert len(there.paths) > 60
    assert await walk(client, await bearer(fleet), there.paths, heard) == {}
    seen = len(heard.statements)
    assert seen > 100
    assert await complaints(fleet.db, heard) == []
    # The same for somebody who sees some groups only: other plans of the same statements.
    heard.statements.clear()
    groups = await fleet.db.column("select uuid::text from host_groups order by lower(name) limit 3")
    somebody = await limited(fleet, *groups, role="admin")
    assert await walk(client, await program_of(fleet, somebody), there.paths, heard) == {}
    assert await complaints(fleet.db, heard, ALLOWED) == []


async def test_a_statement_that_reads_everything_would_be_seen(call: Call) -> None:
    large = {"hosts": 1_000_000}
    assert await whole_reads(call.db, "select count(notes) from hosts", {}, large) == ["Seq Scan on hosts"]
    by_index = "select uuid from hosts where id = %(id)s"
    await call.db.execute(
        "insert into hosts (friendly_name, api_id, api_key) select n, n, n from generate_series(1, 999) n"
    )
    await call.db.execute("analyze hosts")
    assert await whole_reads(call.db, by_index, {"id": 5}, large) == []
