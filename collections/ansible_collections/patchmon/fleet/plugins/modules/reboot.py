#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: EXE001 - modules carry a shebang and are never executable
"""Module reboot: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: reboot
short_description: Ask the agent to restart the host
version_added: 1.0.0
description:
  - Finds out whether the host should be restarted and, if it should, leaves a request for the agent.
  - The module restarts nothing itself. The agent does, between two phases of the job, and sees the host return.
  - Run without an agent that restarts hosts, it fails and nothing is restarted.
attributes:
  check_mode:
    description: Reports whether a restart would be requested.
    support: full
  diff_mode:
    description: There is nothing to compare.
    support: none
  platform:
    description: Systems that the module works on.
    support: partial
    details: Debian, Ubuntu and their relatives for now.
    platforms: posix
options:
  when:
    description:
      - V(if_required) asks for a restart only when the host needs one, for a new kernel or because a package said so.
      - V(always) asks for it in any case.
    type: str
    default: if_required
    choices: [if_required, always]
  reason:
    description: Why the host is restarted, for people who look at the run later. Empty gives the reason that was found.
    type: str
    default: ""
  timeout_seconds:
    description: How long the restart may take, until the host is back.
    type: int
    default: 1800
extends_documentation_fragment:
  - patchmon.fleet.manager
"""

EXAMPLES = r"""
- name: Restart if an update asks for it
  patchmon.fleet.reboot:

- name: Restart in any case
  patchmon.fleet.reboot:
    when: always
    reason: Move to the new rack
"""

RETURN = r"""
requested:
  description: Whether the agent was asked to restart the host. Never in check mode.
  returned: always
  type: bool
would_request:
  description: Whether the agent was asked, or would be without check mode.
  returned: always
  type: bool
required:
  description: Whether the host needs a restart.
  returned: always
  type: bool
reason:
  description: Why the host is restarted, empty if it is not.
  returned: always
  type: str
check:
  description: Whether this was a dry run.
  returned: always
  type: bool
"""

import json
import os

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.patchmon.fleet.plugins.module_utils._live import LiveLines
from ansible_collections.patchmon.fleet.plugins.module_utils._result import write_result
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers import (
    PackageManagerError,
    by_name,
    detect,
)

VARIABLE = "PATCHMON_REBOOT_REQUEST"
LONGEST_SECONDS = 86400
MANAGERS = ["auto", "apt", "dnf", "yum", "zypper", "pacman", "apk", "pkg"]
ARGUMENTS = {
    "when": {"type": "str", "default": "if_required", "choices": ["if_required", "always"]},
    "reason": {"type": "str", "default": ""},
    "timeout_seconds": {"type": "int", "default": 1800},
    "manager": {"type": "str", "default": "auto", "choices": MANAGERS},
}


def main():
    """Look, decide, leave the request."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params = module.params
    try:
        manager = detect() if params["manager"] == "auto" else by_name(params["manager"])
        found = manager.reboot()
    except PackageManagerError as problem:
        module.fail_json(msg=problem.text)
    wanted = found.required or params["when"] == "always"
    reason = (params["reason"] or found.reason or "Asked for by the playbook") if wanted else ""
    result = {
        "requested": wanted and not module.check_mode,
        "would_request": wanted,
        "required": found.required,
        "reason": reason,
        "check": module.check_mode,
    }
    if result["requested"]:
        try:
            request(reason, params["timeout_seconds"])
        except OSError as problem:
            module.fail_json(msg=f"The restart cannot be asked for: {problem}. Nothing was restarted.")
    write_result("reboot", result)
    live = LiveLines()
    live(_sentence(wanted, module.check_mode, reason))
    live.close()
    module.exit_json(changed=wanted, **result)


def request(reason, seconds):
    """Leave the request where the agent of this job looks for it."""
    place = os.environ.get(VARIABLE)
    if not place:
        raise OSError("no agent that restarts hosts runs this playbook")
    if not 1 <= seconds <= LONGEST_SECONDS:
        raise OSError(f"timeout_seconds must be between 1 and {LONGEST_SECONDS}")
    with open(f"{place}.part", "w", encoding="utf-8") as file:
        json.dump({"reason": reason, "timeout_seconds": seconds}, file)
    os.rename(f"{place}.part", place)


def _sentence(wanted, check, reason):
    if not wanted:
        return "No restart is required"
    return f"{'A restart would be requested' if check else 'A restart is requested from the agent'}: {reason}"


if __name__ == "__main__":
    main()
