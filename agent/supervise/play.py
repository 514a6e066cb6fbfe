"""One play under ansible-runner, in a thread of its own; the only importer of ansible-runner on the host."""

from __future__ import annotations

import json
import sys
import threading
from pathlib import Path
from typing import Callable, Dict, List, Mapping

from .launch import import_paths
from .warm import warm_socket

Receive = Callable[[Mapping[str, object]], None]
_NO_RC = 254
_KILLED = -9


def warm_up() -> None:
    """Import ansible-runner, which takes a while, before anybody waits for it."""
    import ansible_runner  # noqa: F401, PLC0415 (the agent imports this package and must stay small)


class Play(threading.Thread):
    """Runs ``ansible-playbook`` and hands every event to ``receive``, in order.

    When the thread has ended, ``rc`` is the exit code (negative: a signal) and ``crash`` says what broke in
    ansible-runner itself, if anything.
    """

    def __init__(self, run: Path, environment: Mapping[str, str], arguments: List[str], receive: Receive) -> None:
        super().__init__(name="play", daemon=True)
        self.rc = _NO_RC
        self.crash = ""
        self._run = run
        self._environment = dict(environment)
        self._arguments = arguments
        self._receive = receive

    def run(self) -> None:
        """Run the play to its end."""
        try:
            runner = self._runner()
            runner.run()  # type: ignore[attr-defined]
        except Exception as error:  # noqa: BLE001 (whatever ends the play unexpectedly becomes the job's reason)
            self.crash = f"ansible-runner: {type(error).__name__}: {error}"
            return
        rc = runner.rc  # type: ignore[attr-defined]
        self.rc = _KILLED if rc is None else rc

    def _runner(self) -> object:
        from ansible_runner.config.runner import RunnerConfig  # noqa: PLC0415 (see warm_up)
        from ansible_runner.runner import Runner  # noqa: PLC0415

        config = RunnerConfig(
            str(self._run),
            playbook=self._arguments[-1],
            ident="1",
            quiet=True,
            fact_cache_type="memory",
            suppress_env_files=True,
        )
        config.prepare()
        # ansible-runner composes both from what it finds; ours are exact.
        config.command = [*command(self._run), *self._arguments]
        config.env = self._environment
        config.suppress_output_file = True
        config.pexpect_timeout = 1
        return Runner(config, event_handler=self._on_event)

    def _on_event(self, event: Dict[str, object]) -> bool:
        self._receive(event)
        return False  # ours is on the spool; ansible-runner need not write another file


def command(run: Path) -> List[str]:
    """Return how the launcher is started, up to the arguments of ``ansible-playbook``."""
    launcher = str(Path(__file__).with_name("launcher.py"))
    return [sys.executable, "-I", launcher, str(warm_socket(run)), json.dumps(import_paths())]
