#!/usr/bin/env python3
# GNU General Public License v3.0+ (see https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hosts of a PatchMon server as an inventory script, for places that want one: ``--list`` and ``--host NAME``.

``PATCHMON_URL`` (https://patchmon.example.com without it), ``PATCHMON_API_KEY`` and ``PATCHMON_API_SECRET`` say who is
asked in whose name. ``--static`` prints a file that can be kept, with ``all.children``.
"""

import base64
import json
import os
import sys
import urllib.request

_TIMEOUT_SECONDS = 30
_USAGE = "Usage: patchmon_inventory.py --list | --host NAME | --static"


def fetch(url, key, secret):
    """Return the server's hosts."""
    pair = base64.b64encode(f"{key}:{secret}".encode()).decode()
    request = urllib.request.Request(f"{url.rstrip('/')}/api/v1/api/hosts", headers={"Authorization": f"Basic {pair}"})
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:
        return json.load(answer)["hosts"]


def inventory(hosts, static=False):
    """Return the inventory: friendly names, and groups by names that Ansible takes without a word."""
    found = {"_meta": {"hostvars": {}}, "all": {"hosts": []}}
    for host in hosts:
        name = host["friendly_name"]
        found["all"]["hosts"].append(name)
        found["_meta"]["hostvars"][name] = {
            "ansible_host": host["ip"],
            "patchmon_id": host["id"],
            "patchmon_hostname": host["hostname"],
        }
        for group in host["host_groups"]:
            safe = group["name"].replace(" ", "_")
            if not static:
                safe = safe.lower().replace("-", "_")
            # Never the groups that stand for something else.
            safe = f"group_{safe}" if safe in ("_meta", "all") else safe
            members = found.setdefault(safe, {"hosts": [], "vars": {"patchmon_group_id": group["id"]}})
            members["hosts"].append(name)
    if static:
        found["all"]["children"] = [name for name in found if name not in ("_meta", "all")]
    return found


def main():
    """Print what was asked for."""
    words = sys.argv[1:]
    if len(words) == 2 and words[0] == "--host":  # noqa: PLR2004 (the word and the name)
        print("{}")
        return 0
    if words not in (["--list"], ["--static"]):
        print(_USAGE, file=sys.stderr)
        return 1
    key, secret = os.environ.get("PATCHMON_API_KEY"), os.environ.get("PATCHMON_API_SECRET")
    if not key or not secret:
        print("Error: PATCHMON_API_KEY and PATCHMON_API_SECRET must be set", file=sys.stderr)
        return 1
    try:
        hosts = fetch(os.environ.get("PATCHMON_URL", "https://patchmon.example.com"), key, secret)
    except (OSError, ValueError, KeyError) as error:
        print(f"Error fetching inventory: {error}", file=sys.stderr)
        return 1
    print(json.dumps(inventory(hosts, static=words == ["--static"]), indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
