#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: EXE001 - modules carry a shebang and are never executable
"""Module patch_run: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: patch_run
short_description: Start patch runs on a PatchMon server
version_added: 1.0.0
description:
  - Makes one patch run per host, as the policy of each host says.
  - It starts new runs each time. With O(idempotency_key) a repeated task starts nothing and says so.
attributes:
  diff_mode:
    description: Shows before and after.
    support: none
options:
  hosts:
    description: Friendly names or ids of hosts.
    type: list
    elements: str
    default: []
  groups:
    description: Names or ids of groups.
    type: list
    elements: str
    default: []
  packages:
    description: Only these packages. Without it all of them.
    type: list
    elements: str
    default: []
  security_only:
    description: Only what brings a security fix.
    type: bool
    default: false
  dry_run:
    description: Whether the hosts only say what they would do.
    type: bool
    default: false
  submit_for_approval:
    description: Whether the runs wait for somebody's approval.
    type: bool
    default: false
  wait:
    description: Whether the module ends when the work does, and fails when the work failed.
    type: bool
    default: false
  wait_seconds:
    description: How long it waits.
    type: int
    default: 3600
  idempotency_key:
    description: The same key starts the work once, however often it is asked for.
    type: str
    default: ""
extends_documentation_fragment:
  - patchmon.fleet.auth
"""

EXAMPLES = r"""
- name: Try an update of the web servers
  patchmon.fleet.patch_run:
    groups: [Web servers]
    dry_run: true
    wait: true
  delegate_to: localhost
"""

RETURN = r"""
runs:
  description: The runs that were started, with C(runs[].patch_run_id), C(runs[].status) and C(runs[].host_name).
  returned: always
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.patchmon.fleet.plugins.module_utils._arguments import with_auth
from ansible_collections.patchmon.fleet.plugins.module_utils._client import Client

GOOD = ("completed", "dry_run_completed", "validated")
RESTING = ("pending_approval", "scheduled", "approved", "failed", "cancelled", "timed_out", "agent_disconnected", *GOOD)


def main():
    """Start runs, and wait for them."""
    arguments = with_auth(
        hosts={"type": "list", "elements": "str", "default": []},
        groups={"type": "list", "elements": "str", "default": []},
        packages={"type": "list", "elements": "str", "default": []},
        security_only={"type": "bool", "default": False},
        dry_run={"type": "bool", "default": False},
        submit_for_approval={"type": "bool", "default": False},
        wait={"type": "bool", "default": False},
        wait_seconds={"type": "int", "default": 3600},
        idempotency_key={"type": "str", "default": "", "no_log": False},
    )
    module = AnsibleModule(argument_spec=arguments, supports_check_mode=True)
    client, given = Client(module), module.params
    order = {
        "patch_type": "patch_package" if given["packages"] else "patch_all",
        "package_names": given["packages"],
        "host_ids": [client.host(name)["id"] for name in given["hosts"]],
        "host_group_ids": client.group_ids(given["groups"]),
        "dry_run": given["dry_run"],
        "submit_for_approval": given["submit_for_approval"],
    }
    if given["security_only"]:
        order["security_only"] = True
    if not order["host_ids"] and not order["host_group_ids"]:
        module.fail_json(msg="Give hosts or groups: nothing is patched by leaving them out.")
    if module.check_mode:
        module.exit_json(changed=not given["dry_run"], runs=[])
    replayed, body = client.once("/patching/trigger", order, given["idempotency_key"])
    runs = body["runs"]
    if given["wait"]:
        for run in runs:
            path = f"/patching/runs/{run['patch_run_id']}"
            run["status"] = client.until(path, lambda one: one["status"] in RESTING, given["wait_seconds"])["status"]
        bad = [f"{run['host_name']}: {run['status']}" for run in runs if run["status"] not in GOOD]
        if bad:
            module.fail_json(msg="Not every run went well: " + ", ".join(bad), runs=runs)
    module.exit_json(changed=not replayed and not given["dry_run"], runs=runs)


if __name__ == "__main__":
    main()
