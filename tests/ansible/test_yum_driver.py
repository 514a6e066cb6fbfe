"""The driver of CentOS 7 over a stand-in for yum 3 that refuses what yum 3 does not know and has dnf do the rest."""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers import Limits, PackageManagerError
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.yum import Yum

from tests.ansible.conftest import Lines, commands
from tests.ansible.scenarios import OTHER, PACKAGE, Box, Scenarios, refreshed
from tests.factories.rpm_repository import RpmRepository, missing_programs

MISSING = missing_programs("dnf")
pytestmark = [pytest.mark.real, pytest.mark.skipif(bool(MISSING), reason=f"not installed: {MISSING}")]
STAND_IN = Path(__file__).parents[1] / "stand_ins" / "yum3.py"


@dataclass
class YumBox:
    """A root that yum runs."""

    shelf: RpmRepository

    def add(self, version: str, *, package: str = PACKAGE, needs: str = "", against: str = "") -> None:
        self.shelf.add_version(version, package=package, requires=needs, conflicts=against)

    def driver(self) -> Yum:
        return Yum(str(self.shelf.root))

    def hold(self, package: str) -> None:
        self.shelf.configure(main=f"excludepkgs={package}")


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> YumBox:
    program = tmp_path / "bin" / "yum"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {STAND_IN} "$@"\n', encoding="ascii")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/sbin:/usr/bin:/sbin:/bin")
    shelf = RpmRepository(tmp_path)
    for package in (PACKAGE, OTHER):
        shelf.add_version("1.0", package=package)
        shelf.install("1.0", package=package)
    return YumBox(shelf)


class TestYum(Scenarios):
    """Yum 3."""

    def test_full_upgrade_alone_removes_what_is_in_the_way(self, box: Box) -> None:
        """Yum 3 removes nothing for an update: it fails, says why, and nothing was changed."""
        box.add("2.0", against=OTHER)
        driver = refreshed(box)

        with pytest.raises(PackageManagerError, match="Dependencies contradict each other") as failed:
            driver.upgrade("all", (), Lines(), 10, Limits(full=True))

        assert "Nothing was changed" in failed.value.text
        assert (box.shelf.installed_version(), box.shelf.installed_version(OTHER)) == ("1.0", "1.0")


@pytest.mark.proves("PATCH-80")
def test_commands_of_a_dry_run_and_of_everything(box: YumBox) -> None:
    box.add("2.0")
    driver = refreshed(box)

    assert commands(driver, PACKAGE) == (["yum --assumeno upgrade patchmon-test-tiny"], ["yum -y upgrade"])
    assert box.shelf.installed_version() == "2.0"
