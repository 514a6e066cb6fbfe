#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: EXE001 - modules carry a shebang and are never executable
"""Module package_update: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: package_update
short_description: Update the packages of a host
version_added: 1.0.0
description:
  - Updates all packages, only those with a security fix, or named ones, with the package manager of the host.
  - Only packages that are installed already are updated. New ones come in when an update needs them.
  - Existing configuration files stay as they are.
  - What is reported as changed was read from the package database before and after, not from the output.
  - In check mode the package manager plans the same run and nothing on the host is changed, its package lists included.
attributes:
  check_mode:
    description: The dry run. Reports what would change.
    support: full
  diff_mode:
    description: Shows versions before and after.
    support: full
  platform:
    description: Systems that the module works on.
    support: partial
    details: Systems with apt, dnf, yum, zypper, pacman, apk or pkg.
    platforms: posix
options:
  scope:
    description:
      - V(all) updates everything that can be updated without removing a package, unless O(full_upgrade=true).
      - >-
        V(security) updates exactly the packages for which a version from a security source is waiting, to the newest
        version from such a source.
      - V(packages) updates the packages in O(packages).
      - V(repair) updates nothing and finishes what an interrupted run left half done, as every scope does first.
    type: str
    default: all
    choices: [all, security, packages, repair]
  packages:
    description:
      - Names of installed packages. Only with O(scope=packages).
      - A name that is not installed ends the task before anything is changed.
    type: list
    elements: str
    default: []
  hold_patterns:
    description:
      - Patterns in the manner of file names, such as V(linux-image-*). Packages whose name fits are never touched.
      - An update that needs one of them is left out, or ends the task before anything is changed.
    type: list
    elements: str
    default: []
  allow_patterns:
    description:
      - When there are any, installed packages whose name fits none of them stay as they are.
      - New packages still come in when an update needs them.
    type: list
    elements: str
    default: []
  full_upgrade:
    description: Also make updates that can be had only by removing other packages. Only with O(scope=all).
    type: bool
    default: false
  refresh:
    description:
      - Fetch the package lists first.
      - In check mode they are fetched into a temporary folder by root, and used as they are by anybody else.
    type: bool
    default: true
  cache_max_age_minutes:
    description: Fetch the package lists only when they are older than this. V(0) fetches them always.
    type: int
    default: 0
  lock_timeout_seconds:
    description: How long to wait while another program holds the package database.
    type: int
    default: 600
extends_documentation_fragment:
  - patchmon.fleet.manager
seealso:
  - module: patchmon.fleet.inventory_facts
"""

EXAMPLES = r"""
- name: Update everything
  patchmon.fleet.package_update:

- name: Install security fixes only
  patchmon.fleet.package_update:
    scope: security

- name: Update two packages, with lists no older than an hour
  patchmon.fleet.package_update:
    scope: packages
    packages: [openssl, curl]
    cache_max_age_minutes: 60

- name: Update everything but kernels and the database
  patchmon.fleet.package_update:
    hold_patterns: ["linux-*", "postgresql*"]
"""

RETURN = r"""
manager:
  description: Package manager that was used.
  returned: always
  type: str
  sample: apt
check:
  description: Whether this was a dry run.
  returned: always
  type: bool
refreshed:
  description: Whether the package lists were fetched.
  returned: always
  type: bool
changes:
  description: Packages that changed, or would change in check mode.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Name of the package, with its architecture when that is a foreign one.
      type: str
    from:
      description: Version before, empty for a new package.
      type: str
    to:
      description: Version after, empty for a removed package.
      type: str
    repository:
      description: Where the new version comes from.
      type: str
    security:
      description: Whether the change brings a security fix.
      type: bool
    action:
      description: One of upgrade, install, remove and downgrade.
      type: str
    requested:
      description: V(false) for packages that were pulled in beyond the request.
      type: bool
  sample:
    - name: openssl
      from: 3.0.15-1~deb12u1
      to: 3.0.17-1~deb12u2
      repository: http://deb.debian.org/debian-security bookworm-security/main
      security: true
      action: upgrade
      requested: true
kept_back:
  description: Packages with an update that was left out, for example because they are on hold.
  returned: always
  type: list
  elements: str
repaired:
  description: Packages that an interrupted run had left half done, and that were finished first. Empty in check mode.
  returned: always
  type: list
  elements: str
reboot_required:
  description: Whether the host should be restarted.
  returned: always
  type: bool
reboot_reason:
  description: Why it should, empty if not.
  returned: always
  type: str
restart_services:
  description: Services that still run replaced files, where the host can tell.
  returned: always
  type: list
  elements: str
log_tail:
  description: End of the output.
  returned: always
  type: str
notes:
  description: What a reader of the result should know, such as package lists that could not be fetched in a dry run.
  returned: always
  type: list
  elements: str
"""

from ansible_collections.patchmon.fleet.plugins.module_utils._course import MANAGERS, carry_out
from ansible_collections.patchmon.fleet.plugins.module_utils._update import PackageUpdate, Request

ARGUMENTS = {
    "scope": {"type": "str", "default": "all", "choices": ["all", "security", "packages", "repair"]},
    "packages": {"type": "list", "elements": "str", "default": []},
    "hold_patterns": {"type": "list", "elements": "str", "default": []},
    "allow_patterns": {"type": "list", "elements": "str", "default": []},
    "full_upgrade": {"type": "bool", "default": False},
    "refresh": {"type": "bool", "default": True},
    "cache_max_age_minutes": {"type": "int", "default": 0},
    "lock_timeout_seconds": {"type": "int", "default": 600},
    "manager": {"type": "str", "default": "auto", "choices": MANAGERS},
}


def main():
    """Read the options, let PackageUpdate work, answer."""
    carry_out("package_update", ARGUMENTS, lambda live, **options: PackageUpdate(Request(**options), live))


if __name__ == "__main__":
    main()
