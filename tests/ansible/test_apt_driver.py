"""The apt driver against real apt and dpkg in roots of their own."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers import (
    Installed,
    PackageManagerError,
    Plan,
    Update,
)
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.apt import Apt

from tests.ansible.conftest import COLLECTIONS, PACKAGE, Lines, apt, commands, names, needs_apt
from tests.factories.apt_repository import AptRepository

pytestmark = needs_apt
PART = f"{PACKAGE}-part"
DRIVERS = "ansible_collections.patchmon.fleet.plugins.module_utils.package_managers"


def test_installed_packages_carry_what_a_report_needs(root: AptRepository) -> None:
    assert apt(root).installed() == [
        Installed(PACKAGE, "1.0", "Tiny package of version 1.0", "misc", "all", f"file:{root.folder} tiny/main")
    ]
    assert apt(root).updates() == []


@pytest.mark.proves("INV-140")
def test_repositories_are_those_of_the_host(root: AptRepository) -> None:
    found = {(one.url, one.distribution) for one in apt(root).repositories()}
    assert found == {(f"file:{root.folder}", "tiny"), (f"file:{root.folder}", "tiny-security")}


def test_reboot_is_asked_for_by_the_flag_of_a_package(root: AptRepository) -> None:
    assert apt(root).reboot() == (False, "")
    assert root.root is not None
    flag = root.root / "run/reboot-required"
    flag.parent.mkdir(exist_ok=True)
    flag.touch()
    flag.with_suffix(".pkgs").write_text("linux-base\n", encoding="utf-8")
    assert apt(root).reboot() == (True, "A restart was asked for by linux-base")


def test_an_update_is_a_security_update_by_where_it_comes_from(root: AptRepository) -> None:
    root.add_version("1.5", security=True)
    root.refresh()

    assert apt(root).updates() == [Update(PACKAGE, "1.0", "1.5", True, f"file:{root.folder} tiny-security/main")]


def test_a_missing_fix_stays_one_when_an_ordinary_update_is_newer(root: AptRepository) -> None:
    root.add_version("1.5", security=True)
    root.add_version("2.0")
    root.refresh()

    assert apt(root).updates() == [Update(PACKAGE, "1.0", "2.0", True, f"file:{root.folder} tiny/main")]
    assert names(apt(root).simulate("security", ())) == [(PACKAGE, "1.0", "1.5")]
    assert names(apt(root).upgrade("security", (), Lines(), 10)) == [(PACKAGE, "1.0", "1.5")]
    assert root.installed_version() == "1.5"
    assert apt(root).updates()[0].security is False


def test_security_leaves_ordinary_updates_alone(root: AptRepository) -> None:
    root.add_version("2.0")
    root.refresh()

    assert apt(root).simulate("security", ()) == Plan((), ())
    assert apt(root).upgrade("security", (), Lines(), 10) == Plan((), ())
    assert root.installed_version() == "1.0"


def test_dry_run_and_real_run_tell_the_same(root: AptRepository) -> None:
    root.add_version("1.0", package=PART)
    root.add_version("2.0", depends=PART)
    root.refresh()
    driver = apt(root)

    planned = driver.simulate("all", ())
    done = driver.upgrade("all", (), Lines(), 10)

    assert sorted(names(planned)) == [(PACKAGE, "1.0", "2.0"), (PART, "", "1.0")]
    assert done == planned
    assert {change.name: change.action for change in done.changes} == {PACKAGE: "upgrade", PART: "install"}


def test_a_held_package_is_kept_back_in_every_scope(root: AptRepository) -> None:
    root.add_version("2.0", security=True)
    root.refresh()
    root.hold()
    kept = Plan((), (PACKAGE,))

    assert apt(root).updates()[0].available == "2.0", "the report still shows what is missing"
    for scope, packages in (("all", ()), ("security", ()), ("packages", (PACKAGE,))):
        assert apt(root).simulate(scope, packages) == kept
        assert apt(root).upgrade(scope, packages, Lines(), 10) == kept
    assert root.installed_version() == "1.0"


@pytest.mark.parametrize(
    ("scope", "packages", "said"),
    [
        ("packages", ["nowhere"], "Unknown to apt: nowhere. Nothing was changed."),
        ("packages", [PACKAGE, PART], f"Not installed on this host: {PART}. Nothing was changed."),
        ("packages", [], "no package was named"),
        ("packages", ["--reinstall"], "Not a package name: '--reinstall'"),
        ("packages", [f"{PACKAGE}; reboot"], "Not a package name"),
        ("everything", [], "Unknown scope 'everything'"),
    ],
)
def test_a_wrong_request_is_refused_before_anything_happens(
    root: AptRepository, scope: str, packages: list[str], said: str
) -> None:
    root.add_version("1.0", package=PART)
    root.add_version("2.0")
    root.refresh()

    attempts: tuple[Callable[[], Plan], ...] = (
        lambda: apt(root).simulate(scope, packages),
        lambda: apt(root).upgrade(scope, packages, Lines(), 10),
    )
    for attempt in attempts:
        with pytest.raises(PackageManagerError) as refused:
            attempt()
        assert said in refused.value.text
    assert root.installed_version() == "1.0"


def test_a_changed_configuration_file_stays(root: AptRepository) -> None:
    root.add_version("1.1", conffile="colour = red\n")
    root.install("1.1")
    assert root.root is not None
    settings = root.root / "etc" / f"{PACKAGE}.conf"
    settings.write_text("colour = mine\n", encoding="utf-8")
    root.add_version("2.0", conffile="colour = blue\n")
    root.refresh()

    apt(root).upgrade("all", (), Lines(), 10)

    assert root.installed_version() == "2.0"
    assert settings.read_text(encoding="utf-8") == "colour = mine\n"


def test_half_configured_packages_are_finished_first_and_it_says_so(root: AptRepository) -> None:
    ready = root.folder / "ready"
    root.add_version("1.1", postinst=f"test -e {ready}")
    with pytest.raises(RuntimeError):
        root.install("1.1")
    assert root.installed_version() is None
    ready.touch()
    lines = Lines()

    done = apt(root).upgrade("all", (), lines, 10)

    assert root.installed_version() == "1.1"
    assert done.changes == ()
    assert f"An earlier run was interrupted; finishing it first: {PACKAGE}" in lines
    assert "$ dpkg --configure -a" in lines


def test_only_root_changes_this_machine() -> None:
    script = f"import os, sys; sys.path.insert(0, {str(COLLECTIONS)!r}); from {DRIVERS} import detect\n"
    script += "if os.geteuid() == 0: os.setuid(65534)\n"
    script += "try: detect().upgrade('packages', ['dpkg'], print, 1)\nexcept Exception as error: print(error)\n"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert done.stdout == "Only root can change packages on this host. Nothing was changed.\n", done.stderr


def test_caches_of_killed_processes_are_swept_away(
    root: AptRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left, living = tmp_path / f"patchmon-apt-{gone.pid}-x", tmp_path / f"patchmon-apt-{os.getpid()}-x"
    left.mkdir()
    living.mkdir()

    assert apt(root).installed()

    kept = sorted(path.name for path in tmp_path.glob("patchmon-apt-*"))
    assert kept == [living.name]


def test_what_was_changed_before_a_failure_is_told(root: AptRepository) -> None:
    root.add_version("2.0", postinst="echo the drive is empty; exit 1")
    root.refresh()

    with pytest.raises(PackageManagerError) as failed:
        apt(root).upgrade("all", (), Lines(), 10)

    assert "the drive is empty" in failed.value.tail
    assert failed.value.done is not None
    assert names(failed.value.done) == [(PACKAGE, "1.0", "2.0")]


def test_refresh_finds_what_is_new_and_a_scratch_refresh_leaves_the_lists_alone(
    root: AptRepository, tmp_path: Path
) -> None:
    root.add_version("2.0")
    driver = apt(root)
    folder = tmp_path / "beside"
    folder.mkdir()
    before = {path: path.stat().st_mtime_ns for path in root.lists.rglob("*")}

    beside = driver.scratch(str(folder))
    beside.refresh(Lines(), 10)

    assert names(beside.simulate("all", ())) == [(PACKAGE, "1.0", "2.0")]
    assert driver.simulate("all", ()) == Plan((), ())
    assert {path: path.stat().st_mtime_ns for path in root.lists.rglob("*")} == before
    lines = Lines()
    driver.refresh(lines, 10)
    assert lines[0] == "$ apt-get update"
    assert names(driver.simulate("all", ())) == [(PACKAGE, "1.0", "2.0")]
    age = driver.cache_age_seconds()
    assert age is not None
    assert age < 60


HOLD_A_LOCK = """
import fcntl, sys, time
file = open(sys.argv[1], "w")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(float(sys.argv[2]))
"""


def hold(path: Path, seconds: float) -> "subprocess.Popen[str]":
    path.touch()
    argv = [sys.executable, "-c", HOLD_A_LOCK, str(path), str(seconds)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize(
    ("lock", "work"),
    [
        ("var/lib/dpkg/lock-frontend", lambda driver, lines, limit: driver.upgrade("all", (), lines, limit)),
        ("var/lib/apt/lists/lock", lambda driver, lines, limit: driver.refresh(lines, limit)),
    ],
    ids=["package database", "package lists"],
)
class TestSomebodyElseHoldsTheLock:
    def test_the_run_waits_and_says_for_whom(
        self, root: AptRepository, lock: str, work: Callable[[Apt, Lines, int], object]
    ) -> None:
        root.add_version("2.0")
        root.refresh()
        assert root.root is not None
        other = hold(root.root / lock, 1.5)
        lines = Lines()

        work(apt(root), lines, 30)

        other.wait()
        assert any(line.startswith("Waiting: python") and f"process {other.pid}" in line for line in lines), lines
        assert root.installed_version() == ("2.0" if "dpkg" in lock else "1.0")

    def test_the_run_gives_up_when_it_takes_too_long(
        self, root: AptRepository, lock: str, work: Callable[[Apt, Lines, int], object]
    ) -> None:
        root.add_version("2.0")
        root.refresh()
        assert root.root is not None
        other = hold(root.root / lock, 30)
        lines = Lines()
        started = time.monotonic()

        with pytest.raises(PackageManagerError, match="Gave up after 1 seconds") as gave_up:
            work(apt(root), lines, 1)

        other.kill()
        other.wait()
        assert time.monotonic() - started < 5
        assert f"process {other.pid}" in gave_up.value.text
        assert "Nothing was changed" in gave_up.value.text
        assert root.installed_version() == "1.0"


def test_looking_at_a_lock_never_takes_it(root: AptRepository) -> None:
    assert root.root is not None
    path = root.root / "var/lib/dpkg/lock-frontend"
    driver = apt(root)
    root.add_version("2.0")
    root.refresh()
    other = hold(path, 0.5)
    driver.upgrade("all", (), Lines(), 20)
    other.wait()

    with path.open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


STOPPED_RUN = """
import os, sys
sys.path.insert(0, sys.argv[1])
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers import PackageManagerError
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.apt import Apt
try:
    Apt(sys.argv[2]).upgrade("all", (), lambda text: print(text, flush=True), 10)
except PackageManagerError as problem:
    print("ERROR", problem.text, flush=True)
    print("DONE", problem.done, flush=True)
"""


def descendants(pid: int) -> list[int]:
    children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    return [*children, *(below for child in children for below in descendants(child))]


@pytest.mark.parametrize(
    ("number", "everybody"),
    [
        pytest.param(signal.SIGTERM, False, id="SIGTERM to the module"),
        pytest.param(signal.SIGINT, True, id="SIGINT to every descendant"),
    ],
)
def test_a_stop_lets_the_package_at_hand_finish_and_is_told(
    root: AptRepository, number: signal.Signals, everybody: bool
) -> None:
    root.add_version("2.0", postinst="echo configuring; sleep 1.5; echo configured")
    root.refresh()
    argv = [sys.executable, "-c", STOPPED_RUN, str(COLLECTIONS), str(root.root)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line == "configuring\n":
            for pid in [process.pid, *(descendants(process.pid) if everybody else [])]:
                os.kill(pid, number)
            break

    rest = process.stdout.read()

    process.wait()
    assert "Stopping: waiting" in rest
    assert "configured" in rest
    assert "ERROR Stopped on request" in rest
    assert PACKAGE in rest.partition("DONE")[2]
    assert root.installed_version() == "2.0"


def test_a_stop_to_every_process_leaves_no_package_half_unpacked(root: AptRepository) -> None:
    root.add_version("2.0", filler_mib=40)
    root.refresh()
    argv = [sys.executable, "-c", STOPPED_RUN, str(COLLECTIONS), str(root.root)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Unpacking"):
            for pid in [process.pid, *descendants(process.pid)]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGINT)
            break

    rest = process.stdout.read()

    process.wait()
    assert "ERROR Stopped on request" in rest
    assert root.installed_version() == "2.0"


@pytest.mark.proves("PATCH-80")
def test_commands_of_a_dry_run_and_of_everything(root: AptRepository) -> None:
    root.add_version("2.0")
    root.refresh()

    assert commands(apt(root), PACKAGE) == (
        ["apt-get --simulate --only-upgrade install patchmon-test-tiny"],
        ["apt-get -y --with-new-pkgs upgrade"],
    )
