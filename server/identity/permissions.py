"""The 20 permissions, and what each role may do."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

Tier = Literal["Monitoring & Visibility", "Host & Infrastructure", "Operations", "Administration"]

_LOW: Final[Tier] = "Monitoring & Visibility"
_MEDIUM: Final[Tier] = "Host & Infrastructure"
_HIGHER: Final[Tier] = "Operations"
_HIGH: Final[Tier] = "Administration"


@dataclass(frozen=True, slots=True)
class Permission:
    """One permission; ``tier`` says how much harm it can do."""

    key: str
    label: str
    tier: Tier


PERMISSIONS: Final = (
    Permission("can_view_dashboard", "View Dashboard", _LOW),
    Permission("can_view_hosts", "View Hosts", _LOW),
    Permission("can_view_packages", "View Packages", _LOW),
    Permission("can_view_reports", "View Reports", _LOW),
    Permission("can_view_notification_logs", "View Notification Logs", _LOW),
    Permission("can_manage_hosts", "Manage Hosts", _MEDIUM),
    Permission("can_manage_packages", "Manage Packages", _MEDIUM),
    Permission("can_manage_docker", "Manage Docker", _MEDIUM),
    Permission("can_manage_patching", "Manage Patching", _HIGHER),
    Permission("can_manage_compliance", "Manage Compliance", _HIGHER),
    Permission("can_manage_alerts", "Manage Alerts", _HIGHER),
    Permission("can_manage_automation", "Manage Automation", _HIGHER),
    Permission("can_use_remote_access", "Remote Access", _HIGHER),
    Permission("can_view_users", "View Users", _HIGH),
    Permission("can_manage_users", "Manage Users", _HIGH),
    Permission("can_manage_superusers", "Manage Superusers", _HIGH),
    Permission("can_manage_settings", "Manage Settings", _HIGH),
    Permission("can_manage_notifications", "Manage Notifications", _HIGH),
    Permission("can_export_data", "Export Data", _HIGH),
    Permission("can_manage_billing", "Billing", _HIGH),
)

KEYS: Final = frozenset(permission.key for permission in PERMISSIONS)
SUPERUSERS: Final = "can_manage_superusers"
ADMIN_ROLES: Final = ("superadmin", "admin")


def _tier(*tiers: Tier) -> frozenset[str]:
    return frozenset(permission.key for permission in PERMISSIONS if permission.tier in tiers)


#: Parts of the product that an operator can switch off as a whole; a gate may name one beside its permissions.
MODULES: Final = (
    "ssh_terminal",
    "rdp",
    "ai",
    "rbac_custom",
    "custom_branding",
    "alerts_advanced",
    "compliance",
    "patching",
    "patching_policies",
    "docker",
)

#: What the built-in roles hold when nobody changed anything; the migration writes the same into the table.
BUILT_IN: Final[dict[str, frozenset[str]]] = {
    "superadmin": KEYS,
    "admin": KEYS - {SUPERUSERS},
    "host_manager": _tier(_LOW, _MEDIUM, _HIGHER),
    "user": _tier(_LOW) | {"can_export_data"},
    "readonly": _tier(_LOW),
}

#: How far a new role is ticked at the start.
PRESETS: Final = (
    ("readonly", "Read Only", _tier(_LOW)),
    ("operator", "Operator", _tier(_LOW, _MEDIUM, _HIGHER)),
    ("admin", "Admin", KEYS),
    ("none", "Clear All", frozenset[str]()),
)
#: The tiers with the harm that their permissions can do.
TIERS: Final = ((_LOW, "Low risk"), (_MEDIUM, "Medium risk"), (_HIGHER, "Medium-High risk"), (_HIGH, "High risk"))

_WORDS: Final = {
    "superadmin": "Super Admin",
    "admin": "Admin",
    "host_manager": "Host Manager",
    "user": "User",
    "readonly": "Readonly",
}

#: Their permissions are part of the product, whatever the table says.
FIXED: Final = frozenset({"superadmin", "admin", "user"})


def held(role: str, stored: Iterable[str] | None) -> frozenset[str] | None:
    """Return the permissions of a role, or ``None`` when there is no such role.

    Args:
        role: the key of the role.
        stored: what the table holds for it, ``None`` when it has no row.
    """
    if role in FIXED:
        return BUILT_IN[role]
    return KEYS & frozenset(stored) if stored is not None else None


def word(role: str) -> str:
    """Return a role's name for people."""
    return _WORDS.get(role) or role.replace("_", " ").capitalize()
