#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: EXE001 - modules carry a shebang and are never executable
"""Module host_info: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_info
short_description: Read hosts of a PatchMon server
version_added: 1.0.0
description:
  - Reads hosts and changes nothing.
attributes:
  diff_mode:
    description: Shows before and after.
    support: none
options:
  name:
    description: The friendly name of a host, or its id. Without it all hosts are read.
    type: str
extends_documentation_fragment:
  - patchmon.fleet.auth
"""

EXAMPLES = r"""
- name: Read hosts
  patchmon.fleet.host_info:
  delegate_to: localhost
  register: found
"""

RETURN = r"""
hosts:
  description: What was found.
  returned: always
  type: list
  elements: dict
"""

from ansible_collections.patchmon.fleet.plugins.module_utils._lookup import look_up


def main():
    """Ask and answer."""
    look_up("hosts")


if __name__ == "__main__":
    main()
