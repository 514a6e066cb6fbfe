"""The apk driver against a stand-in that answers in apk's documented formats; real Alpine is unproven."""

import fcntl
import os
from pathlib import Path

import pytest
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers import (
    Exact,
    Limits,
    PackageManagerError,
    Plan,
)
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.apk import Apk
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.apk_formats import (
    read_repositories,
    read_steps,
)
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.apk_version import newer

from tests.ansible.conftest import Lines, commands, names

SCRIPT = r"""#!/bin/sh
# Answers as apk-tools 2.14 documents it; what is installed is in $STATE.
state=$(cat "$STATE")
case "$*" in
*"list --installed"*)
    echo "busybox-1.36.1-r$state x86_64 {busybox} (GPL-2.0-only) [installed]"
    echo "musl-1.2.4-r1 x86_64 {musl} (MIT) [installed]" ;;
*"info -v -v"*)
    echo "busybox-1.36.1-r$state - Size optimized toolbox - of many tools"
    echo "musl-1.2.4-r1 - the musl c library" ;;
*"version --limit <"*)
    echo "Installed:                                Available:"
    test "$state" = 2 || echo "busybox-1.36.1-r$state                       < 1.36.1-r2" ;;
*policy*)
    printf 'busybox policy:\n  1.36.1-r0:\n    lib/apk/db/installed\n  1.36.1-r2:\n'
    printf '    https://dl-cdn.alpinelinux.org/alpine/v3.19/main\n'
    printf 'musl policy:\n  1.2.4-r1:\n    lib/apk/db/installed\n'
    printf '    https://dl-cdn.alpinelinux.org/alpine/v3.19/main\n' ;;
*"--simulate upgrade"*)
    test "$state" = 2 || echo "(1/1) Upgrading busybox (1.36.1-r$state -> 1.36.1-r2)"
    echo "OK: 7 MiB in 15 packages" ;;
*upgrade*)
    echo "(1/1) Upgrading busybox (1.36.1-r$state -> 1.36.1-r2)"
    echo 2 > "$STATE"
    echo "OK: 7 MiB in 15 packages" ;;
*fix*)
    sed -i '/^f:/d' "$BROKEN"
    echo "(1/1) Reinstalling musl (1.2.4-r1)" ;;
*update*)
    echo "WARNING: updating and opening https://gone.example/main: temporary error (try again later)"
    echo "OK: 24 distinct packages available" ;;
*) echo "ERROR: not written down: $*" >&2; exit 99 ;;
esac
"""


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Apk:
    """A root with the stand-in."""
    root = tmp_path / "root"
    (root / "lib/apk/db").mkdir(parents=True)
    (root / "lib/apk/db/installed").touch()
    (tmp_path / "state").write_text("0", encoding="ascii")
    program = tmp_path / "bin/apk"
    program.parent.mkdir()
    program.write_text(SCRIPT, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("STATE", str(tmp_path / "state"))
    return Apk(str(root))


def test_list_of_what_is_installed(driver: Apk) -> None:
    assert driver.available()
    busybox, musl = driver.installed()

    assert busybox[:3] == ("busybox", "1.36.1-r0", "Size optimized toolbox - of many tools")
    assert (busybox.repository, musl.repository) == ("local", "main")


def test_updates_are_found_with_their_source(driver: Apk) -> None:
    assert driver.updates() == [("busybox", "1.36.1-r0", "1.36.1-r2", False, "main")]


@pytest.mark.parametrize(("scope", "packages"), [("all", ()), ("packages", ("busybox",))])
def test_simulate_tells_what_upgrade_all_does(driver: Apk, scope: str, packages: tuple[str, ...]) -> None:
    planned = driver.simulate(scope, packages)
    done = driver.upgrade(scope, packages, Lines(), 10)

    assert names(planned) == [("busybox", "1.36.1-r0", "1.36.1-r2")]
    assert planned == done
    assert driver.simulate("all", ()) == Plan((), ())


def test_held_by_a_pattern_stays_and_is_told(driver: Apk) -> None:
    assert driver.simulate("all", (), limits=Limits(hold=("busy*",))) == Plan((), ("busybox",))


def test_security_is_refused_because_nobody_could_tell(driver: Apk) -> None:
    with pytest.raises(PackageManagerError, match="apk cannot tell security fixes"):
        driver.upgrade("security", (), Lines(), 10)


def test_a_source_out_of_reach_keeps_the_old_list_or_says_so(driver: Apk) -> None:
    (note,) = driver.refresh(Lines(), 10)

    assert "https://gone.example/main" in note


def test_what_an_interrupted_update_left_is_told_and_finished_first(
    driver: Apk, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Path(driver.root, "lib/apk/db/installed")
    database.write_text("C:Q1a=\nP:busybox\nV:1.36.1-r0\n\nP:musl\nV:1.2.4-r1\nf:S\n", encoding="utf-8")
    monkeypatch.setenv("BROKEN", str(database))
    fresh = Apk(driver.root)
    assert (fresh.unfinished(), fresh.busy()) == (("musl",), "")

    plan = fresh.upgrade("all", (), Lines(), 10)

    assert (plan.repaired, fresh.unfinished()) == (("musl",), ())
    lock = Path(driver.root, "lib/apk/db/lock")
    with lock.open("w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert f"(process {os.getpid()}) holds {lock}" in fresh.busy()


def test_reboot_is_asked_for_when_the_modules_of_the_running_kernel_are_gone(driver: Apk) -> None:
    assert driver.reboot() == (False, "")
    modules = Path(driver.root, "lib/modules/99.1.2-0-lts")
    modules.mkdir(parents=True)
    (modules / "modules.dep").touch()
    assert driver.reboot() == (True, f"Kernel 99.1.2-0-lts is installed, {os.uname().release} is running")


def test_the_way_back_is_refused_because_there_is_none(driver: Apk) -> None:
    with pytest.raises(PackageManagerError, match="cannot go back to earlier versions"):
        driver.missing([Exact("musl", "1.0-r0")])


def test_plans_with_every_verb() -> None:
    text = """
(1/5) Installing new-part (1.0-r0)
(2/5) Upgrading musl-utils (1.2.4-r1 -> 1.2.5-r0)
(3/5) Downgrading zlib@edge (1.3.1-r0 -> 1.3-r2)
(4/5) Purging old (0.9-r3)
(5/5) Reinstalling same (1-r0)
"""

    assert read_steps(text) == [("new-part", "1.0-r0"), ("musl-utils", "1.2.5-r0"), ("zlib", "1.3-r2"), ("old", "")]


@pytest.mark.proves("INV-140")
def test_repositories_are_those_of_the_host() -> None:
    text = """
https://dl-cdn.alpinelinux.org/alpine/v3.19/main
#http://dl-cdn.alpinelinux.org/alpine/v3.19/community
@edge https://robot:secret@mirror.example/alpine/edge/testing
# a remark about https and nothing else
/media/cdrom/apks
"""

    found = {one.url: one for one in read_repositories(text)}

    assert {url: (one.enabled, one.secure, one.components) for url, one in found.items()} == {
        "https://dl-cdn.alpinelinux.org/alpine/v3.19/main": (True, True, "main"),
        "http://dl-cdn.alpinelinux.org/alpine/v3.19/community": (False, False, "community"),
        "https://mirror.example/alpine/edge/testing": (True, True, "testing"),
        "/media/cdrom/apks": (True, False, "apks"),
    }


@pytest.mark.parametrize(
    ("older", "newer_one"),
    [
        ("1.2.3-r1", "1.2.3-r2"),
        ("1.9-r0", "1.10-r0"),
        ("1.0_rc1-r0", "1.0-r0"),
        ("1.0-r0", "1.0_p1-r0"),
        ("1.0-r0", "1.0a-r0"),
    ],
)
def test_versions_are_ordered_as_apk_does(older: str, newer_one: str) -> None:
    assert newer(newer_one, older)
    assert not newer(older, newer_one)


@pytest.mark.proves("PATCH-80")
def test_commands_of_a_dry_run_and_of_everything(driver: Apk) -> None:
    assert commands(driver, "busybox") == (["apk --simulate upgrade busybox"], ["apk upgrade"])
