#!/usr/bin/python
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# ruff: noqa: EXE001 - modules carry a shebang and are never executable
"""Module host: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host
short_description: Add, change or remove a host of a PatchMon server
version_added: 1.0.0
description:
  - Adds a host record, keeps its groups, notes and tags, or removes it with everything known about it.
  - The agent is installed separately, with the credentials that are returned for a new host.
attributes:
  diff_mode:
    description: Shows before and after.
    support: full
options:
  name:
    description: The friendly name of the host, or its id.
    type: str
    required: true
  groups:
    description: Names or ids of the groups it is to be in, and no other. Without it they stay.
    type: list
    elements: str
  notes:
    description: The notes about it. Without it they stay.
    type: str
  tags:
    description: Its tags by key, and no other. Without it they stay.
    type: dict
  auto_update:
    description: Whether its agent may replace itself. Without it that stays.
    type: bool
  platform:
    description: What a new host runs.
    type: str
    default: linux
    choices: [linux, freebsd, windows]
  state:
    description: Whether it is to be there.
    type: str
    default: present
    choices: [present, absent]
extends_documentation_fragment:
  - patchmon.fleet.auth
"""

EXAMPLES = r"""
- name: Add a host
  patchmon.fleet.host:
    name: web-01
    groups: [Web servers]
    tags:
      env: prod
  delegate_to: localhost
"""

RETURN = r"""
id:
  description: The id of the host, empty while there is none.
  returned: always
  type: str
credentials:
  description: What the agent of a new host needs, C(credentials.api_id) and C(credentials.api_key).
  returned: when a host was added
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.patchmon.fleet.plugins.module_utils._arguments import with_state
from ansible_collections.patchmon.fleet.plugins.module_utils._client import Client, settle


def main():
    """Look, compare, change."""
    arguments = with_state(
        name={"type": "str", "required": True},
        groups={"type": "list", "elements": "str"},
        notes={"type": "str"},
        tags={"type": "dict"},
        auto_update={"type": "bool"},
        platform={"type": "str", "default": "linux", "choices": ["linux", "freebsd", "windows"]},
    )
    module = AnsibleModule(argument_spec=arguments, supports_check_mode=True)
    client, given = Client(module), module.params
    host = client.host(given["name"], needed=False)
    before = _state(client, host, given)
    if given["state"] == "absent":
        settle(module, before, {}, lambda: client.ask("DELETE", f"/hosts/{host['id']}") and None, id=_id(host))
    after = {**before, "name": (host or {}).get("friendly_name", given["name"])}
    if given["groups"] is not None:
        after["groups"] = sorted(client.group_ids(given["groups"]))
    for name in ("notes", "auto_update"):
        if given[name] is not None:
            after[name] = given[name]
    if given["tags"] is not None:
        after["tags"] = {key: "" if value is None else str(value) for key, value in given["tags"].items()}
    if host is not None:
        settle(module, before, after, lambda: _change(client, host["id"], before, after), id=host["id"])
    settle(module, before, after, lambda: _add(client, given, after), **({"id": ""} if module.check_mode else {}))


def _id(host):
    return host["id"] if host else ""


def _state(client, host, given):
    if host is None:
        return {}
    state = {"name": host["friendly_name"]}
    if given["groups"] is not None:
        state["groups"] = sorted(one["id"] for one in host["host_groups"])
    if given["notes"] is not None:
        state["notes"] = host["notes"] or ""
    if given["auto_update"] is not None:
        state["auto_update"] = host["auto_update"]
    if given["tags"] is not None:
        state["tags"] = client.ask("GET", f"/hosts/{host['id']}/tags")["tags"]
    return state


def _add(client, given, after):
    body = {
        "friendly_name": after["name"],
        "expected_platform": given["platform"],
        "group_ids": after.get("groups", []),
    }
    made = client.ask("POST", "/hosts", body)
    found = client.host(after["name"])
    _change(client, found["id"], {"groups": after.get("groups")}, after)
    return {"id": found["id"], "credentials": {"api_id": made["apiId"], "api_key": made["apiKey"]}}


def _change(client, host, before, after):
    doors = {
        "groups": ("PUT", "groups", lambda value: {"group_ids": value}),
        "notes": ("PATCH", "notes", lambda value: {"notes": value}),
        "auto_update": ("PATCH", "auto-update", lambda value: {"auto_update": value}),
        "tags": ("PUT", "tags", lambda value: {"tags": value}),
    }
    for name, (method, path, body) in doors.items():
        if name in after and after[name] != before.get(name):
            client.ask(method, f"/hosts/{host}/{path}", body(after[name]))
    return {}


if __name__ == "__main__":
    main()
