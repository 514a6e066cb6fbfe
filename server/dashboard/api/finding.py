"""The search across rooms, for people's programs."""

from typing import Final

from aiohttp import web

from server.web.problems import json_answer
from server.web.routing import Routes, call, gated
from server.web.searching import SEARCH, hits

routes: Final = Routes()


@routes.get("/api/v1/search")
@gated("can_view_hosts")
async def search(request: web.Request) -> web.Response:
    """Answer what the words find, best first; nothing for less than two letters."""
    searchers = request.config_dict[SEARCH]
    found = await hits(call(request), searchers, request.query.get("q", ""))
    return json_answer(
        [
            {"id": hit.id or hit.url, "name": hit.title, "type": searcher.kind, "description": hit.note, "url": hit.url}
            for searcher, some in found
            for hit in some
        ]
    )
