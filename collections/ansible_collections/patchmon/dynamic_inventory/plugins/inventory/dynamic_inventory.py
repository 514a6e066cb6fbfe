# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory plugin dynamic_inventory: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: dynamic_inventory
short_description: Hosts and groups of a PatchMon server
version_added: 1.0.0
author:
  - The PatchMon contributors (!UNKNOWN)
description:
  - Asks a PatchMon server once for its hosts and puts them into the groups they have there.
  - Whatever the server says is data. Names that look like templates are never evaluated.
options:
  plugin:
    description: Which plugin the file is for.
    type: str
    required: true
    choices: [patchmon.dynamic_inventory, patchmon.dynamic_inventory.dynamic_inventory]
  api_url:
    description:
      - The address of the hosts, such as V(https://patchmon.example.com/api/v1/api/hosts/).
      - C(?hostgroup=production) behind it asks for the hosts of one group.
    type: str
    required: true
  api_key:
    description: The key of an API token with the scope C(host:get). It may be a template.
    type: str
    required: true
  api_secret:
    description: The secret of that token. It may be a template or come from a vault.
    type: str
    required: true
  verify_ssl:
    description: Whether the server's certificate is checked.
    type: bool
    default: true
"""

EXAMPLES = r"""
# patchmon_inventory.yml
plugin: patchmon.dynamic_inventory
api_url: https://patchmon.example.com/api/v1/api/hosts/
api_key: "{{ lookup('ansible.builtin.env', 'PATCHMON_API_KEY') }}"
api_secret: "{{ lookup('ansible.builtin.env', 'PATCHMON_API_SECRET') }}"
verify_ssl: true
"""

import base64
import json
from ipaddress import ip_address
from urllib.error import HTTPError, URLError

from ansible.errors import AnsibleParserError
from ansible.module_utils.urls import ConnectionError as UrlConnectionError
from ansible.module_utils.urls import SSLValidationError, open_url
from ansible.plugins.inventory import BaseInventoryPlugin
from ansible.utils.unsafe_proxy import wrap_var

try:
    # Since 2.19 only what is marked as trusted is ever a template, and other text is shown as unsafe.
    from ansible.template import trust_as_template
except ImportError:

    def trust_as_template(text):
        return text


_TIMEOUT_SECONDS = 60


class InventoryModule(BaseInventoryPlugin):
    """Hosts by their hostname, in the groups they have on the server."""

    NAME = "patchmon.dynamic_inventory.dynamic_inventory"

    def verify_file(self, path):
        """Take every YAML file; which plugin it means stands inside."""
        return super().verify_file(path) and path.endswith((".yml", ".yaml"))

    def parse(self, inventory, loader, path, cache=True):
        """Fill the inventory with one request."""
        super().parse(inventory, loader, path, cache)
        # Files say the collection's name or the plugin's: both have always been right.
        self._redirected_names = [self.NAME, "patchmon.dynamic_inventory"]
        self._read_config_data(path)
        for host in self._ask():
            name = host.get("hostname") or host.get("friendly_name")
            if not name:
                continue
            self.inventory.add_host(name)
            if host.get("ip"):
                # Host and group may have one name, and then set_variable() means the group.
                self.inventory.hosts[name].vars["ansible_host"] = _address(host["ip"])
            for group in host.get("host_groups") or []:
                self.inventory.add_host(name, self.inventory.add_group(group["name"]))

    def _option(self, name):
        try:
            value = self.templar.template(self.get_option(name))
        except Exception as error:
            raise AnsibleParserError(f"{name} cannot be filled in: {error}") from error
        if not value:
            raise AnsibleParserError(f"{name} is empty.")
        return str(value).strip()

    def _ask(self):
        url = self._option("api_url")
        pair = f"{self._option('api_key')}:{self._option('api_secret')}"
        headers = {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode(), "Accept": "application/json"}
        self.display.vvv(f"Asking {url}")
        try:
            answer = open_url(
                url, headers=headers, timeout=_TIMEOUT_SECONDS, validate_certs=self.get_option("verify_ssl")
            )
            body = json.loads(answer.read())
        except HTTPError as error:
            raise AnsibleParserError(f"{url} refused with {error.code}: {_said(error)}") from error
        except SSLValidationError as error:
            raise AnsibleParserError(f"The certificate of {url} is not trusted: {error}") from error
        except (URLError, UrlConnectionError, OSError) as error:
            raise AnsibleParserError(f"{url} cannot be reached: {getattr(error, 'reason', error)}") from error
        except ValueError as error:
            raise AnsibleParserError(
                f"{url} did not answer with JSON: api_url has to end in /api/v1/api/hosts/"
            ) from error
        if not isinstance(body, dict) or not isinstance(body.get("hosts"), list):
            raise AnsibleParserError(f"The answer of {url} has no hosts: api_url has to end in /api/v1/api/hosts/")
        return body["hosts"]


def _address(text):
    """Return an address; anything else is hostile and stays unsafe."""
    try:
        ip_address(text)
    except ValueError:
        return wrap_var(text)
    return trust_as_template(text)


def _said(error):
    try:
        body = json.loads(error.read())
        return ": ".join(str(body[name]) for name in ("error", "message") if body.get(name)) or error.reason
    except (ValueError, OSError, AttributeError, TypeError):
        return error.reason
