"""Makes the hosts of the demonstration fleet: the same ones for the same seed."""

import random
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, TypeVar

from server.demo.catalogue import RELEASES, ROLES, SITES, STAGES, kinds
from server.demo.models import Kind, Machine, Release, Role

Thing = TypeVar("Thing")

#: Sets of packages per role.
TURNS: Final = 6
PREFIX: Final = "demo_"
_SPACE: Final = uuid.UUID("6f0f7f8c-6a0b-4f0e-9d7e-2f1d7c1b8a52")
_AGENTS: Final = ("2.0.0", "2.0.0", "2.0.0", "1.9.4", "1.9.1")
#: Up to this many days, and which part of the fleet was patched within them.
_PATCHED: Final = ((1.0, 0.18), (7.0, 0.42), (30.0, 0.28), (90.0, 0.10), (200.0, 0.02))
_OFFLINE: Final = 0.04
_SILENT: Final = 0.006
_WITH_UPDATE: Final = 0.45
_UPDATE_DAYS: Final = 120.0


def named(kind: str, name: str) -> str:
    """Return the UUID of a group, repository or job of the demonstration, always the same one."""
    return str(uuid.uuid5(_SPACE, f"{kind}/{name}"))


def picked(dice: random.Random, things: Sequence[Thing], shares: Sequence[float]) -> Thing:
    """Return one of the things, by its share."""
    return dice.choices(things, weights=shares)[0]


def updates(dice: random.Random) -> list[dict[str, object]]:
    """Return each kind with how many days ago its newest update came out (none: there is none)."""
    found: list[dict[str, object]] = []
    for kind in kinds():
        out = dice.random() < (0.8 if kind.prone else _WITH_UPDATE)
        days = round(dice.uniform(0.1, _UPDATE_DAYS), 2) if out else None
        security = kind.prone and dice.random() < 0.7  # noqa: PLR2004 (a share)
        found.append(_kind(kind, days, security=security))
    return found


def _kind(kind: Kind, days: float | None, *, security: bool) -> dict[str, object]:
    return {
        "place": kind.place,
        "name": kind.name,
        "version": kind.version,
        "section": kind.section,
        "days": days,
        "security": security,
    }


def machines(dice: random.Random, hosts: int, now: datetime) -> list[Machine]:
    """Return the hosts."""
    numbers: dict[tuple[str, str], int] = {}
    return [_machine(dice, number, numbers, now) for number in range(1, hosts + 1)]


def _machine(dice: random.Random, number: int, numbers: dict[tuple[str, str], int], now: datetime) -> Machine:
    role = picked(dice, ROLES, [one.share for one in ROLES])
    site = picked(dice, SITES, [share for *_, share in SITES])[0]
    stage = picked(dice, STAGES, [share for *_, share in STAGES])[0]
    release = picked(dice, RELEASES, [one.share for one in RELEASES])
    numbers[role.name, site] = numbers.get((role.name, site), 0) + 1
    name = f"{role.name}-{site}-{numbers[role.name, site]:03d}"
    offline = dice.random() < _OFFLINE
    gone_days = dice.uniform(31, 90) if dice.random() < _SILENT / _OFFLINE else dice.expovariate(1.5)
    reported_at = now - (timedelta(days=gone_days) if offline else timedelta(minutes=dice.uniform(1, 60)))
    connected_at = reported_at - timedelta(hours=dice.uniform(1, 400))
    patched_days = patched(dice)
    return Machine(
        uuid=str(uuid.UUID(int=dice.getrandbits(128), version=4)),
        number=number,
        name=name,
        role=role.name,
        site=site,
        stage=stage,
        release=release.name,
        profile=ROLES.index(role) * TURNS + dice.randrange(TURNS),
        patched_days=patched_days,
        cycle_days=dice.choice((7, 7, 14, 28, 30)),
        reported_at=reported_at,
        connected_at=connected_at,
        disconnected_at=reported_at + timedelta(minutes=4) if offline else None,
        row=_row(dice, number, name, release, role, patched_days),
    )


def patched(dice: random.Random) -> float:
    """Return how many days ago a host was patched: most of them lately, some never."""
    within, _ = picked(dice, _PATCHED, [share for _, share in _PATCHED])
    shorter = max((days for days, _ in _PATCHED if days < within), default=0.0)
    return round(dice.uniform(shorter, within), 2)


def _row(
    dice: random.Random, number: int, name: str, release: Release, role: Role, patched_days: float
) -> dict[str, object]:
    address = f"10.{number // 62500 + 16}.{number // 250 % 250}.{number % 250 + 2}"
    needs_reboot = dice.random() < (0.03 if patched_days > 7 else 0.09)  # noqa: PLR2004 (freshly patched hosts want reboots)
    cores = dice.choice((2, 2, 4, 4, 8, 16, 32))
    return {
        "api_id": f"{PREFIX}{number:06d}",
        "friendly_name": name,
        "hostname": f"{name}.example.net",
        "machine_id": f"{dice.getrandbits(128):032x}",
        "ip": address,
        "os_type": release.os_type,
        "os_version": release.os_version,
        "kernel_version": release.kernel,
        "package_manager": release.manager,
        "agent_version": dice.choice(_AGENTS),
        "cpu_model": dice.choice(("AMD EPYC 7543P", "AMD EPYC 9354", "Intel Xeon Gold 6338", "Intel Xeon E-2388G")),
        "cpu_cores": cores,
        "ram_installed": cores * dice.choice((2, 4, 8)),
        "swap_size": dice.choice((0, 2, 4)),
        "disk_details": [_disk(dice)],
        "gateway_ip": address.rsplit(".", 1)[0] + ".1",
        "dns_servers": ["10.16.0.53", "10.17.0.53"],
        "network_interfaces": [_interface(number, address)],
        "uptime_days": round(dice.uniform(0.1, max(1.0, patched_days * 1.5)), 1),
        "load_average": [round(dice.uniform(0, cores * 0.8), 2) for _ in range(3)],
        "needs_reboot": needs_reboot,
        "reboot_reason": "The running kernel is older than the installed one" if needs_reboot else "",
        "notes": f"{role.title}, watched by the platform team." if dice.random() < 0.1 else "",  # noqa: PLR2004 (a share)
    }


def _disk(dice: random.Random) -> dict[str, object]:
    size, used = dice.choice((40, 80, 160, 500)), dice.uniform(0.2, 0.93)
    return {
        "name": "/dev/vda1",
        "size": f"{size} GB",
        "mountpoint": "/",
        "used": f"{size * used:.0f} GB",
        "available": f"{size * (1 - used):.0f} GB",
    }


def _interface(number: int, address: str) -> dict[str, object]:
    return {
        "name": "eth0",
        "type": "ethernet",
        "mac_address": f"52:54:00:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}",
        "mtu": 1500,
        "status": "up",
        "link_speed_mbit": 10000,
        "duplex": "full",
        "addresses": [{"address": address, "family": "inet", "netmask": "/24", "gateway": ""}],
    }
