"""Bodies of what changes one host, as programs and forms send them."""

import ipaddress
import re
from typing import Annotated

from pydantic import AliasChoices, Field, StringConstraints, field_validator

from server.hosts.models import ComplianceMode
from server.web.forms import TextBody

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
HostName = Annotated[str, StringConstraints(strip_whitespace=True, max_length=255, pattern=r"^[A-Za-z0-9._:-]*$")]
Notes = Annotated[str, StringConstraints(max_length=20_000)]
Pattern = Annotated[
    str, StringConstraints(strip_whitespace=True, max_length=255, pattern=r"^[A-Za-z0-9*?\[][A-Za-z0-9+._:@~*?\[\]-]*$")
]


class EditBody(TextBody):
    """What people change of a host; only what is sent is changed."""

    friendly_name: Name = ""
    hostname: HostName = ""
    ip: str = ""
    notes: Notes = ""
    auto_update: bool = True
    primary_interface: Annotated[str, StringConstraints(max_length=255)] | None = Field(
        None, validation_alias=AliasChoices("primary_interface", "interface_name", "primaryInterface")
    )
    host_down_alerts_enabled: bool | None = Field(
        None, validation_alias=AliasChoices("host_down_alerts_enabled", "hostDownAlertsEnabled")
    )
    reboot_exempt: bool = Field(default=False, validation_alias=AliasChoices("reboot_exempt", "rebootExempt"))
    patch_hold_patterns: Annotated[list[Pattern], Field(max_length=100)] = Field(
        [], validation_alias=AliasChoices("patch_hold_patterns", "patchHoldPatterns")
    )

    @field_validator("patch_hold_patterns", mode="before")
    @classmethod
    def _typed(cls, value: object) -> object:
        return (
            re.split(r"[\s,]+", value.strip(" ,\n")) if isinstance(value, str) and value.strip(" ,\n") else value or []
        )

    @field_validator("ip")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if value.strip():
            ipaddress.ip_address(value.strip())
        return value.strip()

    @field_validator("primary_interface")
    @classmethod
    def _none_is_nothing(cls, value: str | None) -> str | None:
        return value or None

    @field_validator("host_down_alerts_enabled", mode="before")
    @classmethod
    def _inherit(cls, value: object) -> object:
        return None if isinstance(value, str) and value in {"", "inherit"} else value

    @property
    def given(self) -> dict[str, object]:
        """What was sent, by the names of a host."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class FriendlyNameBody(EditBody):
    """Another name."""

    friendly_name: Name


class NotesBody(TextBody):
    """Other notes; null is none."""

    notes: Notes | None = ""


class InterfaceBody(TextBody):
    """Which interface gives the address; null detects it."""

    interface_name: str | None = Field(validation_alias=AliasChoices("interface_name", "interfaceName"))


class AutoUpdateBody(TextBody):
    """Whether the agent replaces itself."""

    auto_update: bool = Field(validation_alias=AliasChoices("auto_update", "autoUpdate"))


class HostDownBody(TextBody):
    """Who is told when the host goes down; null inherits."""

    host_down_alerts_enabled: bool | None = Field(
        validation_alias=AliasChoices("host_down_alerts_enabled", "hostDownAlertsEnabled")
    )


class ToggleBody(TextBody):
    """A switch."""

    enabled: bool


class ModeBody(TextBody):
    """When compliance runs."""

    mode: ComplianceMode


class ScannersBody(TextBody):
    """Which scanners run; what is left out stays."""

    openscap_enabled: bool | None = None
    docker_bench_enabled: bool | None = None

    @property
    def switches(self) -> dict[str, object]:
        """What was sent, by the names of a host."""
        told = {
            "compliance_openscap_enabled": self.openscap_enabled,
            "compliance_docker_bench_enabled": self.docker_bench_enabled,
        }
        return {name: value for name, value in told.items() if value is not None}


class ProfileBody(TextBody):
    """The profile scans use when nobody says which; null is none."""

    profile_id: Annotated[str, StringConstraints(max_length=256, pattern=r"^[A-Za-z0-9_.-]*$")] | None = Field(
        validation_alias=AliasChoices("profile_id", "profileId")
    )
