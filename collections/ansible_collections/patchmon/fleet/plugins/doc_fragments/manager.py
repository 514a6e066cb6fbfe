# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation shared by the modules that drive a package manager."""

from __future__ import annotations


class ModuleDocFragment:
    """The option O(manager) and what all these modules say of themselves."""

    DOCUMENTATION = r"""
options:
  manager:
    description:
      - Package manager to use.
      - V(auto) takes the one that runs the host.
      - A manager without a driver ends the task with an error that names it; nothing is changed.
    type: str
    default: auto
    choices: [auto, apt, dnf, yum, zypper, pacman, apk, pkg]
requirements:
  - Python 3.9 or newer on the host
notes:
  - Lines appear on the socket named by the environment variable E(PATCHMON_LIVE_SOCKET) during the work, if it is set.
  - The complete result is left as a JSON file in the folder named by E(PATCHMON_RESULT_DIR), when it is set.
author:
  - The PatchMon contributors (@PatchMon)
"""
