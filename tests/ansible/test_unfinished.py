"""What the agent reports of packages that an interrupted run left half done."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ansible_collections.patchmon.fleet.plugins.module_utils._update import PackageUpdate, Request

from agent.collect import Host, packages
from agent.report import Report
from tests.ansible.conftest import PACKAGE, Lines, apt, needs_apt, needs_root
from tests.factories.apt_repository import AptRepository

pytestmark = [needs_apt, needs_root]

_HOLD = """
import fcntl, sys
file = open(sys.argv[1], "a")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Let another process hold a lock, as apt does."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, os.fspath(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        yield
        holder.communicate(timeout=10)


def leave_half_configured(root: AptRepository) -> None:
    status = Path(str(root.root), "var/lib/dpkg/status")
    head, name, rest = status.read_text().partition(f"Package: {PACKAGE}\n")
    status.write_text(head + name + rest.replace("install ok installed", "install ok half-configured", 1))


def test_what_is_half_configured_is_reported_and_nothing_while_somebody_is_at_work(root: AptRepository) -> None:
    host = Host(Path(str(root.root)))
    assert packages.collect(host)["unfinishedPackages"] == []
    leave_half_configured(root)
    assert packages.collect(host)["unfinishedPackages"] == [PACKAGE]
    with held(Path(str(root.root), "var/lib/dpkg/lock-frontend")):
        assert "unfinishedPackages" not in packages.collect(host)
    assert packages.collect(host)["unfinishedPackages"] == [PACKAGE]


def test_the_repair_finishes_it_and_updates_nothing(root: AptRepository) -> None:
    root.add_version("2.0")
    root.refresh()
    leave_half_configured(root)
    dry = PackageUpdate(asked(root, check=True), Lines()).run()
    assert dry["notes"] == [f"Left half done by an interrupted run: {PACKAGE}; the real run finishes that first"]
    assert apt(root).unfinished() == (PACKAGE,)
    done = PackageUpdate(asked(root, check=False), Lines()).run()
    assert (done["repaired"], done["changes"], root.installed_version()) == ([PACKAGE], [], "1.0")
    assert apt(root).unfinished() == ()
    again = PackageUpdate(asked(root, check=False), Lines()).run()
    assert (again["repaired"], again["changes"]) == ([], [])


def asked(root: AptRepository, *, check: bool) -> Request:
    return Request(check, "repair", (), True, 0, 60, "apt", root=str(root.root))


def test_a_check_in_takes_an_earlier_word_back_and_says_nothing_it_does_not_know() -> None:
    begin = {"hashes": {}, "agentExecutionMs": 1, "needsReboot": False}
    assert Report({**begin, "unfinishedPackages": []}, ()).ping()["metrics"]["unfinishedPackages"] == []  # type: ignore[index]
    assert "unfinishedPackages" not in Report(begin, ()).ping()["metrics"]  # type: ignore[operator]
