"""Bar 2: ten thousand agents come back at once, against as many bcrypt checks as these processors do."""

import asyncio
import os
import sys
import time
from collections.abc import Coroutine
from typing import Any, Final

import aiohttp

from benchmarks.equipment import Bench, Host, Stage
from benchmarks.herd import Herd, herd
from benchmarks.outcome import Outcome, least, most
from benchmarks.screen import percentile

_AGENTS: Final = 10_000
_QUICK: Final = 2_000
_AT_ONCE: Final = 1_000
_PAGE: Final = "/hosts?limit=25"
_PAUSE_SECONDS: Final = 0.05
_WARM_SECONDS: Final = 1.0
_IDLE_SECONDS: Final = 4.0
_BCRYPT: Final = (
    "import bcrypt,sys,time\n"
    "h=bcrypt.hashpw(b'0123456789abcdef',bcrypt.gensalt(10)); sys.stdin.readline(); n=0; began=time.perf_counter()\n"
    "while time.perf_counter()-began<2: bcrypt.checkpw(b'0123456789abcdef',h); n+=1\n"
    "print(n/(time.perf_counter()-began))"
)


async def measure(bench: Bench) -> list[Outcome]:
    count = _QUICK if bench.quick else _AGENTS
    bar = Outcome("2a", f"{count:,} agents reconnect / bcrypt-10 checks", "×", least(30), least(60), arm_unit="/s")
    pages = Outcome("2b", "p99 of a page meanwhile / idle", "×", most(2), None, arm_unit="ms")
    async with bench.stage() as stage, herd() as swarm:
        hosts = await stage.enrol(count)
        cookie = await stage.browser_cookie()
        await swarm.be(stage.port, hosts)
        await swarm.do("connect", at_once=_AT_ONCE)
        # The first page compiles its templates, which is no part of an idle server.
        await _pages(stage, cookie, asyncio.sleep(_WARM_SECONDS))
        for _ in range(bench.rounds):
            await asyncio.sleep(2.0)
            idle = await _pages(stage, cookie, asyncio.sleep(_IDLE_SECONDS))
            rate, busy = await _storm(stage, swarm, hosts, cookie)
            bar.ratio(rate, await _bcrypt())
            pages.arm_a.append(percentile(busy, 0.99) * 1000)
            pages.arm_b.append(percentile(idle, 0.99) * 1000)
            pages.values.append(pages.arm_a[-1] / pages.arm_b[-1])
    bar.note = "every agent is authenticated, upgraded, greeted and welcomed; none was refused"
    pages.note = f"{_PAGE.partition('?')[0]} by a signed-in browser, twenty times a second"
    return [bar, pages]


async def _storm(stage: Stage, swarm: Herd, hosts: list[Host], cookie: str) -> tuple[float, list[float]]:
    await swarm.do("cut")
    await asyncio.sleep(1.0)
    answer: dict[str, float] = {}

    async def all_of_them() -> None:
        answer.update(await swarm.do("connect", at_once=_AT_ONCE))

    busy = await _pages(stage, cookie, all_of_them())
    if answer["refused"] or answer["welcomed"] != len(hosts):
        raise RuntimeError(str(answer))
    return len(hosts) / answer["seconds"], busy


async def _pages(stage: Stage, cookie: str, meanwhile: Coroutine[Any, Any, None]) -> list[float]:
    """Return how long the page took, each time it was asked for while something else went on."""
    took: list[float] = []
    task = asyncio.get_running_loop().create_task(meanwhile)
    async with aiohttp.ClientSession(headers={"Cookie": cookie, "Accept": "text/html"}) as web:
        while not task.done():
            began = time.perf_counter()
            async with web.get(f"{stage.url}{_PAGE}", allow_redirects=False) as answer:
                await answer.read()
                if answer.status != 200:
                    raise RuntimeError(f"{_PAGE}: {answer.status}")
            took.append(time.perf_counter() - began)
            await asyncio.sleep(_PAUSE_SECONDS)
    await task
    return took


async def _bcrypt() -> float:
    """Return checks in a second, a process on each processor."""
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", _BCRYPT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        for _ in os.sched_getaffinity(0)
    ]
    await asyncio.sleep(0.5)
    said = await asyncio.gather(*(process.communicate(b"\n") for process in processes))
    return sum(float(out) for out, _ in said)
