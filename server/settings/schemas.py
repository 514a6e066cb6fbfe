"""What comes in and goes out at the doors of the settings."""

from dataclasses import asdict
from typing import Any

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_snake

from server.settings import rules
from server.settings.models import Effective
from server.web.forms import BadBody, Body


class UrlForm(Body):
    """The form of the server's URL."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    server_url: str = ""
    ignore_ssl_self_signed: str | list[str] = "false"


class VariableForm(Body):
    """The form of one environment variable."""

    value: str | list[str] = ""


class BrandingForm(Body):
    """The form of the product's name and colour."""

    brand_name: str = ""
    brand_accent: str = ""


class PictureBody(Body):
    """A picture as programs send it; ``fileContent`` is base64 or a data URL."""

    logo_type: str = Field(alias="logoType")
    file_content: str = Field(alias="fileContent")
    file_name: str = Field(default="", alias="fileName")


class PictureReset(Body):
    """Which picture goes back to ours."""

    logo_type: str = Field(alias="logoType")


class AgentsForm(Body):
    """The form of what holds for all agents."""

    update_interval: str = ""
    auto_update: str | list[str] = "false"
    signup_enabled: str | list[str] = "false"


def changes(value: Any) -> dict[str, Any]:
    """Return a JSON body as changes by setting name; names may be written in snake or in camel case.

    Settings that have a page of their own are left out: their door checks more than the value.
    """
    if not isinstance(value, dict):
        raise BadBody
    named = {to_snake(str(name)): one for name, one in value.items()}
    return {name: one for name, one in named.items() if name not in rules.APART}


def as_answer(effective: Effective) -> dict[str, Any]:
    """Return every setting, the URL made of three of them, and where each comes from."""
    settings = effective.settings
    return {**asdict(settings), "server_url": settings.server_url, "sources": effective.sources}
