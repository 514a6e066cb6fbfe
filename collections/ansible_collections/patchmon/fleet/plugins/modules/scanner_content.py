#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: EXE001 - modules carry a shebang and are never executable
"""Module scanner_content: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: scanner_content
short_description: Have the newest security guide of the server on the host
version_added: 1.0.0
description:
  - Asks the agent to fetch the guide for the host's system from its server, unless the host has that version already.
  - Nothing is fetched from anywhere else.
attributes:
  check_mode:
    description: Does nothing.
    support: full
  diff_mode:
    description: Nothing is compared.
    support: none
  platform:
    description: Systems that the module works on.
    support: full
    platforms: posix
options: {}
author:
  - The PatchMon contributors (@patchmon)
"""

EXAMPLES = r"""
- name: Have the newest guide
  patchmon.fleet.scanner_content:
"""

RETURN = r"""
path:
  description: Where the guide is.
  returned: success, unless in check mode
  type: str
version:
  description: Its version.
  returned: success, unless in check mode
  type: str
  sample: 0.1.76
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.patchmon.fleet.plugins.module_utils import _oscap


def main():
    """Run."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    identifier, version = _oscap.system()
    names = _oscap.content_names(identifier, version)
    if not names:
        module.fail_json(msg="There is no security guide for {0} {1}".format(identifier or "this system", version))
    if module.check_mode:
        module.exit_json(changed=False)
    try:
        found = _oscap.fetched(names)
    except _oscap.CannotScan as error:
        module.fail_json(msg=str(error))
    if found is None:
        module.fail_json(msg="Only PatchMon's agent can fetch the server's content, and it did not start this play")
    module.exit_json(changed=found["changed"], path=found["path"], version=found["version"])


if __name__ == "__main__":
    main()
