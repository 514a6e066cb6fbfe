"""What every driver must do, played with the real package manager in a root of its own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

import pytest
from ansible_collections.patchmon.fleet.plugins.module_utils._update import PackageUpdate, Request
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers import (
    Exact,
    Limits,
    PackageManager,
    PackageManagerError,
    Plan,
)

from tests.ansible.conftest import Lines, names

PACKAGE = "patchmon-test-tiny"
PART = f"{PACKAGE}-part"
OTHER = f"{PACKAGE}-other"


class Shelf(Protocol):
    """What the factories of repositories have in common."""

    root: Path
    folder: Path

    def installed_version(self, package: str = PACKAGE) -> str | None:
        """Version without its release."""


class Box(Protocol):
    """A root with the old versions of two packages, and its repository."""

    @property
    def shelf(self) -> Shelf:
        """The repository and its root."""

    def add(self, version: str, *, package: str = PACKAGE, needs: str = "", against: str = "") -> None:
        """Put a version onto the shelf."""

    def driver(self) -> PackageManager:
        """A fresh driver, as a new process has it."""

    def hold(self, package: str) -> None:
        """Have the host's own settings keep a package."""


def refreshed(box: Box) -> PackageManager:
    """A driver with fresh lists."""
    box.driver().refresh(Lines(), 10)
    return box.driver()


class Scenarios:
    """Subclasses give a fixture `box`: the tiny package and another one in version 1.0, release 1, are installed."""

    def test_list_of_what_is_installed(self, box: Box) -> None:
        found = {one.name: one for one in refreshed(box).installed()}

        assert found[PACKAGE].version == "1.0-1"
        assert found[PACKAGE].description == "Tiny package of version 1.0"
        assert set(found) == {PACKAGE, OTHER}

    def test_updates_are_found_with_their_source(self, box: Box) -> None:
        refreshed(box)
        box.add("2.0")
        assert box.driver().updates() == [], "nobody has fetched the new lists yet"

        (update,) = refreshed(box).updates()

        assert update[:3] == (PACKAGE, "1.0-1", "2.0-1")
        assert not update.security
        assert update.repository in {one.name for one in box.driver().repositories()}

    def test_simulate_tells_what_upgrade_all_does(self, box: Box) -> None:
        box.add("1.0", package=PART)
        box.add("2.0", needs=PART)
        driver = refreshed(box)
        said, done_lines = Lines(), Lines()

        planned = driver.simulate("all", (), said)
        assert box.shelf.installed_version() == "1.0", "only looked"
        done = driver.upgrade("all", (), done_lines, 10)

        assert sorted(names(planned)) == [(PACKAGE, "1.0-1", "2.0-1"), (PART, "", "1.0-1")]
        assert done == planned
        assert {change.name: change.action for change in done.changes} == {PACKAGE: "upgrade", PART: "install"}
        assert {change.repository for change in done.changes} == {one.name for one in driver.repositories()}
        assert (box.shelf.installed_version(), box.shelf.installed_version(PART)) == ("2.0", "1.0")
        assert said[0].startswith("$ ")
        assert any(PACKAGE in line for line in done_lines[1:]), done_lines

    def test_the_course_of_the_module_dry_and_real(self, box: Box) -> None:
        refreshed(box)
        box.add("2.0")

        def run(*, check: bool) -> dict[str, object]:
            request = Request(
                check=check,
                scope="all",
                packages=(),
                refresh=True,
                cache_max_age_minutes=0,
                lock_timeout_seconds=10,
                manager=box.driver().name,
                root=str(box.shelf.root),
            )
            return PackageUpdate(request, Lines()).run()

        dry = run(check=True)
        before = box.shelf.installed_version()
        real = run(check=False)

        assert (before, box.shelf.installed_version()) == ("1.0", "2.0")
        assert real["changes"]
        assert real["refreshed"]
        if dry["refreshed"]:
            assert dry["changes"] == real["changes"]
        else:
            assert dry["notes"], "a dry run with old lists says so"
        assert run(check=False)["changes"] == []

    def test_upgrade_named_leaves_the_rest(self, box: Box) -> None:
        box.add("2.0")
        box.add("2.0", package=OTHER)
        driver = refreshed(box)

        done = driver.upgrade("packages", [OTHER], Lines(), 10)

        assert names(done) == [(OTHER, "1.0-1", "2.0-1")]
        assert (box.shelf.installed_version(), box.shelf.installed_version(OTHER)) == ("1.0", "2.0")
        assert driver.upgrade("packages", [OTHER], Lines(), 10) == Plan((), ()), "nothing left to do"

    def test_held_by_the_host_is_shown_and_kept_back(self, box: Box) -> None:
        box.add("2.0")
        box.add("2.0", package=OTHER)
        refreshed(box)
        box.hold(OTHER)
        driver = box.driver()

        assert {update.name for update in driver.updates()} == {PACKAGE, OTHER}
        assert driver.simulate("packages", [OTHER]) == Plan((), (OTHER,))
        planned = driver.simulate("all", ())
        assert planned.kept_back == (OTHER,)
        assert driver.upgrade("all", (), Lines(), 10) == planned
        assert (box.shelf.installed_version(), box.shelf.installed_version(OTHER)) == ("2.0", "1.0")

    @pytest.mark.parametrize("limits", [Limits(hold=("*-other",)), Limits(allow=(PACKAGE,))], ids=["hold", "allow"])
    def test_held_by_a_pattern_stays_and_is_told(self, box: Box, limits: Limits) -> None:
        box.add("2.0")
        box.add("2.0", package=OTHER)
        driver = refreshed(box)

        planned = driver.simulate("all", (), limits=limits)
        done = driver.upgrade("all", (), Lines(), 10, limits)

        assert names(planned) == [(PACKAGE, "1.0-1", "2.0-1")]
        assert planned.kept_back == (OTHER,)
        assert done == planned
        assert driver.simulate("packages", [OTHER], limits=limits) == Plan((), (OTHER,))
        assert (box.shelf.installed_version(), box.shelf.installed_version(OTHER)) == ("2.0", "1.0")

    def test_full_upgrade_alone_removes_what_is_in_the_way(self, box: Box) -> None:
        box.add("2.0", against=OTHER)
        driver = refreshed(box)

        with forgiven():
            driver.upgrade("all", (), Lines(), 10)
        assert (box.shelf.installed_version(), box.shelf.installed_version(OTHER)) == ("1.0", "1.0")
        with pytest.raises(PackageManagerError, match="Nothing was changed"):
            driver.upgrade("all", (), Lines(), 10, Limits(hold=(OTHER,), full=True))
        planned = driver.simulate("all", (), limits=Limits(full=True))
        done = driver.upgrade("all", (), Lines(), 10, Limits(full=True))

        assert sorted(planned.changes) == sorted(done.changes)
        assert {change.name: change.action for change in done.changes} == {PACKAGE: "upgrade", OTHER: "remove"}
        assert box.shelf.installed_version(OTHER) is None

    @pytest.mark.parametrize(
        ("scope", "packages", "said"),
        [
            ("packages", ["nowhere"], "Not installed on this host: nowhere. Nothing was changed."),
            ("packages", [], "no package was named"),
            ("packages", ["--root=/"], "Not a package name: '--root=/'"),
            ("everything", [], "Unknown scope 'everything'"),
        ],
    )
    def test_a_wrong_request_is_refused(self, box: Box, scope: str, packages: list[str], said: str) -> None:
        driver = box.driver()
        attempts: tuple[Callable[[], Plan], ...] = (
            lambda: driver.simulate(scope, packages),
            lambda: driver.upgrade(scope, packages, Lines(), 10),
        )
        for attempt in attempts:
            with pytest.raises(PackageManagerError, match="Nothing was changed") as refused:
                attempt()
            assert said in refused.value.text

    def test_a_source_out_of_reach_keeps_the_old_list_or_says_so(self, box: Box) -> None:
        box.add("2.0")
        refreshed(box)
        box.shelf.folder.rename(box.shelf.folder.with_name("elsewhere"))

        try:
            notes = box.driver().refresh(Lines(), 10)
        except PackageManagerError as problem:
            notes = (problem.text,)

        assert any("could not be reached" in note or "cannot be reached" in note for note in notes), notes
        assert [update.available for update in box.driver().updates()] == ["2.0-1"]

    def test_a_package_that_is_gone_from_its_source_fails_in_plain_words(self, box: Box) -> None:
        box.add("2.0")
        driver = refreshed(box)
        for file in (*box.shelf.folder.rglob(f"{PACKAGE}-2.0*.rpm"), *box.shelf.folder.glob(f"{PACKAGE}-2.0*.tar.gz")):
            file.unlink()

        with pytest.raises(PackageManagerError, match="no longer, in the package sources") as failed:
            driver.upgrade("all", (), Lines(), 10)

        assert failed.value.done == Plan((), ())
        assert box.shelf.installed_version() == "1.0"

    @pytest.mark.proves("INV-140")
    def test_repositories_are_those_of_the_host(self, box: Box) -> None:
        (repository,) = box.driver().repositories()

        assert repository.url == f"file://{box.shelf.folder}"
        assert repository.enabled
        assert not repository.secure

    def test_reboot_is_not_asked_for_in_a_root_that_does_not_run(self, box: Box) -> None:
        assert box.driver().reboot() == (False, "")

    def test_the_way_back_is_planned_and_gone(self, box: Box) -> None:
        box.add("2.0")
        driver = refreshed(box)
        record = driver.upgrade("all", (), Lines(), 10)
        back = [Exact(change.name, change.from_version) for change in record.changes]

        assert driver.missing([*back, Exact("nowhere", "1-1")]) == (Exact("nowhere", "1-1"),)
        assert names(driver.simulate_exact(back)) == [(PACKAGE, "2.0-1", "1.0-1")]
        done = driver.install_exact(back, Lines(), 10)

        assert [change.action for change in done.changes] == ["downgrade"]
        assert box.shelf.installed_version() == "1.0"
        assert driver.install_exact(back, Lines(), 10) == Plan((), ()), "already there"

    def test_the_age_of_the_lists_is_known(self, box: Box) -> None:
        age = refreshed(box).cache_age_seconds()

        assert age is not None
        assert age < 60


@contextmanager
def forgiven() -> Iterator[None]:
    """Some managers refuse what others leave out."""
    with suppress(PackageManagerError):
        yield
