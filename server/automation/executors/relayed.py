"""A worker runs the play, and what it does on hosts is relayed through their agents; the only room for ansible-runner.

The play runs in a program of its own (``python -m`` this module) whose children all end with it: it writes what happens
to a socket of the worker's, one JSON object per line.
"""

import ctypes
import json
import os
import shutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from agent.protocol.cleaning import Cleaner, fit
from agent.protocol.events import to_item
from agent.protocol.messages import Hello

NAME: Final = "relayed"
_CHILD_SUBREAPER: Final = 36
_PARENT_DIES: Final = 1
_LOOK_SECONDS: Final = 0.3
_NO_CODE: Final = 254


def refusal(hello: Hello | None) -> str:
    """Say why plays cannot be relayed through this agent."""
    if hello is None:
        return "existing agents cannot relay plays"
    if NAME in hello.executors:
        return ""
    return f"its own configuration forbids to relay plays (automation: {hello.automation})"


# ---------------------------------------------------------------- the program


def main(folder: str) -> int:
    """Run the play laid out in a folder, and tell what happens; the exit code is the play's."""
    run, worker = Path(folder), os.getppid()
    plan: dict[str, Any] = json.loads((run / "plan.json").read_text(encoding="utf-8"))
    libc = ctypes.CDLL(None)
    libc.prctl(_CHILD_SUBREAPER, 1)
    libc.prctl(_PARENT_DIES, signal.SIGTERM)
    teller = _Teller(run / "events.sock", plan["secret_values"])
    ending = _Ending(run / "stop", float(plan["grace_seconds"]))
    ending.start()
    signal.signal(signal.SIGTERM, lambda *_: ending.ask())
    try:
        return _play(run, plan["arguments"], teller)
    finally:
        ending.over = True
        _signal_all(signal.SIGKILL)
        if os.getppid() != worker:
            # The worker was killed and cannot do it any more; secrets must not stay.
            shutil.rmtree(run, ignore_errors=True)


def _play(run: Path, arguments: Sequence[str], teller: "_Teller") -> int:
    # Imported here: the server itself never needs it, and it is large.
    from ansible_runner.config.runner import RunnerConfig  # noqa: PLC0415
    from ansible_runner.runner import Runner  # noqa: PLC0415

    config = RunnerConfig(
        str(run), playbook=arguments[-1], ident="1", quiet=True, fact_cache_type="memory", suppress_env_files=True
    )
    config.prepare()
    # ansible-runner composes both from what it finds; ours are exact. The environment is this program's.
    config.command = [sys.executable, "-m", "ansible", "playbook", *arguments]
    config.env = {**environment(), "AWX_ISOLATED_DATA_DIR": str(run / "artifacts" / "1")}
    config.suppress_output_file = True
    runner = Runner(config, event_handler=teller.tell)
    runner.run()
    return _NO_CODE if runner.rc is None else int(runner.rc)


def environment() -> dict[str, str]:
    """Return what this program was given; it holds nothing but what the worker put there."""
    return dict(os.environ)  # noqa: TID251 (the program's own, put together by the worker)


class _Teller:
    """Writes what is kept of every event, clean, as lines."""

    def __init__(self, path: Path, secret_values: Sequence[str]) -> None:
        self._cleaner = Cleaner(secret_values)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(str(path))

    def tell(self, event: Mapping[str, Any]) -> bool:
        """Pass one event on; waits while the worker does not read."""
        item = to_item(event)
        if item is not None:
            clean = fit(self._cleaner.item(item))
            # The line carries the figures of the hosts whole; what is kept of them is cut like any other.
            self._socket.sendall(json.dumps(clean).encode() + b"\n")
        return False


class _Ending(threading.Thread):
    """Ends every process of the play when the worker wants it: interrupted first, killed after the grace."""

    def __init__(self, file: Path, grace_seconds: float) -> None:
        super().__init__(name="ending", daemon=True)
        self.over = False
        self._file = file
        self._grace_seconds = grace_seconds
        self._asked = False

    def ask(self) -> None:
        """The worker is gone or wants the end."""
        self._asked = True

    def run(self) -> None:
        """Look for the worker's wish."""
        while not self.over and not self._asked and not self._file.exists():
            time.sleep(_LOOK_SECONDS)
        if self.over:
            return
        _signal_all(signal.SIGINT)
        until = time.monotonic() + self._grace_seconds
        while not self.over and time.monotonic() < until:
            time.sleep(_LOOK_SECONDS)
        _signal_all(signal.SIGKILL)


def _signal_all(number: signal.Signals) -> None:
    for process in _descendants(os.getpid()):
        try:
            os.kill(process, number)
        except (ProcessLookupError, PermissionError):
            continue


def _descendants(root: int) -> list[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found: list[int] = []
    edge = {root}
    while edge:
        edge = {process for process, parent in parents.items() if parent in edge}
        found += edge
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
