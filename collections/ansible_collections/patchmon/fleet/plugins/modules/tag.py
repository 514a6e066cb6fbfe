#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: EXE001 - modules carry a shebang and are never executable
"""Module tag: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: tag
short_description: Keep the tags of a host of a PatchMon server
version_added: 1.0.0
description:
  - Gives a host tags or takes them away. Other tags of it stay unless O(purge=true).
attributes:
  diff_mode:
    description: Shows before and after.
    support: full
options:
  host:
    description: The friendly name of the host, or its id.
    type: str
    required: true
  tags:
    description: Tags by key. With O(state=absent) only the keys count.
    type: dict
    required: true
  purge:
    description: Whether all other tags of the host are taken away.
    type: bool
    default: false
  state:
    description: Whether it is to be there.
    type: str
    default: present
    choices: [present, absent]
extends_documentation_fragment:
  - patchmon.fleet.auth
"""

EXAMPLES = r"""
- name: Tag a host
  patchmon.fleet.tag:
    host: web-01
    tags:
      env: prod
  delegate_to: localhost
"""

RETURN = r"""
tags:
  description: The tags of the host as they are, or would be.
  returned: always
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.patchmon.fleet.plugins.module_utils._arguments import with_state
from ansible_collections.patchmon.fleet.plugins.module_utils._client import Client, settle


def main():
    """Look, compare, change."""
    arguments = with_state(
        host={"type": "str", "required": True},
        tags={"type": "dict", "required": True},
        purge={"type": "bool", "default": False},
    )
    module = AnsibleModule(argument_spec=arguments, supports_check_mode=True)
    client, given = Client(module), module.params
    host = client.host(given["host"])["id"]
    before = client.ask("GET", f"/hosts/{host}/tags")["tags"]
    told = {key: "" if value is None else str(value) for key, value in given["tags"].items()}
    if given["state"] == "absent":
        after = {key: value for key, value in before.items() if key not in told}
    else:
        after = told if given["purge"] else {**before, **told}
    settle(
        module, before, after, lambda: client.ask("PUT", f"/hosts/{host}/tags", {"tags": after}) and None, tags=after
    )


if __name__ == "__main__":
    main()
