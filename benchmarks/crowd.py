"""People who all sign in at once, in a process of their own so that whoever measures does not wait behind them.

``python -m benchmarks.crowd URL COUNT``: prints ``ready``, begins when a line arrives, prints how many got in.
"""

import asyncio
import sys

import aiohttp

from tests.factories.people import PASSWORD


def named(number: int) -> str:
    """Return the name of one of them."""
    return f"crowd{number:03d}"


async def _sign_in(client: aiohttp.ClientSession, url: str, name: str) -> bool:
    async with client.post(f"{url}/api/v1/auth/login", json={"username": name, "password": PASSWORD}) as answer:
        if answer.status not in {200, 504}:
            raise RuntimeError(await answer.text())
        return answer.status == 200


async def _all(url: str, count: int) -> int:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as client:
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        return sum(await asyncio.gather(*(_sign_in(client, url, named(number)) for number in range(count))))


if __name__ == "__main__":
    print(asyncio.run(_all(sys.argv[1], int(sys.argv[2]))), flush=True)
