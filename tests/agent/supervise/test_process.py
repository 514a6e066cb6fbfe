"""The process table as the kernel tells it."""

import os
import subprocess
from pathlib import Path

from agent.supervise import process


def test_a_name_with_spaces_and_parentheses_is_read_whole(tmp_path: Path) -> None:
    odd = tmp_path / "a) R (b"
    odd.write_bytes(Path("/bin/sleep").read_bytes())
    odd.chmod(0o755)
    with subprocess.Popen([odd, "60"]) as child:
        found = process.find(child.pid)
        child.kill()
    assert found is not None
    assert (found.name, found.parent, found.dead) == ("a) R (b", os.getpid(), False)
    assert found.start_ticks > 0


def test_a_process_that_is_gone_is_not_found() -> None:
    with subprocess.Popen(["true"]) as child:
        child.wait()
    assert process.find(child.pid) is None


def test_grandchildren_are_descendants(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    with subprocess.Popen(["sh", "-c", f"sleep 61 & echo $! > {ready}; wait"]) as child:
        grandchild = int(ready.read_text())
        below = {one.pid for one in process.descendants(os.getpid())}
        below_child = {one.pid for one in process.descendants(child.pid)}
        os.kill(grandchild, 9)
    assert {child.pid, grandchild} <= below
    assert grandchild in below_child
    assert child.pid not in below_child
