"""Bar 6: from an event on a host to a browser, at five thousand events a second."""

import asyncio
import math
import statistics
import time
from datetime import UTC, datetime
from typing import Final

import aiohttp

from benchmarks.equipment import Bench, Host, Stage
from benchmarks.events import launched
from benchmarks.herd import Herd, herd
from benchmarks.outcome import Outcome, most, ranged

_HOSTS: Final = 20
_RATE: Final = 5000
_SECONDS: Final = 6
_MARK: Final = b'"at":"'


class Clock:
    """A follower that notes how old each event is when its frame has arrived."""

    def __init__(self) -> None:
        self.ages: list[float] = []

    async def read(self, url: str, headers: dict[str, str]) -> None:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None), read_bufsize=2**22) as web,
            web.get(url, headers=headers) as answer,
        ):
            if answer.status != 200:
                raise RuntimeError(await answer.text())
            tail = b""
            async for piece in answer.content.iter_any():
                frames = (tail + piece).split(b"\n\n")
                tail = frames.pop()
                now = time.time()
                for frame in frames:
                    if b"event: event" in frame[:80]:
                        start = frame.index(_MARK) + len(_MARK)
                        self.ages.append(now - _seconds(frame[start : frame.index(b'"', start)].decode()))


def _seconds(text: str) -> float:
    at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def percentile(values: list[float], share: float) -> float:
    """Return the smallest value that ``share`` of all values do not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(len(values) * share) - 1)]


async def measure(bench: Bench) -> list[Outcome]:
    bar = Outcome("6", "event → browser at 5,000/s, p99", "ms", most(250), most(100))
    middles: list[float] = []
    async with bench.stage() as stage, herd() as swarm:
        hosts = await stage.enrol(_HOSTS)
        await swarm.join(stage.port, hosts)
        cookie = await stage.browser_cookie()
        await _paced(stage, swarm, hosts, cookie)
        for _ in range(bench.rounds):
            ages = await _paced(stage, swarm, hosts, cookie)
            bar.values.append(percentile(ages, 0.99) * 1000)
            middles.append(statistics.median(ages) * 1000)
    bar.note = f"median {ranged(middles)} ms, of which up to 50 ms are the agent's own gathering"
    return [bar]


async def _paced(stage: Stage, swarm: Herd, hosts: list[Host], cookie: str) -> list[float]:
    """Return the age of every event, in seconds, when a signed-in browser's stream has it."""
    job = await launched(stage, swarm, hosts, events=0, rate=_RATE)
    clock = Clock()
    url = f"{stage.url}/api/v1/jobs/{job['id']}/stream"
    reading = asyncio.get_running_loop().create_task(clock.read(url, {"Cookie": cookie}))
    await asyncio.sleep(0.3)
    told = await swarm.do("pace", rate=_RATE, seconds=_SECONDS)
    await swarm.do("end")
    async with asyncio.timeout(30):
        await reading
    if len(clock.ages) != told["made"]:
        raise RuntimeError(f"{len(clock.ages)} events of {told['made']} reached the browser")
    return clock.ages
