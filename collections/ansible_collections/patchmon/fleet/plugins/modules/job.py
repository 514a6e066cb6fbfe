#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: EXE001 - modules carry a shebang and are never executable
"""Module job: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: job
short_description: Run a playbook of a PatchMon server on its hosts
version_added: 1.0.0
description:
  - Launches a playbook that the server knows, on hosts that their agents reach.
  - It starts a new job each time. With O(idempotency_key) a repeated task starts nothing and says so.
attributes:
  diff_mode:
    description: Shows before and after.
    support: none
options:
  playbook:
    description: The name of the playbook.
    type: str
    required: true
  hosts:
    description: Friendly names or ids of hosts.
    type: list
    elements: str
    default: []
  groups:
    description: Names or ids of groups, or V(all).
    type: list
    elements: str
    default: []
  variables:
    description: Variables of the playbook.
    type: dict
    default: {}
  check:
    description: Whether the playbook runs in check mode on its hosts.
    type: bool
    default: false
  title:
    description: What people see.
    type: str
    default: ""
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
- name: Ping everything
  patchmon.fleet.job:
    playbook: ping
    groups: [all]
    wait: true
  delegate_to: localhost
"""

RETURN = r"""
job:
  description: The job that was started, with C(job.id), C(job.status) and C(job.counts).
  returned: always
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.patchmon.fleet.plugins.module_utils._arguments import with_auth
from ansible_collections.patchmon.fleet.plugins.module_utils._client import Client


def main():
    """Launch a job, and wait for it."""
    arguments = with_auth(
        playbook={"type": "str", "required": True},
        hosts={"type": "list", "elements": "str", "default": []},
        groups={"type": "list", "elements": "str", "default": []},
        variables={"type": "dict", "default": {}},
        check={"type": "bool", "default": False},
        title={"type": "str", "default": ""},
        wait={"type": "bool", "default": False},
        wait_seconds={"type": "int", "default": 3600},
        idempotency_key={"type": "str", "default": "", "no_log": False},
    )
    module = AnsibleModule(argument_spec=arguments, supports_check_mode=True)
    client, given = Client(module), module.params
    order = {name: given[name] for name in ("playbook", "hosts", "groups", "variables", "check", "title")}
    if not given["hosts"] and not given["groups"]:
        module.fail_json(msg="Give hosts or groups: a job runs on nothing by leaving them out.")
    if module.check_mode:
        module.exit_json(changed=not given["check"], job={})
    replayed, job = client.once("/jobs", order, given["idempotency_key"])
    if given["wait"]:
        job = client.until(f"/jobs/{job['id']}", lambda one: one["finished_at"], given["wait_seconds"])
        if job["exit_code"]:
            module.fail_json(msg=f"The job ended as {job['status']}: {job['counts']}", job=job)
    module.exit_json(changed=not replayed and not given["check"], job=job)


if __name__ == "__main__":
    main()
