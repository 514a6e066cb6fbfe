#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: EXE001 - modules carry a shebang and are never executable
"""Module tag_info: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tag_info
short_description: Read the tags of a host of a PatchMon server
version_added: 1.0.0
description:
  - Reads the tags of a host and changes nothing.
attributes:
  diff_mode:
    description: Shows before and after.
    support: none
options:
  host:
    description: The friendly name of the host, or its id. Without it all tags in use are read.
    type: str
extends_documentation_fragment:
  - patchmon.fleet.auth
"""

EXAMPLES = r"""
- name: Read the tags of a host
  patchmon.fleet.tag_info:
    host: web-01
  delegate_to: localhost
  register: found
"""

RETURN = r"""
tags:
  description: What was found.
  returned: always
  type: raw
"""

from ansible_collections.patchmon.fleet.plugins.module_utils._lookup import look_up


def main():
    """Ask and answer."""
    look_up("tags")


if __name__ == "__main__":
    main()
