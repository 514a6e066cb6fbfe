"""The pacman driver against real pacman in roots of their own."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers import Limits, PackageManagerError
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.pacman import Pacman
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.pacman_version import compare

from tests.ansible.conftest import Lines, commands, names
from tests.ansible.scenarios import OTHER, PACKAGE, PART, Scenarios, refreshed
from tests.factories.pacman_repository import REPOSITORY, PacmanRepository

needs_pacman = pytest.mark.skipif(
    shutil.which("pacman") is None or os.geteuid() != 0, reason="needs root and pacman (pacman-package-manager)"
)


@dataclass
class PacmanBox:
    """A root that pacman runs."""

    shelf: PacmanRepository

    def add(self, version: str, *, package: str = PACKAGE, needs: str = "", against: str = "") -> None:
        self.shelf.add_version(version, package=package, depends=needs, conflicts=against)

    def driver(self) -> Pacman:
        return Pacman(str(self.shelf.root))

    def hold(self, package: str) -> None:
        self.shelf.configure(f"IgnorePkg = {package}")


@pytest.fixture
def box(tmp_path: Path) -> PacmanBox:
    shelf = PacmanRepository(tmp_path)
    for package in (PACKAGE, OTHER):
        shelf.add_version("1.0", package=package)
    shelf.install(PACKAGE, OTHER)
    return PacmanBox(shelf)


@needs_pacman
class TestPacman(Scenarios):
    """Pacman of Arch Linux."""


@needs_pacman
def test_security_is_refused_because_nobody_could_tell(box: PacmanBox) -> None:
    with pytest.raises(PackageManagerError, match=r"cannot tell security fixes .* Nothing was changed"):
        box.driver().simulate("security", ())


@needs_pacman
def test_a_refresh_leaves_the_lists_of_the_host_alone_until_a_run(box: PacmanBox) -> None:
    lists = box.shelf.root / "var/lib/pacman/sync" / f"{REPOSITORY}.db"
    before = lists.read_bytes()
    box.add("2.0")

    driver = refreshed(box)

    assert names(driver.simulate("all", ())) == [(PACKAGE, "1.0-1", "2.0-1")]
    assert lists.read_bytes() == before
    driver.upgrade("all", (), Lines(), 10)
    assert lists.read_bytes() != before


@needs_pacman
def test_a_partial_update_is_warned_of(box: PacmanBox) -> None:
    box.add("2.0")
    lines = Lines()

    refreshed(box).simulate("packages", [PACKAGE], lines)

    assert "Partial update: this distribution supports only updates of everything together" in lines


@needs_pacman
def test_a_new_package_that_a_pattern_holds_ends_the_run(box: PacmanBox) -> None:
    box.add("1.0", package=PART)
    box.add("2.0", needs=PART)

    with pytest.raises(PackageManagerError, match="Dependencies contradict each other") as refused:
        refreshed(box).simulate("all", (), limits=Limits(hold=("*-part",)))

    assert "Nothing was changed" in refused.value.text


@needs_pacman
def test_the_run_gives_up_on_a_locked_database_and_says_so(box: PacmanBox) -> None:
    box.add("2.0")
    driver = refreshed(box)
    (box.shelf.root / "var/lib/pacman/db.lck").touch()

    with pytest.raises(PackageManagerError, match="Gave up after 1 seconds") as gave_up:
        driver.upgrade("all", (), Lines(), 1)

    assert "db.lck" in gave_up.value.text
    assert "Nothing was changed" in gave_up.value.text


@needs_pacman
def test_what_an_interrupted_update_left_is_told_and_finished_first(box: PacmanBox) -> None:
    box.add("2.0")
    driver = refreshed(box)
    (box.shelf.root / f"var/lib/pacman/local/{PACKAGE}-1.0-1/desc").unlink()
    assert (driver.unfinished(), driver.busy()) == ((PACKAGE,), "")

    plan = driver.upgrade("all", (), Lines(), 10)

    assert plan.repaired == (PACKAGE,)
    assert box.shelf.installed_version() in {"1.0", "2.0"}
    assert refreshed(box).upgrade("all", (), Lines(), 10).repaired == ()
    assert (box.driver().unfinished(), box.shelf.installed_version()) == ((), "2.0")
    (box.shelf.root / "var/lib/pacman/db.lck").touch()
    assert "another program holds" in box.driver().busy()


@needs_pacman
def test_a_package_that_no_source_has_is_foreign(box: PacmanBox) -> None:
    box.shelf.configure()
    text = (box.shelf.root / "etc/pacman.conf").read_text(encoding="utf-8")
    (box.shelf.root / "etc/pacman.conf").write_text(text.partition(f"[{REPOSITORY}]")[0], encoding="utf-8")

    assert {one.repository for one in box.driver().installed()} == {"foreign"}
    assert box.driver().repositories() == []


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.0-1", "1.0-2"),
        ("1.9-1", "1.10-1"),
        ("1.0rc1-1", "1.0-1"),
        ("1.0-1", "1.0.1-1"),
        ("2:1.0-1", "3:0.1-1"),
        ("9-1", "1:1-1"),
        ("20240101-1", "20240102-1"),
    ],
)
def test_versions_are_ordered_as_pacman_does(older: str, newer: str) -> None:
    assert compare(older, newer) < 0
    assert compare(newer, older) > 0
    assert compare(older, older) == 0


@pytest.mark.proves("PATCH-80")
def test_commands_of_a_dry_run_and_of_everything(box: PacmanBox) -> None:
    box.add("2.0")

    assert commands(refreshed(box), PACKAGE) == (["pacman --print -S --needed patchmon-test-tiny"], ["pacman -Su"])
    assert box.shelf.installed_version() == "2.0"
