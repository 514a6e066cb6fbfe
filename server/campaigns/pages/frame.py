"""What stands around the pages of campaigns: the permissions, the way back."""

from typing import Final

from aiohttp import web

from server.web import flash
from server.web.routing import call

VIEW: Final = "can_view_hosts"
MANAGE: Final = "can_manage_patching"
MODULE: Final = "patching"
CRUMB: Final = ("Patching", "/patching")
CAMPAIGNS: Final = ("Campaigns", "/patching/campaigns")
WINDOWS: Final = ("Maintenance windows", "/patching/windows")


def may_manage(request: web.Request) -> bool:
    """Tell whether this person starts, approves and stops campaigns."""
    return call(request).actor.may(MANAGE)


def may_plan(request: web.Request) -> bool:
    """Tell whether this person keeps maintenance windows: they reach the whole fleet."""
    return may_manage(request) and call(request).actor.scope is None


def back(request: web.Request, url: str, text: str, kind: str = "good") -> web.Response:
    """Lead to a page, and say there what happened."""
    answer = web.Response(status=303, headers={"Location": url})
    flash.say(answer, request, kind, text)
    return answer
