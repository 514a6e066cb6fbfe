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

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.patchmon.fleet.plugins.module_utils._arguments import with_auth
from ansible_collections.patchmon.fleet.plugins.module_utils._client import Client


def main():
    """Ask and answer."""
    module = AnsibleModule(argument_spec=with_auth(host={"type": "str"}), supports_check_mode=True)
    client, given = Client(module), module.params
    if given["host"]:
        found = client.ask("GET", f"/hosts/{client.host(given['host'])['id']}/tags")["tags"]
    else:
        found = client.ask("GET", "/hosts/tags")
    module.exit_json(changed=False, tags=found)


if __name__ == "__main__":
    main()
