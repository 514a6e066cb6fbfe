"""How the list of hosts is described: its columns, what it can be narrowed by, what can be done with chosen hosts."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final
from urllib.parse import parse_qsl

from multidict import MultiDict, MultiMapping

from server.core.call import Call
from server.core.ids import is_uuid
from server.hosts import bulk, fleet, service
from server.hosts.errors import TooManyHosts
from server.hosts.listed import UNGROUPED, Listed
from server.web.filters import Filter
from server.web.tables import Bulk, Column, Table, Wanted, parse

_STATUSES: Final = (("active", "Active"), ("pending", "Pending"), ("inactive", "Inactive"), ("error", "Error"))
_NEEDS: Final = (
    ("needsUpdates", "Needs updates"),
    ("security", "Needs security updates"),
    ("reboot", "Needs a reboot"),
    ("stale", "Stale"),
    ("duplicates", "Duplicates"),
    ("never", "Never joined"),
    ("patchStale", "Not patched lately"),
    ("patchNever", "Never patched"),
    ("patchFailing", "Patching fails"),
    ("unfinished", "Package manager interrupted"),
)
#: Words of other addresses for the same.
_SAME_NEED: Final = {"updates": "needsUpdates", "duplicate": "duplicates", "outdated": "needsUpdates"}
_OTHER_KEYS: Final = {
    "hideStale": "hide_stale",
    "osVersion": "os_version",
    "state": "filter",
    "unpatchedDays": "unpatched_days",
    "repository": "repo",
    "order": "direction",
    "q": "search",
}
_NOTES: Final = {
    "stale": "Stale hosts have not reported for three intervals. Look whether the machine still runs; if it does,"
    " restart the service patchmon-agent on it. Delete hosts that are gone.",
    "duplicates": "These hosts share a machine id, or a hostname and an address: one machine that joined twice, or a"
    " copied disk. Keep the one that reports and delete the other; give a copy a machine id of its own first.",
    "never": "These hosts were added more than a day ago and never reported. Run the install command again with a new"
    " key from the host's page, or delete them.",
    "patchStale": "Checking in is not patching: these hosts had no successful patch run for longer than the setting"
    " PATCH_STALE_DAYS allows, or none since they were added.",
    "patchNever": "These hosts report, and this server has not patched them yet. What they install by themselves or by"
    " hand is not counted.",
    "patchFailing": "The last patch run of these hosts failed. The column Patched says why; mend the cause, then patch"
    " them again.",
    "unfinished": "A run of the package manager was interrupted on these hosts and left packages half installed. The"
    " playbook repair finishes that; every patch run does so first.",
}

TABLE: Final = Table(
    name="hosts",
    path="/hosts",
    noun="host",
    columns=(
        Column("name", "Host", sortable=True, fixed=True, place="title"),
        Column("hostname", "Hostname", sortable=True, shown=False),
        Column("ip", "IP", sortable=True, shown=False),
        Column("groups", "Groups"),
        Column("tags", "Tags", shown=False),
        Column("os", "System", sortable=True),
        Column("os_version", "System version", sortable=True, shown=False),
        Column("agent", "Agent", sortable=True, shown=False, wide_only=True),
        Column("auto_update", "Auto-update", sortable=True, shown=False),
        Column("connection", "Connection", sortable=True, place="state"),
        Column("status", "Status", sortable=True),
        Column("reboot", "Reboot", sortable=True, first="desc"),
        Column("updates", "Updates", sortable=True, numeric=True, first="desc"),
        Column("security", "Security", sortable=True, numeric=True, first="desc"),
        Column("packages", "Packages", sortable=True, numeric=True, first="desc", shown=False),
        Column("patched", "Patched", sortable=True),
        Column("last_seen", "Last report", sortable=True, first="desc", wide_only=True),
        Column("created", "Added", sortable=True, first="desc", shown=False),
        Column("actions", "Actions"),
    ),
    filters=(
        Filter("group", "Host group", "choice"),
        Filter("status", "Status", "choice", _STATUSES),
        Filter("connection", "Connection", "choice", (("online", "Connected"), ("offline", "Offline"))),
        Filter("os", "System", "choice"),
        Filter("os_version", "System version", hint="22.04"),
        Filter("filter", "Show", "choice", _NEEDS),
        Filter("tag", "Tag", hint="role or role=web"),
        Filter("package", "With package", hint="openssl"),
        Filter("repo", "With repository", "choice"),
        Filter("grouping", "Grouped by", "choice", (("group", "Group"), ("status", "Status"), ("os", "System"))),
        Filter("unpatched_days", "Not patched for days", "number", hint="30"),
        Filter("hide_stale", "Hide stale", "flag"),
    ),
    search="Name, hostname, address, system",
    sort="name",
    bulk=(
        Bulk("Fetch reports", "/hosts/bulk/fetch-report", "refresh", permission="can_manage_hosts"),
        Bulk("Assign to group", "/hosts/bulk/groups", "folders", permission="can_manage_hosts"),
        Bulk("Tag", "/hosts/bulk/tags", "bookmark", permission="can_manage_hosts"),
        Bulk("Run a playbook", "/hosts/bulk/launch", "player-play", "primary", permission="can_manage_automation"),
        Bulk("Delete", "/hosts/bulk/delete", "trash", "danger", permission="can_manage_hosts"),
    ),
    exports=(("CSV", "/api/v1/hosts/export.csv"), ("JSON", "/api/v1/hosts/export.json")),
    empty="No host has joined yet. A host needs one command and an outbound connection to this server.",
    empty_icon="server-2",
    save_url="/views/new",
    keep_url="/views/keep",
)


def known(query: MultiMapping[str]) -> MultiDict[str]:
    """Return a query in the words of this list: other addresses for the same thing are understood."""
    found: MultiDict[str] = MultiDict()
    for key, value in query.items():
        name = _OTHER_KEYS.get(key, key)
        found.add(name, _SAME_NEED.get(value, value) if name == "filter" else value)
    if found.get("filter") in {"online", "offline"}:
        found["connection"] = found.pop("filter")
    return found


async def described(call: Call, query: MultiMapping[str]) -> Table:
    """Return the list with the groups and systems there are as choices."""
    groups = [(str(group["id"]), str(group["name"])) for group in await service.list_groups(call)]
    systems = sorted({one.os_type for one in await fleet.systems(call)}, key=str.lower)
    repository = query.get("repo") or query.get("repository") or ""
    choices: Mapping[str, list[tuple[str, str]]] = {
        "group": _with_asked([*groups, (UNGROUPED, "Ungrouped")], query.get("group", ""), "a group that is gone"),
        "os": _with_asked([(one, one) for one in systems], query.get("os", ""), query.get("os", "")),
        "repo": [(repository, (await fleet.repository(call, repository))[1])] if repository else [],
    }
    filters = tuple(replace(one, choices=choices[one.key]) if one.key in choices else one for one in TABLE.filters)
    shown = tuple(one for one in filters if one.key != "repo" or repository)
    action = ("Add a host", "/hosts/new") if call.actor.may("can_manage_hosts") else None
    return replace(TABLE, filters=shown, empty_action=action)


def _with_asked(choices: list[tuple[str, str]], asked: str, word: str) -> list[tuple[str, str]]:
    # An old address names what is no more: nothing matches, and nothing is wrong with the address.
    return choices if not asked or asked in dict(choices) else [*choices, (asked, word)]


async def listed(call: Call, wanted: Wanted) -> Listed:
    """Return what is wanted as the room's question."""
    chosen = {one.key: wanted.value(one.key) if one.key in wanted.filters else "" for one in wanted.table.filters}
    package, repository = chosen["package"], chosen.get("repo", "")
    return Listed(
        search=wanted.search,
        group=chosen["group"],
        status=chosen["status"],
        connection=chosen["connection"],
        os=chosen["os"],
        os_version=chosen["os_version"],
        need=chosen["filter"],
        tag=chosen["tag"],
        package=(await fleet.package(call, package))[0] if package else None,
        repository=(await fleet.repository(call, repository))[0] if repository else None,
        hide_stale=bool(chosen["hide_stale"]),
        patched_before=await fleet.patched_before(call, chosen["filter"], chosen["unpatched_days"]),
        grouping=chosen["grouping"],
        sort=wanted.sort,
        direction=wanted.direction,
    )


def note(wanted: Wanted) -> str:
    """Return what people should know about what they see, and what to do about it."""
    if wanted.filters.get("grouping") == "group":
        return "A host in several groups stands in each of them."
    return _NOTES.get(str(wanted.filters.get("filter", "")), "")


async def chosen(call: Call, form: MultiMapping[str], most: int = bulk.MOST_IDS) -> list[str]:
    """Return the UUIDs of the chosen hosts: those ticked, or all that match. Raises ``TooManyHosts``."""
    if form.get("only"):
        found = bulk.ids_of([str(form["only"])])
    elif form.get("all"):
        query: MultiDict[str] = MultiDict(_matching(form))
        wanted = parse(await described(call, query), known(query))
        found = await fleet.ids(call, replace(await listed(call, wanted), grouping=""))
    else:
        found = [one for one in dict.fromkeys(form.getall("row", [])) if is_uuid(one)]
    if len(found) > most:
        raise TooManyHosts(most=most)
    return found


def _matching(form: MultiMapping[str]) -> list[tuple[str, str]]:

    return parse_qsl(form.get("matching", "").replace("\0", ""))
