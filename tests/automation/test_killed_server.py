"""The server is killed with SIGKILL again and again while a host runs a job."""

import asyncio
import contextlib
import os
import random
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientError, ClientSession

from server.core.call import Call
from server.core.env import Env
from tests.factories.automation import Api, Fleet
from tests.factories.people import bearer

ROOT = Path(__file__).resolve().parents[2]
EVENTS = 200
KILLS = 10


class Server:
    """A server process that can be killed and started again on the same port."""

    def __init__(self, env: Env) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.env = {
            **os.environ, "PYTHONPATH": str(ROOT), "HOST": "127.0.0.1", "PORT": str(self.port), "LOG_LEVEL": "warn",
            "DATABASE_URL": env.database_url.reveal(), "REDIS_URL": env.redis_url.reveal(),
            "AI_ENCRYPTION_KEY": env.master_key.reveal(), "JWT_SECRET": env.jwt_secret.reveal(),
            "DB_CONNECTION_LIMIT": "6",
        }  # fmt: skip
        self.process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "server.cli", "serve", env=self.env, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL
        )
        async with asyncio.timeout(60), ClientSession() as session:
            while True:
                try:
                    async with session.get(f"{self.url}/health") as answer:
                        if answer.status == 200:
                            return
                except ClientError:
                    await asyncio.sleep(0.05)

    async def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            await self.process.wait()


@pytest.fixture
async def killable(env: Env) -> AsyncIterator[Server]:
    server = Server(env)
    await server.start()
    yield server
    await server.kill()


@pytest.mark.real
async def test_ten_kills_during_a_job_lose_and_double_nothing(killable: Server, call: Call) -> None:
    fleet = Fleet(call, killable.url)
    agent = await fleet.online("web-01")
    dice = random.Random(20)
    async with ClientSession() as session:
        api = Api(session, killable.url, await bearer(call))
        job = await api.launch("web-01", idempotency_key="once")
        held = await agent.job()

        async def play() -> None:
            for number in range(EVENTS):
                source = "live" if number % 3 == 0 else "runner"
                # A cable that breaks in the middle of a message: the message is in the spool.
                with contextlib.suppress(Exception):
                    await agent.tell(held, {"stdout": f"{number}"}, source=source)
                await asyncio.sleep(0.1)

        async def hold_the_cable() -> None:
            while True:
                if not agent.connected:
                    try:
                        async with asyncio.timeout(5):
                            await agent.connect()
                    except Exception:  # noqa: BLE001 (the server is not back yet)
                        await agent.drop()
                await asyncio.sleep(0.05)

        loop = asyncio.get_running_loop()
        cable, playing = loop.create_task(hold_the_cable()), loop.create_task(play())
        for _ in range(KILLS):
            await asyncio.sleep(dice.uniform(0.1, 1.5))
            await killable.kill()
            await killable.start()
        await playing
        await agent.end(held)
        await agent.until(lambda: held.offer.job not in agent.jobs, seconds=30)
        cable.cancel()
        done = await api.status(job, "succeeded", seconds=30)
        events = await api.events(job)
        assert done["hosts"][0]["events"] == EVENTS
        for source in ("runner", "live"):
            mine = [e for e in events if e["source"] == source]
            assert [e["counter"] for e in mine] == list(range(1, len(held.spool[source]) + 1))
            assert [e["stdout"] for e in mine] == [item["stdout"] for item in held.spool[source]]
        assert len({e["position"] for e in events}) == EVENTS
        assert held.starts == 1
        again = await api.launch("web-01", idempotency_key="once")
        assert again["id"] == job["id"]
    await fleet.close()
