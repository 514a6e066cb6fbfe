"""What stands around the library's pages: permissions, the way back, what was posted."""

from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web

from server.core.errors import Invalid
from server.identity import service as identity
from server.library.models import Level
from server.web import flash
from server.web.routing import call

VIEW: Final = "can_view_hosts"
MANAGE: Final = "can_manage_automation"
CRUMB: Final = ("Projects", "/projects")
LEVELS: Final[tuple[tuple[Level, str], ...]] = (
    ("none", "Nothing: it is hidden"),
    ("view", "Look at it"),
    ("launch", "Launch its playbooks"),
    ("edit", "Change it"),
)


def back(url: str, request: web.Request, text: str, kind: str = "good") -> web.Response:
    """Lead to a page, and say there what happened."""
    answer = web.Response(status=303, headers={"Location": url})
    flash.say(answer, request, kind, text)
    return answer


def many(values: Mapping[str, Any], name: str) -> list[str]:
    """Return every value of a repeated field."""
    value = values.get(name)
    return [str(one) for one in value] if isinstance(value, list) else [str(value)] if value else []


def ticked(values: Mapping[str, Any], name: str) -> bool:
    """Tell whether a check box is on: it sends "false" first, and "true" after it."""
    return "true" in many(values, name)


def said(refused: Invalid) -> dict[str, str]:
    """Return the complaints of a refusal, by field."""
    return refused.complaints or {"": str(refused)}


async def subjects(request: web.Request) -> list[tuple[str, str]]:
    """Return whom something can be given to: roles and people, as (``role:…`` or ``person:…``, words)."""
    asked = call(request)
    roles = [(f"role:{one.role}", f"Role {one.role.replace('_', ' ')}") for one in await identity.roles(asked)]
    return [*roles, *((f"person:{one}", name) for one, name in await identity.names(asked))]
