"""Runs the bars and prints the table: ``python -m benchmarks [names…] [--quick] [--rounds N] [--long]``."""

import argparse
import asyncio
import importlib
import os
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson
import uvloop

from benchmarks.equipment import ROOT, Bench, bench
from benchmarks.outcome import Outcome, markdown, table
from server.core import log

RESULTS: Final = ROOT / "build" / "bench.json"
#: Name on the command line, and the bars in it.
BARS: Final = {
    "idle": "1",
    "reconnect": "2",
    "reports": "3, 4",
    "events": "5",
    "screen": "6",
    "output": "7",
    "start": "8",
    "play": "9",
    "controller": "10",
    "inventory": "11",
    "dispatch": "12",
    "pages": "13",
    "killed": "14",
    "agent": "15",
    "gate": "16",
    "campaign": "17",
    "relay": "19",
    "collect": "18",
    "compliance": "20",
}


def say(text: str) -> None:
    print(f"\033[2m▸ {text}\033[0m" if sys.stderr.isatty() else f"▸ {text}", file=sys.stderr, flush=True)


async def run(names: list[str], options: argparse.Namespace) -> list[Outcome]:
    outcomes: list[Outcome] = []
    rounds = options.rounds or (2 if options.quick else 5)
    async with bench(rounds, quick=options.quick, long=options.long, say=say) as equipment:
        for name in names:
            began = time.monotonic()
            outcomes += await measured(name, equipment)
            say(f"{name} took {time.monotonic() - began:.0f} s")
    return outcomes


async def measured(name: str, equipment: Bench) -> list[Outcome]:
    say(f"bar {BARS[name]}: {name}")
    module = importlib.import_module(f"benchmarks.{name}")
    found: list[Outcome] = await module.measure(equipment)
    keep(found)
    for one in found:
        say(f"{one.bar} {one.what}: {one.verdict}")
    return found


def keep(outcomes: list[Outcome]) -> None:
    """Put the outcomes into the file; bars that were not measured now stay as they are."""
    RESULTS.parent.mkdir(exist_ok=True)
    known: dict[str, Any] = {}
    if RESULTS.exists():
        known = {one["bar"]: one for one in orjson.loads(RESULTS.read_bytes())["bars"]}
    at = datetime.now(UTC).isoformat(timespec="seconds")
    known |= {one.bar: {**one.as_json(), "measured_at": at} for one in outcomes}
    body = {"machine": machine(), "bars": [known[bar] for bar in sorted(known, key=_order)]}
    RESULTS.write_bytes(orjson.dumps(body, option=orjson.OPT_INDENT_2))


def _order(bar: str) -> tuple[int, str]:
    digits = bar.rstrip("abcdefgh")
    return int(digits), bar


def machine() -> dict[str, Any]:
    memory = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory.split()[1]) / 1024**2, 1),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "command": " ".join(["python -m benchmarks", *sys.argv[1:]]),
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BARS))
    parser.add_argument("--quick", action="store_true", help="two rounds, smaller sizes")
    parser.add_argument("--rounds", type=int, help="rounds of A and B (5; 2 with --quick)")
    parser.add_argument("--long", action="store_true", help="ten minutes instead of one where a bar only waits")
    parser.add_argument("--markdown", action="store_true", help="measure nothing; print what was measured last")
    options = parser.parse_args()
    if unknown := set(options.names) - set(BARS):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    if options.markdown:
        kept = [Outcome.from_json(one) for one in orjson.loads(RESULTS.read_bytes())["bars"]]
        print(markdown(kept), *(f"- {one.bar}: {one.note}" for one in kept if one.note), sep="\n")
        return 0
    log.set_up("error", colours=False)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        outcomes = runner.run(run(options.names or list(BARS), options))
    print(table(outcomes))
    for one in outcomes:
        if one.note:
            print(f"{one.bar}: {one.note}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
