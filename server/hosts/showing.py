"""What pages show of hosts: heads, lists, history, facts."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from server.core.call import Call
from server.core.ids import is_uuid
from server.core.words import counted
from server.hosts import fleet, rules
from server.hosts.errors import HostMissing
from server.hosts.models import Action, Group, HostHead, LinkState, Tab
from server.hosts.patched import taken
from server.hosts.queries import heads, lists
from server.hosts.views import Happening
from server.settings import service as settings


async def head(call: Call, uuid: str) -> HostHead:
    """Return the top of a host's pages."""
    row = await heads.find_head(call.db, call.actor.scope, uuid) if is_uuid(uuid) else None
    if row is None:
        raise HostMissing
    interval = (await settings.effective(call)).update_interval
    online = rules.is_online(row.pop("last_connected_at"), row.pop("last_disconnected_at"))
    seen = row.pop("last_update")
    status = rules.status_of(row["status"], seen, call.now - rules.silence(interval), failed=row["report_failed"])
    agent_version = row["agent_version"]
    return HostHead(
        **{name: row[name] for name in _HEAD_COLUMNS},
        name=row["friendly_name"],
        groups=[name for _, name, _ in row["group_rows"]],
        group_rows=tuple(Group(uuid, name, "", color) for uuid, name, color in row["group_rows"]),
        uptime=rules.plain_uptime(row["system_uptime"]),
        boot_at=row["boot_time"],
        pending=row["pending_config"] is not None,
        os=system_name(row["os_type"], row["os_version"]),
        state_word=status.capitalize(),
        state=_STATES[status],
        online=online,
        secure=row["link_secure"],
        last_seen_at=seen,
        last_report_at=row["last_full_report_at"],
        patched=taken(row, await fleet.stale_before(call), joined=row["status"] != "pending"),
        unfinished=tuple(row["unfinished_packages"]),
        awaiting_run=str(row["awaiting_run"] or ""),
        executor_word=rules.executor_word(row["agent_hello"], agent_version),
        rivals=rules.rivals_now(row["rivals"], row["rivals_at"], call.now),
    )


_STATES: Final = {"active": "good", "pending": "neutral", "inactive": "bad", "error": "bad"}
_HEAD_COLUMNS = (
    "tags",
    "key",
    "id",
    "hostname",
    "api_id",
    "ip",
    "status",
    "needs_reboot",
    "reboot_reason",
    "awaiting_report",
    "notes",
    "agent_version",
    "packages_total",
    "repositories_total",
    "updates",
    "security",
    "machine_id",
    "primary_interface",
    "os_type",
    "auto_update",
    "host_down_alerts_enabled",
    "reboot_exempt",
    "patch_hold_patterns",
    "expected_platform",
    "pending_sent_at",
    "has_docker",
    "has_compliance",
)


def system_name(os_type: str, os_version: str) -> str:
    """Return what people call an operating system."""
    return f"{os_type} {os_version}".strip()


def tabs(host: HostHead, names: Sequence[tuple[str, str]], active: str) -> list[Tab]:
    """Return the tabs of a host's pages, given as (name, title) in their order; the first is the host's own page."""
    counted = {"packages": host.packages_total, "repositories": host.repositories_total}
    return [
        Tab(name, title, host.url if name == "summary" else f"{host.url}/{name}", name == active, counted.get(name))
        for name, title in names
        if (name != "docker" or rules.shows_docker(host)) and (name != "compliance" or host.has_compliance)
    ]


async def framed(
    call: Call, host: str, names: Sequence[tuple[str, str]], active: str
) -> tuple[HostHead, list[Tab], list[Action]]:
    """Return what stands around every page of a host: its head, its tabs with one chosen, what this person may do."""
    found = await head(call, host)
    return found, tabs(found, names, active), actions(found, call)


_AWAY: Final = "The agent is not connected"


def actions(host: HostHead, call: Call) -> list[Action]:
    """Return what this person may do with the host; what its agent has to hear of waits until it is connected."""
    actor, away = call.actor, "" if host.online else _AWAY
    found = []
    manages = actor.may("can_manage_hosts")
    if manages and host.pending:
        found.append(Action("Apply", "post", f"{host.url}/apply", "primary", "", "check", away))
    if (
        actor.may("can_manage_patching")
        and not rules.is_windows(host)
        and "patching" not in settings.modules_off(call.world)
    ):
        url, kind = f"/patching/new?type=patch_all&host={host.id}", "" if host.pending and manages else "primary"
        found.append(Action("Patch all", "get", url, kind, "", "package"))
    if actor.may("can_manage_automation"):
        found.append(Action("Run playbook", "get", f"/playbooks?host={host.id}", "", "", "player-play", away))
    if manages:
        found.append(Action("Fetch report", "post", f"{host.url}/fetch-report", "", "", "report", away))
        found.append(Action("Deploy agent", "get", f"{host.url}/deploy", "", "", "key", more=True))
    found.append(Action("Compare", "get", f"{host.url}/compare", "", "", "arrows-sort", more=True))
    if manages:
        again = "Asks the agent to replace itself with the newest version this server has."
        found.append(Action("Update agent", "post", f"{host.url}/update-agent", "", again, "arrow-up", away, more=True))
        gone = (
            f"Deletes {host.name} with its packages, reports, notes, jobs and memberships in groups. This cannot be "
            "undone. The machine itself is not touched; the agent on it is refused from then on."
        )
        found.append(Action("Delete", "post", f"{host.url}/delete", "danger", gone, "trash", more=True))
    return found


async def details(call: Call, host: HostHead) -> dict[str, Any]:
    """Return everything a host said about its system and network."""
    row = await heads.fetch_details(call.db, host.key)
    if row is None:
        raise HostMissing
    return row


async def history(call: Call, host: HostHead, limit: int = 20) -> list[Happening]:
    """Return the newest lines of a host's history, in words."""
    rows = await heads.list_activity(call.db, host.key, limit)
    return [Happening(row["at"], row["kind"], _told(row)) for row in rows]


def _told(row: dict[str, Any]) -> str:
    if row["kind"] == "error":
        return f"Refused: {row['error']}"
    if row["kind"] == "ping":
        return "Checked in" if row["sections_sent"] else "Checked in, nothing new"
    size = f"{row['payload_kb']:.0f} KiB in {row['server_ms']} ms"
    if row["packages"] is None:
        return f"Reported {', '.join(row['sections_sent'])} ({size})"
    what = "Full report" if row["kind"] == "full" else "Partial report"
    waiting = f"{counted(row['updates'], 'update')}, {row['security_updates']} for security"
    return f"{what}: {counted(row['packages'], 'package')}, {waiting}"


def system_facts(told: dict[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return what a host said about its machine, grouped, each as (label, text)."""
    system = [
        ("Name", told["os_type"]),
        ("Version", told["os_version"]),
        ("Architecture", told["architecture"]),
        ("Package manager", told["package_manager"]),
        ("Uptime", rules.plain_uptime(told["system_uptime"])),
    ]
    kernel = [
        ("Running", told["kernel_version"]),
        ("Installed", told["installed_kernel_version"]),
        ("SELinux", told["selinux_status"]),
    ]
    groups = [("System", system), ("Kernel", kernel), *_machine_facts(told, told["hardware"])]
    if told["compliance_mode"] != "disabled":
        scanner = (told["integration_status"].get("compliance") or {}).get("scanner_info") or {}
        groups.append(("Compliance", [("SSG version", str(scanner.get("ssg_version") or ""))]))
    disks = [(disk.get("mountpoint") or disk.get("name", ""), disk.get("size", "")) for disk in told["disk_details"]]
    return [*groups, ("Storage", disks)] if disks else groups


def _machine_facts(told: dict[str, Any], more: dict[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    processor = [
        ("Model", told["cpu_model"]),
        ("Sockets", _number(more.get("cpu_sockets"))),
        ("Cores", _number(told["cpu_cores"])),
        ("Frequency", f"{more['cpu_mhz'] / 1000:.2f} GHz" if more.get("cpu_mhz") else ""),
        ("Load", ", ".join(f"{number:.2f}" for number in told["load_average"])),
    ]
    memory = [
        ("Total", _size(told["ram_installed"])),
        ("Used", _size(more.get("ram_used"))),
        ("Free", _size(more.get("ram_free"))),
        ("Swap", _size(told["swap_size"])),
    ]
    hardware = [(name, str(more.get(name.lower(), ""))) for name in ("Vendor", "Product", "Serial")]
    return [("Processor", processor), ("Memory", memory), ("Hardware", hardware)]


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def _size(gib: float | None) -> str:
    if not gib:
        return "" if gib is None else "none"
    return f"{gib:.1f} GiB"


async def link_states(call: Call, api_ids: Sequence[str]) -> dict[str, LinkState]:
    """Return the connections of hosts; unknown ids are left out."""
    return {state.api_id: state for state in await lists.link_states(call.db, call.actor.scope, api_ids)}


async def page_as_json(call: Call, size: int, offset: int) -> str:
    """Return a part of the hosts as JSON text."""
    return await lists.page_as_json(call.db, call.actor.scope, await _inactive_before(call), size, offset)


async def one_as_json(call: Call, uuid: str) -> str:
    """Return one host as JSON text."""
    found = (
        await lists.one_as_json(call.db, call.actor.scope, uuid, await _inactive_before(call))
        if is_uuid(uuid)
        else None
    )
    if found is None:
        raise HostMissing
    return found


async def options(call: Call, search: str, limit: int) -> list[dict[str, Any]]:
    """Return hosts for a pick list."""
    return await lists.options(call.db, call.actor.scope, search, limit)


async def _inactive_before(call: Call) -> datetime:
    minutes = (await settings.effective(call)).update_interval
    return call.now - timedelta(minutes=rules.INACTIVE_INTERVALS * minutes)
