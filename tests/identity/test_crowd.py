"""Many people who sign in at the same moment: all of them get in, by turns, or are told when to come again."""

import asyncio

import pytest

from server.core.call import Call
from server.identity import turns
from tests.conftest import Browser
from tests.factories.people import PASSWORD, person

LOGIN = "/api/v1/auth/login"


async def test_a_crowd_gets_in_by_turns(client: Browser, call: Call) -> None:
    user = await person(call)
    body = {"username": user.username, "password": PASSWORD}

    async def one() -> int:
        async with client.post(LOGIN, json=body) as answer:
            return answer.status

    assert await asyncio.gather(*(one() for _ in range(30))) == [200] * 30


async def test_who_waits_in_vain_is_told_when_to_come_again(
    client: Browser, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await person(call)
    monkeypatch.setattr(turns, "WAIT_SECONDS", 0.05)
    async with asyncio.TaskGroup() as group:
        enough, here = asyncio.Event(), asyncio.Semaphore(0)

        async def stays() -> None:
            async with turns.turn(call):
                here.release()
                await enough.wait()

        for _ in range(turns.AT_ONCE):
            group.create_task(stays())
            await here.acquire()
        refused = await client.post(LOGIN, json={"username": user.username, "password": PASSWORD})
        assert (refused.status, refused.headers["Retry-After"]) == (429, "10")
        assert "Many people are signing in" in await refused.text()
        enough.set()
    again = await client.post(LOGIN, json={"username": user.username, "password": PASSWORD})
    assert again.status == 200
