"""How somebody arranged the overview, for people's programs."""

from typing import Final

from aiohttp import web

from server.dashboard import layouts, schemas
from server.web.forms import read_json
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated

routes: Final = Routes()


@routes.get("/api/v1/dashboard-preferences")
@gated()
async def show(request: web.Request) -> web.Response:
    """Answer the asker's cards in their order."""
    return json_answer(schemas.preferences(await layouts.mine(call(request))))


@routes.put("/api/v1/dashboard-preferences")
@gated()
async def save(request: web.Request) -> web.Response:
    """Place cards; those that are not named stay where they are."""
    asked = call(request)
    body = await read_json(request, schemas.PreferencesBody)
    await layouts.arrange(asked, body.placed())
    kept = schemas.preferences(await layouts.mine(asked))
    return json_answer({"message": "Dashboard preferences updated successfully", "preferences": kept})


@routes.get("/api/v1/dashboard-preferences/defaults")
@gated()
async def defaults(request: web.Request) -> web.Response:
    """Answer the cards as they are before anybody arranged them, and what each of them shows."""
    return json_answer(schemas.defaults(layouts.usual(call(request))))


@routes.get("/api/v1/dashboard-preferences/layout")
@gated()
async def show_columns(request: web.Request) -> web.Response:
    """Answer in how many columns the numbers and the charts stand."""
    return json_answer(schemas.columns(await layouts.my_columns(call(request))))


@routes.put("/api/v1/dashboard-preferences/layout")
@gated()
async def save_columns(request: web.Request) -> web.Response:
    """Keep in how many columns they stand."""
    asked = call(request)
    body = await read_json(request, schemas.ColumnsBody)
    await layouts.choose_columns(asked, body.chosen(await layouts.my_columns(asked)))
    kept = schemas.columns(await layouts.my_columns(asked))
    return json_answer({"message": "Layout updated successfully", **kept})
