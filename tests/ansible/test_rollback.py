"""Going back to earlier versions: the driver in a root of its own, the playbook as an agent runs it."""

import shutil

import pytest
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers import (
    Exact,
    PackageManager,
    PackageManagerError,
    Plan,
)

from tests.ansible.conftest import PACKAGE, Lines, PlayStarter, apt, names, needs_apt, needs_root
from tests.factories.apt_repository import AptRepository

BACK = Exact(PACKAGE, "1.0")


@pytest.fixture
def patched(root: AptRepository) -> AptRepository:
    """The tiny package was updated; its old version is still on the shelf."""
    root.add_version("2.0")
    root.refresh()
    apt(root).upgrade("all", (), Lines(), 10)
    return root


@needs_apt
def test_the_way_back_is_planned_and_gone(patched: AptRepository) -> None:
    planned = apt(patched).simulate_exact([BACK])
    assert patched.installed_version() == "2.0"
    done = apt(patched).install_exact([BACK], Lines(), 10)

    assert names(planned) == [(PACKAGE, "2.0", "1.0")]
    assert [change.action for change in planned.changes] == ["downgrade"]
    assert done == planned
    assert patched.installed_version() == "1.0"
    assert apt(patched).install_exact([BACK], Lines(), 10) == Plan((), ()), "already there"


@needs_apt
def test_what_a_run_brought_back_is_what_its_record_said(root: AptRepository) -> None:
    root.add_version("2.0")
    root.refresh()
    record = apt(root).upgrade("all", (), Lines(), 10)

    back = [Exact(change.name, change.from_version) for change in record.changes]
    apt(root).install_exact(back, Lines(), 10)

    assert root.installed_version() == "1.0"


@needs_apt
def test_a_version_that_no_source_has_is_named(patched: AptRepository) -> None:
    patched.withdraw("1.0")
    patched.refresh()

    assert apt(patched).missing([BACK, Exact("nowhere", "1")]) == (BACK, Exact("nowhere", "1"))
    assert apt(patched).missing([Exact(PACKAGE, "2.0")]) == ()


@needs_apt
def test_a_file_that_apt_kept_is_as_good_as_a_source(patched: AptRepository) -> None:
    file = patched.file("1.0")
    assert patched.root is not None
    shutil.copy(file, patched.root / "var/cache/apt/archives" / file.name)
    patched.withdraw("1.0")
    patched.refresh()

    assert apt(patched).missing([BACK]) == ()
    done = apt(patched).install_exact([BACK], Lines(), 10)

    assert names(done) == [(PACKAGE, "2.0", "1.0")]
    assert patched.installed_version() == "1.0"


@needs_apt
def test_a_package_on_hold_stays(patched: AptRepository) -> None:
    patched.hold()

    assert apt(patched).install_exact([BACK], Lines(), 10) == Plan((), (PACKAGE,))
    assert patched.installed_version() == "2.0"


@needs_apt
@pytest.mark.parametrize(
    "wanted",
    [
        [Exact(PACKAGE, "1.0; reboot")],
        [Exact(f"{PACKAGE}$(reboot)", "1.0")],
        [Exact(PACKAGE, "-o")],
        [Exact(PACKAGE, "1.0"), Exact(PACKAGE, "2.0")],
    ],
)
def test_wrong_names_and_versions_are_refused(patched: AptRepository, wanted: list[Exact]) -> None:
    with pytest.raises(PackageManagerError, match="Nothing was changed"):
        apt(patched).install_exact(wanted, Lines(), 10)


def test_a_manager_without_a_way_back_says_so() -> None:
    with pytest.raises(PackageManagerError, match="cannot go back to earlier versions"):
        PackageManager().missing([BACK])


def test_a_manager_that_cannot_go_back_is_refused_by_name(play: PlayStarter) -> None:
    task = (
        "- hosts: all\n  gather_facts: false\n  tasks:\n"
        "    - patchmon.fleet.package_rollback: {manager: apk, packages: [bash=1]}\n"
    )

    run = play(task, "--check")

    assert run.code == 2
    assert run.last["msg"].startswith('Package manager "apk" cannot go back to earlier versions')
    assert '"apk"' in run.result("package_rollback")["error"]


@pytest.mark.parametrize(
    ("packages", "said"),
    [("[]", "No package was named"), ("[bash]", "Not of the form name=version: 'bash'")],
)
def test_a_request_that_says_too_little_is_refused(play: PlayStarter, packages: str, said: str) -> None:
    run = play("rollback", variables=f"rollback_packages: {packages}\n")

    assert run.code == 2
    assert said in run.last["msg"]
    assert run.result("package_rollback")["changes"] == []


@pytest.mark.real
@needs_apt
@needs_root
def test_the_playbook_takes_this_machines_update_back_and_says_what_it_cannot(
    machine: AptRepository, play: PlayStarter
) -> None:
    machine.add_version("2.0")
    machine.install("2.0")

    dry = play("rollback", "--check", variables=f"rollback_packages: [{PACKAGE}=1.0]\n")
    assert dry.code == 0, dry.output
    assert [(change["from"], change["to"], change["action"]) for change in dry.last["changes"]] == [
        ("2.0", "1.0", "downgrade")
    ]
    assert machine.installed_version() == "2.0"
    missing = play("rollback", variables=f"rollback_packages: [{PACKAGE}=1.0, dpkg=0.1]\n")
    assert missing.code == 2
    assert missing.last["msg"].startswith("No longer available: dpkg 0.1. Nothing was changed.")
    assert missing.last["unavailable"] == [{"name": "dpkg", "version": "0.1"}]
    assert machine.installed_version() == "2.0"

    real = play("rollback", variables=f"rollback_partial: true\nrollback_packages: [{PACKAGE}=1.0, dpkg=0.1]\n")

    assert real.code == 0, real.output
    assert real.last["notes"] == ["No longer available, left as it is: dpkg 0.1"]
    assert machine.installed_version() == "1.0"
