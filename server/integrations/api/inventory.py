"""The fleet as an Ansible inventory: every host with its variables in one answer."""

from typing import Final

import orjson
from aiohttp import web

from server.core.ids import is_uuid
from server.integrations import service
from server.integrations.api.doors import asking, worded
from server.integrations.errors import BadFilter
from server.integrations.models import InventoryFilter
from server.web.compression import packed
from server.web.routing import Routes, open_to_all

routes: Final = Routes()

_WHY: Final = "the token in the Basic credentials is what proves who asks"
_PAGE_HOSTS: Final = 20_000
_LONGEST_QUERY: Final = 20_000
_ANSWERS: Final = {"": None, "true": True, "false": False}


@routes.get("/api/v1/api/inventory")
@routes.get("/api/v1/api/inventory/")
@open_to_all(_WHY, limit="general")
@worded("Failed to fetch the inventory")
async def list_inventory(request: web.Request) -> web.Response:
    """Answer hosts with their groups, tags, updates and facts; ``next`` stands for ``after`` while there are more."""
    asked, _ = await asking(request, "api", "get")
    after, limit = _place(request)
    rows, total, last = await service.list_inventory(asked, _filter(request), after, limit)
    following = orjson.dumps(last).decode()
    body = f'{{"hosts":{rows},"total":{total},"next":{following}}}\n'
    return await packed(request, body.encode(), "application/json")


def _place(request: web.Request) -> tuple[str | None, int]:
    after, limit = request.query.get("after", ""), request.query.get("limit", "")
    if after and not is_uuid(after):
        raise BadFilter(name="after", words="the id of a host")
    if not limit:
        return after or None, _PAGE_HOSTS
    if not limit.isdecimal() or len(limit) > len(str(_PAGE_HOSTS)) or not 1 <= int(limit) <= _PAGE_HOSTS:
        raise BadFilter(name="limit", words=f"a number from 1 to {_PAGE_HOSTS}")
    return after or None, int(limit)


def _filter(request: web.Request) -> InventoryFilter:
    return InventoryFilter(
        _words(request, "group"),
        _words(request, "tag"),
        tuple(word.lower() for word in _words(request, "os")),
        _answer(request, "needs_reboot"),
        _answer(request, "outdated"),
        _answer(request, "security"),
        _answer(request, "stale"),
    )


def _words(request: web.Request, name: str) -> tuple[str, ...]:
    # Repeated, so that names may hold commas.
    found = (one[:_LONGEST_QUERY].replace("\0", "").strip() for one in request.query.getall(name, ()))
    return tuple(one for one in found if one)


def _answer(request: web.Request, name: str) -> bool | None:
    given = request.query.get(name, "").lower()
    if given not in _ANSWERS:
        raise BadFilter(name=name, words="true or false")
    return _ANSWERS[given]
