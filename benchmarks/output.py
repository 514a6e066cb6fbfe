"""Bar 7: two MiB of live output in chunks of a kilobyte, against a text column that grows."""

import asyncio
import time
from typing import Final

from psycopg2.extensions import connection

from benchmarks.equipment import Bench, Host, Stage, connect
from benchmarks.events import launched
from benchmarks.herd import Herd, herd, live
from benchmarks.outcome import Outcome, least

_CHUNK: Final = 1024
_CHUNKS: Final = 2048


async def measure(bench: Bench) -> list[Outcome]:
    bar = Outcome("7", "2 MiB live output in 1 KiB chunks / text || chunk", "×", least(50), least(200), arm_unit="s")
    async with bench.stage() as stage, herd() as swarm:
        hosts = await stage.enrol(1)
        await swarm.join(stage.port, hosts)
        await _numbered_rows(stage, swarm, hosts)
        raw = connect(stage.dsn)
        for _ in range(bench.rounds):
            mine = await _numbered_rows(stage, swarm, hosts)
            its = await asyncio.to_thread(_growing_text, raw)
            bar.ratio(mine, its, faster=False)
        raw.close()
    return [bar]


async def _numbered_rows(stage: Stage, swarm: Herd, hosts: list[Host]) -> float:
    """Return seconds from the agent's first chunk to the acknowledgement of the last."""
    await launched(stage, swarm, hosts, item=live(_CHUNK), events=_CHUNKS, source="live")
    told = await swarm.do("pour")
    await swarm.do("end")
    return float(told["seconds"])


def _growing_text(database: connection) -> float:
    """Return the seconds the same text takes when every chunk is appended to a column, each in its own commit."""
    with database, database.cursor() as cursor:
        cursor.execute("create table if not exists growing (id int primary key, output text not null)")
        cursor.execute("delete from growing")
        cursor.execute("insert into growing values (1, '')")
    chunk = live(_CHUNK)["stdout"]
    began = time.perf_counter()
    for _ in range(_CHUNKS):
        with database, database.cursor() as cursor:
            cursor.execute("update growing set output = output || %s where id = 1", (chunk,))
    return time.perf_counter() - began
