"""Bar 8: from the click to the first event in the stream, against a cold ansible-playbook on the same machine."""

import asyncio

from benchmarks.agents import ansible, play, publish, real_agent, watched
from benchmarks.equipment import BIN, Bench
from benchmarks.outcome import Outcome, most, ranged

_PAUSE_SECONDS = 2.0


async def measure(bench: Bench) -> list[Outcome]:
    bar = Outcome("8", "click → first event / cold ansible-playbook", "×", most(1.0), most(0.6), arm_unit="s")
    tasks: list[float] = []
    async with bench.stage() as stage:
        (host,) = await stage.enrol(1)
        await publish(stage, "bench", play(3))
        await real_agent(stage, host)
        file = stage.folder / "bench.yml"
        file.write_text(play(3))
        command = [str(BIN / "ansible-playbook"), "-i", "web-01,", "-c", "local", str(file)]
        await watched(stage, host, "bench")
        for _ in range(bench.rounds):
            await asyncio.sleep(_PAUSE_SECONDS)
            seen = await watched(stage, host, "bench")
            its = await ansible(command, {}, until=b"TASK [")
            bar.arm_a.append(seen["first"])
            bar.arm_b.append(its)
            bar.values.append(seen["first"] / its)
            tasks.append(seen["task"])
    bar.note = f"to the first event of a task: {ranged(tasks)} s"
    return [bar]
