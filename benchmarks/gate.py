"""Bar 16: what the gate costs a request, and what a crowd that signs in costs the agents."""

import asyncio
import sys
import time
from typing import Final

import aiohttp
from aiohttp import web

from benchmarks.crowd import named
from benchmarks.equipment import Bench, Host, Stage, free_port
from benchmarks.outcome import Outcome, most, ranged
from benchmarks.reports import Arms, check_in, inventory, report
from benchmarks.screen import percentile
from server.core import passwords
from server.identity.doorkeeper import doorkeeper
from server.web.routing import WORLD, Routes, gated
from tests.factories.people import PASSWORD, person

_REQUESTS: Final = 1500
_CROWD: Final = 200
_PINGS: Final = 1000
_PAUSE_SECONDS: Final = 0.01

gated_routes: Final = Routes()


@gated_routes.get("/gated")
@gated("can_view_hosts")
async def behind_the_gate(_request: web.Request) -> web.Response:
    return web.Response(text="x")


async def bare(_request: web.Request) -> web.Response:
    return web.Response(text="x")


async def measure(bench: Bench) -> list[Outcome]:
    gate = Outcome("16a", "gate: session and permission, p95 beyond a bare handler", "ms", most(1), None, arm_unit="ms")
    token = Outcome("16b", "gate: API token and permission, p95 beyond it", "ms", most(1), None, arm_unit="ms")
    crowd = Outcome("16c", "p99 of a check-in while 200 sign in / idle", "×", most(2), None, arm_unit="ms")
    rates: list[float] = []
    # One process for the bars before the server is started: nothing of the product but the gate is measured.
    async with bench.stage(serve=False) as stage:
        await _gates(bench, stage, gate, token)
    async with bench.stage(AUTH_RATE_LIMIT_MAX="10000000") as stage, aiohttp.ClientSession() as web_session:
        host = (await stage.enrol(1))[0]
        arms = Arms(web_session, stage.url, "")
        await arms.product_takes(host, report(inventory(200)))
        await _people(stage)
        for _ in range(bench.rounds):
            idle = await _pings(arms, host)
            busy, rate = await _while_signing_in(stage, arms, host)
            crowd.ratio(percentile(busy, 0.99) * 1000, percentile(idle, 0.99) * 1000, faster=True)
            rates.append(rate)
    gate.note = f"{_REQUESTS} requests one after the other to one process, in turns; p95 of each arm"
    crowd.note = (
        f"{ranged(rates)} sign-ins a second meanwhile, without those that took longer than 30 s;"
        f" a check-in every {_PAUSE_SECONDS * 1000:.0f} ms"
    )
    return [gate, token, crowd]


async def _gates(bench: Bench, stage: Stage, gate: Outcome, token: Outcome) -> None:
    from server.identity import sessions  # noqa: PLC0415 (the rooms are loaded when they are needed)
    from server.identity.models import Browser  # noqa: PLC0415
    from server.settings import service as settings  # noqa: PLC0415

    user = await person(stage.call, "readonly")
    async with stage.call.transaction() as tx:
        opened = await sessions.open_session(tx, stage.call, user, Browser(), await settings.effective(stage.call))
    url, runner = await _served(stage)
    async with aiohttp.ClientSession() as client:
        for outcome, bearer in ((gate, opened.token), (token, stage.api.token)):
            headers = {"Authorization": f"Bearer {bearer}"}
            await _turns(client, url, headers, 200)
            for _ in range(bench.rounds):
                behind, plain = await _turns(client, url, headers, _REQUESTS)
                outcome.arm_a.append(percentile(behind, 0.95) * 1000)
                outcome.arm_b.append(percentile(plain, 0.95) * 1000)
                outcome.values.append(outcome.arm_a[-1] - outcome.arm_b[-1])
    await runner.cleanup()


async def _served(stage: Stage) -> tuple[str, web.AppRunner]:
    app = web.Application(middlewares=[doorkeeper])
    app[WORLD] = stage.world
    app.add_routes(gated_routes)
    plain = web.Application()
    plain.router.add_get("/bare", bare)
    root = web.Application()
    root[WORLD] = stage.world
    root.add_subapp("/with", app)
    root.add_subapp("/without", plain)
    runner = web.AppRunner(root, access_log=None)
    await runner.setup()
    port = free_port() + 2
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return f"http://127.0.0.1:{port}", runner


async def _turns(
    client: aiohttp.ClientSession, url: str, headers: dict[str, str], count: int
) -> tuple[list[float], list[float]]:
    behind: list[float] = []
    plain: list[float] = []
    for _ in range(count):
        for path, took in (("/with/gated", behind), ("/without/bare", plain)):
            began = time.perf_counter()
            async with client.get(f"{url}{path}", headers=headers) as answer:
                await answer.read()
            took.append(time.perf_counter() - began)
            if answer.status != 200:
                raise RuntimeError(f"{path}: {answer.status}")
    return behind, plain


async def _people(stage: Stage) -> None:
    await stage.world.db.execute(
        """
        insert into users (username, email, password_hash)
        select name, name || '@example.com', %(hash)s from unnest(%(names)s::text[]) as name
        """,
        hash=await passwords.hashed(PASSWORD),
        names=[named(number) for number in range(_CROWD)],
    )


async def _pings(arms: Arms, host: Host, enough: asyncio.Event | None = None) -> list[float]:
    """Return how long each check-in took: as many as fit before ``enough``, or a fixed number."""
    took: list[float] = []
    while not enough.is_set() if enough is not None else len(took) < _PINGS:
        took.append(await arms.product_takes(host, check_in(), "ping"))
        await asyncio.sleep(_PAUSE_SECONDS)
    return took


async def _while_signing_in(stage: Stage, arms: Arms, host: Host) -> tuple[list[float], float]:
    crowd = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.crowd", stage.url, str(_CROWD),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    if crowd.stdout is None or await crowd.stdout.readline() != b"ready\n":
        raise RuntimeError("the crowd did not come")
    enough = asyncio.Event()
    pinging = asyncio.get_running_loop().create_task(_pings(arms, host, enough))
    began = time.perf_counter()
    said, _ = await crowd.communicate(b"\n")
    rate = int(said) / (time.perf_counter() - began)
    enough.set()
    return await pinging, rate
