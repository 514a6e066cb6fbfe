"""What the drivers of rpm systems read, dnf 5 and yum 3 included, whose output is written here as they document it."""

from pathlib import Path

import pytest
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers import PackageManagerError
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.catalogue import by_name, detect
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.dnf_faults import CAUSES
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.rpm_repositories import read_repositories
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.rpm_tools import (
    evr,
    name_of,
    split_nevra,
    word_of,
)
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.rpm_transaction import Row, read_rows
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.rpm_version import compare
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.yum import read_listing
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.zypper_formats import read_patches


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.0-1", "1.0-2"),
        ("1.9-1", "1.10-1"),
        ("1.0~rc1-1", "1.0-1"),
        ("1.0-1", "1.0^git1-1"),
        ("1.0^git1-1", "1.0.1-1"),
        ("1.0-1", "1.0a-1"),
        ("1.0a-1", "1.0.1-1"),
        ("9.9-1", "1:0.1-1"),
        ("5.14.0-427.9.1.el9", "5.14.0-427.13.1.el9_4"),
        ("2.0-1.el9", "2.0-1.el9_4.2"),
    ],
)
def test_versions_are_ordered_as_rpm_does(older: str, newer: str) -> None:
    assert compare(older, newer) < 0
    assert compare(newer, older) > 0
    assert compare(newer, newer) == 0


def test_leading_zeros_and_separators_do_not_count() -> None:
    assert compare("1.01-1", "1.1-1") == 0
    assert compare("1_0-1", "1.0-1") == 0


def test_foreign_architectures_belong_to_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.uname", lambda: type("Uname", (), {"machine": "x86_64"}))

    assert [name_of("glibc", kind) for kind in ("x86_64", "noarch", "i686")] == ["glibc", "glibc", "glibc:i686"]
    assert word_of("glibc:i686", "2.34-1") == "glibc-2.34-1.i686"
    assert evr("0", "1", "2") == "1-2"
    assert evr("3", "1", "2") == "3:1-2"
    found = split_nevra("python3-foo-1:2.0~rc1-3.el9.noarch")
    assert found is not None
    assert found[:2] == ("python3-foo", "1:2.0~rc1-3.el9")
    assert split_nevra("FEDORA-2026-0123456789") is None


FIFTH = """
Package              Arch   Version       Repository      Size
Upgrading:
 bash                noarch 5.2.26-3.fc40 updates      8.1 MiB
   replacing bash    noarch 5.2.26-1.fc40 anaconda     8.1 MiB
Installing dependencies:
 new-part            noarch 1:1.0-1       fedora      10.0 KiB
   replacing old-one noarch 0.9-1         anaconda     1.0 KiB
Removing dependent packages:
 gone                noarch 3.0-1         @System      1.0 KiB
Skipping packages with conflicts:
 stuck               noarch 9-1           updates      1.0 KiB

Transaction Summary:
 Upgrading:         1 package
"""

FOURTH_WRAPPED = """
Dependencies resolved.
================================================================================
 Package                                    Arch   Version        Repo     Size
================================================================================
Upgrading:
 a-package-with-quite-a-long-name-for-a-small-screen
                                            noarch 20260101.1-1.el9_4
                                                                  updates 1.0 M
     replacing  short-one.noarch 1.0-1
 zlib                                       noarch 1.2-1          base     60 k
Skipping packages with broken dependencies:
 stuck                                      noarch 9-1            updates 1.0 k

Transaction Summary
================================================================================
Upgrade  2 Packages
"""

THIRD = """
Dependencies Resolved

================================================================================
 Package           Arch            Version                 Repository      Size
================================================================================
Updating:
 openssl           noarch          1:1.0.2k-26.el7_9       updates        494 k
Installing for dependencies:
 openssl-part      noarch          1.0-1                   base           1.2 M

Transaction Summary
================================================================================
"""


def test_the_table_of_dnf_5() -> None:
    assert read_rows(FIFTH) == [
        Row("bash", "5.2.26-3.fc40", "updates", False),
        Row("new-part", "1:1.0-1", "fedora", False),
        Row("old-one", "0.9-1", "", True),
        Row("gone", "3.0-1", "System", True),
    ]


def test_the_table_of_dnf_4_with_broken_lines() -> None:
    assert read_rows(FOURTH_WRAPPED) == [
        Row("a-package-with-quite-a-long-name-for-a-small-screen", "20260101.1-1.el9_4", "updates", False),
        Row("short-one", "1.0-1", "", True),
        Row("zlib", "1.2-1", "base", False),
    ]


def test_the_table_of_yum_3() -> None:
    assert read_rows(THIRD) == [
        Row("openssl", "1:1.0.2k-26.el7_9", "updates", False),
        Row("openssl-part", "1.0-1", "base", False),
    ]


def test_the_list_of_yum_3_goes_on_in_the_next_line() -> None:
    text = """
bash.noarch                    4.2.46-35.el7_9                  updates
a-package-with-a-very-long-name.noarch
                               0:1.0-1.el7                      base
Obsoleting Packages
new.noarch                     2-1                              base
    old.noarch                 1-1                              @base
"""

    assert read_listing(text) == [
        ("bash", "4.2.46-35.el7_9", "updates"),
        ("a-package-with-a-very-long-name", "1.0-1.el7", "base"),
    ]


@pytest.mark.proves("INV-140")
def test_repositories_are_the_enabled_ones_one_row_an_address(tmp_path: Path) -> None:
    folder = tmp_path / "etc/yum.repos.d"
    folder.mkdir(parents=True)
    (tmp_path / "etc/os-release").write_text('ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.4"\n', "utf-8")
    (tmp_path / "etc/dnf/vars").mkdir(parents=True)
    (tmp_path / "etc/dnf/vars/mirror").write_text("mirror.example\n", encoding="utf-8")
    (folder / "a.repo").write_text(
        "[baseos]\nname=Base\nbaseurl=https://robot:secret@$mirror/$releasever/os/ http://other.example/$releasever\n"
        "[off]\nname=Off\nbaseurl=https://off.example\nenabled=0\n"
        "[appstream]\nname=App\nmirrorlist=https://mirrors.example/?repo=app-$releasever\n"
        "[again]\nname=Same\nbaseurl=http://other.example/9/\n",
        encoding="utf-8",
    )
    (folder / "broken.repo").write_text("baseurl=https://nobody.example\n", encoding="utf-8")

    found = read_repositories(str(tmp_path), ("etc/yum.repos.d",))

    assert [(one.name, one.url, one.secure) for one in found] == [
        ("baseos", "https://mirror.example/9/os", True),
        ("baseos", "http://other.example/9", False),
        ("appstream", "https://mirrors.example/?repo=app-9", True),
    ]
    assert {(one.repo_type, one.enabled, one.distribution) for one in found} == {("rpm", True, "9")}


def test_a_patch_of_zypper_names_the_versions_that_are_too_old() -> None:
    text = "Status : needed\nConflicts : [3]\n    tiny.noarch < 2.0-1\n    srcpackage:tiny < 2.0-1\n    libx1 < 1.4-2\n"

    assert list(read_patches(text)) == [("tiny", "2.0-1"), ("libx1", "1.4-2")]


@pytest.mark.parametrize(
    ("output", "sentence"),
    [
        ("Error: Failed to download metadata for repo 'baseos': Cannot download repomd.xml", "reached: baseos"),
        ("Error: GPG check FAILED", "not signed with a key"),
        (
            "  - At least 12MB more space needed on the / filesystem.\nNo space left on device",
            "disk of the host is full",
        ),
        ("error: rpmdb open failed", "rpm --rebuilddb"),
        (
            "Error: \n Problem: package a-2 requires b >= 2, but none of the providers can be installed",
            "a-2 requires b",
        ),
        ("Error: The operation would result in removing the following protected packages: systemd", "protected"),
        ("something never seen", ""),
    ],
)
def test_faults_of_dnf_are_told_in_plain_words(output: str, sentence: str) -> None:
    assert sentence in CAUSES.explain(output)
    assert bool(CAUSES.explain(output)) is bool(sentence)


@pytest.mark.parametrize("manager", ["dnf", "yum", "zypper", "pacman", "apk", "pkg"])
def test_a_root_without_the_manager_is_not_its_own(tmp_path: Path, manager: str) -> None:
    assert not by_name(manager, str(tmp_path)).available()


def test_a_manager_that_cannot_go_back_says_which_can() -> None:
    for manager in ("apk", "pkg"):
        with pytest.raises(PackageManagerError, match="cannot go back to earlier versions \\(apt, dnf, yum, zypper"):
            by_name(manager).missing(())


def test_the_systems_own_manager_comes_before_others_installed_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("dnf", "zypper", "rpm"):
        (programs / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(programs))
    root = tmp_path / "root"
    (root / "var/lib/rpm").mkdir(parents=True)
    (root / "var/lib/rpm/rpmdb.sqlite").touch()
    (root / "etc").mkdir()

    for release, manager in (("ID=fedora", "dnf"), ('ID="opensuse-leap"\nID_LIKE="suse opensuse"', "zypper")):
        (root / "etc/os-release").write_text(f"{release}\n", encoding="utf-8")
        assert detect(str(root)).name == manager
