"""Faults of a real apt: each is one plain sentence that says what to do, and nothing is left worse than it was."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.patchmon.fleet.plugins.module_utils._update import PackageUpdate, Request
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers import PackageManagerError
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.apt_faults import explain

from tests.ansible.conftest import COLLECTIONS, PACKAGE, Lines, PlayStarter, apt, names, needs_apt, needs_root
from tests.factories.apt_repository import AptRepository

pytestmark = needs_apt
PART = f"{PACKAGE}-part"


def failure(repository: AptRepository, scope: str = "all", packages: tuple[str, ...] = ()) -> PackageManagerError:
    """Return how a real run fails."""
    with pytest.raises(PackageManagerError) as failed:
        apt(repository).upgrade(scope, packages, Lines(), 10)
    return failed.value


@pytest.fixture
def small_disk(root: AptRepository) -> Iterator[AptRepository]:
    """One MiB is all there is below usr/share."""
    assert root.root is not None
    place = root.root / "usr/share"
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", place], capture_output=True, check=False)
    if mount.returncode:
        pytest.skip("this machine does not let a test mount a small disk")
    yield root
    subprocess.run(["umount", place], check=True)


@needs_root
def test_a_full_disk_is_called_one_and_the_next_run_finishes(small_disk: AptRepository) -> None:
    small_disk.add_version("2.0", filler_mib=3)
    small_disk.refresh()

    said = failure(small_disk).text

    assert said.startswith("The disk of the host is full: free some space")
    assert small_disk.root is not None
    subprocess.run(["mount", "-o", "remount,size=20m", small_disk.root / "usr/share"], check=True)
    assert names(apt(small_disk).upgrade("all", (), Lines(), 10)) == [(PACKAGE, "1.0", "2.0")]


def test_a_package_that_is_gone_between_dry_run_and_run(root: AptRepository) -> None:
    root.add_version("2.0")
    root.refresh()
    assert names(apt(root).simulate("all", ())) == [(PACKAGE, "1.0", "2.0")]
    root.withdraw("2.0", listed=True)

    said = failure(root).text

    assert f"/{PACKAGE}_2.0_all.deb is not, or no longer, in the package sources" in said
    assert "look at a new dry run" in said
    assert "Nothing was changed" in said
    assert root.installed_version() == "1.0"


def test_a_repository_that_does_not_answer_is_named(root: AptRepository) -> None:
    root.add_version("2.0")
    root.refresh()
    root.sources.write_text("deb [trusted=yes] http://127.0.0.1:9/debian tiny main\n", encoding="utf-8")

    notes = apt(root).refresh(Lines(), 10)

    assert len(notes) == 1
    assert notes[0].startswith("A package source could not be reached, its old list is used: http://127.0.0.1:9/debian")


def test_a_repository_that_is_empty_now_ends_the_refresh(root: AptRepository) -> None:
    shutil.rmtree(root.folder / "dists")

    with pytest.raises(PackageManagerError, match="A package source cannot be reached: file:") as failed:
        apt(root).refresh(Lines(), 10)

    assert "check the network and the sources of the host" in failed.value.text


def test_contradicting_dependencies_are_told_and_nothing_is_changed(root: AptRepository) -> None:
    root.add_version("1.0", package=PART)
    root.add_version("2.0", depends=f"{PART} (>= 5)")
    root.refresh()

    said = failure(root, "packages", (PACKAGE,)).text

    assert said.startswith(f"Dependencies contradict each other: {PACKAGE} : Depends: {PART} (>= 5)")
    assert "Nothing was changed" in said
    assert root.installed_version() == "1.0"


def test_a_failing_script_is_named_with_its_package(root: AptRepository) -> None:
    root.add_version("2.0", postinst="exit 7")
    root.refresh()

    said = failure(root).text

    assert said.startswith(f"{PACKAGE} could not be set up (")
    assert "exit status 7" in said
    assert "finished first" in said


def request(repository: AptRepository, *, check: bool, **more: object) -> Request:
    """Return the options of a run that uses the lists as they are."""
    wanted = {"scope": "all", "packages": (), "refresh": False, "cache_max_age_minutes": 0, "manager": "apt", **more}
    wanted["root"] = str(repository.root)
    return Request(check=check, lock_timeout_seconds=10, **wanted)  # type: ignore[arg-type]


@pytest.fixture
def killed(root: AptRepository) -> AptRepository:
    """Apt and dpkg were killed while dpkg unpacked: the package is half installed."""
    root.add_version("2.0", filler_mib=60)
    root.refresh()
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.apt import Apt\n"
        "Apt(sys.argv[2]).upgrade('all', (), lambda text: print(text, flush=True), 10)\n"
    )
    argv = [sys.executable, "-c", script, str(COLLECTIONS), str(root.root)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if line.startswith("Unpacking"))
        os.killpg(process.pid, signal.SIGKILL)
    assert root.installed_version() is None
    return root


@pytest.mark.proves("PATCH-86")
def test_an_agent_killed_in_dpkg_is_seen_by_the_dry_run_and_mended_by_the_real_one(killed: AptRepository) -> None:
    before = Path(str(killed.root), "var/lib/dpkg/status").read_bytes()

    dry = PackageUpdate(request(killed, check=True), Lines()).run()

    assert dry["notes"] == [f"Left half done by an interrupted run: {PACKAGE}; the real run finishes that first"]
    assert dry["repaired"] == []
    assert Path(str(killed.root), "var/lib/dpkg/status").read_bytes() == before

    lines = Lines()
    real = PackageUpdate(request(killed, check=False), lines).run()

    assert real["repaired"] == [PACKAGE]
    assert f"Left half done by an interrupted run and finished first: {PACKAGE}" in lines
    assert "$ dpkg --configure -a" in lines
    assert killed.installed_version() == "2.0"
    assert apt(killed).unfinished() == ()


def test_a_named_package_on_hold_is_left_and_the_result_says_how_to_release_it(root: AptRepository) -> None:
    root.add_version("2.0")
    root.refresh()
    root.hold()

    found = PackageUpdate(request(root, check=False, scope="packages", packages=(PACKAGE,)), Lines()).run()

    assert found["kept_back"] == [PACKAGE]
    assert isinstance(found["notes"], list)
    assert found["notes"][0].startswith(
        f"On hold and left as it is: {PACKAGE}; release it ('apt-mark unhold' on the host, "
    )


@pytest.mark.parametrize(
    ("output", "begins"),
    [
        ("E: You don't have enough free space in /var/cache/apt/archives/.", "The disk of the host is full"),
        ("dpkg: error: unable to write: Read-only file system", "A file system of the host is read-only"),
        ("E: Unmet dependencies. Try 'apt --fix-broken install' with no packages", "Packages on this host already"),
        ("E: The package x needs to be reinstalled, but I can't find an archive for it.", "x was left half installed"),
        ("E: Unable to locate package x", "x is not, or no longer"),
        ("E: Version '2' for 'x' was not found", "x is not, or no longer"),
        ("E: Failed to fetch http://h/x.deb  Could not resolve 'h'", "A package source cannot be reached: http://h"),
        ("E: The repository 'http://h x Release' is not signed.", "A package source is not signed with a key"),
        ("E: You have held broken packages.", "Dependencies contradict each other"),
        ("all is well", ""),
    ],
)
def test_words_of_apt_that_a_test_cannot_make_it_say(output: str, begins: str) -> None:
    sentence = explain(f"Reading package lists...\n{output}\n")

    assert sentence.startswith(begins)
    assert bool(sentence) == bool(begins)


def test_patterns_of_a_launch_reach_the_package_manager_and_wrong_ones_are_refused(play: PlayStarter) -> None:
    run = play("patch", "--check", variables="patch_refresh_cache: false\npatch_hold_patterns: ['a; reboot']\n")

    assert run.code == 2
    assert run.last["msg"] == "Not a pattern: 'a; reboot'. Nothing was changed."
    run = play("patch", "--check", variables="patch_scope: security\npatch_full_upgrade: true\n")
    assert "needs the scope 'all'" in run.last["msg"]
