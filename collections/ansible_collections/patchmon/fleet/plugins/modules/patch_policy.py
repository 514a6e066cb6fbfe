#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: EXE001 - modules carry a shebang and are never executable
"""Module patch_policy: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: patch_policy
short_description: Add, change or remove a patch policy of a PatchMon server
version_added: 1.0.0
description:
  - Keeps a patch policy and whom it is given to.
attributes:
  diff_mode:
    description: Shows before and after.
    support: full
options:
  name:
    description: The name of the policy, or its id.
    type: str
    required: true
  description:
    description: What it is for. Without it that stays.
    type: str
  patch_delay_type:
    description: When its runs begin. A new policy without it runs immediately.
    type: str
    choices: [immediate, delayed, fixed_time]
  delay_minutes:
    description: How long V(delayed) runs wait.
    type: int
  fixed_time_utc:
    description: The time of V(fixed_time) as V(03:00).
    type: str
  timezone:
    description: The zone that the time is in.
    type: str
  groups:
    description: Names or ids of the groups it is given to, and no other. Without it they stay.
    type: list
    elements: str
  state:
    description: Whether it is to be there.
    type: str
    default: present
    choices: [present, absent]
extends_documentation_fragment:
  - patchmon.fleet.auth
"""

EXAMPLES = r"""
- name: Patch web servers at night
  patchmon.fleet.patch_policy:
    name: Nightly
    patch_delay_type: fixed_time
    fixed_time_utc: "03:00"
    timezone: Europe/Berlin
    groups: [Web servers]
  delegate_to: localhost
"""

RETURN = r"""
id:
  description: The id of the policy, empty while there is none.
  returned: always
  type: str
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.patchmon.fleet.plugins.module_utils._arguments import with_state
from ansible_collections.patchmon.fleet.plugins.module_utils._client import Client, settle

FIELDS = ("description", "patch_delay_type", "delay_minutes", "fixed_time_utc", "timezone")


def main():
    """Look, compare, change."""
    arguments = with_state(
        name={"type": "str", "required": True},
        description={"type": "str"},
        patch_delay_type={"type": "str", "choices": ["immediate", "delayed", "fixed_time"]},
        delay_minutes={"type": "int"},
        fixed_time_utc={"type": "str"},
        timezone={"type": "str"},
        groups={"type": "list", "elements": "str"},
    )
    module = AnsibleModule(argument_spec=arguments, supports_check_mode=True)
    client, given = Client(module), module.params
    policy = client.named("/patching/policies", given["name"])
    before = _state(client, policy, given)
    if given["state"] == "absent":
        gone = f"/patching/policies/{policy['id']}" if policy else ""
        settle(module, before, {}, lambda: client.ask("DELETE", gone) and None, id=_id(policy))
    start = before or {"name": given["name"], "patch_delay_type": "immediate"}
    after = {**start, **{name: given[name] for name in FIELDS if given[name] is not None}}
    if given["groups"] is not None:
        after["groups"] = sorted(client.group_ids(given["groups"]))
    settle(module, before, after, lambda: _keep(client, policy, after))


def _id(policy):
    return policy["id"] if policy else ""


def _state(client, policy, given):
    if policy is None:
        return {}
    state = {name: policy[name] for name in ("name", *FIELDS)}
    if given["groups"] is not None:
        held = client.ask("GET", f"/patching/policies/{policy['id']}/assignments")
        state["groups"] = sorted(one["target_id"] for one in held if one["target_type"] == "host_group")
    return state


def _keep(client, policy, after):
    # What this module knows nothing of stays as it is.
    body = {**(policy or {}), **{name: value for name, value in after.items() if name != "groups"}}
    if policy is None:
        policy = client.ask("POST", "/patching/policies", body)
    elif body != policy:
        client.ask("PUT", f"/patching/policies/{policy['id']}", body)
    if "groups" in after:
        _assign(client, f"/patching/policies/{policy['id']}/assignments", set(after["groups"]))
    return {"id": policy["id"]}


def _assign(client, path, wanted):
    held = {one["target_id"]: one["id"] for one in client.ask("GET", path) if one["target_type"] == "host_group"}
    for group in sorted(wanted - set(held)):
        client.ask("POST", path, {"target_type": "host_group", "target_id": group})
    for group in sorted(set(held) - wanted):
        client.ask("DELETE", f"{path}/{held[group]}")


if __name__ == "__main__":
    main()
