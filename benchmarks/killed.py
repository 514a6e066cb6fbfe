"""Bar 14: a hundred jobs while the server is killed again and again: nothing lost, nothing stuck, nothing doubled."""

import asyncio
import contextlib
import random
import signal
from typing import Any, Final

import aiohttp

from benchmarks.equipment import Bench, Host, Stage
from benchmarks.herd import EVENT, Herd, herd
from benchmarks.outcome import Outcome, most

_JOBS: Final = 100
_JOBS_QUICK: Final = 30
_HOSTS: Final = 20
_EVENTS: Final = 40
_PLAY_SECONDS: Final = 3.0
_LAUNCH_SECONDS: Final = 0.4
_BETWEEN_SECONDS: Final = (1.0, 4.0)
_END_SECONDS: Final = 120


async def measure(bench: Bench) -> list[Outcome]:
    lost = Outcome("14a", "server killed during 100 jobs: events lost", "", most(0), None)
    stuck = Outcome("14b", "jobs stuck or not succeeded", "", most(0), None)
    doubled = Outcome("14c", "jobs or events doubled", "", most(0), None)
    jobs = _JOBS_QUICK if bench.quick else _JOBS
    async with bench.stage() as stage, herd() as swarm:
        hosts = await stage.enrol(_HOSTS)
        await swarm.be(stage.port, hosts)
        await swarm.do("plan", item=EVENT, events=_EVENTS)
        await swarm.do("connect", returns=True)
        await swarm.do("spread", seconds=_PLAY_SECONDS)
        kills = await _carry_on(stage, swarm, hosts, jobs)
        await _count(stage, swarm, jobs, (lost, stuck, doubled))
    lost.note = f"{kills} times SIGKILL, {jobs} jobs of {_EVENTS} events and {_PLAY_SECONDS:.0f} s on {_HOSTS} agents"
    return [lost, stuck, doubled]


async def _carry_on(stage: Stage, swarm: Herd, hosts: list[Host], jobs: int) -> int:
    """Launch jobs one after the other while the server dies at random; return how often it did."""
    launching = asyncio.get_running_loop().create_task(_launch_all(stage, hosts, jobs))
    kills, dice = 0, random.Random(14)
    while not launching.done():
        await asyncio.sleep(dice.uniform(*_BETWEEN_SECONDS))
        assert stage.server is not None
        await stage.server.end(signal.SIGKILL)
        kills += 1
        await stage.serve()
    await launching
    await swarm.do("dropped", jobs=jobs, seconds=_END_SECONDS)
    return kills


async def _launch_all(stage: Stage, hosts: list[Host], jobs: int) -> None:
    for number in range(jobs):
        await _launch(stage, hosts[number % len(hosts)], f"bench-{number}")
        await asyncio.sleep(_LAUNCH_SECONDS)


async def _launch(stage: Stage, host: Host, key: str) -> None:
    # As a program does: ask again with the same key until there is an answer.
    while True:
        with contextlib.suppress(aiohttp.ClientError, RuntimeError):
            await stage.api.launch(host, idempotency_key=key)
            return
        await asyncio.sleep(0.1)


async def _count(stage: Stage, swarm: Herd, jobs: int, bars: tuple[Outcome, Outcome, Outcome]) -> None:
    rows = await stage.world.db.all(
        """
        select h.uuid, h.status, count(e.counter) as events, coalesce(max(e.counter), 0) as last,
               count(distinct e.position) as positions, count(distinct e.uuid) as names
          from job_hosts h
          left join job_events e on e.job_host_id = h.id
         group by h.id
        """
    )
    begun: dict[str, Any] = (await swarm.do("counts"))["begun"]
    lost, stuck, doubled = bars
    lost.values.append(sum(_EVENTS - row["names"] for row in rows) + _EVENTS * (jobs - len(rows)))
    stuck.values.append(sum(row["status"] != "succeeded" for row in rows))
    twice = sum(count - 1 for count in begun.values())
    doubled.values.append(
        len(rows)
        - jobs
        + twice
        + sum((row["events"] - row["names"]) + (row["events"] - row["positions"]) for row in rows)
    )
