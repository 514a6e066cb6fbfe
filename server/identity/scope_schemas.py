"""What comes in and goes out where people and roles are limited to host groups."""

from typing import Any

from pydantic import Field

from server.identity import reach
from server.identity.models import Limits
from server.identity.schemas import Body


class HostGroupsForm(Body):
    """The page's form of a limit: which choice is marked, and which groups are ticked."""

    limited: bool = False
    groups: list[str] = Field(default_factory=list)

    @property
    def wanted(self) -> list[str] | None:
        """The host groups; ``None`` for all hosts."""
        return self.groups if self.limited else None


class HostGroupsBody(Body):
    """UUIDs of the host groups somebody is limited to; null lifts the limit."""

    host_groups: list[str] | None


def limits(one: Limits) -> dict[str, Any]:
    """Return what limits a person: of their own, of their role, and what is left (null: all hosts)."""
    left = reach.of(one.role, one.role_groups, one.user_groups)
    return {
        "host_groups": one.user_groups,
        "role": one.role,
        "role_host_groups": one.role_groups,
        "effective_host_groups": None if left is None else sorted(left),
    }
