"""The real ansible-playbook on this machine, a watcher for live lines, and apt in throw-away roots."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.factories.apt_repository import AptRepository

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOKS = ROOT / "playbooks"
COLLECTIONS = ROOT / "collections"
sys.path.insert(0, str(COLLECTIONS))
PACKAGE = "patchmon-test-tiny"

from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers import PackageManager, Plan  # noqa: E402 (path above)
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.apt import Apt  # noqa: E402

needs_apt = pytest.mark.skipif(shutil.which("apt-get") is None, reason="this machine has no apt")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root installs packages on this machine")


def apt(repository: AptRepository) -> Apt:
    """The driver for a throw-away root."""
    return Apt(str(repository.root))


def names(plan: Plan) -> list[tuple[str, str, str]]:
    """Name, version before and version after of each change."""
    return [(change.name, change.from_version, change.to_version) for change in plan.changes]


class Lines(list[str]):
    """Live lines as they came."""

    def __call__(self, text: str) -> None:
        self.append(text)


def commands(driver: PackageManager, package: str) -> tuple[list[str], list[str]]:
    """What is run, as people are shown it, to try one package and then to bring everything."""
    dry, real = Lines(), Lines()
    driver.simulate("packages", [package], dry)
    driver.upgrade("all", (), real, 10)
    first, second = ([line.removeprefix("$ ") for line in one if line.startswith("$ ")] for one in (dry, real))
    return first, second


@dataclass
class Watcher:
    """Collects what modules send while they are at work."""

    path: Path
    lines: list[str] = field(default_factory=list)

    def start(self) -> None:
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(str(self.path))
        self._server.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        self._server.close()

    def wait_for(self, text: str, seconds: float = 60) -> str:
        """Return the first line with that text, as soon as it is there."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = next((line for line in self.lines if text in line), None)
            if found is not None:
                return found
            time.sleep(0.02)
        pytest.fail(f"no line with {text!r} within {seconds} seconds, only {self.lines}")

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._server.accept()
                threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        with connection, connection.makefile(encoding="utf-8", newline="\n") as stream:
            self.lines.extend(line.rstrip("\n") for line in stream)


@dataclass
class Play:
    """One run of ansible-playbook."""

    process: subprocess.Popen[str]
    results_folder: Path
    code: int = -1
    output: str = ""

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def finish(self, seconds: float = 120) -> "Play":
        self.output, errors = self.process.communicate(timeout=seconds)
        self.output += errors
        self.code = self.process.returncode
        return self

    @property
    def tasks(self) -> list[dict[str, Any]]:
        """Every task's name, status and result, in order."""
        return [json.loads(line) for line in self.output.splitlines() if line.startswith("{")]

    @property
    def last(self) -> dict[str, Any]:
        """Result of the last task that was not skipped."""
        result: dict[str, Any] = [task for task in self.tasks if task["status"] != "skipped"][-1]["result"]
        return result

    def result(self, module: str) -> dict[str, Any]:
        """The one result file of a module."""
        files = list(self.results_folder.glob(f"{module}-*.json"))
        assert len(files) == 1, sorted(self.results_folder.iterdir())
        content = json.loads(files[0].read_text(encoding="utf-8"))
        assert content["module"] == module
        result: dict[str, Any] = content["result"]
        return result


PlayStarter = Callable[..., Play]


@pytest.fixture
def watcher(tmp_path: Path) -> Iterator[Watcher]:
    listening = Watcher(tmp_path / "live.sock")
    listening.start()
    yield listening
    listening.stop()


@pytest.fixture
def start(tmp_path: Path, watcher: Watcher) -> Iterator[PlayStarter]:
    """Start a playbook, built in by name or given as text, the way the supervisor does: a short environment."""
    inventory = {
        "all": {"hosts": {"box": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}}
    }
    (tmp_path / "inventory.yml").write_text(yaml.safe_dump(inventory), encoding="utf-8")
    results = tmp_path / "results"
    results.mkdir()
    started: list[Play] = []

    def starter(playbook: str, *arguments: str, variables: str = "{}\n") -> Play:
        path = PLAYBOOKS / f"{playbook}.yml"
        if "\n" in playbook:
            path = tmp_path / "playbook.yml"
            path.write_text(playbook, encoding="utf-8")
        (tmp_path / "variables.yml").write_text(variables, encoding="utf-8")
        program = Path(sys.executable).with_name("ansible-playbook")
        argv = [program, "-i", tmp_path / "inventory.yml", path, "-e", f"@{tmp_path / 'variables.yml'}", *arguments]
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "TERM": "dumb",
            "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
            "ANSIBLE_STDOUT_CALLBACK": "patchmon_test_json",
            "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).with_name("callback_plugins")),
            "PATCHMON_LIVE_SOCKET": str(watcher.path),
            "PATCHMON_RESULT_DIR": str(results),
            **{name: value for name, value in os.environ.items() if name == "PATCHMON_REBOOT_REQUEST"},
        }
        process = subprocess.Popen(
            [str(word) for word in argv],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
        )
        started.append(Play(process, results))
        return started[-1]

    yield starter
    for play in started:
        if play.running:
            play.process.kill()
            play.process.wait()


@pytest.fixture
def play(start: PlayStarter) -> PlayStarter:
    """Run a playbook to its end."""

    def run(playbook: str, *arguments: str, variables: str = "{}\n") -> Play:
        return start(playbook, *arguments, variables=variables).finish()

    return run


@pytest.fixture
def root(tmp_path: Path) -> Iterator[AptRepository]:
    """The tiny package, old version, in a root of its own: nothing outside it is read or written."""
    with AptRepository(tmp_path, package=PACKAGE, root=tmp_path / "root") as repository:
        repository.add_version("1.0")
        repository.install("1.0")
        yield repository


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[AptRepository]:
    """The tiny package, old version, on this very machine; gone afterwards."""
    with AptRepository(tmp_path, package=PACKAGE) as repository:
        repository.add_version("1.0")
        repository.install("1.0")
        yield repository


ABILITIES = {
    "list": "list_of|installed_packages_carry",
    "updates": "updates_are_found|is_a_security_update_by",
    "security": "security_is_what|missing_fix|security_is_refused",
    "simulate": "simulate_tells|dry_run_and_real",
    "upgrade all": "simulate_tells|dry_run_and_real",
    "upgrade named": "upgrade_named|every_scope|packages\\b",
    "held": "held",
    "repositories": "repositories",
    "reboot": "reboot",
    "back": "way_back",
    "unfinished": "interrupted_update_left|half_configured",
}
"""Words of test names that prove an ability of a manager."""


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print which manager passed what; a refusal that is proved counts as told."""
    reports = [report for kind in ("passed", "failed", "skipped") for report in terminalreporter.stats.get(kind, [])]
    found: dict[str, list[pytest.TestReport]] = {}
    for report in reports:
        match = re.search(r"test_(\w+)_driver\.py::(.+)", getattr(report, "nodeid", ""))
        if match and (report.when == "call" or report.skipped):
            found.setdefault(match.group(1), []).append(report)
    if not found:
        return
    terminalreporter.section("package managers")
    terminalreporter.line(f"{'':8}" + " ".join(f"{ability:>13}" for ability in ABILITIES))
    for manager, tests in sorted(found.items()):
        cells = " ".join(f"{_outcome(tests, pattern):>13}" for pattern in ABILITIES.values())
        terminalreporter.line(f"{manager:8}{cells}")


def _outcome(tests: list[pytest.TestReport], pattern: str) -> str:
    proofs = [test for test in tests if re.search(pattern, test.nodeid.rpartition("::")[2])]
    outcomes = {"refused" if "_is_refused_" in test.nodeid and test.passed else test.outcome for test in proofs}
    return next((name for name in ("failed", "skipped", "passed", "refused") if name in outcomes), "-")
