"""Webhooks and their deliveries for programs."""

from typing import Final

from aiohttp import web

from server.core.paging import Window
from server.web.forms import query_number, read_json
from server.web.problems import json_answer
from server.web.routing import Routes, call, gated, path_text
from server.webhooks import rules, schemas, service

routes: Final = Routes()

MANAGE: Final = "can_manage_notifications"


@routes.get("/api/v1/webhooks")
@gated(MANAGE)
async def list_webhooks(request: web.Request) -> web.Response:
    """Answer every webhook, and which events there are."""
    found = [schemas.webhook_view(row) for row in await service.everything(call(request))]
    return json_answer({"webhooks": found, "events": dict(rules.EVENTS)})


@routes.post("/api/v1/webhooks")
@gated(MANAGE)
async def create(request: web.Request) -> web.Response:
    """Make a webhook; this answer alone holds its secret."""
    wanted = (await read_json(request, schemas.WebhookBody)).webhook()
    made, secret = await service.create(call(request), wanted)
    return json_answer(schemas.webhook_view(made, secret), 201)


@routes.get("/api/v1/webhooks/{webhook}")
@gated(MANAGE)
async def show(request: web.Request) -> web.Response:
    """Answer one webhook."""
    return json_answer(schemas.webhook_view(await service.fetch(call(request), path_text(request, "webhook"))))


@routes.put("/api/v1/webhooks/{webhook}")
@gated(MANAGE)
async def change(request: web.Request) -> web.Response:
    """Change a webhook."""
    wanted = (await read_json(request, schemas.WebhookBody)).webhook()
    changed = await service.change(call(request), path_text(request, "webhook"), wanted)
    return json_answer(schemas.webhook_view(changed))


@routes.delete("/api/v1/webhooks/{webhook}")
@gated(MANAGE)
async def delete(request: web.Request) -> web.Response:
    """Remove a webhook."""
    await service.delete(call(request), path_text(request, "webhook"))
    return json_answer({"message": "Webhook deleted"})


@routes.post("/api/v1/webhooks/{webhook}/ping")
@gated(MANAGE)
async def ping(request: web.Request) -> web.Response:
    """Send a message that says nothing."""
    return json_answer({"delivery": await service.ping(call(request), path_text(request, "webhook"))}, 202)


@routes.get("/api/v1/webhooks/{webhook}/deliveries")
@gated(MANAGE)
async def list_deliveries(request: web.Request) -> web.Response:
    """Answer what was sent, newest first."""
    window = Window(query_number(request, "page", 1), query_number(request, "limit", 50, most=500))
    page = await service.deliveries(call(request), path_text(request, "webhook"), window)
    return json_answer({"deliveries": page.items, "total": page.total})


@routes.post("/api/v1/webhooks/{webhook}/deliveries/{delivery}/redeliver")
@gated(MANAGE)
async def redeliver(request: web.Request) -> web.Response:
    """Send a message again, as it was."""
    made = await service.redeliver(call(request), path_text(request, "webhook"), path_text(request, "delivery"))
    return json_answer({"delivery": made}, 202)
