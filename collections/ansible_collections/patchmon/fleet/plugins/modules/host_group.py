#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: EXE001 - modules carry a shebang and are never executable
"""Module host_group: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host_group
short_description: Add, change or remove a host group of a PatchMon server
version_added: 1.0.0
description:
  - Keeps a host group. A group that hosts are in is not removed.
attributes:
  diff_mode:
    description: Shows before and after.
    support: full
options:
  name:
    description: The name of the group.
    type: str
    required: true
  description:
    description: What it is for. Without it that stays.
    type: str
  color:
    description: Its colour as V(#3B82F6). Without it that stays.
    type: str
  state:
    description: Whether it is to be there.
    type: str
    default: present
    choices: [present, absent]
extends_documentation_fragment:
  - patchmon.fleet.auth
"""

EXAMPLES = r"""
- name: Keep a group
  patchmon.fleet.host_group:
    name: Web servers
    color: "#3B82F6"
  delegate_to: localhost
"""

RETURN = r"""
id:
  description: The id of the group, empty while there is none.
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.patchmon.fleet.plugins.module_utils._arguments import with_state
from ansible_collections.patchmon.fleet.plugins.module_utils._client import Client, settle


def main():
    """Look, compare, change."""
    arguments = with_state(name={"type": "str", "required": True}, description={"type": "str"}, color={"type": "str"})
    module = AnsibleModule(argument_spec=arguments, supports_check_mode=True)
    client, given = Client(module), module.params
    group = client.named("/host-groups", given["name"])
    before = {name: group[name] or "" for name in ("name", "description", "color")} if group else {}
    if given["state"] == "absent":
        settle(module, before, {}, lambda: client.ask("DELETE", f"/host-groups/{group['id']}") and None, id=_id(group))
    wanted = {name: given[name] for name in ("description", "color") if given[name] is not None}
    if group:
        after = {**before, **wanted}
        settle(module, before, after, lambda: _kept(client.ask("PUT", f"/host-groups/{group['id']}", after)))
    after = {"name": given["name"], **wanted}
    settle(module, {}, after, lambda: _kept(client.ask("POST", "/host-groups", after)))


def _id(group):
    return group["id"] if group else ""


def _kept(group):
    return {"id": group["id"]}


if __name__ == "__main__":
    main()
