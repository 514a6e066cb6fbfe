"""The demonstration fleet at the command line: what is being done, and how far it is."""

import sys
import time
from typing import Final

from server.core.call import Call
from server.core.words import counted, number
from server.demo import service
from server.demo.models import Made

_MOST_HOSTS: Final = 60_000
_BAR: Final = 24


class _Screen:
    """One line per step: it is written over while the step goes on, where somebody looks at it."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._live = sys.stderr.isatty()

    def __call__(self, step: str, done: int, of: int) -> None:
        full = _BAR if done >= of else _BAR * done // max(1, of)
        finished = done >= of
        if not self._live and not finished:
            return
        line = f"{step:<26} {'█' * full}{'░' * (_BAR - full)} {number(done)} of {number(of)}"
        seconds = time.monotonic() - self._began
        end = f"  {seconds:.0f} s\n" if finished else "\r"
        print(f"\r\033[K{line}" if self._live else line, end=end, file=sys.stderr, flush=True)


async def fill(call: Call, hosts: int, seed: int) -> None:
    """Make the fleet and say what it holds."""
    began = time.monotonic()
    made = await service.fill(call, min(_MOST_HOSTS, max(1, hosts)), seed, _Screen())
    print(f"Made {_told(made)} in {time.monotonic() - began:.0f} s.")
    print("None of these hosts exists. Take them out again with: patchmon demo-fleet --remove")


async def remove(call: Call) -> None:
    """Take the fleet out and say what it held."""
    made = await service.remove(call, _Screen())
    print(f"Removed {_told(made)}." if made.hosts else "There is no demonstration fleet.")


def _told(made: Made) -> str:
    return (
        f"{counted(made.hosts, 'host')} with {counted(made.packages, 'package')}, {counted(made.jobs, 'job')} with "
        f"{counted(made.events, 'event')} and {counted(made.reports, 'report')}"
    )
