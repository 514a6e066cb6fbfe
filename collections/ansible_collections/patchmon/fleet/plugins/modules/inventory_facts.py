#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: EXE001 - modules carry a shebang and are never executable
"""Module inventory_facts: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: inventory_facts
short_description: Collect packages, repositories and the state of pending restarts
version_added: 1.0.0
description:
  - Reads what the package manager of the host knows. Nothing is fetched and nothing is changed.
  - The complete inventory is left as a result file for the agent, in the form of its own report.
attributes:
  check_mode:
    description: Only looks, so that check mode makes no difference.
    support: full
  diff_mode:
    description: Nothing changes.
    support: none
  facts:
    description: Adds facts to the host.
    support: full
  platform:
    description: Systems that the module works on.
    support: partial
    details: Systems with apt, dnf, yum, zypper, pacman, apk or pkg.
    platforms: posix
options:
  return_packages:
    description:
      - Return every package and repository as facts too.
      - V(false) returns the numbers alone, which keeps events small on hosts with thousands of packages.
    type: bool
    default: true
extends_documentation_fragment:
  - patchmon.fleet.manager
seealso:
  - module: patchmon.fleet.package_update
"""

EXAMPLES = r"""
- name: Collect the inventory
  patchmon.fleet.inventory_facts:

- name: Show waiting security updates
  ansible.builtin.debug:
    msg: "{{ patchmon.packages | selectattr('isSecurityUpdate') | map(attribute='name') }}"
"""

RETURN = r"""
ansible_facts:
  description: Facts added to the host.
  returned: always
  type: dict
  contains:
    patchmon:
      description: What the package manager knows; lists only with O(return_packages=true).
      type: dict
      contains:
        packageManager:
          description: Name of the package manager.
          type: str
          sample: apt
        packages:
          description: Every installed package, with its update where one is waiting.
          type: list
          elements: dict
        repositories:
          description: Every configured source.
          type: list
          elements: dict
        needsReboot:
          description: Whether the host should be restarted.
          type: bool
        rebootReason:
          description: Why it should, empty if not.
          type: str
        packagesInstalled:
          description: Number of installed packages.
          type: int
        updatesAvailable:
          description: Number of packages with an update.
          type: int
        securityUpdates:
          description: Number of packages with a security update.
          type: int
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.patchmon.fleet.plugins.module_utils._live import LiveLines
from ansible_collections.patchmon.fleet.plugins.module_utils._result import write_result
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers import (
    PackageManagerError,
    by_name,
    detect,
)
from ansible_collections.patchmon.fleet.plugins.module_utils.package_managers.report import inventory

MANAGERS = ["auto", "apt", "dnf", "yum", "zypper", "pacman", "apk", "pkg"]
ARGUMENTS = {
    "return_packages": {"type": "bool", "default": True},
    "manager": {"type": "str", "default": "auto", "choices": MANAGERS},
}


def main():
    """Collect once, leave the whole as a file, answer with as much as was asked for."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        manager = detect() if module.params["manager"] == "auto" else by_name(module.params["manager"])
        found = inventory(manager)
    except PackageManagerError as problem:
        module.fail_json(msg=problem.text)
    packages = found["packages"]
    numbers = {
        "packagesInstalled": len(packages),
        "updatesAvailable": sum(row["needsUpdate"] for row in packages),
        "securityUpdates": sum(row["isSecurityUpdate"] for row in packages),
    }
    write_result("inventory_facts", found)
    live = LiveLines()
    live(
        f"{numbers['packagesInstalled']} packages, {numbers['updatesAvailable']} updates "
        f"({numbers['securityUpdates']} security), {len(found['repositories'])} repositories"
    )
    live.close()
    lists = () if module.params["return_packages"] else ("packages", "repositories")
    facts = {name: value for name, value in found.items() if name not in lists}
    module.exit_json(changed=False, ansible_facts={"patchmon": {**facts, **numbers}})


if __name__ == "__main__":
    main()
