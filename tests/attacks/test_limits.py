"""Guessing from many sides at once, and Redis that is gone and comes back."""

import asyncio
import contextlib
import re
import signal
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from server.core.call import Call
from server.core.embedded.programs import find_programs
from server.core.env import Env
from server.core.secretbox import Secret
from tests.conftest import Browser
from tests.factories.house import House
from tests.factories.people import HTML, PASSWORD, bearer, person

WRONG = {"username": "nobody", "password": "x"}
LOGIN = "/api/v1/auth/login"


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.mark.real
async def test_two_processes_count_the_same_guesses(house: House, call: Call) -> None:
    user = await person(call, "admin")
    servers = [
        house.server(free_port(), AUTH_RATE_LIMIT_MAX="10", RATE_LIMIT_MAX="6", AGENT_RATE_LIMIT_MAX="4")
        for _ in range(2)
    ]
    await asyncio.gather(*(server.start() for server in servers))
    headers = await bearer(call)

    async def ask(number: int, method: str, path: str, **options: object) -> tuple[int, str]:
        async with aiohttp.ClientSession() as browser:
            url = servers[number % 2].url + path
            async with browser.request(method, url, **options) as answer:  # type: ignore[arg-type]
                return answer.status, answer.headers.get("Retry-After", "")

    # Each name for itself would be closed before: this is about the address.
    wrong = [{**WRONG, "username": f"nobody{number}"} for number in range(30)]
    guesses = await asyncio.gather(*(ask(n, "POST", LOGIN, json=wrong[n]) for n in range(30)))
    assert sorted(status for status, _ in guesses) == [401] * 10 + [429] * 20
    assert all(1 <= int(after) <= 600 for status, after in guesses if status == 429)
    right = {"username": user.username, "password": PASSWORD}
    for number in range(2):
        assert (await ask(number, "POST", LOGIN, json=right))[0] == 429
        # An invented address does not help: nobody trusts a proxy here.
        spoofed = {"X-Forwarded-For": f"203.0.113.{number}", "X-Real-IP": "203.0.113.9"}
        assert (await ask(number, "POST", LOGIN, json=right, headers=spoofed))[0] == 429
    reads = [await ask(number, "GET", "/api/v1/auth/profile", headers=headers) for number in range(8)]
    assert [status for status, _ in reads] == [200] * 6 + [429] * 2
    pings = [await ask(number, "POST", "/api/v1/hosts/ping") for number in range(6)]
    assert [status for status, _ in pings] == [401] * 4 + [429] * 2
    assert (await ask(0, "GET", "/health"))[0] == 200


class Valkey:
    """A Redis of the test's own, that really dies and really comes back."""

    def __init__(self, folder: Path) -> None:
        programs = find_programs()
        assert programs is not None
        self.port = free_port()
        self._command = [
            str(programs.valkey), "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder),
        ]  # fmt: skip
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(*self._command, stdout=asyncio.subprocess.DEVNULL)
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    writer.close()
                    return
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
            await self._process.wait()


class TestRedisDown:
    @pytest.fixture
    async def valkey(self, tmp_path: Path) -> AsyncIterator[Valkey]:
        started = Valkey(tmp_path)
        await started.start()
        yield started
        await started.kill()

    @pytest.fixture
    def env(self, env: Env, valkey: Valkey) -> Env:
        return replace(
            env,
            redis_url=Secret(f"redis://127.0.0.1:{valkey.port}/0"),
            given=Secret({"AUTH_RATE_LIMIT_MAX": "4", "RATE_LIMIT_MAX": "1000"}),
        )

    async def test_passwords_wait_while_nobody_counts_and_all_is_well_when_it_is_back(
        self, client: Browser, call: Call, valkey: Valkey
    ) -> None:
        user = await person(call, "admin")
        right = {"username": user.username, "password": PASSWORD}
        headers = await bearer(call)
        assert (await client.post(LOGIN, json=right)).status == 200
        await valkey.kill()
        for _ in range(3):
            async with asyncio.timeout(5):
                away = await client.post(LOGIN, json=right)
            assert (away.status, away.headers["Retry-After"]) == (503, "30")
            assert re.search("temporarily unavailable", await away.text())
        page = await client.post("/login", data=right, headers=HTML)
        assert page.status in {403, 503}
        async with asyncio.timeout(5):
            # Who is signed in already goes on, and so do hosts.
            assert (await client.get("/api/v1/auth/profile", headers=headers)).status == 200
            assert (await client.post("/api/v1/hosts/ping")).status == 401
            assert (await client.get("/health")).status == 503
        await valkey.start()
        async with asyncio.timeout(10):
            while (await client.post(LOGIN, json=right)).status == 503:
                await asyncio.sleep(0.1)
        statuses = [(await client.post(LOGIN, json=WRONG)).status for _ in range(6)]
        assert 429 in statuses
        assert (await client.get("/health")).status == 200
