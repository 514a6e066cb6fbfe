"""What comes in and goes out at the doors of the settings."""

from dataclasses import asdict
from typing import Any

from pydantic import ConfigDict
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


class AgentsForm(Body):
    """The form of what holds for all agents."""

    update_interval: str = ""


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
