"""The zypper driver against real zypper and rpm in roots of their own."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers import PackageManagerError, Plan
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.zypper import Zypper

from tests.ansible.conftest import Lines, commands, names
from tests.ansible.scenarios import OTHER, PACKAGE, Scenarios, refreshed
from tests.factories.rpm_repository import REPOSITORY, RpmRepository, missing_programs

MISSING = missing_programs("zypper")
pytestmark = [pytest.mark.real, pytest.mark.skipif(bool(MISSING), reason=f"not installed: {MISSING}")]


@dataclass
class ZypperBox:
    """A root that zypper runs."""

    shelf: RpmRepository

    def add(self, version: str, *, package: str = PACKAGE, needs: str = "", against: str = "") -> None:
        self.shelf.add_version(version, package=package, requires=needs, conflicts=against)

    def driver(self) -> Zypper:
        return Zypper(str(self.shelf.root))

    def hold(self, package: str) -> None:
        locks = self.shelf.root / "etc/zypp/locks"
        locks.write_text(
            f"\ntype: package\nmatch_type: glob\ncase_sensitive: on\nsolvable_name: {package}\n", encoding="utf-8"
        )


@pytest.fixture
def box(tmp_path: Path) -> ZypperBox:
    shelf = RpmRepository(tmp_path)
    for package in (PACKAGE, OTHER):
        shelf.add_version("1.0", package=package)
        shelf.install("1.0", package=package)
    return ZypperBox(shelf)


class TestZypper(Scenarios):
    """Zypper of openSUSE and SUSE Linux Enterprise."""


def test_security_is_what_a_patch_asks_for_and_exactly_that_version(box: ZypperBox) -> None:
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
    assert done == planned
    assert [update.security for update in driver.updates()] == [False, False]


def test_sources_are_told_by_their_short_name(box: ZypperBox) -> None:
    found = {one.name: one.repository for one in refreshed(box).installed()}

    assert found == {PACKAGE: REPOSITORY, OTHER: REPOSITORY}


def test_contradicting_dependencies_are_told_as_one_sentence(box: ZypperBox) -> None:
    box.add("2.0", needs="nothing-like-this")
    driver = refreshed(box)

    with pytest.raises(PackageManagerError, match="Dependencies contradict each other") as refused:
        driver.simulate("packages", [PACKAGE])

    assert "nothing provides" in refused.value.text
    assert "Nothing was changed" in refused.value.text


def test_what_an_interrupted_update_left_is_told_and_finished_first(box: ZypperBox) -> None:
    box.add("2.0")
    box.shelf.install_beside("2.0")
    driver = refreshed(box)
    assert (driver.unfinished(), driver.busy()) == ((PACKAGE,), "")

    assert driver.repair(Lines(), 10) == Plan((), (), (PACKAGE,))
    assert (box.driver().unfinished(), box.shelf.installed_version()) == ((), "2.0")


@pytest.mark.proves("PATCH-80")
def test_commands_of_a_dry_run_and_of_everything(box: ZypperBox) -> None:
    box.add("2.0")

    assert commands(refreshed(box), PACKAGE) == (["zypper --dry-run update patchmon-test-tiny"], ["zypper update"])
    assert box.shelf.installed_version() == "2.0"
