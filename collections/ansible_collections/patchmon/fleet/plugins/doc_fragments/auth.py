# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documentation shared by the modules that speak to a PatchMon server."""

from __future__ import annotations


class ModuleDocFragment:
    """How the server is reached, in whose name, and what all these modules can do."""

    DOCUMENTATION = r"""
attributes:
  check_mode:
    description: Says what would change and changes nothing.
    support: full
  platform:
    description: Systems that the module works on.
    support: full
    platforms: posix
options:
  api_url:
    description:
      - The server, such as V(https://patchmon.example.com).
      - Without it the environment variable E(PATCHMON_URL) is used.
    type: str
  api_token:
    description:
      - A person's API token. The module may do what that person may, or the part of it that the token was given.
      - Without it the environment variable E(PATCHMON_TOKEN) is used.
    type: str
  verify_ssl:
    description: Whether the server's certificate is checked.
    type: bool
    default: true
  ca_path:
    description: A file with the certificates of authorities that are trusted, besides those of the system.
    type: path
  api_timeout_seconds:
    description: How long the server may take to answer a request.
    type: int
    default: 60
notes:
  - Run it where the server can be reached, mostly with C(delegate_to) or on V(localhost).
author:
  - The PatchMon contributors (@PatchMon)
"""
