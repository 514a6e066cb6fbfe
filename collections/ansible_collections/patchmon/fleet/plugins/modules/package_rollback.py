#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: EXE001 - modules carry a shebang and are never executable
"""Module package_rollback: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: package_rollback
short_description: Put earlier versions of packages back
version_added: 1.0.0
description:
  - Installs exactly the given versions, as M(patchmon.fleet.package_update) recorded them before an update.
  - >-
    A version is available while a package source of the host has it, or while the package manager keeps the file in
    its cache. What is no longer available is named before anything is changed.
  - The package lists are not fetched. Packages on hold are left alone.
  - In check mode the package manager plans the same run and nothing on the host is changed.
  - Configuration files and data that a newer version has converted are not converted back.
attributes:
  check_mode:
    description: The dry run. Reports what would change, and what is not available.
    support: full
  diff_mode:
    description: Shows versions before and after.
    support: full
  platform:
    description: Systems that the module works on.
    support: partial
    details: Debian, Ubuntu and their relatives. Any other package manager is refused by name.
    platforms: posix
options:
  packages:
    description: Names with the version to go back to, such as V(openssl=3.0.15-1~deb12u1).
    type: list
    elements: str
    required: true
  partial:
    description: Put back what is available when some of it is not. Otherwise that ends the task with nothing changed.
    type: bool
    default: false
  lock_timeout_seconds:
    description: How long to wait while another program holds the package database.
    type: int
    default: 600
extends_documentation_fragment:
  - patchmon.fleet.manager
seealso:
  - module: patchmon.fleet.package_update
"""

EXAMPLES = r"""
- name: Take an update of two packages back
  patchmon.fleet.package_rollback:
    packages:
      - openssl=3.0.15-1~deb12u1
      - libssl3=3.0.15-1~deb12u1
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
changes:
  description: Packages that changed, or would change in check mode, in the words of M(patchmon.fleet.package_update).
  returned: always
  type: list
  elements: dict
  sample:
    - name: openssl
      from: 3.0.17-1~deb12u2
      to: 3.0.15-1~deb12u1
      repository: http://deb.debian.org/debian bookworm/main
      security: false
      action: downgrade
      requested: true
unavailable:
  description: Versions that can be had from nowhere, each with RV(ignore:name) and RV(ignore:version).
  returned: always
  type: list
  elements: dict
kept_back:
  description: Packages that are on hold and were left alone.
  returned: always
  type: list
  elements: str
repaired:
  description: Packages that an interrupted run had left half done, and that were finished first.
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
log_tail:
  description: End of the output.
  returned: always
  type: str
notes:
  description: What a reader of the result should know.
  returned: always
  type: list
  elements: str
"""

from ansible_collections.patchmon.fleet.plugins.module_utils._course import MANAGERS, carry_out
from ansible_collections.patchmon.fleet.plugins.module_utils._rollback import Request, Rollback

ARGUMENTS = {
    "packages": {"type": "list", "elements": "str", "required": True},
    "partial": {"type": "bool", "default": False},
    "lock_timeout_seconds": {"type": "int", "default": 600},
    "manager": {"type": "str", "default": "auto", "choices": MANAGERS},
}


def main():
    """Read the options, let Rollback work, answer."""
    carry_out("package_rollback", ARGUMENTS, lambda live, **options: Rollback(Request(**options), live))


if __name__ == "__main__":
    main()
