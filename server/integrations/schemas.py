"""Bodies and answers of the integrations' doors, in the words of the contract."""

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any, Final

import orjson
from pydantic import Field, field_validator

from server.core.errors import Invalid, Problem
from server.core.ids import is_uuid
from server.integrations import rules
from server.integrations.errors import AccessDenied, BadBulk, BadToken, DailyLimit
from server.integrations.models import Change, Enrolled, Facts, Made, NewToken, NotEnrolled, Token, Wanted
from server.web.forms import BadBody, Body, parse

_NAME_MOST: Final = 255
_BULK_MOST: Final = 50
_BAD_NAME: Final = "Friendly name is required (max 255 characters)"
_BAD_MACHINE: Final = "Machine ID must be between 1 and 255 characters if provided"


class TokenBody(Body):
    """A token as it is asked for, or what to change about it; what is left out stays."""

    token_name: str | None = None
    max_hosts_per_day: int | None = None
    default_host_group_id: str | None = None
    allowed_ip_ranges: list[str] | None = None
    expires_at: str | None = Field(None, description="ISO 8601; without a zone it is the server's")
    metadata: dict[str, Any] | None = Field(None, description="`integration_type` and free keys")
    scopes: Any = Field(None, description='Only for API tokens: {"host": ["get", "delete"]}')
    is_active: bool | None = None

    @field_validator("metadata", "scopes")
    @classmethod
    def _can_be_stored(cls, value: object) -> object:
        if b"\\u0000" in orjson.dumps(value):
            raise ValueError("must not contain U+0000")
        return value

    def new(self, where: tzinfo) -> NewToken:
        """Return the model of a new token."""
        metadata = self.metadata or {}
        is_api = metadata.get("integration_type") == "api"
        return NewToken(
            (self.token_name or "").strip(),
            metadata,
            100 if self.max_hosts_per_day is None else self.max_hosts_per_day,
            group(self.default_host_group_id),
            rules.clean_ranges(self.allowed_ip_ranges or ()),
            moment(self.expires_at, where),
            rules.checked_scopes(self.scopes) if is_api and self.scopes is not None else None,
        )

    def change(self, where: tzinfo) -> Change:
        """Return what to change: the fields that were sent; null clears a date and a group, and else says nothing."""
        clearing = {"expires_at", "default_host_group_id"}
        sent = {name for name in self.model_fields_set if getattr(self, name) is not None or name in clearing}
        return Change(
            frozenset(sent - {"metadata"}),
            (self.token_name or "").strip(),
            self.is_active is not False,
            self.max_hosts_per_day or 0,
            rules.clean_ranges(self.allowed_ip_ranges or ()),
            group(self.default_host_group_id),
            moment(self.expires_at, where),
            rules.checked_scopes(self.scopes) if self.scopes is not None else None,
        )


def group(text: str | None) -> str | None:
    """Return a group's id; raises ``BadToken`` for what is none."""
    if not text:
        return None
    if not is_uuid(text):
        raise BadToken.of({"default_host_group_id": "Host group not found"})
    return text


def moment(text: str | None, where: tzinfo) -> datetime | None:
    """Return a moment; a date that cannot be read must not make a token that never ends."""
    if not text:
        return None
    found = rules.moment(text, where)
    if found is None:
        raise BadToken.of({"expires_at": "Expiration date must be a date in ISO 8601"})
    return found


class EnrolBody(Body):
    """A host to enrol; ``metadata`` is not kept."""

    friendly_name: str | None = None
    machine_id: str | None = None
    metadata: Any = None


class BulkBody(Body):
    """Hosts to enrol."""

    hosts: list[Any] | None = None


def lowered(value: object) -> object:
    """Return a body with its names in small letters, as clients of all ages send them."""
    return {str(name).lower(): one for name, one in value.items()} if isinstance(value, dict) else value


def wanted(value: object) -> Wanted:
    """Return the host that a body asks for; raises ``BadBody`` or ``BadToken``."""
    body = parse(EnrolBody, lowered(value))
    name, machine = body.friendly_name or "", body.machine_id
    if not name.strip() or len(name) > _NAME_MOST or "\0" in name:
        raise BadToken.of({"friendly_name": _BAD_NAME})
    if machine is not None and (not 1 <= len(machine) <= _NAME_MOST or "\0" in machine):
        raise BadToken.of({"machine_id": _BAD_MACHINE})
    return Wanted(name.strip(), machine or "")


def many_wanted(value: object) -> list[Wanted | NotEnrolled]:
    """Return the hosts that a body asks for, and for each that is wrong what is."""
    rows = parse(BulkBody, lowered(value)).hosts
    if rows is None or not 1 <= len(rows) <= _BULK_MOST:
        raise BadBulk
    return [_one_of_many(row) for row in rows]


def _one_of_many(row: object) -> Wanted | NotEnrolled:
    try:
        return wanted(row)
    except Invalid as refused:
        name = row.get("friendly_name") if isinstance(row, Mapping) else None
        return NotEnrolled(name if isinstance(name, str) else "", str(refused))


# ------------------------------------------------------------------------------------------------ answers


def refusal(problem: Problem) -> Facts:
    """Return a refusal as clients of this API have always read it."""
    if isinstance(problem, DailyLimit):
        return {"error": "Rate limit exceeded", "message": str(problem)}
    if isinstance(problem, AccessDenied):
        return {"error": str(problem), "message": problem.message}
    body: Facts = {"error": str(problem)}
    if isinstance(problem, Invalid) and problem.complaints and not isinstance(problem, BadBody):
        body["errors"] = [{"msg": text, "param": name, "location": "body"} for name, text in problem.complaints.items()]
    return body


def made(made_: Made) -> Facts:
    """Return a new token with its secret."""
    token = made_.token
    return {
        "message": "Auto-enrollment token created successfully",
        "token": {
            "id": token.id,
            "token_name": token.token_name,
            "token_key": token.token_key,
            "token_secret": made_.secret.reveal(),
            "max_hosts_per_day": token.max_hosts_per_day,
            "default_host_group": token.host_groups,
            "created_by": token.users,
            "expires_at": token.expires_at,
            "scopes": token.scopes,
        },
        "warning": "Save the token_secret now - it cannot be retrieved later!",
    }


_STORED: Final = (
    "id",
    "token_name",
    "token_key",
    "is_active",
    "allowed_ip_ranges",
    "max_hosts_per_day",
    "hosts_created_today",
    "last_used_at",
    "expires_at",
    "created_at",
    "default_host_group_id",
    "metadata",
    "scopes",
    "host_groups",
    "users",
)


def stored(token: Token) -> Facts:
    """Return a token without its secret."""
    return {name: getattr(token, name) for name in _STORED}


def enrolled(host: Enrolled) -> Facts:
    """Return a new host with its key; the order of the names is what scripts without jq read by."""
    return {
        "message": "Host enrolled successfully",
        "host": {**_credentials(host), "host_group": host.host_group, "status": "pending"},
    }


def enrolled_many(made_: list[Enrolled], failed: list[NotEnrolled]) -> Facts:
    """Return what became of many hosts; none is ever skipped, because nothing is looked for by name."""
    return {
        "message": f"Bulk enrollment completed: {len(made_)} succeeded, {len(failed)} failed, 0 skipped",
        "results": {
            "success": [_credentials(host) for host in made_],
            "failed": [{"friendly_name": one.friendly_name, "error": one.error} for one in failed],
            "skipped": [],
        },
    }


def _credentials(host: Enrolled) -> Facts:
    return {
        "id": host.id,
        "friendly_name": host.friendly_name,
        "api_id": host.api_id,
        "api_key": host.api_key.reveal(),
    }


_INFO: Final = ("id", "machine_id", "friendly_name", "hostname", "ip", "os_type", "os_version", "agent_version")


def info(host: Facts) -> Facts:
    """Return who a host is."""
    return {**{name: host[name] for name in _INFO}, "host_groups": host["host_groups"]}
