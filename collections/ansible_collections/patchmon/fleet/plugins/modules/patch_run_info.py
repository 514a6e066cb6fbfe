#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: EXE001 - modules carry a shebang and are never executable
"""Module patch_run_info: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: patch_run_info
short_description: Read patch runs of a PatchMon server
version_added: 1.0.0
description:
  - Reads patch runs and changes nothing.
attributes:
  diff_mode:
    description: Shows before and after.
    support: none
options:
  id:
    description: The id of a run. Without it the newest runs are read.
    type: str
extends_documentation_fragment:
  - patchmon.fleet.auth
"""

EXAMPLES = r"""
- name: Read patch runs
  patchmon.fleet.patch_run_info:
    id: 0b9a1f0e-5f0c-4a53-8d7e-0d9f6f1f3a11
  delegate_to: localhost
  register: found
"""

RETURN = r"""
runs:
  description: What was found.
  returned: always
  type: list
  elements: dict
"""

from ansible_collections.patchmon.fleet.plugins.module_utils._lookup import look_up


def main():
    """Ask and answer."""
    look_up("runs")


if __name__ == "__main__":
    main()
