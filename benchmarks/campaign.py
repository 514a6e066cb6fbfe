"""Bar 17: one roll-out over a thousand simulated agents, and what its page costs while it is under way."""

import asyncio
import time
from typing import Final

import aiohttp

from benchmarks.equipment import Bench, Stage
from benchmarks.herd import EVENT, Herd, herd
from benchmarks.outcome import Outcome, most
from benchmarks.screen import percentile

_HOSTS: Final = 1000
_EVENTS: Final = 20
_PATIENCE_SECONDS: Final = 120
_PAUSE_SECONDS: Final = 0.05


async def measure(bench: Bench) -> list[Outcome]:
    hosts = 200 if bench.quick else _HOSTS
    sent = Outcome("17a", f"campaign: {hosts:,} hosts dispatched", "s", most(15), None)
    done = Outcome("17b", "campaign: until the last host is counted", "s", most(60), None)
    page = Outcome("17c", "page of the campaign meanwhile, p95", "ms", most(150), most(60))
    async with bench.stage() as stage, herd() as swarm:
        await swarm.join(stage.port, await stage.enrol(hosts))
        for number in range(bench.rounds):
            dispatched, counted, took = await _campaign(stage, swarm, hosts, number)
            sent.values.append(dispatched)
            done.values.append(counted)
            page.values.append(percentile(took, 0.95) * 1000)
    sent.note = "from the request that makes the campaign to the last offer that an agent holds in its hands"
    done.note = f"each host sends {_EVENTS} events and its last word"
    return [sent, done, page]


async def _campaign(stage: Stage, swarm: Herd, hosts: int, number: int) -> tuple[float, float, list[float]]:
    await swarm.do("plan", item=EVENT, events=_EVENTS, at_once=True)
    wanted = {"name": f"Round {number}", "all_hosts": True, "max_failure_percent": 100}
    began = time.time()
    made = await stage.api.ask("POST", "/patching/campaigns", wanted)
    over = asyncio.Event()
    looking = asyncio.get_running_loop().create_task(_pages(stage, made["id"], over))
    answer = await swarm.do("dropped", jobs=hosts, seconds=_PATIENCE_SECONDS)
    if len(answer["offered"]) != hosts:
        raise RuntimeError(f"{len(answer['offered'])} hosts of {hosts} were offered their job")
    counted = await _counted(stage, made["id"], began)
    over.set()
    return max(answer["offered"].values()) - began, counted, await looking


async def _counted(stage: Stage, campaign: str, began: float) -> float:
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            found = await stage.api.ask("GET", f"/patching/campaigns/{campaign}")
            if found["status"] == "completed":
                return time.time() - began
            await asyncio.sleep(0.2)


async def _pages(stage: Stage, campaign: str, over: asyncio.Event) -> list[float]:
    took: list[float] = []
    headers = {"Cookie": await stage.browser_cookie(), "Accept": "text/html"}
    async with aiohttp.ClientSession(headers=headers) as web:
        while not over.is_set():
            began = time.perf_counter()
            async with web.get(f"{stage.url}/patching/campaigns/{campaign}") as answer:
                await answer.read()
            if answer.status != 200:
                raise RuntimeError(f"the page answered {answer.status}")
            took.append(time.perf_counter() - began)
            await asyncio.sleep(_PAUSE_SECONDS)
    return took
