"""What the apt driver reads: sources, policies, simulations, versions and kernels; and what it is made of."""

import ast
import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.apt_policy import (
    read_policies,
    read_security_sources,
    without_userinfo,
)
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.apt_simulation import (
    Step,
    read_kept_back,
    read_steps,
)
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.apt_sources import (
    read_deb822,
    read_one_line,
    read_sources,
)
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.base import Repository
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.catalogue import by_name, detect
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.debian_version import compare
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.kernels import (
    installed_kernel,
    needs_new_kernel,
)

from tests.ansible.conftest import COLLECTIONS, needs_apt

DRIVERS = COLLECTIONS / "ansible_collections/patchmon/fleet/plugins/module_utils/package_managers"


@pytest.mark.proves("INV-140")
def test_classic_sources() -> None:
    text = """
# deb http://commented.example/debian bookworm main
deb http://deb.debian.org/debian/ bookworm main contrib  # and a remark
deb-src [signed-by=/usr/share/keyrings/x.gpg arch=amd64] https://mirror.example/ubuntu jammy universe
deb https://robot:secret@private.example/apt ./
deb cdrom:[Debian GNU/Linux 12 _Bookworm_ - Official amd64]/ bookworm main
deb file:///srv/apt local main
nonsense
"""

    found = {repository.url: repository for repository in read_one_line(text)}

    assert list(found) == [
        "http://deb.debian.org/debian",
        "https://mirror.example/ubuntu",
        "https://private.example/apt",
        "cdrom:[Debian GNU/Linux 12 _Bookworm_ - Official amd64]",
        "file:/srv/apt",
    ]
    assert found["http://deb.debian.org/debian"] == Repository(
        name="deb.debian.org bookworm main contrib",
        url="http://deb.debian.org/debian",
        distribution="bookworm",
        components="main contrib",
        repo_type="deb",
        enabled=True,
        secure=False,
    )
    assert found["https://mirror.example/ubuntu"].repo_type == "deb-src"
    assert found["https://mirror.example/ubuntu"].secure
    assert found["https://private.example/apt"].distribution == "./"
    assert found["https://private.example/apt"].components == ""


@pytest.mark.proves("INV-140")
def test_deb822_sources() -> None:
    text = """# written by the installer
Types: deb deb-src
URIs: https://deb.debian.org/debian
Suites: bookworm
 bookworm-updates
Components: main non-free-firmware
# a remark in the middle
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBFjnxmcBEACn

Enabled: no
Types: deb
URIs: http://old.example/debian
Suites: buster
Components: main
"""

    found = list(read_deb822(text))

    assert [(r.repo_type, r.distribution, r.enabled, r.secure) for r in found] == [
        ("deb", "bookworm", True, True),
        ("deb", "bookworm-updates", True, True),
        ("deb-src", "bookworm", True, True),
        ("deb-src", "bookworm-updates", True, True),
        ("deb", "buster", False, False),
    ]
    assert found[0].components == "main non-free-firmware"


@pytest.mark.proves("INV-140")
def test_only_files_that_apt_reads_count(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("deb http://one.example/ a main\n", encoding="utf-8")
    (tmp_path / "sources.list.d/two.list").write_text("deb http://two.example/ b main\n", encoding="utf-8")
    (tmp_path / "sources.list.d/three.list.save").write_text("deb http://three.example/ c main\n", encoding="utf-8")
    (tmp_path / "sources.list.d/again.list").write_text("deb http://one.example/ a main\n", encoding="utf-8")

    assert [repository.url for repository in read_sources(tmp_path)] == ["http://one.example", "http://two.example"]


SOURCES = """Package files:
 100 /var/lib/dpkg/status
     release a=now
 510 https://esm.ubuntu.com/apps/ubuntu jammy-apps-updates/main amd64 Packages
     release v=22.04,o=UbuntuESMApps,a=jammy-apps-updates,n=jammy,l=UbuntuESMApps,c=main,b=amd64
     origin esm.ubuntu.com
 500 http://mirror.example/renamed stable-fixes/main amd64 Packages
     release v=12,o=Debian,a=stable,n=bookworm,l=Debian-Security,c=main,b=amd64
     origin mirror.example
 500 http://security.ubuntu.com/ubuntu jammy-security/main amd64 Packages
     release v=22.04,o=Ubuntu,a=jammy-security,n=jammy,l=Ubuntu,c=main,b=amd64
     origin security.ubuntu.com
 500 http://archive.ubuntu.com/ubuntu jammy-updates/main amd64 Packages
     release v=22.04,o=Ubuntu,a=jammy-updates,n=jammy,l=Ubuntu,c=main,b=amd64
     origin archive.ubuntu.com
 500 http://archive.ubuntu.com/ubuntu jammy/main amd64 Packages
     release v=22.04,o=Ubuntu,a=jammy,n=jammy,l=Ubuntu,c=main,b=amd64
     origin archive.ubuntu.com
Pinned packages:
     linux-image -> 5.15.0-1 with priority 1001
"""

POLICIES = """openssl:
  Installed: 3.0.2-0ubuntu1.10
  Candidate: 3.0.2-0ubuntu1.16
  Version table:
     3.0.2-0ubuntu1.16 500 (phased 30%)
        500 http://archive.ubuntu.com/ubuntu jammy-updates/main amd64 Packages
     3.0.2-0ubuntu1.15 500
        500 http://security.ubuntu.com/ubuntu jammy-security/main amd64 Packages
 *** 3.0.2-0ubuntu1.10 100
        100 /var/lib/dpkg/status
     3.0.2-0ubuntu1 500
        500 http://archive.ubuntu.com/ubuntu jammy/main amd64 Packages
libc6:i386:
  Installed: 2.35-0ubuntu3
  Candidate: 2.35-0ubuntu3
  Version table:
 *** 2.35-0ubuntu3 500
        500 http://archive.ubuntu.com/ubuntu jammy/main i386 Packages
        100 /var/lib/dpkg/status
own:
  Installed: 2.0
  Candidate: 2.0
  Package pin: 2.0
  Version table:
 *** 2.0 100
        100 /var/lib/dpkg/status
blocked:
  Installed: 1.0
  Candidate: 1.0
  Version table:
     1.1 -1
         -1 http://security.ubuntu.com/ubuntu jammy-security/main amd64 Packages
 *** 1.0 100
        100 /var/lib/dpkg/status
N: Unable to locate package nothing
gone:
  Installed: (none)
  Candidate: (none)
  Version table:
"""


def test_security_sources_are_known_by_suite_label_or_origin() -> None:
    found = {source.split()[0] for source in read_security_sources(SOURCES)}

    assert found == {
        "https://esm.ubuntu.com/apps/ubuntu",
        "http://mirror.example/renamed",
        "http://security.ubuntu.com/ubuntu",
    }


def test_policies() -> None:
    security = read_security_sources(SOURCES)
    policies = read_policies(POLICIES)

    assert list(policies) == ["openssl", "libc6:i386", "own", "blocked", "gone"]
    openssl = policies["openssl"]
    assert openssl.upgradable
    assert openssl.security_version(security) == "3.0.2-0ubuntu1.15"
    assert openssl.repository(openssl.candidate, security) == "http://archive.ubuntu.com/ubuntu jammy-updates/main"
    assert policies["libc6:i386"].repository("2.35-0ubuntu3", security) == "http://archive.ubuntu.com/ubuntu jammy/main"
    assert policies["own"].repository("2.0", security) == "local"
    assert not policies["blocked"].upgradable
    assert policies["blocked"].security_version(security) == ""
    assert policies["gone"].candidate == ""


def test_simulation() -> None:
    text = """Reading package lists...
The following packages were automatically installed and are no longer required:
  oldlib
The following packages have been kept back:
  linux-generic
  snapd
The following upgrades have been deferred due to phasing:
  openssl
The following packages will be upgraded:
  curl
Remv conflicting [1.0]
Inst libc6:i386 [2.35-0ubuntu3] (2.35-0ubuntu4 Ubuntu:22.04/jammy-updates [i386]) [curl:amd64 ]
Inst curl [7.81.0-1] (7.81.0-2 Ubuntu:22.04/jammy-updates, Ubuntu:22.04/jammy-security [amd64])
Inst newcomer (1:2.0 localhost [all])
Conf curl (7.81.0-2 Ubuntu:22.04/jammy-updates [amd64])
"""

    assert read_steps(text) == [
        Step("conflicting", "1.0", ""),
        Step("libc6:i386", "2.35-0ubuntu3", "2.35-0ubuntu4"),
        Step("curl", "7.81.0-1", "7.81.0-2"),
        Step("newcomer", "", "1:2.0"),
    ]
    assert read_kept_back(text) == ["linux-generic", "openssl", "snapd"]


def test_passwords_in_addresses_are_left_out() -> None:
    assert without_userinfo("https://robot:secret@private.example/apt") == "https://private.example/apt"
    assert without_userinfo("http://deb.debian.org/x@y") == "http://deb.debian.org/x@y"


@needs_apt
def test_versions_are_ordered_as_dpkg_orders_them() -> None:
    versions = [
        "0",
        "1.0",
        "1.0-0",
        "1.0~rc1",
        "1.0~~",
        "1.0a",
        "1.0+b1",
        "1:0.1",
        "1.0-1~bpo12+1",
        "1.0.10",
        "1.0.9",
        "1.",
        "5.2.15-2+b8",
    ]
    for left, right in itertools.combinations(versions, 2):
        order = compare(left, right)
        relation = "lt" if order < 0 else "gt" if order > 0 else "eq"
        done = subprocess.run(["dpkg", "--compare-versions", left, relation, right], check=False)
        assert done.returncode == 0, (left, relation, right)
        assert compare(right, left) == -order


@pytest.mark.parametrize(
    ("running", "on_disk", "newest", "needed"),
    [
        ("6.1.0-18-amd64", ["6.1.0-18-amd64"], "6.1.0-18-amd64", False),
        ("6.1.0-9-amd64", ["6.1.0-9-amd64", "6.1.0-18-amd64"], "6.1.0-18-amd64", True),
        ("5.15.0-105-generic", ["5.15.0-105-generic", "5.15.0-999-lowlatency"], "5.15.0-105-generic", False),
        ("6.1.0-18-cloud-amd64", ["6.1.0-21-amd64"], "", False),
        ("6.6.87-custom", [], "", False),
        ("6.1.0-18-amd64", ["6.1.0-17-amd64", "6.1.0-20-amd64.old"], "6.1.0-17-amd64", False),
    ],
)
def test_a_newer_kernel_of_the_same_flavour_asks_for_a_restart(
    tmp_path: Path, running: str, on_disk: list[str], newest: str, needed: bool
) -> None:
    (tmp_path / "boot").mkdir()
    for release in on_disk:
        (tmp_path / "boot" / f"vmlinuz-{release}").touch()

    assert installed_kernel(str(tmp_path), running) == newest
    assert bool(needs_new_kernel(str(tmp_path), running)) is needed


def test_the_flag_of_a_package_asks_for_a_restart_and_names_it(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    assert not by_name("apt", str(tmp_path)).reboot().required
    (tmp_path / "run/reboot-required").touch()
    (tmp_path / "run/reboot-required.pkgs").write_text("libc6\nlinux-base\nlibc6\n", encoding="utf-8")

    found = by_name("apt", str(tmp_path)).reboot()

    assert found.required
    assert found.reason == "A restart was asked for by libc6, linux-base"


def test_a_host_without_a_package_manager_is_told_what_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    script = "from package_managers import catalogue, processes\n"
    script += f"processes._SYSTEM_PATH = ('{tmp_path}/bin',)\n"
    script += "try:\n    catalogue.detect()\nexcept catalogue.UnsupportedPlatform as error:\n    print(error)\n"

    argv = [sys.executable, "-c", script]
    environment = {"PATH": str(tmp_path / "bin"), "PYTHONPATH": str(DRIVERS.parent)}

    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)

    assert "looked for apt-get, dnf, yum, zypper, pacman, apk, pkg" in done.stdout, done.stderr


def test_a_manager_without_a_driver_is_named_with_those_that_have_one(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/emerge").touch(mode=0o755)
    script = "from package_managers import catalogue\n"
    script += f"try:\n    catalogue.detect({str(tmp_path)!r})\n"
    script += "except catalogue.UnsupportedManager as error:\n    print(error)\n"
    environment = {"PATH": str(tmp_path / "bin"), "PYTHONPATH": str(DRIVERS.parent)}

    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)

    required = "apt, dnf, yum, zypper, pacman, apk, pkg required"
    assert done.stdout == f'package manager "portage" not supported for patching ({required})\n', done.stderr


@needs_apt
def test_this_machine_is_recognised() -> None:
    assert detect().name == "apt"


def test_drivers_import_under_the_short_name_with_the_standard_library_alone() -> None:
    script = f"import sys; sys.path.insert(0, {str(DRIVERS.parent)!r}); import package_managers; "
    script += "print(sorted(name for name in sys.modules if name.partition('.')[0] in ('ansible', 'yaml', 'jinja2')))"

    done = subprocess.run([sys.executable, "-I", "-S", "-c", script], capture_output=True, text=True, check=False)

    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("path", sorted(DRIVERS.glob("*.py")), ids=lambda path: path.name)
def test_drivers_are_written_for_python_3_9_and_import_only_each_other_and_the_standard_library(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))

    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level:
            assert (node.module or "").partition(".")[0] in sys.stdlib_module_names, node.module
        elif isinstance(node, ast.Import):
            assert all(alias.name.partition(".")[0] in sys.stdlib_module_names for alias in node.names)
