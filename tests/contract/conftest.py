"""One server for all rows of the contract, and their table at the end of the run."""

import uuid
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, DummyCookieJar
from aiohttp.test_utils import TestServer

from server.app import build, close_world, open_world
from server.core.call import Call, system
from server.core.db import Database
from server.core.env import Env
from server.core.loop import Keeper
from server.core.secretbox import Secret
from tests.conftest import Running
from tests.contract.golden import ROOT, Row, Stage, rows
from tests.factories.automation import url_of
from tests.factories.databases import TEMPLATE, Databases
from tests.factories.people import bearer


@pytest.fixture(scope="module")
async def stage(services: Running, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A server of its own for a whole file of rows; each row adds its own host."""
    name = f"contract_{uuid.uuid4().hex[:12]}"
    admin = await Database.open(services.endpoints.database_url, size=1)
    await admin.execute(f"create database {name} template {TEMPLATE}")
    env = Env(
        database_url=Secret(services.database(name)),
        redis_url=Secret(services.endpoints.redis_url),
        master_key=Secret("test master key"),
        jwt_secret=Secret("test jwt secret"),
        agents_dir=tmp_path_factory.mktemp("agents"),
        content_dir=tmp_path_factory.mktemp("content"),
        development=True,
    )
    keeper = Keeper()
    world = await open_world(env, keeper, pool=8)
    await world.redis.flushall()
    running = TestServer(build(world, keeper))
    await running.start_server()
    call = Call(world, system("test"))
    async with ClientSession(cookie_jar=DummyCookieJar()) as session:
        yield Stage(call, session, url_of(running), await bearer(call))
    await running.close()
    await close_world(world)
    await keeper.close()
    await Databases(admin, keeper).drop(name)
    await admin.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print every row of the contract and what became of it in this run."""
    outcomes: dict[str, str] = {}
    for kind in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(kind, []):
            if getattr(report, "when", "") == "call" or kind in {"error", "skipped"}:
                is_row = "test_golden" in report.nodeid
                outcomes[report.nodeid if is_row else report.nodeid.partition("[")[0]] = kind
    if not any("contract/test_golden" in name for name in outcomes):
        return
    terminalreporter.section("wire contract, row by row")
    counts: Counter[str] = Counter()
    for name in ("http", "socket"):
        section = ""
        for row in rows(name):
            if row.section != section:
                section = row.section
                terminalreporter.line(f"{name} {section}")
            word, more = _outcome(row, outcomes)
            counts[word] += 1
            terminalreporter.line(f"  {row.key:14} {word:10} {row.says[:90]:90} {more}")
    terminalreporter.line("rows: " + ", ".join(f"{number} {word}" for word, number in sorted(counts.items())))


def _outcome(row: Row, outcomes: dict[str, str]) -> tuple[str, str]:
    if row.steps:
        return next((word for name, word in outcomes.items() if name.endswith(f"[{row.key}]")), "not run"), ""
    if row.by:
        return outcomes.get(row.by, "elsewhere"), row.by
    return ("agent's", row.agent) if row.agent else ("not built", row.later)


def exists(test: str) -> bool:
    """Tell whether a test is where a row says."""
    path, _, name = test.partition("::")
    file = ROOT / path
    return file.is_file() and f"def {name}(" in Path(file).read_text(encoding="utf-8")
