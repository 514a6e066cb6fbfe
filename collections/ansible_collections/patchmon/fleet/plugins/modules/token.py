#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: EXE001 - modules carry a shebang and are never executable
"""Module token: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: token
short_description: Add, change or remove a token of programs on a PatchMon server
version_added: 1.0.0
description:
  - Keeps a token of Settings, Integrations, known by its name.
  - The secret is returned once, for a new token. Register it with C(no_log).
attributes:
  diff_mode:
    description: Shows before and after.
    support: full
options:
  name:
    description: The name of the token, or its id.
    type: str
    required: true
  usage:
    description: What a new token is for.
    type: str
    default: api
    choices: [api, gethomepage, proxmox-lxc, direct-host]
  scopes:
    description: What an API token may do, lists of actions by resource. A new one needs it.
    type: dict
  allowed_ip_ranges:
    description: Addresses and networks it may be used from. Without it they stay.
    type: list
    elements: str
  max_hosts_per_day:
    description: How many hosts an enrolment token may add in a day. Without it that stays.
    type: int
  active:
    description: Whether it works. Without it that stays.
    type: bool
  state:
    description: Whether it is to be there.
    type: str
    default: present
    choices: [present, absent]
extends_documentation_fragment:
  - patchmon.fleet.auth
"""

EXAMPLES = r"""
- name: A token for the inventory
  patchmon.fleet.token:
    name: Ansible
    scopes:
      host: [get]
  delegate_to: localhost
  register: made
  no_log: true
"""

RETURN = r"""
id:
  description: The id of the token, empty while there is none.
  returned: always
  type: str
token_key:
  description: The key of the token.
  returned: when there is one
  type: str
token_secret:
  description: Its secret.
  returned: when a token was added
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.patchmon.fleet.plugins.module_utils._arguments import with_state
from ansible_collections.patchmon.fleet.plugins.module_utils._client import Client, settle

PATH = "/auto-enrollment/tokens"


def main():
    """Look, compare, change."""
    usages = ["api", "gethomepage", "proxmox-lxc", "direct-host"]
    arguments = with_state(
        name={"type": "str", "required": True},
        usage={"type": "str", "default": "api", "choices": usages},
        scopes={"type": "dict"},
        allowed_ip_ranges={"type": "list", "elements": "str"},
        max_hosts_per_day={"type": "int"},
        active={"type": "bool"},
    )
    module = AnsibleModule(argument_spec=arguments, supports_check_mode=True)
    client, given = Client(module), module.params
    token = client.named(PATH, given["name"], "token_name")
    wanted = {name: given[name] for name in ("scopes", "allowed_ip_ranges", "max_hosts_per_day")}
    wanted = {name: value for name, value in {**wanted, "is_active": given["active"]}.items() if value is not None}
    before = {name: token[name] for name in ("token_name", *wanted)} if token else {}
    known = {"id": token["id"] if token else "", "token_key": token["token_key"] if token else ""}
    if given["state"] == "absent":
        settle(module, before, {}, lambda: client.ask("DELETE", f"{PATH}/{token['id']}") and None, **known)
    if token:
        change = f"{PATH}/{token['id']}"
        settle(module, before, {**before, **wanted}, lambda: client.ask("PATCH", change, wanted) and None, **known)
    after = {"token_name": given["name"], **wanted}
    settle(module, {}, after, lambda: _add(client, given, after))


def _add(client, given, after):
    made = client.ask("POST", PATH, {**after, "metadata": {"integration_type": given["usage"]}})["token"]
    if given["active"] is False:
        client.ask("PATCH", f"{PATH}/{made['id']}", {"is_active": False})
    return {name: made[name] for name in ("id", "token_key", "token_secret")}


if __name__ == "__main__":
    main()
