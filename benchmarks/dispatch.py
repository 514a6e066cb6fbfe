"""Bar 12: a thousand jobs accepted, queued and dispatched to a hundred idle agents, against one process per job."""

import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.equipment import BIN, Bench, Host, Stage
from benchmarks.herd import EVENT, Herd, herd
from benchmarks.outcome import Outcome, least

_HOSTS: Final = 100
_CLIENTS: Final = 16


async def measure(bench: Bench) -> list[Outcome]:
    share = Outcome("12a", "jobs accepted and dispatched / a process per job", "×", least(50), None, arm_unit="/s")
    rate = Outcome("12b", "jobs accepted, queued, dispatched", "/s", least(100), least(200))
    jobs = 300 if bench.quick else 1000
    async with bench.stage() as stage, herd() as swarm:
        hosts = await stage.enrol(_HOSTS)
        await swarm.join(stage.port, hosts)
        await _product(stage, swarm, hosts, _HOSTS)
        for _ in range(bench.rounds):
            mine = await _product(stage, swarm, hosts, jobs)
            its = await _runners(2 if bench.quick else 4)
            share.ratio(mine, its)
            rate.values.append(mine)
    return [share, rate]


async def _product(stage: Stage, swarm: Herd, hosts: list[Host], jobs: int) -> float:
    """Return jobs in a second, from the first request to the last offer that an agent holds in its hands."""
    await swarm.do("plan", item=EVENT, events=0, at_once=True)
    waiting = list(range(jobs))

    async def client() -> None:
        while waiting:
            await stage.api.launch(hosts[waiting.pop() % len(hosts)])

    began = time.time()
    await asyncio.gather(*(client() for _ in range(_CLIENTS)))
    answer = await swarm.do("dropped", jobs=jobs, seconds=60)
    if len(answer["offered"]) != jobs or answer["dropped"] != jobs:
        raise RuntimeError(f"{len(answer['offered'])} jobs of {jobs} were dispatched, {answer['dropped']} ended")
    last: float = max(answer["offered"].values())
    return jobs / (last - began)


async def _runners(jobs: int) -> float:
    """Return jobs in a second when each is a process of its own, as many at a time as there are processors."""
    waiting = list(range(jobs))

    async def processor() -> None:
        while waiting:
            waiting.pop()
            await _runner()

    began = time.perf_counter()
    await asyncio.gather(*(processor() for _ in range(len(os.sched_getaffinity(0)))))
    return jobs / (time.perf_counter() - began)


async def _runner() -> None:
    with tempfile.TemporaryDirectory(prefix="patchmon-bench-") as name:
        folder = Path(name)
        (folder / "project").mkdir()
        (folder / "project" / "ping.yml").write_text(
            "- hosts: all\n  gather_facts: false\n  tasks: [{ansible.builtin.ping: {}}]\n"
        )
        (folder / "inventory").mkdir()
        variables = f"ansible_connection=local ansible_python_interpreter={sys.executable}"
        (folder / "inventory" / "hosts").write_text(f"web-01 {variables}\n")
        process = await asyncio.create_subprocess_exec(
            str(BIN / "ansible-runner"), "run", name, "-p", "ping.yml", "-q",
            stdout=asyncio.subprocess.DEVNULL,
            env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"},
        )  # fmt: skip
        if await process.wait():
            raise RuntimeError("ansible-runner failed")
