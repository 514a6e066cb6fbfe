"""Packages that existing agents' output names, and what their commands can say."""

from dataclasses import replace

import pytest

from server.patching import native_rules as rules
from server.patching.models import Status
from server.patching.native_models import NativeRun
from server.patching.native_rules import Stage

DNF = """
$ dnf upgrade -y
Dependencies resolved.
================================================================================
 Package              Architecture  Version                Repository      Size
================================================================================
Installing:
 kernel               x86_64        5.14.0-427.el9         baseos         1.2 M
Upgrading:
 curl                 x86_64        7.76.1-29.el9_4        baseos         292 k
 a-very-long-name-of-a-package-that-takes-a-line-of-its-own
                      noarch        1:2.0-1.el9            appstream       12 k
Installing dependencies:
 kernel-core          x86_64        5.14.0-427.el9         baseos          17 M

Transaction Summary
================================================================================
Upgrade  2 Packages

Upgraded:
  curl-7.76.1-29.el9_4.x86_64
"""
YUM = """
Updating:
 openssl      x86_64      1:1.0.2k-26.el7_9      updates       494 k
Updating for dependencies:
 openssl-libs x86_64      1:1.0.2k-26.el7_9      updates       1.2 M

Transaction Summary
"""
PKG = """
Updating FreeBSD repository catalogue...
The following 3 package(s) will be affected (of 0 checked):

New packages to be INSTALLED:
\tlibfoo: 1.2

Installed packages to be UPGRADED:
\tcurl: 8.5.0 -> 8.6.0 [FreeBSD]
\tpy39-pip: 23.2 -> 23.3

Number of packages to be installed: 1
"""
BASE = "$ freebsd-update install\nInstalling updates... done.\n"


def names(text: str, platform: str = "linux", *requested: str) -> list[tuple[str, str, str]]:
    return [(row["name"], row["from"], row["to"]) for row in rules.affected(text, requested, platform)]


def test_tables_of_dnf_and_yum_are_read() -> None:
    assert names(DNF) == [
        ("kernel", "", "5.14.0-427.el9"), ("curl", "", "7.76.1-29.el9_4"),
        ("a-very-long-name-of-a-package-that-takes-a-line-of-its-own", "", "1:2.0-1.el9"),
        ("kernel-core", "", "5.14.0-427.el9"),
    ]  # fmt: skip
    assert [row["action"] for row in rules.affected(DNF, (), "linux")] == ["install", "upgrade", "upgrade", "install"]
    assert [name for name, _, _ in names(YUM)] == ["openssl", "openssl-libs"]


def test_lists_of_pkg_are_read_and_the_base_system_is_one_package_of_freebsd() -> None:
    assert names(PKG, "freebsd") == [
        ("libfoo", "", "1.2"), ("curl", "8.5.0", "8.6.0"), ("py39-pip", "23.2", "23.3"),
    ]  # fmt: skip
    assert names(PKG + BASE, "freebsd")[-1] == ("freebsd-base", "", "")
    assert "freebsd-base" not in [name for name, _, _ in names(PKG + BASE)]


def test_lines_of_apt_are_put_together() -> None:
    text = (
        "Inst libssl3:amd64 [3.0.13] (3.0.14 Debian-Security:12/stable-security [amd64])\n"
        "Unpacking libssl3:amd64 (3.0.14) over (3.0.13) ...\nUnpacking newone (1.0) ...\n"
        "Setting up libssl3:amd64 (3.0.14) ...\nSetting up newone (1.0) ...\nInst broken\n"
    )
    assert names(text) == [("libssl3", "3.0.13", "3.0.14"), ("newone", "", "1.0")]
    first, second = rules.affected(text, ("newone",), "linux")
    assert (first["security"], first["requested"], first["action"]) == (True, False, "upgrade")
    assert (second["security"], second["requested"], second["action"]) == (False, True, "install")
    assert names("winget upgrade --all\nInstalling: nothing\n (1/2) curl\n", "windows") == []


def test_no_output_takes_long_to_read() -> None:
    for line in (
        " " * 50_000,
        " a " * 20_000,
        "Inst " + "[" * 50_000,
        "\ta: " + "b" * 50_000,
        "Unpacking " + "(" * 50_000,
    ):
        assert names(f"Upgrading:\nInstalled packages to be UPGRADED:\n{line}\n" * 3) is not None


RUN = NativeRun("id", "hand", "patch_package", ["curl"], dry_run=False, windows=False)


@pytest.mark.parametrize("wish", ["holds", "allows", "security_only", "full_upgrade", "reboots", "snapshot", "hooks"])
def test_every_wish_beyond_the_command_is_refused(wish: str) -> None:
    assert rules.refusal(RUN) == ""
    assert "cannot" in rules.refusal(replace(RUN, **{wish: True}))  # type: ignore[arg-type]


@pytest.mark.proves("PATCH-81")
def test_commands_stay_below_what_agents_read() -> None:
    assert rules.command(RUN) == {
        "type": "run_patch", "patch_run_id": "id", "patch_type": "patch_package", "package_name": "curl",
        "package_names": ["curl"], "dry_run": False,
    }  # fmt: skip
    assert "so many" in rules.refusal(replace(RUN, package_names=["x" * 250] * 300))
    assert rules.refusal(replace(RUN, package_names=["x" * 100] * 300)) == ""


def test_the_table_of_stages() -> None:
    over = {Status.CANCELLED, Status.COMPLETED, Status.FAILED, Status.VALIDATED, Status.DRY_RUN_COMPLETED}
    for status in Status:
        for stage in Stage:
            blocked = status in over | {Status.APPROVED} or (stage is Stage.STARTED and status == Status.TIMED_OUT)
            assert rules.counts(status, stage) is not blocked
