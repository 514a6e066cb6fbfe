"""Looking into the running process: where its time goes, what its memory holds; only while it is switched on."""

import asyncio
import gc
import resource
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Final

from server.core.call import Call
from server.core.errors import Missing
from server.core.log import get_log
from server.core.loop import in_thread

log = get_log(__name__)

_SAMPLE_SECONDS: Final = 0.005
_DEEPEST: Final = 60
_MOST_KINDS: Final = 50
_PAGE_BYTES: Final = resource.getpagesize()


class ProfilingOff(Missing):
    """Profiling is switched off: there is no such page."""


def demand_on(call: Call) -> None:
    """Raise ``ProfilingOff`` unless the operator switched it on."""
    if not call.world.env.profiling:
        raise ProfilingOff


async def profile(seconds: float) -> str:
    """Watch the event loop's thread for a while; one line per stack, ``outer;inner count``, as flame graphs take it."""
    return await in_thread(_watch, threading.get_ident(), seconds)


def _watch(thread: int, seconds: float) -> str:
    stacks: Counter[str] = Counter()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        frame = sys._current_frames().get(thread)  # noqa: SLF001 (documented, and the only way to look)
        stacks[_stack(frame)] += 1
        time.sleep(_SAMPLE_SECONDS)
    return "".join(f"{stack} {count}\n" for stack, count in stacks.most_common())


def _stack(frame: FrameType | None) -> str:
    names: list[str] = []
    while frame is not None and len(names) < _DEEPEST:
        code = frame.f_code
        names.append(f"{Path(code.co_filename).stem}.{code.co_qualname}")
        frame = frame.f_back
    return ";".join(reversed(names)) or "idle"


async def heap() -> str:
    """Return how many objects of each kind there are, most first."""
    return await in_thread(_count)


def _count() -> str:
    kinds = Counter(type(one).__qualname__ for one in gc.get_objects())
    head = " ".join(f"{name}={value}" for name, value in memory().items())
    return head + "\n" + "".join(f"{count:>10} {kind}\n" for kind, count in kinds.most_common(_MOST_KINDS))


def memory() -> dict[str, int]:
    """Return what the process needs: resident and peak memory in KiB, tracked objects, collections, threads."""
    resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES // 1024
    return {
        "resident_kib": resident,
        "peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
        "objects": len(gc.get_objects()),
        "collections": sum(generation["collections"] for generation in gc.get_stats()),
        "threads": threading.active_count(),
    }


async def tell_memory(seconds: int) -> None:
    """Log what the process needs, again and again; runs until cancelled."""
    while True:
        log.info("memory", **(await in_thread(memory)))
        await asyncio.sleep(seconds)
