"""The dnf driver against real dnf 4 and rpm in roots of their own."""

import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers import Limits, PackageManagerError, Plan
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.dnf import Dnf

from tests.ansible.conftest import Lines, commands, names
from tests.ansible.scenarios import OTHER, PACKAGE, PART, Scenarios, refreshed
from tests.factories.rpm_repository import REPOSITORY, RpmRepository, missing_programs

MISSING = missing_programs("dnf")
pytestmark = [pytest.mark.real, pytest.mark.skipif(bool(MISSING), reason=f"not installed: {MISSING}")]


@dataclass
class DnfBox:
    """A root that dnf runs."""

    shelf: RpmRepository

    def add(self, version: str, *, package: str = PACKAGE, needs: str = "", against: str = "") -> None:
        self.shelf.add_version(version, package=package, requires=needs, conflicts=against)

    def driver(self) -> Dnf:
        return Dnf(str(self.shelf.root))

    def hold(self, package: str) -> None:
        self.shelf.configure(main=f"excludepkgs={package}")


@pytest.fixture
def box(tmp_path: Path) -> DnfBox:
    shelf = RpmRepository(tmp_path)
    for package in (PACKAGE, OTHER):
        shelf.add_version("1.0", package=package)
        shelf.install("1.0", package=package)
    return DnfBox(shelf)


class TestDnf(Scenarios):
    """Dnf 4."""


def test_the_root_is_recognised(box: DnfBox, tmp_path: Path) -> None:
    assert box.driver().available()
    assert not Dnf(str(tmp_path / "empty")).available()


def test_security_is_what_a_notice_names_and_exactly_that_version(box: DnfBox) -> None:
    box.shelf.add_version("1.5", security=True)
    box.shelf.add_version("2.0")
    box.add("2.0", package=OTHER)
    driver = refreshed(box)

    assert [(update.name, update.available, update.security) for update in driver.updates()] == [
        (PACKAGE, "2.0-1", True),
        (OTHER, "2.0-1", False),
    ]
    planned = driver.simulate("security", ())
    done = driver.upgrade("security", (), Lines(), 10)

    assert names(planned) == [(PACKAGE, "1.0-1", "1.5-1")]
    assert planned.changes[0].security
    assert done == planned
    assert [update.security for update in driver.updates()] == [False, False]
    assert driver.upgrade("security", (), Lines(), 10) == Plan((), ())


def test_a_source_is_told_where_it_is_known(box: DnfBox) -> None:
    box.add("2.0")
    refreshed(box).upgrade("all", (), Lines(), 10)

    assert {one.name: one.repository for one in box.driver().installed()} == {PACKAGE: REPOSITORY, OTHER: "unknown"}


def test_a_changed_configuration_file_stays(box: DnfBox) -> None:
    box.shelf.add_version("1.1", conffile="colour = red")
    box.shelf.install("1.1")
    settings = box.shelf.root / "etc" / f"{PACKAGE}.conf"
    settings.write_text("colour = mine", encoding="utf-8")
    box.shelf.add_version("2.0", conffile="colour = blue")

    refreshed(box).upgrade("all", (), Lines(), 10)

    assert box.shelf.installed_version() == "2.0"
    assert settings.read_text(encoding="utf-8") == "colour = mine"


def test_contradicting_dependencies_are_told_as_one_sentence(box: DnfBox) -> None:
    box.add("2.0", needs="nothing-like-this")
    driver = refreshed(box)

    assert driver.simulate("all", ()) == Plan((), (PACKAGE,)), "left out of everything"
    with pytest.raises(PackageManagerError, match="Dependencies contradict each other: ") as refused:
        driver.upgrade("packages", [PACKAGE], Lines(), 10)

    assert "nothing provides nothing-like-this" in refused.value.text
    assert "Nothing was changed" in refused.value.text


def test_a_new_package_that_a_pattern_holds_keeps_out_what_needs_it(box: DnfBox) -> None:
    box.add("1.0", package=PART)
    box.add("2.0", needs=PART)

    assert refreshed(box).simulate("all", (), limits=Limits(hold=("*-part",))) == Plan((), (PACKAGE,))


def test_a_dry_run_with_fresh_lists_leaves_those_of_the_host_alone(box: DnfBox, tmp_path: Path) -> None:
    refreshed(box)
    box.add("2.0")
    folder = tmp_path / "beside"
    folder.mkdir()
    before = box.shelf.fingerprint()

    beside = box.driver().scratch(str(folder))
    assert beside is not None
    beside.refresh(Lines(), 10)

    assert names(beside.simulate("all", ())) == [(PACKAGE, "1.0-1", "2.0-1")]
    assert box.driver().simulate("all", ()) == Plan((), ())
    assert box.shelf.fingerprint() == before


def test_what_was_changed_before_a_failure_is_told(box: DnfBox) -> None:
    box.shelf.add_version("2.0", post="error('the drive is empty')")
    driver = refreshed(box)

    with pytest.raises(PackageManagerError, match=f"A script of {PACKAGE}.* failed") as failed:
        driver.upgrade("all", (), Lines(), 10)

    assert failed.value.done is not None
    assert names(failed.value.done) == [(PACKAGE, "1.0-1", "2.0-1")]


def test_the_run_waits_for_another_dnf_and_says_for_whom(box: DnfBox) -> None:
    box.add("2.0")
    driver = refreshed(box)
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1.5)"])
    lock = box.shelf.root / "var/cache/dnf/metadata_lock.pid"
    lock.write_text(str(other.pid), encoding="ascii")
    lines = Lines()
    reaper = threading.Thread(target=other.wait)
    reaper.start()

    with pytest.raises(PackageManagerError, match="Gave up after 0 seconds") as gave_up:
        driver.upgrade("all", (), Lines(), 0)
    driver.upgrade("all", (), lines, 20)
    reaper.join()

    assert f"process {other.pid}" in gave_up.value.text
    assert any(line.startswith("Waiting: python") and f"process {other.pid}" in line for line in lines), lines
    assert box.shelf.installed_version() == "2.0", "a file that a dead process left holds nobody"


def test_what_an_interrupted_update_left_is_told_and_finished_first(box: DnfBox) -> None:
    box.add("2.0")
    box.add("2.0", package=OTHER)
    box.shelf.install_beside("2.0")
    driver = refreshed(box)
    assert (driver.unfinished(), driver.busy()) == ((PACKAGE,), "")
    assert {one.name: one.version for one in driver.installed()}[PACKAGE] == "2.0-1"

    lines = Lines()
    plan = box.driver().upgrade("packages", [OTHER], lines, 10)

    assert plan.repaired == (PACKAGE,)
    assert names(plan) == [(OTHER, "1.0-1", "2.0-1")]
    assert f"An earlier run was interrupted; finishing it first: {PACKAGE}" in lines
    assert box.driver().unfinished() == ()
    assert box.shelf.installed_version(PACKAGE) == "2.0"


@pytest.mark.proves("PATCH-80")
def test_commands_of_a_dry_run_and_of_everything(box: DnfBox) -> None:
    box.add("2.0")

    assert commands(refreshed(box), PACKAGE) == (
        ["dnf --assumeno --setopt=best=True upgrade patchmon-test-tiny"],
        ["dnf -y --setopt=best=False upgrade"],
    )
    assert box.shelf.installed_version() == "2.0"
