"""Bar 5: job events from the agents' sockets to rows, acknowledgements and followers, against raw inserts."""

import asyncio
import time
from typing import Any, Final

import aiohttp
import orjson
from psycopg2.extensions import connection

from benchmarks.equipment import Bench, Host, Stage, connect
from benchmarks.herd import EVENT, Herd, herd
from benchmarks.outcome import Outcome, least

HOSTS: Final = 20
_MARK: Final = b"\nevent: event\n"
_EACH: Final = 2000
_EACH_QUICK: Final = 500
_RAW: Final = """
create table if not exists raw_events (
    job_date date not null, job_host_id bigint not null, source smallint not null, counter integer not null,
    job_id integer not null, position bigint not null, at timestamptz not null, event text not null, uuid text,
    parent text, play text, task text, task_uuid text, action text, role text, duration real, changed boolean,
    ignored boolean, stdout text, message text, result jsonb, primary key (job_date, job_host_id, source, counter));
create index if not exists raw_events_position on raw_events (job_id, position);
"""
_INSERT: Final = """
insert into raw_events (job_date, job_host_id, source, counter, job_id, position, at, event, uuid, parent, play, task,
                        task_uuid, action, role, duration, changed, ignored, stdout, result)
select current_date, %(host)s, 0, counter, 1, counter, at, event, uuid, parent, play, task, task_uuid, action, role,
       duration, changed, ignored, stdout, result
  from jsonb_to_recordset(%(items)s::jsonb)
       as t(counter integer, at timestamptz, event text, uuid text, parent text, play text, task text, task_uuid text,
            action text, role text, duration real, changed boolean, ignored boolean, stdout text, result jsonb)
"""


class Reader:
    """A follower that counts: as cheap as a reader can be, but it reads every byte."""

    def __init__(self, stage: Stage, job: str) -> None:
        self._stage = stage
        self._job = job
        self.events = 0
        self.size_bytes = 0
        self.last_at = 0.0

    async def read(self) -> None:
        url = f"{self._stage.url}/api/v1/jobs/{self._job}/stream"
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as web,
            web.get(url, headers=self._stage.api.headers) as answer,
        ):
            tail = b""
            async for piece in answer.content.iter_any():
                self.size_bytes += len(piece)
                data = tail + piece
                self.events += data.count(_MARK)
                # As much of the end as could be the beginning of a mark.
                tail = data[1 - len(_MARK) :]
                self.last_at = time.time()


async def launched(stage: Stage, swarm: Herd, hosts: list[Host], **plan: Any) -> dict[str, Any]:
    """Start one job on all hosts and wait until it runs everywhere."""
    await swarm.do("plan", **{"item": EVENT, **plan})
    job = await stage.api.launch(*hosts)
    answer = await swarm.do("begun", jobs=len(hosts))
    if answer["begun"] != len(hosts):
        raise RuntimeError(f"only {answer['begun']} jobs began")
    return job


async def measure(bench: Bench) -> list[Outcome]:
    share = Outcome("5a", "job events stored, acked, streamed / raw inserts", "%", least(30), least(50), arm_unit="/s")
    rate = Outcome("5b", "job events stored, acked, streamed", "/s", least(10_000), None)
    each = _EACH_QUICK if bench.quick else _EACH
    async with bench.stage() as stage, herd() as swarm:
        hosts = await stage.enrol(HOSTS)
        await swarm.join(stage.port, hosts)
        raw = connect(stage.dsn)
        await _product(stage, swarm, hosts, 100)
        for number in range(bench.rounds):
            mine = await _product(stage, swarm, hosts, each)
            its = await asyncio.to_thread(_raw, raw, number, HOSTS * each)
            share.values.append(mine / its * 100)
            share.arm_a.append(mine)
            share.arm_b.append(its)
            rate.values.append(mine)
        raw.close()
    return [share, rate]


async def _product(stage: Stage, swarm: Herd, hosts: list[Host], each: int) -> float:
    """Return events in a second, from the first that is sent until all are acknowledged and read by a follower."""
    job = await launched(stage, swarm, hosts, events=each)
    reader = Reader(stage, job["id"])
    reading = asyncio.get_running_loop().create_task(reader.read())
    await asyncio.sleep(0.3)
    told = await swarm.do("pour")
    total = len(hosts) * each
    async with asyncio.timeout(60):
        while reader.events < total:  # noqa: ASYNC110 (a reader that rang for every event would cost more)
            await asyncio.sleep(0.01)
    seconds: float = max(told["began"] + told["seconds"], reader.last_at) - told["began"]
    await swarm.do("end")
    await reading
    if reader.events != total:
        raise RuntimeError(f"{reader.events} events of {total} were streamed")
    return total / seconds


def _raw(database: connection, number: int, total: int) -> float:
    """Return events in a second when nothing but the batches of 500 are written."""
    batches = []
    for first in range(1, total + 1, 500):
        items = [
            {"counter": n, "at": "2026-01-01T00:00:00.000Z", "uuid": f"raw-{n}", **EVENT}
            for n in range(first, min(first + 500, total + 1))
        ]
        batches.append(orjson.dumps(items).decode())
    with database, database.cursor() as cursor:
        cursor.execute(_RAW)
    began = time.perf_counter()
    for batch in batches:
        with database, database.cursor() as cursor:
            cursor.execute(_INSERT, {"host": number, "items": batch})
    return total / (time.perf_counter() - began)
