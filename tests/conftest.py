"""Real PostgreSQL and Valkey, a migrated database per test, the real application, and the marks of the report."""

import gc
import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Generator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pytest
from aiohttp import CookieJar, web
from aiohttp.test_utils import TestClient, TestServer

from server.app import build, close_world, open_world
from server.core.blocking import Blocked, BlockingWatch
from server.core.call import Call, World, system
from server.core.db import Database
from server.core.embedded import Endpoints, Services
from server.core.env import Env
from server.core.loop import Keeper
from server.core.migrate import migrate
from server.core.secretbox import Secret
from tests import answers
from tests.factories import house as houses
from tests.factories.databases import TEMPLATE, Databases
from tests.factories.house import House, ServerProcess, Start

ROOT = Path(__file__).resolve().parent.parent
Browser = TestClient[web.Request, web.Application]
#: Modules that start agents, services or Ansible for every test: real ones, seconds each, not for the quick run.
PROGRAMS = (
    "agent/supervise/*", "agent/test_daemon.py", "agent/test_jobs.py", "agent/test_restart.py", "ansible/*",
    "automation/test_faults.py", "automation/test_offers.py", "automation/test_orders.py", "core/embedded/*",
    "core/test_backup.py", "core/test_blocking.py",
    "deploy/test_commands.py", "hosts/test_install_freebsd.py",
    "identity/test_recovery.py", "patching/test_stream.py", "settings/test_process.py",
    "web/test_long_lived.py",
)  # fmt: skip
#: What the test at hand blocked the loop with, and what all of them did: seconds, the test, the place.
BLOCKED: list[tuple[float, str, str]] = []
ALL_BLOCKED: list[tuple[float, str, str]] = []


def pytest_collection_finish() -> None:
    """Leave out of every later collection of garbage what stays until the end, and look less often for the rest."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Turn the requirement marks into properties of the report, and give each kind of test its time limit."""
    for item in items:
        for mark in item.iter_markers("proves"):
            item.user_properties.extend(("proves", identifier) for identifier in mark.args)
        if any(item.path.relative_to(ROOT / "tests").match(module) for module in PROGRAMS):
            item.add_marker(pytest.mark.real)
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(300 if item.get_closest_marker("real") else 30))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,  # noqa: ARG001 (pytest looks at the name)
    call: pytest.CallInfo[None],
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let the report of a test carry what it blocked the loop with, from whichever process it ran in."""
    report = yield
    if call.when == "teardown":
        vars(report)["blocked"] = [list(one) for one in BLOCKED]
        BLOCKED.clear()
    return report


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Take what a report carries."""
    ALL_BLOCKED.extend((seconds, test, place) for seconds, test, place in getattr(report, "blocked", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what blocked the loop, what was skipped and why, and what of it CI does not accept."""
    if ALL_BLOCKED:
        terminalreporter.section("stood in the loop's way")
        for seconds, test, place in sorted(ALL_BLOCKED, reverse=True)[:20]:
            terminalreporter.line(f"{seconds:.2f} s  {test}: {place}")
    skipped = {report.nodeid: reason_of(report) for report in terminalreporter.stats.get("skipped", [])}
    if not skipped:
        return
    terminalreporter.section("skipped")
    for test, reason in sorted(skipped.items()):
        terminalreporter.line(f"{'' if allowed(test) else 'NOT ALLOWED IN CI  '}{test}: {reason}")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a CI run that skipped what tests/allowed-skips does not list; write down what was recorded."""
    answers.write()
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = [report.nodeid for report in reporter.stats.get("skipped", [])] if reporter else []
    if os.environ.get("CI") and not all(map(allowed, skipped)) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def note_blocked(blocked: Blocked) -> None:
    """Keep what the server itself did; tests may take their time."""
    if place := where(blocked):
        BLOCKED.append((blocked.seconds, os.environ.get("PYTEST_CURRENT_TEST", "").partition(" ")[0], place))


def where(blocked: Blocked) -> str:
    """Return the innermost place in the server, empty when it was not the server."""
    places = re.findall(rf'"{ROOT}/(server/[^"]+)", line (\d+), in (\w+)', blocked.stack)
    return "{}:{} {}".format(*places[-1]) if places else ""


def reason_of(report: pytest.TestReport) -> str:
    """Return why a test was skipped."""
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)


def allowed(test: str) -> bool:
    """Tell whether tests/allowed-skips lists this test."""
    lines = (ROOT / "tests" / "allowed-skips").read_text(encoding="utf-8").splitlines()
    patterns = [line.split(maxsplit=1)[0] for line in lines if line.strip() and not line.startswith("#")]
    return any(fnmatch(test, pattern) for pattern in patterns)


@dataclass(frozen=True, slots=True)
class Running:
    """The services of this test run."""

    endpoints: Endpoints
    databases: Databases

    def database(self, name: str) -> str:
        """Return the DSN of another database on the same server."""
        dsn = self.endpoints.database_url
        base, _, query = dsn.partition("?")
        return f"{base.rpartition('/')[0]}/{name}" + (f"?{query}" if query else "")


@pytest.fixture(scope="session")
async def services() -> AsyncIterator[Running]:
    """Start the embedded services once for the whole run."""
    # Not under pytest's own folder: that is closed to the user PostgreSQL runs as when root runs the tests.
    # In memory where there is some: what is tested is not the disk.
    memory = Path("/dev/shm")
    data_dir = Path(tempfile.mkdtemp(prefix="patchmon-test-", dir=memory if memory.is_dir() else None))
    embedded = Services(data_dir)
    keeper = Keeper()
    endpoints = await embedded.start()
    # One connection copies while another one drops.
    admin = await Database.open(endpoints.database_url, size=2)
    running = Running(endpoints, Databases(admin, keeper))
    await admin.execute(f"create database {TEMPLATE}")
    template = await Database.open(running.database(TEMPLATE), size=1)
    await migrate(template)
    await template.close()
    yield running
    await running.databases.close()
    await admin.close()
    await embedded.stop()
    shutil.rmtree(data_dir)


@pytest.fixture
async def env(services: Running) -> AsyncIterator[Env]:
    """An environment over a fresh copy of the migrated database and an empty Redis."""
    name = await services.databases.take()
    yield Env(
        database_url=Secret(services.database(name)),
        redis_url=Secret(services.endpoints.redis_url),
        master_key=Secret("test master key"),
        jwt_secret=Secret("test jwt secret"),
        agents_dir=ROOT / "dist",
        development=True,
    )
    await services.databases.drop(name)


@pytest.fixture
async def keeper() -> AsyncIterator[Keeper]:
    """The owner of a test's background tasks."""
    kept = Keeper()
    yield kept
    await kept.close()


@pytest.fixture
async def world(env: Env, keeper: Keeper) -> AsyncIterator[World]:
    """The opened resources."""
    opened = await open_world(env, keeper, pool=8)
    await opened.redis.flushall()
    yield opened
    await close_world(opened)


@pytest.fixture
def call(world: World) -> Call:
    """A call of the system, for use cases tested without HTTP."""
    return Call(world, system("test"))


@pytest.fixture
async def house(env: Env, call: Call, tmp_path: Path) -> AsyncIterator[House]:
    """Real processes over this test's database; what still runs at the end is ended."""
    async with houses.house(env, call, tmp_path) as built:
        yield built


@pytest.fixture
def start(house: House, unused_tcp_port_factory: Callable[[], int]) -> Start:
    """Start a server process with these variables, or one more over the same database."""

    async def started(**said: str) -> ServerProcess:
        running = house.server(unused_tcp_port_factory(), **said)
        await running.start()
        return running

    return started


@pytest.fixture
async def server(world: World, keeper: Keeper, request: pytest.FixtureRequest) -> AsyncIterator[TestServer]:
    """The real application, listening; what of it blocks the loop is reported at the end of the run.

    Every answer of its API is held against the description that others write their programs from.
    """
    app = build(world, keeper)
    looked = answers.Watch()
    looked.look_at(app)
    running = TestServer(app)
    watch = BlockingWatch(note_blocked)
    watch.start()
    await running.start_server()
    yield running
    await running.close()
    watch.stop()
    assert request.node.get_closest_marker("made_up") is not None or looked.complaints == []


@pytest.fixture
async def client(server: TestServer) -> AsyncIterator[Browser]:
    """A browser that is not signed in."""
    async with TestClient(server, cookie_jar=CookieJar(unsafe=True)) as browser:
        yield browser


@pytest.fixture
async def as_admin(server: TestServer, call: Call) -> AsyncIterator[Browser]:
    """A browser signed in as the first administrator."""
    from tests.factories.people import sign_in_as  # noqa: PLC0415 (the factory needs the rooms)

    async with TestClient(server, cookie_jar=CookieJar(unsafe=True)) as browser:
        await sign_in_as(browser, call, "superadmin")
        yield browser
