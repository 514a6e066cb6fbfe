#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: EXE001 - modules carry a shebang and are never executable
"""Module host_group_info: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_group_info
short_description: Read host groups of a PatchMon server
version_added: 1.0.0
description:
  - Reads host groups and changes nothing.
attributes:
  diff_mode:
    description: Shows before and after.
    support: none
options:
  name:
    description: The name of a group, or its id. Without it all groups are read.
    type: str
extends_documentation_fragment:
  - patchmon.fleet.auth
"""

EXAMPLES = r"""
- name: Read host groups
  patchmon.fleet.host_group_info:
  delegate_to: localhost
  register: found
"""

RETURN = r"""
host_groups:
  description: What was found.
  returned: always
  type: list
  elements: dict
"""

from ansible_collections.patchmon.fleet.plugins.module_utils._lookup import look_up


def main():
    """Ask and answer."""
    look_up("host_groups")


if __name__ == "__main__":
    main()
