"""Installs what the tests need from the system's packages, where it can; says what is missing where it cannot."""

import os
import shutil
import subprocess
import sys
from typing import Final

#: program → Debian package; each test that needs one skips with its reason when it is absent.
NEEDS: Final = {
    "chromium": "chromium",
    "dpkg-deb": "dpkg",
    "dpkg-scanpackages": "dpkg-dev",
    "sshd": "openssh-server",
    "shellcheck": "shellcheck",
    "systemd-analyze": "systemd",
    "setpriv": "util-linux",
    "ip": "iproute2",
    "curl": "curl",
    "jq": "jq",
    "dash": "dash",
    "busybox": "busybox",
    "rpmbuild": "rpm",
    "createrepo_c": "createrepo-c",
    "dnf": "dnf",
    "zypper": "zypper",
    "pacman": "pacman-package-manager",
    "podman": "podman",
    "docker-registry": "docker-registry",
    "oscap": "openscap-scanner",
}


def main() -> int:
    """Install the missing ones when this is root on a Debian-like system."""
    missing = {program: package for program, package in NEEDS.items() if shutil.which(program, path=_path()) is None}
    if not missing:
        return 0
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        print("not installed, tests that need them are skipped:", ", ".join(sorted(missing)))
        return 0
    print("▸ Installing", ", ".join(sorted(missing.values())), flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    update = subprocess.run(["apt-get", "-qq", "update"], env=environment, check=False)
    install = subprocess.run(
        ["apt-get", "-qq", "-y", "--no-install-recommends", "install", *sorted(set(missing.values()))],
        env=environment,
        stdout=subprocess.DEVNULL,
        check=False,
    )
    return update.returncode or install.returncode


def _path() -> str:
    return os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


sys.exit(main())
