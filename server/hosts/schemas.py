"""Bodies and queries of the hosts room's doors, as its models."""

from typing import Annotated, Literal

from pydantic import AliasChoices, Field, StrictBool, StringConstraints, field_validator

from server.hosts.models import NAME_LENGTH, TEXT_LENGTH, IntegrationReport, NewHost, Platform
from server.web.forms import TextBody

ShortText = Annotated[str, StringConstraints(strip_whitespace=True, max_length=TEXT_LENGTH)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=NAME_LENGTH)]


class NewHostBody(TextBody):
    """What a person decides about a new host."""

    friendly_name: Name
    group_ids: tuple[str, ...] = Field((), validation_alias=AliasChoices("hostGroupIds", "host_group_ids", "group_ids"))
    docker_enabled: bool = False
    compliance_enabled: bool | None = None
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


class HostsBody(TextBody):
    """Many hosts."""

    host_ids: tuple[str, ...] = Field(
        validation_alias=AliasChoices("hostIds", "host_ids"), min_length=1, max_length=10_000
    )


class BulkGroupsBody(HostsBody):
    """The groups many hosts shall be in."""

    group_ids: tuple[str, ...] = Field(validation_alias=AliasChoices("groupIds", "group_ids"))


def _as_texts(value: object) -> object:
    # {"role": "web"} says the same as ["role=web"].
    if isinstance(value, dict):
        return [f"{key}={text}" if text not in {"", None} else str(key) for key, text in value.items()]
    return value


class TagsBody(TextBody):
    """A host's tags: texts such as ``role=web``, or an object of keys and values."""

    texts: tuple[str, ...] = Field(validation_alias="tags", max_length=50)

    _objects = field_validator("texts", mode="before")(_as_texts)


class TagsChangeBody(HostsBody):
    """Tags that many hosts get, and keys of tags that they lose."""

    added: tuple[str, ...] = Field((), validation_alias="add", max_length=50)
    remove: tuple[str, ...] = Field((), max_length=50)

    _objects = field_validator("added", mode="before")(_as_texts)


class GroupBody(TextBody):
    """A host group."""

    name: Name
    description: ShortText = ""
    color: Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")] = "#3B82F6"


class RolloutForm(TextBody):
    """What a person decides about a new agent."""

    decision: Literal["everywhere", "stopped"]


class TokenBody(TextBody):
    """What an install script brings along."""

    token: str = ""


class IntegrationBody(TextBody):
    """What an agent says about the set-up of an integration."""

    integration: str = ""
    enabled: StrictBool = False
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
