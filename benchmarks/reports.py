"""Bars 3 and 4: a report over HTTP to its commit, and an unchanged check-in, against the plain model."""

import asyncio
import contextlib
import random
import statistics
import time
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from agent.protocol import hashes
from benchmarks.equipment import BIN, Bench, Host, Stage, free_port
from benchmarks.outcome import Outcome, least, ranged
from tests.factories.hosts import full_report, package, repository

PACKAGES = 1500
SMALL = 200
_EACH = 4
_CROWD = 100
_CHECK_INS = 20
SOURCES = [repository(), repository("security", distribution="bookworm-security")]
_SOURCE = "http://deb.debian.org/debian bookworm/main"


def inventory(count: int, changed: int = 0) -> list[dict[str, Any]]:
    """Return packages as a Debian host sends them; the same every time but for those that changed."""
    dice = random.Random(7)
    packages = []
    for number in range(count):
        version = f"{dice.randint(0, 9)}.{dice.randint(0, 40)}.{dice.randint(0, 9)}-{dice.randint(1, 5)}+deb12u1"
        newer = version.replace("u1", "u2") if number % 40 == 0 else ""
        if number < changed:
            version += ".1"
        packages.append(
            package(
                f"lib{dice.choice(('gnome', 'perl', 'python3', 'kf5', 'x', 'ruby'))}-part-{number:05d}",
                version,
                newer,
                isSecurityUpdate=bool(newer) and number % 80 == 0,
                description=f"shared library number {number} with a description of the usual length",
                category="libs",
                sourceRepository=_SOURCE,
            )
        )
    return packages


def report(packages: list[dict[str, Any]]) -> bytes:
    return orjson.dumps(full_report(packages, SOURCES))


def check_in() -> bytes:
    """Return the body of a check-in that follows the small report."""
    told = full_report(inventory(SMALL), SOURCES)
    claimed = hashes.section_hashes(
        told["packages"], told["repositories"], told["networkInterfaces"] or [], told["hostname"]
    )
    return orjson.dumps({
        "hashes": claimed, "systemUptime": "41 days", "loadAverage": [0.1, 0.2, 0.3], "cpuCores": 4,
        "needsReboot": False, "agentVersion": "3.0.0", "agentExecutionMs": 150,
    })  # fmt: skip


@dataclass
class Arms:
    """Both programs and one client that sends one request after the other."""

    web: aiohttp.ClientSession
    product: str
    plain: str

    async def product_takes(self, host: Host, body: bytes, door: str = "update") -> float:
        began = time.perf_counter()
        headers = {**host.headers, "Content-Type": "application/json"}
        async with self.web.post(f"{self.product}/api/v1/hosts/{door}", data=body, headers=headers) as answer:
            text = await answer.read()
        took = time.perf_counter() - began
        if answer.status != 200 or b"requestFull" in text:
            raise RuntimeError(f"{door}: {answer.status} {text[:300]!r}")
        return took

    async def plain_takes(self, host: Host, body: bytes, door: str = "update") -> float:
        began = time.perf_counter()
        async with self.web.post(f"{self.plain}/{door}", data=body, headers=host.headers) as answer:
            text = await answer.read()
        took = time.perf_counter() - began
        if answer.status != 200:
            raise RuntimeError(text[:300])
        return took


@contextlib.asynccontextmanager
async def plain_model(stage: Stage) -> Any:
    port = free_port() + 1
    command = [str(BIN / "python"), "-m", "benchmarks.plain_model", stage.dsn, str(port)]
    process = await stage.start(command, {"PATH": "/usr/bin:/bin"}, "plain.log")
    for _ in range(200):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            break
        await asyncio.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    await process.end()


async def measure(bench: Bench) -> list[Outcome]:
    first = Outcome("3a", "report: 1,500 packages, first time", "×", least(3), least(3.5), arm_unit="ms")
    five = Outcome("3b", "report: 5 of 1,500 changed", "×", least(10), least(14), arm_unit="ms")
    same = Outcome("3c", "report: identical", "×", least(15), least(20), arm_unit="ms")
    ping = Outcome("4", "unchanged check-in / 200-package report", "×", least(20), least(30), arm_unit="/s")
    outcomes = [first, five, same, ping]
    cleverer: dict[str, list[float]] = {one.bar: [] for one in outcomes[:3]}
    async with bench.stage() as stage, plain_model(stage) as plain, aiohttp.ClientSession() as web:
        arms = Arms(web, stage.url, plain)
        hosts = iter(await stage.enrol(_EACH * bench.rounds + 2))
        crowd = await stage.enrol(_CROWD, "crowd")
        bodies = [report(inventory(PACKAGES)), report(inventory(PACKAGES, 5)), report(inventory(SMALL))]
        # The first host of a fleet names its packages; all later ones know them.
        await _round(arms, [next(hosts) for _ in range(2)], bodies)
        await asyncio.gather(*(arms.product_takes(host, bodies[2]) for host in crowd))
        for _ in range(bench.rounds):
            a, b, c = await _round(arms, [next(hosts) for _ in range(_EACH)], bodies)
            for one, mine, its, batched in zip(outcomes[:3], a, b, c, strict=True):
                one.ratio(mine, its, faster=False)
                cleverer[one.bar].append(batched / mine)
            ping.ratio(*await _check_ins(arms, crowd, bodies[2]))
    for one in outcomes[:3]:
        one.note = f"against a plain model that upserts a hundred packages at a time: {ranged(cleverer[one.bar])} ×"
    return outcomes


async def _round(arms: Arms, hosts: list[Host], bodies: list[bytes]) -> list[list[float]]:
    """Return milliseconds of a first, a slightly changed and an identical report: product, plain, plain but batched."""
    took: list[list[list[float]]] = [[[], [], []] for _ in range(3)]
    for host in hosts:
        # First; then five differ; then the same again.
        for place, body in enumerate((bodies[0], bodies[1], bodies[1])):
            took[0][place].append(await arms.product_takes(host, body) * 1000)
            took[1][place].append(await arms.plain_takes(host, body) * 1000)
            took[2][place].append(await arms.plain_takes(host, body, "batched") * 1000)
    return [[statistics.median(times) for times in arm] for arm in took]


async def _check_ins(arms: Arms, hosts: list[Host], small: bytes) -> tuple[float, float]:
    """Return check-ins and reports of 200 packages in a second, from hosts that all call at the same time."""
    body = check_in()

    async def mine(host: Host) -> None:
        for _ in range(_CHECK_INS):
            await arms.product_takes(host, body, "ping")

    began = time.perf_counter()
    await asyncio.gather(*(mine(host) for host in hosts))
    rate = len(hosts) * _CHECK_INS / (time.perf_counter() - began)
    began = time.perf_counter()
    await asyncio.gather(*(arms.plain_takes(host, small) for host in hosts))
    return rate, len(hosts) / (time.perf_counter() - began)
