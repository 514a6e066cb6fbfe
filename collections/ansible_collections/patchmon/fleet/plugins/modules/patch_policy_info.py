#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: EXE001 - modules carry a shebang and are never executable
"""Module patch_policy_info: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: patch_policy_info
short_description: Read patch policies of a PatchMon server
version_added: 1.0.0
description:
  - Reads patch policies and changes nothing.
attributes:
  diff_mode:
    description: Shows before and after.
    support: none
options:
  name:
    description: The name of a policy, or its id. Without it all policies are read.
    type: str
extends_documentation_fragment:
  - patchmon.fleet.auth
"""

EXAMPLES = r"""
- name: Read patch policies
  patchmon.fleet.patch_policy_info:
  delegate_to: localhost
  register: found
"""

RETURN = r"""
policies:
  description: What was found.
  returned: always
  type: list
  elements: dict
"""

from ansible_collections.patchmon.fleet.plugins.module_utils._lookup import look_up


def main():
    """Ask and answer."""
    look_up("policies")


if __name__ == "__main__":
    main()
