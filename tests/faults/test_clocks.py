"""Hosts whose clock is wrong by decades, and what 2,000 hosts do when a server that failed all day is back."""

import asyncio
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from agent import schedule
from agent.checkin import report_offset
from agent.link.backoff import Backoff
from server.core.call import Call
from tests.agent.conftest import Agent
from tests.factories.hosts import Browser, enrolled

#: Answers every question for the time of day as if it were another day; how long things take stays as it is.
SHIFTED = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t clock, struct timespec *at) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(clock, at);
    if (clock == CLOCK_REALTIME) at->tv_sec += atol(getenv("SHIFT_SECONDS"));
    return code;
}
time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
"""


def shim(folder: Path) -> Path:
    """Return a library that shifts the clock of whatever loads it."""
    (folder / "shift.c").write_text(SHIFTED)
    compiler = ["cc", "-shared", "-fPIC", "-o", str(folder / "shift.so"), str(folder / "shift.c"), "-ldl"]
    subprocess.run(compiler, check=True, timeout=30)
    return folder / "shift.so"


@pytest.mark.skipif(shutil.which("cc") is None, reason="this machine has no compiler")
@pytest.mark.real
@pytest.mark.parametrize("years", [-30, 40])
async def test_a_clock_that_is_wrong_by_decades_costs_no_report_and_no_command(
    as_admin: Browser, client: Browser, call: Call, tmp_path: Path, years: int
) -> None:
    known = await enrolled(call, client)
    agent = Agent(tmp_path / "etc")
    agent.configure(f"http://127.0.0.1:{client.port}", known.api_key)
    (agent.folder / "credentials.yml").write_text(yaml.safe_dump({"api_id": known.api_id, "api_key": known.api_key}))
    preload = str(await asyncio.to_thread(shim, tmp_path))
    # Read by the agent and by the children that make its reports.
    agent.command = ["env", f"LD_PRELOAD={preload}", f"SHIFT_SECONDS={years * 365 * 86400}", *agent.command]
    process = await agent.serve()

    try:
        await lives_on(as_admin, call, agent, years)
        assert process.returncode is None
    finally:
        await agent.stop(process)


async def lives_on(as_admin: Browser, call: Call, agent: Agent, years: int) -> None:
    async def reported(after: datetime) -> datetime:
        async with asyncio.timeout(60):
            while True:
                found = await call.db.value("select last_full_report_at from hosts")
                if found is not None and found > after:
                    return datetime.fromisoformat(str(found))
                await asyncio.sleep(0.2)

    first = await reported(datetime.now(UTC) - timedelta(minutes=1))
    year = datetime.now(UTC).year + years
    assert f"{year}-" in agent.log or f"{year - 1}-" in agent.log or f"{year + 1}-" in agent.log, "it really is off"
    # The server believes its own clock: the host is neither stale nor from the future.
    assert abs(datetime.now(UTC) - first) < timedelta(minutes=1)
    row = await call.db.one("select status, last_update from hosts")
    assert row is not None
    assert row["status"] == "active"
    assert row["last_update"] <= datetime.now(UTC)
    uuid = await call.db.value("select uuid from hosts")
    assert (await (await as_admin.post(f"/api/v1/hosts/{uuid}/fetch-report")).json())["success"]
    await reported(first)


def test_a_fleet_comes_back_spread_and_its_check_ins_never_meet() -> None:
    # 2,000 agents that found no server all day: where each of them stands in its waiting, second by second.
    arrivals: list[int] = []
    for _ in range(2000):
        waits, at = Backoff(), 0.0
        while at < 86_400:
            at += waits.next_seconds()
        arrivals.append(int(at - 86_400))
    busiest = max(arrivals.count(second) for second in set(arrivals))
    assert busiest < 200, "no second brings a tenth of the fleet"
    assert max(arrivals) < 40, "and nobody waits longer than a minute"
    # The same holds for what is due on the hour: an offset is each host's own, whatever its clock says.
    moments = [
        schedule.next_at(1_000_000.0 + shift, 15, report_offset(f"patchmon_{number:016x}", 15)) - shift
        for number in range(900)
        for shift in (0.0,)
    ]
    slots = [int(moment) // 10 for moment in moments]
    assert max(slots.count(slot) for slot in set(slots)) < 60
