"""What stands around the pages of workflows and schedules: the permissions, the way back."""

from typing import Final

from aiohttp import web

from server.web import flash
from server.web.routing import call

VIEW: Final = "can_view_hosts"
MANAGE: Final = "can_manage_automation"
WORKFLOWS: Final = ("Workflows", "/workflows")
SCHEDULES: Final = ("Schedules", "/schedules")


def may_change(request: web.Request) -> bool:
    """Tell whether this person makes and changes workflows: they reach the whole fleet."""
    actor = call(request).actor
    return actor.may(MANAGE) and actor.scope is None


def back(request: web.Request, url: str, text: str, kind: str = "good") -> web.Response:
    """Lead to a page, and say there what happened."""
    answer = web.Response(status=303, headers={"Location": url})
    flash.say(answer, request, kind, text)
    return answer


def plain(text: object) -> str:
    """Return text of a form or an address without what no row contains."""
    return str(text or "").replace("\0", "")
