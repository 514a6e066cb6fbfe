"""Bar 15: what an idle agent costs its host."""

import asyncio

from benchmarks.agents import PYZ, real_agent
from benchmarks.equipment import Bench, Stage, children, cpu_seconds, rss_kib
from benchmarks.outcome import Outcome, most, ranged
from server.settings import service as settings

_SETTLE_SECONDS = 10
_SECONDS = 60
_LONG_SECONDS = 600
_DAY_MINUTES = 1440


async def measure(bench: Bench) -> list[Outcome]:
    size = Outcome("15a", "agent file", "MB", most(4), None)
    memory = Outcome("15b", "idle agent: resident memory", "MiB", most(35), most(25))
    cpu = Outcome("15c", "idle agent: processor", "%", most(0.1), None)
    seconds = _LONG_SECONDS if bench.long else 15 if bench.quick else _SECONDS
    async with bench.stage() as stage:
        # Reports are work and have their own bar: the first one is waited for, the next one is a day away.
        await settings.change(stage.call, {"update_interval": _DAY_MINUTES})
        (host,) = await stage.enrol(1)
        process = await real_agent(stage, host)
        await _first_report(stage)
        await asyncio.sleep(_SETTLE_SECONDS)
        before, shared = _cpu(process.pid), []
        for _ in range(5):
            await asyncio.sleep(seconds / 5)
            memory.values.append(sum(rss_kib(pid) for pid in _tree(process.pid)) / 1024)
            shared.append(len(_tree(process.pid)))
        cpu.values.append((_cpu(process.pid) - before) / seconds * 100)
    size.values.append(PYZ.stat().st_size / 1e6)
    memory.note = f"{ranged(shared)} processes, over {seconds} s, connected and greeted"
    return [size, memory, cpu]


async def _first_report(stage: Stage) -> None:
    async with asyncio.timeout(120):
        while True:
            if await stage.call.db.value("select bool_and(last_full_report_at is not null) from hosts"):
                return
            await asyncio.sleep(0.5)


def _tree(pid: int) -> list[int]:
    return [pid, *children(pid)]


def _cpu(pid: int) -> float:
    return sum(map(cpu_seconds, _tree(pid)))
