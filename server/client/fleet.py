"""`patchmon hosts` and `patchmon playbooks`: what there is to work on, and what can be run."""

import argparse
from typing import Any
from urllib.parse import urlencode

from server.client.command import Parsers, add, say, table
from server.client.connection import OK, OUTDATED, USAGE, Client, Complaint


def add_commands(subparsers: Parsers) -> None:
    """Add the `hosts` and `playbooks` commands."""
    hosts = subparsers.add_parser("hosts", help="the hosts of a running server").add_subparsers(
        dest="action", required=True
    )
    listing = add(hosts, "list", _hosts, "hosts, with what waits to be installed on them")
    listing.add_argument("--search", default="", help="a part of a name or address")
    listing.add_argument("--group", default="", help="host group by name or id")
    listing.add_argument("--tag", default="", help="NAME or NAME=VALUE")
    listing.add_argument("--outdated", action="store_true", help="only those with updates")
    listing.add_argument("--fail-if-outdated", action="store_true", help="exit code 4 when any of them has updates")
    listing.add_argument("--max", type=int, default=10_000)
    playbooks = subparsers.add_parser("playbooks", help="what a running server can run").add_subparsers(
        dest="action", required=True
    )
    add(playbooks, "list", _playbooks, "every playbook that can be launched")
    add(playbooks, "show", _playbook, "the variables of a playbook").add_argument("playbook")


async def _hosts(client: Client, args: argparse.Namespace) -> int:
    query = {"search": args.search, "tag": args.tag, "limit": str(args.max)}
    if args.group:
        query["group"] = await group_id(client, args.group)
    if args.outdated:
        query["filter"] = "needsUpdates"
    body = await client.ask(
        "GET", f"/dashboard/hosts?{urlencode({key: value for key, value in query.items() if value})}"
    )
    found = body["items"]
    if args.json:
        say(found)
    else:
        table([("NAME", "STATUS", "UPDATES", "SECURITY", "REBOOT"), *map(_row, found)])
    outdated = any(host["updates_count"] for host in found)
    return OUTDATED if args.fail_if_outdated and outdated else OK


def _row(host: dict[str, Any]) -> tuple[object, ...]:
    reboot = "yes" if host["needs_reboot"] else ""
    return host["friendly_name"], host["status"], host["updates_count"], host["security_updates_count"], reboot


async def host_ids(client: Client, wanted: list[str]) -> list[str]:
    """Return the ids of hosts that are given by name or id; a name has to be exactly one host's."""
    found = []
    for name in wanted:
        body = await client.ask("GET", f"/dashboard/hosts?{urlencode({'search': name, 'limit': '200'})}")
        match = [one["id"] for one in body["items"] if name in (one["friendly_name"], one["id"])]
        if not match and _is_id(name):
            match = [name]
        if len(match) != 1:
            raise Complaint(f"{'several hosts are' if match else 'no host is'} called {name}", USAGE)
        found += match
    return found


async def group_id(client: Client, wanted: str) -> str:
    """Return the id of a host group that is given by name or id."""
    groups = await client.ask("GET", "/host-groups")
    match = [str(one["id"]) for one in groups if wanted in (one["name"], one["id"])]
    if not match:
        raise Complaint(f"no host group is called {wanted}", USAGE)
    return match[0]


def _is_id(text: str) -> bool:
    return len(text) == 36 and text.count("-") == 4  # noqa: PLR2004 (the usual spelling of a UUID)


async def _playbooks(client: Client, args: argparse.Namespace) -> int:
    body = await client.ask("GET", "/playbooks")
    if args.json:
        say(body)
    else:
        table([(one["name"], one["title"]) for one in body["playbooks"]])
    return OK


async def _playbook(client: Client, args: argparse.Namespace) -> int:
    body = await client.ask("GET", "/playbooks")
    found = next((one for one in body["playbooks"] if one["name"] == args.playbook), None)
    if found is None:
        raise Complaint(f"there is no playbook {args.playbook}", USAGE)
    if args.json:
        say(found)
        return OK
    say(f"{found['name']}: {found['title']}")
    for one in found["variables"]:
        needed = "required" if one["required"] else f"default {one['default']!r}"
        say(f"  {one['name']} ({one['type']}, {needed}): {one['help']}")
    return OK
