# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What modules do that only read: one argument picks a thing, without it all are read; private to this collection."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.patchmon.fleet.plugins.module_utils._arguments import with_auth
from ansible_collections.patchmon.fleet.plugins.module_utils._client import Client


def look_up(things):
    """Run the module that reads ``things``, which is the name of what it returns as well."""
    argument, asked = _LOOKED_UP[things]
    module = AnsibleModule(argument_spec=with_auth(**{argument: {"type": "str"}}), supports_check_mode=True)
    module.exit_json(changed=False, **{things: asked(Client(module), module.params[argument])})


def _hosts(client, name):
    return _one(client.host(name, needed=False)) if name else client.ask("GET", "/hosts")


def _tags(client, host):
    if host:
        return client.ask("GET", f"/hosts/{client.host(host)['id']}/tags")["tags"]
    return client.ask("GET", "/hosts/tags")


def _by_id(path, things):
    """For a long list of which the newest are enough."""

    def asked(client, given):
        return _one(client.find(f"{path}/{given}")) if given else client.ask("GET", f"{path}?limit=200")[things]

    return asked


def _by_name(path, field="name"):
    """For a list that is short enough to pick from."""

    def asked(client, given):
        return [one for one in client.ask("GET", path) if given in (None, one[field], one["id"])]

    return asked


def _one(found):
    return [found] if found else []


#: By what is returned: the argument that picks one, and how the server is asked.
_LOOKED_UP = {
    "hosts": ("name", _hosts),
    "host_groups": ("name", _by_name("/host-groups")),
    "tags": ("host", _tags),
    "policies": ("name", _by_name("/patching/policies")),
    "tokens": ("name", _by_name("/auto-enrollment/tokens", "token_name")),
    "runs": ("id", _by_id("/patching/runs", "runs")),
    "jobs": ("id", _by_id("/jobs", "jobs")),
}
