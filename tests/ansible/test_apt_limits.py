"""How far an update may go: hold and allow patterns, and the full upgrade, with apt in a root of its own."""

import pytest
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers import Limits, PackageManagerError, Plan

from tests.ansible.conftest import PACKAGE, Lines, apt, names, needs_apt
from tests.factories.apt_repository import AptRepository

pytestmark = needs_apt
OTHER = f"{PACKAGE}-other"
PART = f"{PACKAGE}-part"


@pytest.fixture
def two(root: AptRepository) -> AptRepository:
    """Two packages with an update each."""
    root.add_version("1.0", package=OTHER)
    root.install("1.0", package=OTHER)
    root.add_version("2.0")
    root.add_version("2.0", package=OTHER)
    root.refresh()
    return root


@pytest.mark.parametrize(
    "limits", [Limits(hold=("*-other",)), Limits(hold=(OTHER,)), Limits(allow=(PACKAGE,)), Limits(allow=("*-tin?",))]
)
@pytest.mark.parametrize("full", [False, True], ids=["upgrade", "full upgrade"])
def test_what_the_patterns_leave_alone_stays_and_is_told(two: AptRepository, limits: Limits, full: bool) -> None:
    limits = limits._replace(full=full)

    planned = apt(two).simulate("all", (), limits=limits)
    done = apt(two).upgrade("all", (), Lines(), 10, limits)

    assert names(planned) == [(PACKAGE, "1.0", "2.0")]
    assert planned.kept_back == (OTHER,)
    assert done == planned
    assert (two.installed_version(), two.installed_version(OTHER)) == ("2.0", "1.0")


def test_patterns_count_for_named_packages_and_for_fixes(two: AptRepository) -> None:
    two.add_version("3.0", package=OTHER, security=True)
    two.refresh()
    held = Limits(hold=("*-other",))

    assert apt(two).simulate("packages", [OTHER], limits=held) == Plan((), (OTHER,))
    assert apt(two).simulate("security", (), limits=held) == Plan((), (OTHER,))
    assert apt(two).upgrade("packages", [OTHER], Lines(), 10, held) == Plan((), (OTHER,))


def test_an_update_that_needs_a_held_package_is_left_out_of_everything(two: AptRepository) -> None:
    two.add_version("3.0", depends=f"{OTHER} (>= 2.0)")
    two.refresh()

    done = apt(two).upgrade("all", (), Lines(), 10, Limits(hold=("*-other",)))

    assert done.changes == ()
    assert set(done.kept_back) == {PACKAGE, OTHER}


def test_an_update_that_needs_a_held_package_is_refused_when_named(two: AptRepository) -> None:
    two.add_version("3.0", depends=f"{OTHER} (>= 2.0)")
    two.refresh()

    with pytest.raises(PackageManagerError, match="Dependencies contradict each other") as refused:
        apt(two).upgrade("packages", [PACKAGE], Lines(), 10, Limits(hold=("*-other",)))

    assert f"{PACKAGE} : Depends: {OTHER} (>= 2.0)" in refused.value.text
    assert "Nothing was changed" in refused.value.text
    assert two.installed_version() == "1.0"


def test_a_held_pattern_also_keeps_new_packages_out(root: AptRepository) -> None:
    root.add_version("1.0", package=PART)
    root.add_version("2.0", depends=PART)
    root.refresh()

    assert apt(root).simulate("all", (), limits=Limits(hold=("*-part",))) == Plan((), (PACKAGE,))
    allowed = apt(root).simulate("all", (), limits=Limits(allow=(PACKAGE,)))
    assert sorted(names(allowed)) == [(PACKAGE, "1.0", "2.0"), (PART, "", "1.0")]


def test_only_a_full_upgrade_removes_and_never_what_is_held(two: AptRepository) -> None:
    two.add_version("3.0", conflicts=OTHER)
    two.add_version("3.0", package=PART)
    two.refresh()

    assert PACKAGE in apt(two).simulate("all", ()).kept_back
    full = apt(two).simulate("all", (), limits=Limits(full=True))
    with pytest.raises(PackageManagerError, match=f"leave alone: {OTHER}\\. Nothing was changed"):
        apt(two).upgrade("all", (), Lines(), 10, Limits(hold=(OTHER,), full=True))
    assert two.installed_version(OTHER) == "1.0"
    done = apt(two).upgrade("all", (), Lines(), 10, Limits(full=True))

    assert {change.name: change.action for change in full.changes} == {PACKAGE: "upgrade", OTHER: "remove"}
    assert sorted(done.changes) == sorted(full.changes)
    assert two.installed_version(OTHER) is None


@pytest.mark.parametrize(
    ("scope", "limits", "said"),
    [
        ("all", Limits(hold=("*\nPin: version *",)), "Not a pattern"),
        ("all", Limits(allow=("$(reboot)",)), "Not a pattern"),
        ("all", Limits(hold=("",)), "Not a pattern"),
        ("security", Limits(full=True), "needs the scope 'all'"),
    ],
)
def test_wrong_limits_are_refused_before_anything_happens(
    two: AptRepository, scope: str, limits: Limits, said: str
) -> None:
    with pytest.raises(PackageManagerError, match="Nothing was changed") as refused:
        apt(two).upgrade(scope, (), Lines(), 10, limits)

    assert said in refused.value.text
    assert two.installed_version() == "1.0"
