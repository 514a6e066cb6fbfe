"""The forms of tokens: their fields, and what was typed as models."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import tzinfo
from typing import Any, Final

from server.core.errors import Invalid, Problem
from server.integrations import rules, schemas
from server.integrations.errors import BadToken
from server.integrations.models import Change, NewToken, Scopes, Token
from server.web.fields import Field

_NAME: Final = Field("token_name", "Token Name", placeholder="Proxmox production")
_LIMIT: Final = Field(
    "max_hosts_per_day", "Max Hosts Per Day", "number", value=100, help="1 to 1000. Counted anew after midnight."
)
_GROUP: Final = Field(
    "default_host_group_id",
    "Default Host Group",
    "choice",
    required=False,
    help="Every host it enrols joins this group.",
)
_ADDRESSES: Final = Field(
    "allowed_ip_ranges",
    "Allowed IP Addresses",
    required=False,
    placeholder="10.0.0.10, 192.168.1.0/24",
    help="Addresses and networks, separated by commas. Empty: from everywhere.",
)
_ENDS: Final = Field(
    "expires_at",
    "Expiration Date",
    required=False,
    placeholder="2026-12-31T23:59:59",
    help="Empty: it never expires. Without a zone it is the server's time.",
)
_FIELDS: Final[dict[str, Sequence[Field]]] = {
    "enrol": (_NAME, _LIMIT, _GROUP, _ADDRESSES, _ENDS),
    "api": (
        replace(_NAME, placeholder="Ansible inventory"),
        _ADDRESSES,
        _ENDS,
        replace(_GROUP, help="Kept with the token. It does not limit which hosts the token reads."),
    ),
    "gethomepage": (replace(_NAME, placeholder="Homepage"), _ADDRESSES, _ENDS),
}

#: What a token for the API may be granted: scope, word, what it opens.
GRANTS: Final = (
    ("host:get", "Read hosts", "Inventory, lists, system, network, packages, reports, jobs and notes of every host."),
    ("host:delete", "Delete hosts", "Removes a host with everything known about it. This cannot be undone."),
    ("host_group:get", "Read groups", "Names, colours and sizes of host groups."),
    ("host_group:post", "Create groups", "Adds host groups."),
    ("host_group:put", "Change groups", "Renames groups and moves hosts between them."),
    ("host_group:delete", "Delete groups", "Removes groups that no host is in."),
    ("tag:get", "Read tags", "The tags of each host."),
    ("tag:put", "Change tags", "Replaces the tags of a host."),
    ("note:put", "Write notes", "Replaces the notes of a host."),
    ("patch:post", "Patch hosts", "Starts patch runs and dry runs on every host."),
    ("job:get", "Follow jobs", "Where a job stands and how it ended."),
    ("job:post", "Run playbooks", "Runs built-in playbooks on every host."),
    (
        "relay:post",
        "Relay commands",
        "Runs any command on every host, for Ansible that runs elsewhere.",
    ),
)


def fields(usage: str, groups: Sequence[tuple[str, str]]) -> list[Field]:
    """Return the fields of this kind of token."""
    choices = (("", "No group"), *groups)
    found = _FIELDS.get(usage, _FIELDS["enrol"])
    return [replace(one, choices=choices) if one.kind == "choice" else one for one in found]


def values_of(token: Token) -> dict[str, object]:
    """Return a token as its form shows it."""
    return {
        "token_name": token.token_name,
        "max_hosts_per_day": token.max_hosts_per_day,
        "default_host_group_id": token.default_host_group_id or "",
        "allowed_ip_ranges": ", ".join(token.allowed_ip_ranges),
        "expires_at": token.expires_at.isoformat().replace("+00:00", "Z") if token.expires_at else "",
    }


def granted(values: Mapping[str, Any]) -> list[str]:
    """Return the scopes that were ticked; an action alone is one on hosts."""
    ticked = {one if ":" in one else f"host:{one}" for one in values.get("actions", ())}
    return [scope for scope, _, _ in GRANTS if scope in ticked]


def ticked(scopes: Scopes | None) -> list[str]:
    """Return the scopes of a token as the form ticks them."""
    return [f"{resource}:{action}" for resource, actions in (scopes or {}).items() for action in actions]


def new(usage: str, values: Mapping[str, Any], where: tzinfo) -> NewToken:
    """Return the token that was asked for; raises ``BadToken``."""
    return NewToken(
        _text(values, "token_name"),
        {"integration_type": usage},
        _number(values, "max_hosts_per_day") if usage not in {"api", "gethomepage"} else 100,
        schemas.group(_text(values, "default_host_group_id")),
        rules.clean_ranges(_text(values, "allowed_ip_ranges").split(",")),
        schemas.moment(_text(values, "expires_at"), where),
        _scopes(values) if usage == "api" else None,
    )


def change(token: Token, values: Mapping[str, Any], where: tzinfo) -> Change:
    """Return what the form changes about a token; raises ``BadToken``."""
    shown = {one.name for one in _FIELDS.get(token.usage, _FIELDS["enrol"])}
    wanted = new(token.usage, values, where)
    return Change(
        frozenset(shown | ({"scopes"} if token.usage == "api" else set())),
        wanted.token_name,
        token.is_active,
        wanted.max_hosts_per_day,
        wanted.allowed_ip_ranges,
        wanted.default_host_group_id,
        wanted.expires_at,
        wanted.scopes,
    )


def switch(*, on: bool) -> Change:
    """Return the change that switches a token on or off."""
    return Change(frozenset({"is_active"}), is_active=on)


def complaints_of(refused: Problem) -> dict[str, str]:
    """Return what is wrong, field by field; what concerns no field stands alone."""
    return refused.complaints if isinstance(refused, Invalid) and refused.complaints else {"": str(refused)}


def _scopes(values: Mapping[str, Any]) -> Scopes:
    found: Scopes = {}
    for scope in granted(values):
        resource, _, action = scope.partition(":")
        found.setdefault(resource, []).append(action)
    if not found:
        raise BadToken.of({"scopes": "Tick at least one scope"})
    return found


def _text(values: Mapping[str, Any], name: str) -> str:
    return str(values.get(name, "")).strip()


def _number(values: Mapping[str, Any], name: str) -> int:
    text = _text(values, name)
    return int(text) if text.isdecimal() and len(text) < 10 else 0  # noqa: PLR2004 (keeps int() small)
