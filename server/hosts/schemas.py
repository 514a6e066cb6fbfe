"""Bodies and queries of the hosts room's doors, as its models."""

from typing import Annotated

from aiohttp import web
from pydantic import AliasChoices, Field, StringConstraints, field_validator

from server.hosts.models import IntegrationReport, NewHost, Platform
from server.hosts.views import Listed
from server.web.forms import TextBody, query_number

ShortText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=255)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
_SIZES = (25, 50, 100, 200)
_STATES = {name: name for name in ("online", "offline", "updates", "security", "reboot")} | {"needsUpdates": "updates"}


class NewHostBody(TextBody):
    """What a person decides about a new host."""

    friendly_name: Name
    group_ids: tuple[str, ...] = Field((), validation_alias=AliasChoices("hostGroupIds", "host_group_ids", "group_ids"))
    docker_enabled: bool = False
    compliance_enabled: bool = False
    expected_platform: Platform = "linux"

    @field_validator("group_ids", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: object) -> object:
        # A form with one box ticked sends text, null means none.
        return () if value is None else (value,) if isinstance(value, str) else value

    def host(self) -> NewHost:
        """Return the model."""
        return NewHost(
            self.friendly_name, self.group_ids, self.docker_enabled, self.compliance_enabled, self.expected_platform
        )


class GroupsBody(TextBody):
    """The groups a host shall be in."""

    group_ids: tuple[str, ...] = Field(validation_alias=AliasChoices("groupIds", "group_ids"))


class GroupBody(TextBody):
    """A host group."""

    name: Name
    description: ShortText = ""
    color: Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")] = "#3B82F6"


class TokenBody(TextBody):
    """What an install script brings along."""

    token: str = ""


class IntegrationBody(TextBody):
    """What an agent says about the set-up of an integration."""

    integration: str = ""
    enabled: bool = False
    status: str = ""
    message: str = ""
    components: dict[str, str] | None = None
    scanner_info: dict[str, object] | None = None
    install_events: tuple[dict[str, str], ...] | None = None

    def report(self) -> IntegrationReport:
        """Return the model."""
        return IntegrationReport(
            self.integration,
            self.enabled,
            self.status,
            self.message,
            self.components or {},
            self.scanner_info,
            self.install_events,
        )


def listed(request: web.Request) -> Listed:
    """Return which part of the list the query asks for; nonsense counts as absent."""
    query = request.query
    size = query_number(request, "size", 50)
    return Listed(
        search=(query.get("search") or query.get("q", ""))[:200].replace("\0", ""),
        sort=query.get("sort", "name"),
        direction="desc" if query.get("direction") == "desc" else "asc",
        group=query.get("group", "")[:100].replace("\0", ""),
        state=_STATES.get(query.get("state") or query.get("filter", ""), ""),
        page=query_number(request, "page", 1),
        size=size if size in _SIZES else 50,
    )
