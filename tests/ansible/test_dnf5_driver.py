"""The dnf driver against real dnf 5, which runs in a small Debian of its own and works on roots outside of it."""

import os
from pathlib import Path

import pytest

from tests.ansible.conftest import commands
from tests.ansible.scenarios import OTHER, PACKAGE, Scenarios, refreshed
from tests.ansible.test_dnf_driver import (  # noqa: F401 (what dnf 4 must do, dnf 5 must too)
    DnfBox,
    test_a_dry_run_with_fresh_lists_leaves_those_of_the_host_alone,
    test_a_new_package_that_a_pattern_holds_keeps_out_what_needs_it,
    test_contradicting_dependencies_are_told_as_one_sentence,
    test_security_is_what_a_notice_names_and_exactly_that_version,
    test_the_root_is_recognised,
)
from tests.factories.debian_root import NoRoot, with_dnf5
from tests.factories.rpm_repository import RpmRepository, missing_programs

MISSING = missing_programs("dnf")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {MISSING}"),
    # The small Debian is made once.
    pytest.mark.xdist_group("dnf5"),
]


#: Its own system around it, and the test's folder in the same place.
_INSIDE = """#!/bin/sh
exec unshare --mount sh -c '
    mkdir -p {system}{folder} && mount --bind {folder} {system}{folder} && mount -t proc proc {system}/proc
    exec chroot {system} /usr/bin/dnf5 "$@"' dnf5 "$@"
"""


@pytest.fixture
def box(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DnfBox:
    """A root that dnf 5 runs."""
    try:
        system = with_dnf5(request.config.cache)
    except NoRoot as error:
        pytest.skip(str(error))
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "dnf5"
    program.write_text(_INSIDE.format(system=system, folder=tmp_path), encoding="utf-8")
    program.chmod(0o755)
    # Distributions that have it call it dnf.
    (programs / "dnf").symlink_to(program)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    shelf = RpmRepository(tmp_path)
    for package in (PACKAGE, OTHER):
        shelf.add_version("1.0", package=package)
        shelf.install("1.0", package=package)
    return DnfBox(shelf)


class TestDnf5(Scenarios):
    """Dnf 5."""


@pytest.mark.proves("PATCH-80")
def test_commands_of_a_dry_run_and_of_everything(box: DnfBox) -> None:
    box.add("2.0")

    assert commands(refreshed(box), PACKAGE) == (
        ["dnf --assumeno --setopt=best=True upgrade --skip-unavailable patchmon-test-tiny"],
        ["dnf -y --setopt=best=False upgrade"],
    )
    assert box.shelf.installed_version() == "2.0"
