"""The spool numbers without gaps, keeps its caps and never leaves half a line."""

import contextlib
import json
import resource
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.supervise.spool import Spool


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_both_sources_are_numbered_without_gaps_by_many_writers(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.jsonl", 10_000, 10**9)

    def write(source: str) -> None:
        for number in range(300):
            spool.append(source, {"event": "x", "n": number})

    writers = [threading.Thread(target=write, args=(source,)) for source in ("runner", "live", "runner", "live")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    spool.close()
    found = lines(tmp_path / "spool.jsonl")
    for source in ("runner", "live"):
        assert [one["counter"] for one in found if one["source"] == source] == list(range(1, 601))


@pytest.mark.parametrize(("events", "size"), [(3, 10**9), (100, 200)])
def test_past_a_cap_it_says_so_once_and_keeps_only_what_is_vital(tmp_path: Path, events: int, size: int) -> None:
    spool = Spool(tmp_path / "spool.jsonl", events, size)
    for _ in range(50):
        spool.append("live", {"event": "live", "stdout": "x" * 40})
    spool.append("runner", {"event": "runner_on_failed"}, vital=True)
    spool.append("runner", {"event": "playbook_on_stats"}, vital=True)
    spool.close()
    found = lines(tmp_path / "spool.jsonl")
    assert [one["event"] for one in found if one["event"] != "live"] == [
        "cap_reached",
        "runner_on_failed",
        "playbook_on_stats",
    ]
    kept = sum(one["event"] == "live" for one in found)
    assert kept + spool.dropped == 50
    assert 0 < kept < 6
    assert spool.counters == {"live": kept, "runner": 3}


@contextlib.contextmanager
def small_files() -> Iterator[None]:
    """The kernel refuses files beyond 1000 bytes, in the middle of a write.

    No fixture: it holds for the whole process, and what reports the tests may be writing to a file as well.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


def test_a_refused_write_leaves_whole_lines_and_is_remembered(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.jsonl", 1000, 10**9)
    with small_files():
        for _ in range(20):
            spool.append("runner", {"event": "x", "stdout": "y" * 100})
    assert spool.failure == "File too large"
    found = lines(tmp_path / "spool.jsonl")
    assert len(found) == spool.counters["runner"]
    assert 0 < len(found) < 10
    spool.close()
