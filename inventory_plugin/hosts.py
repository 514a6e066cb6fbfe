# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory plugin hosts: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
name: hosts
short_description: Hosts of a PatchMon server
version_added: 1.0.0
author:
  - The PatchMon contributors (!UNKNOWN)
description:
  - Asks a PatchMon server once for its hosts and puts them into the groups they have there.
  - The variables of a host say what its last report said, such as how many updates wait.
  - Whatever the server says is data. Names and tags that look like templates are never evaluated.
options:
  plugin:
    description: Must be V(patchmon.fleet.hosts).
    type: str
    required: true
    choices: [patchmon.fleet.hosts]
  api_url:
    description:
      - The server, such as V(https://patchmon.example.com).
      - The address that the older plugin wanted, which ends in V(/api/v1/api/hosts/), does as well, and so does its
        C(?hostgroup=).
    type: str
    required: true
    env:
      - name: PATCHMON_URL
    ini:
      - section: patchmon_inventory
        key: api_url
  api_key:
    description: The key of an API token that may read hosts. It may be a template.
    type: str
    required: true
    env:
      - name: PATCHMON_API_KEY
    ini:
      - section: patchmon_inventory
        key: api_key
  api_secret:
    description: The secret of that token. It may be a template or come from a vault.
    type: str
    required: true
    env:
      - name: PATCHMON_API_SECRET
    ini:
      - section: patchmon_inventory
        key: api_secret
  verify_ssl:
    description: Whether the server's certificate is checked.
    type: bool
    default: true
    env:
      - name: PATCHMON_VERIFY_SSL
    ini:
      - section: patchmon_inventory
        key: verify_ssl
  ca_path:
    description: A file with the certificates of authorities that are trusted, besides those of the system.
    type: path
    env:
      - name: PATCHMON_CA_PATH
    ini:
      - section: patchmon_inventory
        key: ca_path
  timeout:
    description: How many seconds the server may take to answer.
    type: int
    default: 60
    env:
      - name: PATCHMON_TIMEOUT
    ini:
      - section: patchmon_inventory
        key: timeout
  page_size:
    description: How many hosts are asked for at once. V(0) leaves it to the server.
    type: int
    default: 0
  inventory_hostname:
    description:
      - What hosts are called in the inventory.
      - A host without a hostname goes by its friendly name. Of several hosts with one name, all but the first go by
        their friendly name, or by their id.
    type: str
    default: hostname
    choices: [hostname, friendly_name, id]
  filters:
    description: Which hosts are asked for. All filters must hold; within one any of its words is enough.
    type: dict
    default: {}
    suboptions:
      group:
        description: Names or ids of groups.
        type: list
        elements: str
      tag:
        description: Tags as V(key) or V(key=value).
        type: list
        elements: str
      os:
        description: Systems as V(debian) or V(debian 12).
        type: list
        elements: str
      needs_reboot:
        description: Whether the host waits for a restart.
        type: bool
      outdated:
        description: Whether packages wait for an update.
        type: bool
      security:
        description: Whether security updates wait.
        type: bool
      stale:
        description: Whether the host has not reported for twice the interval.
        type: bool
extends_documentation_fragment:
  - constructed
  - inventory_cache
requirements:
  - ansible-core >= 2.17
"""

EXAMPLES = r"""
# fleet.patchmon.yml
plugin: patchmon.fleet.hosts
api_url: https://patchmon.example.com
api_key: "{{ lookup('ansible.builtin.env', 'PATCHMON_API_KEY') }}"
api_secret: "{{ lookup('ansible.builtin.env', 'PATCHMON_API_SECRET') }}"
filters:
  group: [Production]
  outdated: true
keyed_groups:
  - key: patchmon_os_type | lower
    prefix: os
  - key: patchmon_tags
    prefix: tag
groups:
  security: patchmon_security_updates > 0
compose:
  updates_wait: patchmon_updates > 0
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/patchmon
"""

import base64
import hashlib
import json
import re
from urllib.error import HTTPError, URLError
from urllib.parse import parse_qs, urlencode, urlsplit

from ansible.errors import AnsibleParserError
from ansible.module_utils.urls import ConnectionError as UrlConnectionError
from ansible.module_utils.urls import SSLValidationError, open_url
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable

try:
    # Since 2.19 only what is marked as trusted is ever a template.
    from ansible.template import trust_as_template as _plain

    def _hostile(text):
        return text

except ImportError:
    from ansible.utils.unsafe_proxy import wrap_var as _hostile

    def _plain(text):
        return text


_OLD_PATH = "/api/v1/api/hosts"
_NEW_PATH = "/api/v1/api/inventory"
_TEMPLATED = ("api_url", "api_key", "api_secret", "ca_path")
# What cannot be a template whatever stands around it; all else stays marked as unsafe.
_HARMLESS = re.compile(r"[\w .:,;@/+()~=-]*")
_LISTS = ("group", "tag", "os")
_ANSWERS = ("needs_reboot", "outdated", "security", "stale")
_WORDS = {
    "yes": "true",
    "true": "true",
    "on": "true",
    "1": "true",
    "no": "false",
    "false": "false",
    "off": "false",
    "0": "false",
}


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Hosts as the server has them."""

    NAME = "patchmon.fleet.hosts"

    def verify_file(self, path):
        """Take every YAML file; which plugin it means stands inside."""
        return super().verify_file(path) and path.endswith((".yml", ".yaml"))

    def parse(self, inventory, loader, path, cache=True):
        """Fill the inventory from the server or from the cache."""
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        self._options_given = {name: self._templated(name) for name in _TEMPLATED}
        self._texts = {}
        url = self._address()
        self._populate(self._cached(url, path, cache))

    def _templated(self, name):
        value = self.get_option(name)
        if not isinstance(value, str):
            return value
        try:
            value = self.templar.template(value)
        except Exception as error:
            raise AnsibleParserError(f"{name} cannot be filled in: {error}") from error
        if value is None or not str(value).strip():
            raise AnsibleParserError(f"{name} is empty: the server needs it to know who asks.")
        return str(value).strip()

    def _address(self):
        """Return the address of the inventory with everything that is asked for."""
        given = urlsplit(self._options_given["api_url"])
        if given.scheme not in ("http", "https") or not given.netloc:
            raise AnsibleParserError(
                f"api_url is no address of a server: {self._options_given['api_url']!r}. "
                "It begins with https:// or http://."
            )
        path = given.path.rstrip("/")
        path = path.removesuffix(_OLD_PATH).removesuffix(_NEW_PATH)
        asked = self._filters()
        for chosen in parse_qs(given.query).get("hostgroup", []):
            asked += [("group", name) for name in chosen.split(",")]
        if self.get_option("page_size"):
            asked.append(("limit", str(self.get_option("page_size"))))
        return f"{given.scheme}://{given.netloc}{path}{_NEW_PATH}" + (f"?{urlencode(asked)}" if asked else "")

    def _filters(self):
        filters = self.get_option("filters") or {}
        unknown = sorted(set(filters) - set(_LISTS) - set(_ANSWERS))
        if unknown:
            known = ", ".join((*_LISTS, *_ANSWERS))
            raise AnsibleParserError(f"There is no filter {unknown[0]!r}. There are: {known}.")
        asked = []
        for name in _LISTS:
            words = filters.get(name) or []
            asked += [(name, str(word)) for word in (words if isinstance(words, list) else [words])]
        for name in _ANSWERS:
            if filters.get(name) is not None:
                word = _WORDS.get(str(filters[name]).lower())
                if word is None:
                    raise AnsibleParserError(f"The filter {name} must be true or false, not {filters[name]!r}.")
                asked.append((name, word))
        return asked

    def _cached(self, url, path, cache):
        """Return rows from the cache if they may come from there, else from the server."""
        if not self.get_option("cache"):
            return self._fetch(url)
        self.load_cache_plugin()
        # Other hosts for another token, another server or other filters.
        who = hashlib.sha256(f"{url} {self._options_given['api_key']}".encode()).hexdigest()[:16]
        key = f"{self.get_cache_key(path)}_{who}"
        if cache and key in self._cache:
            return self._cache[key]
        rows = self._fetch(url)
        self._cache[key] = rows
        return rows

    def _fetch(self, url):
        rows, after = [], None
        while True:
            joint = "&" if "?" in url else "?"
            page = self._ask(url if after is None else f"{url}{joint}after={after}")
            rows += page["hosts"]
            after = page.get("next")
            if not after:
                return rows

    def _ask(self, url):
        """Return the server's answer; whatever goes wrong becomes one sentence."""
        pair = f"{self._options_given['api_key']}:{self._options_given['api_secret']}"
        headers = {
            "Authorization": "Basic " + base64.b64encode(pair.encode()).decode(),
            "Accept": "application/json",
        }
        self.display.vvv(f"Asking {url}")
        try:
            answer = open_url(
                url,
                headers=headers,
                timeout=self.get_option("timeout"),
                validate_certs=self.get_option("verify_ssl"),
                ca_path=self._options_given["ca_path"],
                http_agent="patchmon.fleet.hosts",
            )
            body = json.loads(answer.read())
        except HTTPError as error:
            raise AnsibleParserError(_refusal(error)) from error
        except SSLValidationError as error:
            raise AnsibleParserError(
                f"The certificate of {url} is not trusted: {error}. ca_path names the authority's file; "
                "verify_ssl: false trusts everybody."
            ) from error
        except (URLError, UrlConnectionError, OSError) as error:
            raise AnsibleParserError(f"{url} cannot be reached: {getattr(error, 'reason', error)}") from error
        except ValueError as error:
            raise AnsibleParserError(f"{url} did not answer with JSON: is api_url the PatchMon server?") from error
        if not isinstance(body, dict) or not isinstance(body.get("hosts"), list):
            raise AnsibleParserError(f"The answer of {url} holds no hosts: is api_url the PatchMon server?")
        return body

    def _populate(self, rows):
        wanted = self.get_option("inventory_hostname")
        composed = any(self.get_option(name) for name in ("compose", "groups", "keyed_groups"))
        groups = {}
        for row in sorted(rows, key=lambda one: (one["variables"]["patchmon_friendly_name"], one["name"])):
            variables = row["variables"]
            if not variables.get("ansible_host"):
                variables.pop("ansible_host", None)
            variables = self._marked(variables)
            name = self._name(row, wanted)
            self.inventory.add_host(name)
            # Host and group may have one name, and then set_variable() means the group.
            self.inventory.hosts[name].vars.update(variables)
            for group in variables["patchmon_groups"]:
                if group not in groups:
                    groups[group] = self.inventory.add_group(self._sanitize_group_name(group))
                self.inventory.add_host(name, groups[group])
            if composed:
                self._construct(name, variables)

    def _marked(self, value):
        """Return a value in which no text from the server can act as a template."""
        if isinstance(value, str):
            known = self._texts.get(value)
            if known is None:
                known = self._texts[value] = (_plain if _HARMLESS.fullmatch(value) else _hostile)(value)
            return known
        if isinstance(value, dict):
            return {key: self._marked(one) if isinstance(one, (str, dict, list)) else one for key, one in value.items()}
        return [self._marked(one) for one in value] if isinstance(value, list) else value

    def _name(self, row, wanted):
        variables = row["variables"]
        names = {
            "hostname": row["name"],
            "friendly_name": variables["patchmon_friendly_name"],
            "id": variables["patchmon_id"],
        }
        first = names[wanted]
        for name in (first, names["friendly_name"], names["id"]):
            # Told from hosts of other sources by the id: the same host may stand in two inventories.
            known = self.inventory.hosts.get(name)
            if known is None or known.vars.get("patchmon_id", names["id"]) == names["id"]:
                if name != first:
                    self.display.warning(f"Two hosts are called {first!r}: one of them is {name!r} in this inventory.")
                return name
        return names["id"]

    def _construct(self, name, variables):
        strict = self.get_option("strict")
        self._set_composite_vars(self.get_option("compose"), variables, name, strict=strict)
        self._add_host_to_composed_groups(self.get_option("groups"), variables, name, strict=strict)
        self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, name, strict=strict)


def _refusal(error):
    """Return what the server says against the request, and what helps."""
    try:
        body = json.loads(error.read())
        said = ": ".join(str(body[name]) for name in ("error", "message") if body.get(name))
    except (ValueError, OSError, AttributeError, TypeError):
        said = ""
    said = said or str(error.reason)
    helps = {
        401: "Check api_key and api_secret, and that the token is active.",
        403: "The token needs the scope host:get, and this address has to be among those it allows.",
        404: "api_url has to be the PatchMon server.",
        429: "Ask less often, or keep answers with cache: true.",
    }
    return f"The server refused with {error.code} {said}. {helps.get(error.code, '')}".strip()
