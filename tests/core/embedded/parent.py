"""A server reduced to its services: starts them, commits rows without pause, says which, and stops at end of input."""

import asyncio
import json
import sys
import time
from pathlib import Path

from redis.asyncio import Redis

from server.core import log
from server.core.db import Database
from server.core.embedded import Services


def say(**facts: object) -> None:
    """Print one JSON line at once."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


async def main(data_dir: Path) -> None:
    """Serve until standard input ends."""
    services = Services(data_dir)
    begun = time.monotonic()
    endpoints = await services.start()
    seconds = time.monotonic() - begun
    db = await Database.open(endpoints.database_url, size=1, tries=1)
    redis = Redis.from_url(endpoints.redis_url)
    await db.execute("create table if not exists kept (number int primary key)")
    rows = await db.column("select number from kept order by number")
    bell = int(await redis.get("kept") or 0)
    say(seconds=seconds, rows=rows, bell=bell, runtime_dir=str(Path(endpoints.redis_url[7:]).parent))
    ended = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    number = max(rows, default=0)
    while not ended.done():
        number += 1
        await db.execute("insert into kept values (%(number)s)", number=number)
        await redis.set("kept", number)
        say(committed=number)
    await redis.aclose()
    await db.close()
    await services.stop()


if __name__ == "__main__":
    log.set_up("warning")
    asyncio.run(main(Path(sys.argv[1])))
