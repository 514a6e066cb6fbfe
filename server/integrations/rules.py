"""Pure decisions about tokens: addresses, scopes, days, dates; and how a host's facts are told."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from server.integrations.errors import AccessDenied, BadToken
from server.integrations.models import Facts, Quota, Scopes, Token

_NAME_MOST: Final = 255
_RANGES_MOST: Final = 100
_DISK: Final = re.compile(r"^(\S+) \((\S+) used, (\S+) free, (\S+) used\)$")


def address_allowed(address: str, ranges: Sequence[str]) -> bool:
    """Tell whether an address is one of these or in one of these networks; none given allow every address."""
    if not ranges:
        return True
    try:
        asked = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(asked, IPv6Address) and asked.ipv4_mapped is not None:
        asked = asked.ipv4_mapped
    return any(asked in ip_network(one, strict=False) for one in ranges)


def clean_ranges(ranges: Iterable[str]) -> tuple[str, ...]:
    """Return addresses and networks without blanks and repetitions; raises ``BadToken`` for anything else."""
    found: dict[str, None] = {}
    for one in ranges:
        if not (text := one.strip()):
            continue
        try:
            network = ip_network(text, strict=False)
        except ValueError as error:
            raise BadToken.of({"allowed_ip_ranges": f"Not an IP address or a network: {text[:60]}"}) from error
        mapped = network.network_address.ipv4_mapped if isinstance(network.network_address, IPv6Address) else None
        if mapped is not None:
            text = f"{mapped}/{max(0, network.prefixlen - 96)}"
        found[text] = None
    if len(found) > _RANGES_MOST:
        raise BadToken.of({"allowed_ip_ranges": f"must be no more than {_RANGES_MOST} addresses"})
    return tuple(found)


def demand_name(name: str, sentence: str) -> None:
    """Raise ``BadToken`` with this sentence unless the name is one."""
    if not 1 <= len(name) <= _NAME_MOST or not name.isprintable():
        raise BadToken.of({"token_name": sentence})


def checked_scopes(value: object) -> Scopes:
    """Return scopes as they are stored; raises ``BadToken`` in the words of the contract.

    ``read`` is another word for ``get``. No action at all grants nothing, which nobody means.
    """
    if not isinstance(value, Mapping):
        raise BadToken.of({"scopes": "Scopes must be an object"})
    found: Scopes = {}
    for resource, actions in value.items():
        if not isinstance(actions, list | tuple):
            raise BadToken.of({"scopes": f'Scopes for resource "{resource}" must be an array of actions'})
        if not all(isinstance(action, str) for action in actions):
            raise BadToken.of({"scopes": "All actions in scopes must be strings"})
        found[str(resource)] = list(dict.fromkeys("get" if action == "read" else action for action in actions))
    if not any(found.values()):
        raise BadToken.of({"scopes": "At least one scope is required for API tokens"})
    return found


def demand_scope(scopes: object, resource: str, action: str) -> None:
    """Raise ``AccessDenied`` unless the scopes grant this; nothing is implied by anything else."""
    if scopes is None:
        raise AccessDenied("This API key does not have the required permissions")
    if not isinstance(scopes, Mapping):
        raise AccessDenied("Invalid API key permissions configuration")
    if resource not in scopes:
        raise AccessDenied(f"This API key does not have access to {resource}")
    actions = scopes[resource]
    if not isinstance(actions, list) or action not in actions:
        raise AccessDenied(f"This API key does not have permission to {action} {resource}")


def zone(name: str) -> tzinfo:
    """Return the server's zone; UTC when the name is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def today(now: datetime, where: tzinfo) -> date:
    """Return the day it is on the server."""
    return now.astimezone(where).date()


def quota(token: Token, now: datetime, where: tzinfo) -> Quota:
    """Return what is left of a token's day, which ends at midnight in the server's zone."""
    day = today(now, where)
    midnight = datetime.combine(day + timedelta(days=1), time(), where)
    left = max(0, token.max_hosts_per_day - token.hosts_created_today)
    return Quota(day, left, max(1, int((midnight - now).total_seconds())))


def moment(text: str, where: tzinfo) -> datetime | None:
    """Return a moment written in ISO 8601; without a zone it is the server's. ``None`` when it is none."""
    try:
        found = datetime.fromisoformat(text.strip())
        return (found if found.tzinfo is not None else found.replace(tzinfo=where)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def is_over(expires_at: datetime | None, now: datetime) -> bool:
    """Tell whether a token's time is over."""
    return expires_at is not None and expires_at <= now


def note_of(token: Token, now: datetime) -> str:
    """Return what the notes of an enrolled host say of where it came from."""
    return f"Auto-enrolled via {token.token_name} on {now.isoformat(timespec='milliseconds').replace('+00:00', 'Z')}"


def state_of(token: Token, now: datetime) -> tuple[str, str]:
    """Return the word for a token's state and its colour."""
    if is_over(token.expires_at, now):
        return "Expired", "attention"
    return ("Active", "good") if token.is_active else ("Inactive", "neutral")


# ------------------------------------------------------------------------------------------------ facts of hosts


def network(row: Facts) -> Facts:
    """Return a host's network as the contract has it."""
    return {
        "id": row["id"],
        "ip": row["ip"],
        "gateway_ip": row["gateway_ip"],
        "dns_servers": row["dns_servers"],
        "network_interfaces": [_interface(one) for one in row["network_interfaces"]],
    }


def _interface(one: Facts) -> Facts:
    addresses = one.get("addresses") or []
    return {
        "name": one.get("name", ""),
        "type": one.get("type", ""),
        "macAddress": one.get("mac_address", ""),
        "mtu": one.get("mtu") or 0,
        "status": one.get("status", ""),
        "linkSpeed": one.get("link_speed_mbit") or 0,
        "duplex": one.get("duplex", ""),
        "addresses": addresses,
        # As the manual shows an interface.
        "ip": next((item["address"] for item in addresses if item.get("family") == "inet"), ""),
        "mac": one.get("mac_address", ""),
    }


def system(row: Facts) -> Facts:
    """Return a host's system as the contract has it; the load as the manual has it."""
    load = row["load_average"][:3]
    return {
        "id": row["id"],
        "architecture": row["architecture"],
        "kernel_version": row["kernel_version"],
        "installed_kernel_version": row["installed_kernel_version"],
        "selinux_status": row["selinux_status"],
        "system_uptime": row["system_uptime"],
        "boot_time": row["boot_time"],
        "cpu_model": row["cpu_model"],
        "cpu_cores": row["cpu_cores"] or 0,
        "ram_installed": row["ram_installed"] or 0,
        "swap_size": row["swap_size"] or 0,
        "load_average": dict(zip(("1min", "5min", "15min"), load, strict=False)),
        "disk_details": [_disk(one) for one in row["disk_details"]],
        "needs_reboot": row["needs_reboot"],
        "reboot_reason": row["reboot_reason"],
    }


def _disk(one: Facts) -> Facts:
    name, size, mountpoint = (str(one.get(part) or "") for part in ("name", "size", "mountpoint"))
    told = _DISK.match(size)
    used, free, share = (told[2], told[3], told[4]) if told else (one.get("used") or "", one.get("available") or "", "")
    return {
        "name": name,
        "size": size,
        "mountpoint": mountpoint,
        "filesystem": name,
        "used": used,
        "available": free,
        "use_percent": share,
        "mounted_on": mountpoint,
    }


_DOCKER: Final = "Monitor Docker containers, images, volumes, and networks. Collects real-time container status events."


def integrations(row: Facts) -> Facts:
    """Return which integrations a host has, and what its last inventory held."""
    docker: Facts = {"enabled": row["docker_enabled"], "description": _DOCKER}
    if row["docker_enabled"]:
        docker |= {name: row[name] for name in ("containers_count", "volumes_count", "networks_count")}
    return {"host_id": row["id"], "integrations": {"docker": docker}}


def figures(row: Facts, systems: Sequence[Facts], now: datetime) -> Facts:
    """Return what a dashboard card shows; ``systems`` come with the most frequent first."""
    top: Facts = {}
    for place in (1, 2, 3):
        found = systems[place - 1] if len(systems) >= place else {"name": "None", "count": 0}
        top |= {f"top_os_{place}_name": found["name"], f"top_os_{place}_count": found["count"]}
    up_to_date = row["total_hosts"] - row["hosts_needing_updates"]
    return {**row, "up_to_date_hosts": up_to_date, **top, "os_distribution": list(systems), "last_updated": now}
