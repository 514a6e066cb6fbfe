"""What changed on a host between two reports, and what was installed at any moment."""

import subprocess
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core.call import Call
from server.packages import history
from server.packages.versions import is_newer
from tests.factories.hosts import Browser, enrolled, full_report, package

VERSIONS = [
    "1.0",
    "1.0~rc1",
    "1.0-1",
    "1.0-1+deb12u1",
    "1:0.1",
    "2.10",
    "2.9",
    "1.0a",
    "1.0.1",
    "0",
    "1.0~~",
    "3.0.15-1~bpo12",
]


@pytest.mark.parametrize("left", VERSIONS)
def test_versions_compare_as_dpkg_does(left: str) -> None:
    for right in VERSIONS:
        told = subprocess.run(["dpkg", "--compare-versions", left, "gt", right], check=False, timeout=10)
        assert is_newer(left, right) == (told.returncode == 0), (left, right)


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_two_texts_have_an_order(left: str, right: str) -> None:
    assert not (is_newer(left, right) and is_newer(right, left))


async def reports(call: Call) -> list[datetime]:
    return await call.db.column("select at from host_activity where kind in ('full', 'partial') order by id")


async def test_two_reports_differ_by_what_was_installed_changed_and_removed(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    await agent.update(
        full_report([package("bash", "5.2.15", "5.2.21", isSecurityUpdate=True), package("apt"), package("vim", "9.1")])
    )
    await agent.update(full_report([package("bash", "5.2.21"), package("apt"), package("nano", "7.2")]))
    await agent.update(
        full_report([package("bash", "5.2.21"), package("apt"), package("nano", "7.1"), package("vim", "9.1")])
    )
    host_id = await call.db.value("select id from hosts")
    first, second, third = await reports(call)
    before = first - timedelta(seconds=1)
    assert await history.changes(call, host_id, before, first) == [], "a first inventory is no change"
    told = await history.changes(call, host_id, first, second)
    assert [(one.name, one.kind, one.from_version, one.to_version, one.security) for one in told] == [
        ("bash", "upgraded", "5.2.15", "5.2.21", True),
        ("nano", "installed", "", "7.2", False),
        ("vim", "removed", "9.1", "", False),
    ]
    told = await history.changes(call, host_id, second, third)
    assert [(one.name, one.kind) for one in told] == [("nano", "downgraded"), ("vim", "installed")]
    told = await history.changes(call, host_id, first, third)
    assert [one.name for one in told] == ["bash", "nano"], "what went and came back is no difference"
    states = [[tuple(one) for one in await history.state(call, host_id, at)] for at in (first, second, third)]
    assert states == [
        [("apt", "1.0"), ("bash", "5.2.15"), ("vim", "9.1")],
        [("apt", "1.0"), ("bash", "5.2.21"), ("nano", "7.2")],
        [("apt", "1.0"), ("bash", "5.2.21"), ("nano", "7.1"), ("vim", "9.1")],
    ]


async def test_since_when_something_newer_waits(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)

    async def since() -> datetime | None:
        found: datetime | None = await call.db.value(
            "select outdated_since from host_packages join packages p on p.id = package_id where p.name = 'bash'"
        )
        return found

    await agent.update(full_report([package("bash", "1.0")]))
    assert await since() is None
    await agent.update(full_report([package("bash", "1.0", "1.1")]))
    began = await since()
    assert began is not None
    await agent.update(full_report([package("bash", "1.0", "1.2")]))
    assert await since() == began, "an even newer version does not restart the wait"
    await agent.update(full_report([package("bash", "1.2")]))
    assert await since() is None


@pytest.mark.proves("INV-127")
async def test_the_latest_version_is_the_newest_seen_anywhere(client: Browser, call: Call) -> None:
    async def latest() -> str:
        found: str = await call.db.value("select latest_version from packages where name = 'bash'")
        return found

    one, two = await enrolled(call, client), await enrolled(call, client, "web-02")
    await one.update(full_report([package("bash", "5.9-1")]))
    assert await latest() == "5.9-1"
    await two.update(full_report([package("bash", "5.2-1", "5.10-1")]))
    assert await latest() == "5.10-1"
    await one.update(full_report([package("bash", "5.9-2")]))
    assert await latest() == "5.10-1"


async def test_changes_go_with_their_host_and_with_time(client: Browser, call: Call) -> None:
    agent = await enrolled(call, client)
    await agent.update(full_report([package("bash", "1")]))
    await agent.update(full_report([package("bash", "2")]))
    assert await history.prune(call) == 0
    await call.db.execute("update host_package_changes set at = at - interval '2 years'")
    assert await history.prune(call) == 1
    await agent.update(full_report([package("bash", "3")]))
    await call.db.execute("delete from hosts")
    assert await call.db.value("select count(*) from host_package_changes") == 0
