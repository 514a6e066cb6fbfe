"""Thousands of simulated agents in a process of their own, told what to do by JSON lines on standard input.

They speak the whole protocol: authenticate, say hello, take offers, fetch the project once and every spec, send events
in batches of at most 64 KiB, keep them until acknowledged, end, and are let go. What they do not have is a host: events
are made from a template. Orders and answers are described at ``Swarm``'s methods; each order gets exactly one answer.
"""

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, Final

import orjson
import uvloop

from benchmarks.simulated import Agent, Job

_BATCH_BYTES: Final = 60 * 1024
_BATCH_SECONDS: Final = 0.05


class Swarm:
    """All of them, and the orders they get."""

    def __init__(self, answer: Callable[[dict[str, Any]], None]) -> None:
        self._answer = answer
        self.address = ("127.0.0.1", 0)
        self.agents: list[Agent] = []
        self.greets = True
        self.hello: dict[str, Any] = {
            "protocol": 1, "agent": "3.0.0", "python": "3.11.7", "os": "linux", "arch": "x86_64", "boot_id": "b1",
            "ansible": "2.19.0", "collection": "1.0.0", "automation": "any", "executors": ["on_host"],
            "changing_jobs": 1,
        }  # fmt: skip
        self.returns = False
        self.source = "runner"
        self.window = 4000
        self.batch = 80
        self.stamped = False
        self._item = b"}"
        self._plan: dict[str, Any] = {}
        self._pacing: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.opened = 0
        self.refusals: list[str] = []
        self._welcomed = 0
        self._welcomed_at: list[float] = []
        self._offered: dict[str, float] = {}
        self._begun: list[Job] = []
        self._dropped = 0
        self._news = asyncio.Event()

    # ------------------------------------------------------------ what agents tell

    def welcome(self, agent: Agent) -> None:
        agent.welcomed = True
        agent.wake()
        self._welcomed += 1
        self._welcomed_at.append(time.time())
        for job in agent.jobs.values():
            agent.push(job)
        self._news.set()

    def lost(self, agent: Agent) -> None:
        if self.returns:
            self._start(self._return(agent))

    async def _return(self, agent: Agent) -> None:
        pause = 0.1
        while agent.socket is None and self.returns:
            await asyncio.sleep(pause * (0.5 + os.urandom(1)[0] / 256))
            try:
                await agent.connect()
            except OSError:
                pause = min(1.0, pause * 1.5)

    def offered(self, job: str) -> None:
        self._offered.setdefault(job, time.time())
        self._news.set()

    def began(self, job: Job) -> None:
        self._begun.append(job)
        plan = self._plan
        job.due = plan.get("events", 0)
        if plan.get("at_once"):
            job.made = job.due
            if plan.get("end", True):
                job.agent.end(job)
            else:
                job.agent.push(job)
        self._news.set()

    def acked(self, _job: Job) -> None:
        self._news.set()

    def dropped(self) -> None:
        self._dropped += 1
        self._news.set()

    def events(self, job: Job, first: int, count: int, stamps: list[str] | None) -> bytes:
        """Return a batch as its message."""
        now, key = stamp(), job.uuid[:8]
        items = b",".join(
            b'{"counter":%d,"at":"%b","uuid":"%b-%d",%b'
            % (n, (stamps[n - first] if stamps else now).encode(), key.encode(), n, self._item)
            for n in range(first, first + count)
        )
        return b'{"type":"job_events","job":"%b","source":"%b","first":%d,"items":[%b]}' % (
            job.uuid.encode(), self.source.encode(), first, items,
        )  # fmt: skip

    # ------------------------------------------------------------ orders

    async def do_agents(self, port: int, credentials: list[list[str]], *, greets: bool = True) -> dict[str, Any]:
        """Be these agents."""
        self.address = ("127.0.0.1", port)
        self.greets = greets
        self.agents = [Agent(self, api_id, api_key) for api_id, api_key in credentials]
        return {}

    async def do_connect(self, at_once: int = 500, *, returns: bool = False) -> dict[str, Any]:
        """Connect everyone and wait until all are welcomed."""
        self.returns = returns
        self._welcomed, self._welcomed_at, self.refusals, failed = 0, [], [], 0
        gate = asyncio.Semaphore(at_once)
        began = time.time()

        async def one(agent: Agent) -> None:
            nonlocal failed
            async with gate:
                try:
                    await agent.connect()
                except OSError:
                    failed += 1
                    return
                if not agent.welcomed and agent.socket is not None:
                    agent.waiting = asyncio.get_running_loop().create_future()
                    await asyncio.wait_for(agent.waiting, 60)

        await asyncio.gather(*(one(agent) for agent in self.agents))
        await self._until(lambda: self._welcomed + len(self.refusals) + failed >= len(self.agents), 60)
        last = max(self._welcomed_at, default=began)
        return {
            "seconds": last - began, "welcomed": self._welcomed, "refused": len(self.refusals) + failed,
            "refusals": self.refusals[:3],
        }  # fmt: skip

    async def do_cut(self) -> dict[str, Any]:
        """Pull every cable."""
        self.returns = False
        for agent in self.agents:
            if agent.socket is not None:
                agent.socket.abort()
        await self._until(lambda: all(agent.socket is None for agent in self.agents), 30)
        return {}

    async def do_plan(self, item: dict[str, Any], **plan: Any) -> dict[str, Any]:
        """Say what every job will be: ``events`` of this ``item``, ``at_once`` or paced, and whether to ``end``."""
        self._item = orjson.dumps(item)[1:]
        self._plan = plan
        self.source = plan.get("source", "runner")
        self.window = plan.get("window", 4000)
        self.stamped = bool(plan.get("rate"))
        size = len(self._item) + 100
        self.batch = max(1, min(plan.get("batch", 500), _BATCH_BYTES // size))
        self._begun, self._dropped = [], 0
        self._offered.clear()
        return {"batch": self.batch}

    async def do_begun(self, jobs: int, seconds: float = 60) -> dict[str, Any]:
        """Wait until so many jobs run."""
        await self._until(lambda: len(self._begun) >= jobs, seconds)
        return {"offered": self._offered, "begun": len(self._begun)}

    async def do_pour(self, seconds: float = 120) -> dict[str, Any]:
        """Make every running job's events now, and wait until all are acknowledged."""
        began, cpu = time.time(), time.process_time()
        for job in self._begun:
            job.made = job.due
            job.agent.push(job)
        await self._until(lambda: all(job.acked >= job.due for job in self._begun), seconds)
        return {"began": began, "seconds": time.time() - began, "cpu": time.process_time() - cpu}

    async def do_pace(self, rate: float, seconds: float) -> dict[str, Any]:
        """Make events at this rate over all running jobs, sent as an agent sends them: every 50 ms."""
        jobs = [job for job in self._begun if job.state == "running"]
        began, made = time.perf_counter(), 0
        flush_at = began
        while (elapsed := time.perf_counter() - began) < seconds:
            due, now = int(elapsed * rate), stamp()
            while made < due:
                job = jobs[made % len(jobs)]
                job.made += 1
                job.made_at.append(now)
                made += 1
            if time.perf_counter() >= flush_at:
                flush_at += _BATCH_SECONDS
                for job in jobs:
                    job.agent.push(job)
            await asyncio.sleep(0.005)
        for job in jobs:
            job.agent.push(job)
        return {"made": made}

    async def do_spread(self, seconds: float) -> dict[str, Any]:
        """From now on let each job make its events evenly over this time and end; answers at once."""
        self._pacing = self._start(self._spread(seconds))
        return {}

    async def _spread(self, seconds: float) -> None:
        started: dict[str, float] = {}
        while True:
            now = time.perf_counter()
            for job in self._begun:
                if job.state != "running":
                    continue
                since = now - started.setdefault(job.uuid, now)
                job.made = min(job.due, int(job.due * since / seconds) + 1)
                job.agent.push(job)
                if job.made >= job.due:
                    job.agent.end(job)
            await asyncio.sleep(0.05)

    async def do_end(self) -> dict[str, Any]:
        """End every running job and wait until the server has let all of them go."""
        for job in self._begun:
            if job.state == "running":
                job.agent.end(job)
        await self._until(lambda: self._dropped >= len(self._begun), 60)
        return {"dropped": self._dropped}

    async def do_dropped(self, jobs: int, seconds: float = 60) -> dict[str, Any]:
        """Wait until so many jobs are over for good."""
        await self._until(lambda: self._dropped >= jobs, seconds)
        return {"offered": self._offered, "dropped": self._dropped, "open": sum(len(a.jobs) for a in self.agents)}

    async def do_counts(self) -> dict[str, Any]:
        """Say how often each job was begun."""
        return {"begun": Counter(job.uuid for job in self._begun)}

    async def _until(self, condition: Callable[[], bool], seconds: float) -> None:
        until = time.monotonic() + seconds
        while not condition() and time.monotonic() < until:
            self._news.clear()
            try:
                async with asyncio.timeout(0.1):
                    await self._news.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(0.002)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def obey(self, lines: asyncio.StreamReader) -> None:
        """Carry out one order after the other until standard input ends."""
        while line := await lines.readline():
            order = orjson.loads(line)
            try:
                self._answer({"ok": await getattr(self, f"do_{order.pop('do')}")(**order)})
            except Exception as error:  # noqa: BLE001 (the bench prints it)
                self._answer({"error": repr(error)})


def stamp() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def main() -> None:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=64 * 1024**2)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    def answer(body: dict[str, Any]) -> None:
        sys.stdout.buffer.write(orjson.dumps(body) + b"\n")
        sys.stdout.buffer.flush()

    await Swarm(answer).obey(reader)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
