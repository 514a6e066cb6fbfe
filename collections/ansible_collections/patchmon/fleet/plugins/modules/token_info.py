#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: EXE001 - modules carry a shebang and are never executable
"""Module token_info: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: token_info
short_description: Read tokens of programs, without their secrets of a PatchMon server
version_added: 1.0.0
description:
  - Reads tokens of programs, without their secrets and changes nothing.
attributes:
  check_mode:
    description: Says what would change and changes nothing.
    support: full
  diff_mode:
    description: Shows before and after.
    support: none
  platform:
    description: Systems that the module works on.
    support: full
    platforms: posix
options:
  name:
    description: The name of a token, or its id. Without it all tokens are read.
    type: str
extends_documentation_fragment:
  - patchmon.fleet.auth
"""

EXAMPLES = r"""
- name: Read tokens of programs, without their secrets
  patchmon.fleet.token_info:
  delegate_to: localhost
  register: found
"""

RETURN = r"""
tokens:
  description: What was found.
  returned: always
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.patchmon.fleet.plugins.module_utils._arguments import with_auth
from ansible_collections.patchmon.fleet.plugins.module_utils._client import Client


def main():
    """Ask and answer."""
    module = AnsibleModule(argument_spec=with_auth(name={"type": "str"}), supports_check_mode=True)
    client, given = Client(module), module.params
    found = [
        one
        for one in client.ask("GET", "/auto-enrollment/tokens")
        if given["name"] in (None, one["token_name"], one["id"])
    ]
    module.exit_json(changed=False, tokens=found)


if __name__ == "__main__":
    main()
