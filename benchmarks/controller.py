"""Bar 10: what a play on many hosts costs the server's processors, against the same play run by a controller."""

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.agents import play
from benchmarks.equipment import BIN, Bench, Host, Stage, children, cpu_seconds
from benchmarks.herd import EVENT, Herd, herd
from benchmarks.outcome import Outcome, least, ranged

_HOSTS: Final = 1000
_QUICK: Final = 200
_TASKS: Final = 5
#: What such a play reports of one host: its start, five times task, start and end, and the statistics.
_EVENTS: Final = 3 + 3 * _TASKS
_CONTROLLED: Final = 20
_CONTROLLED_QUICK: Final = 6


async def measure(bench: Bench) -> list[Outcome]:
    count = _QUICK if bench.quick else _HOSTS
    what = f"processor time per host, 5 tasks, {count:,} hosts / controller"
    bar = Outcome("10", what, "×", least(60), least(150), arm_unit="ms")
    alone: list[float] = []
    controlled = _CONTROLLED_QUICK if bench.quick else _CONTROLLED
    async with bench.stage() as stage, herd() as swarm:
        hosts = await stage.enrol(count)
        await swarm.join(stage.port, hosts)
        await _product(stage, swarm, hosts)
        for _ in range(bench.rounds):
            server, everything = await _product(stage, swarm, hosts)
            its = await asyncio.to_thread(_controller, controlled)
            bar.ratio(everything, its, faster=False)
            alone.append(server)
    bar.note = (
        f"arm A is server, PostgreSQL and Valkey together (the server process alone: {ranged(alone)} ms); "
        f"arm B runs {controlled} hosts with connection local, its start-up is taken off, its modules are not"
    )
    return [bar]


async def _product(stage: Stage, swarm: Herd, hosts: list[Host]) -> tuple[float, float]:
    """Return milliseconds of processor time per host: of the server process, and with its services."""
    await swarm.do("plan", item=EVENT, events=_EVENTS, at_once=True)
    assert stage.server is not None
    ours = {os.getpid(), swarm.process.pid}

    def everything() -> float:
        return sum(cpu_seconds(pid) for pid in children(os.getpid()) if pid not in ours)

    server, total = stage.server.cpu_seconds(), everything()
    job = await stage.api.launch(*hosts)
    answer = await swarm.do("dropped", jobs=len(hosts), seconds=120)
    if answer["dropped"] != len(hosts):
        raise RuntimeError(f"{answer['dropped']} hosts of {len(hosts)} ended")
    found = await stage.api.finished(job["id"])
    if found["status"] != "succeeded":
        raise RuntimeError(found["status"])
    spent = [stage.server.cpu_seconds() - server, everything() - total]
    return spent[0] / len(hosts) * 1000, spent[1] / len(hosts) * 1000


def _controller(hosts: int) -> float:
    """Return milliseconds of processor time per host of a plain ``ansible-playbook``."""
    with tempfile.TemporaryDirectory(prefix="patchmon-bench-") as folder:
        file = Path(folder) / "play.yml"
        file.write_text(play(_TASKS))
        names = ",".join(f"host-{number}" for number in range(hosts)) + ","
        return (_spent(file, names) - _spent(file, "host-0,", "--list-tasks")) / hosts * 1000


def _spent(file: Path, names: str, *more: str) -> float:
    process = subprocess.Popen(
        [str(BIN / "ansible-playbook"), "-i", names, "-c", "local", "-f", "10", *more, str(file)],
        env={**os.environ, "ANSIBLE_PYTHON_INTERPRETER": sys.executable},
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError("ansible-playbook failed")
    return usage.ru_utime + usage.ru_stime
