# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments that modules share; private to this collection."""

from __future__ import annotations

from ansible.module_utils.basic import env_fallback

AUTH = {
    "api_url": {"type": "str", "fallback": (env_fallback, ["PATCHMON_URL"])},
    "api_token": {"type": "str", "no_log": True, "fallback": (env_fallback, ["PATCHMON_TOKEN"])},
    "verify_ssl": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "api_timeout_seconds": {"type": "int", "default": 60},
}


def with_auth(**more):
    """Return a module's arguments with those that say how the server is reached."""
    return {**AUTH, **more}


def with_state(**more):
    """Return the same for a thing that is there or not."""
    return with_auth(state={"type": "str", "default": "present", "choices": ["present", "absent"]}, **more)
