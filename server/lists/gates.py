"""Who may open which list: what its own page says."""

from aiohttp import web

from server.lists import service
from server.lists.models import View
from server.web.forms import BadBody
from server.web.routing import Gate, call, gate_of


async def may_open(request: web.Request, path: str) -> bool:
    """Tell whether the asker may open the page at ``path``; there must be one."""
    gate = _gate_at(request, path)
    if gate is None or gate.kind != "permission":
        return False
    actor = call(request).actor
    return any(actor.may(permission) for permission in gate.permissions)


async def visible(request: web.Request, path: str = "") -> list[View]:
    """Return the views whose lists the asker may open."""
    found = await service.views(call(request), path)
    allowed = {one: await may_open(request, one) for one in {view.path for view in found}}
    return [view for view in found if allowed[view.path]]


async def demand_list(request: web.Request, path: str) -> None:
    """Refuse the address of a page that the asker may not open, or that does not exist."""
    if not await may_open(request, path):
        raise BadBody({"address": "must be the address of a list that you may open"})


def _gate_at(request: web.Request, path: str) -> Gate | None:
    # Not by the router: it wants a request, and one whose body was read cannot be copied.
    for resource in request.app.router.resources():
        info = resource.get_info()
        pattern = info.get("pattern")
        if info.get("path") == path or (pattern is not None and pattern.fullmatch(path)):
            for route in resource:
                if route.method == "GET":
                    return gate_of(route.handler)
    return None
