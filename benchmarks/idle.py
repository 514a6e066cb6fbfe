"""Bar 1: what an idle authenticated agent costs the server's memory, against a hub that only holds sockets."""

import asyncio

from benchmarks.equipment import BIN, Bench, Host, Process, Stage, free_port
from benchmarks.herd import herd
from benchmarks.outcome import Outcome, most

_AGENTS = 19_000
_QUICK = 3_000
_SETTLE_SECONDS = 4.0
_ROUNDS = 3


async def measure(bench: Bench) -> list[Outcome]:
    count = _QUICK if bench.quick else _AGENTS
    what = f"memory per idle agent / bare hub, {count:,} agents"
    bar = Outcome("1", what, "×", most(1.4), most(1.1), arm_unit="KiB")
    async with bench.stage(serve=False) as stage:
        hosts = await stage.enrol(count)
        # Memory hardly varies from round to round, and each takes a minute.
        for _ in range(min(bench.rounds, _ROUNDS)):
            mine = await _per_socket(stage, await stage.serve(), stage.port, hosts, greets=True)
            port = free_port() + 3
            hub = await stage.start(
                [str(BIN / "python"), "-m", "benchmarks.bare_hub", str(port)], {"PATH": "/usr/bin:/bin"}, "hub.log"
            )
            await _listening(port)
            its = await _per_socket(stage, hub, port, hosts, greets=False)
            bar.arm_a.append(mine)
            bar.arm_b.append(its)
            bar.values.append(mine / its)
    bar.note = "growth of the server process's resident memory, greetings included, divided by the agents"
    return [bar]


async def _per_socket(stage: Stage, server: Process, port: int, hosts: list[Host], *, greets: bool) -> float:
    """Return KiB per agent, and end the server: memory that was given back tells nothing."""
    async with herd() as swarm:
        await stage.api.session.get(f"http://127.0.0.1:{port}/health")
        await asyncio.sleep(1.0)
        before = server.rss_kib()
        await swarm.join(port, hosts, greets=greets)
        await asyncio.sleep(_SETTLE_SECONDS)
        grown = server.rss_kib() - before
        await server.end()
    return grown / len(hosts)


async def _listening(port: int) -> None:
    for _ in range(200):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise RuntimeError("the bare hub does not listen")
