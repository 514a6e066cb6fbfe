"""Webhooks among the settings: the list, making and changing one, and what was sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

import orjson
from aiohttp import web

from server.core.errors import Invalid
from server.core.paging import Window
from server.web import flash
from server.web.fields import Field, complained, filled
from server.web.forms import form_values, parse, posted
from server.web.navigation import Action, Entry
from server.web.problems import status_of
from server.web.render import Page, render
from server.web.routing import Routes, call, gated, path_text
from server.web.tables import Column, Listing, Table, listing, settled
from server.web.tables import parse as parse_list
from server.webhooks import rules, schemas, service
from server.webhooks.models import Row

routes: Final = Routes()

MANAGE: Final = "can_manage_notifications"
_URL: Final = "/settings/webhooks"
_CRUMB: Final = ("Webhooks", _URL)
ENTRIES: Final = (Entry("Settings", "Webhooks", _URL, "webhook", order=92, permission=MANAGE, group="Integrations"),)
ACTIONS: Final = (Action("Add a webhook", f"{_URL}/new", "webhook", MANAGE, "notify pipeline ci callback http"),)

_LOOKS: Final = {"delivered": "good", "pending": "attention", "failed": "bad"}
_FIELDS: Final = (
    Field("name", "Name", placeholder="Release pipeline"),
    Field("url", "Address", placeholder="https://ci.example.com/hooks/patchmon", help="Gets a POST with JSON."),
    Field(
        "secret",
        "Secret",
        "password",
        required=False,
        help="Signs every message with HMAC-SHA256. Left empty, one is made, or the one there is stays.",
    ),
    Field("enabled", "Enabled", "boolean", value=True, required=False),
)
_DELIVERIES: Final = (
    Column("event", "Event", place="title", fixed=True),
    Column("state", "State", place="state"),
    Column("answer", "Answer"),
    Column("attempts", "Attempts", numeric=True),
    Column("took", "Took", numeric=True, wide_only=True),
    Column("at", "When"),
    Column("again", "Again"),
)


@dataclass(frozen=True, slots=True)
class WebhookRow:
    """A webhook in the list."""

    id: str
    url: str
    name: str
    address: str
    events: list[str]
    enabled: bool
    note: str
    failing_since: datetime | None
    last_state: str
    last_look: str
    last_error: str
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """A message that was sent, or is about to be."""

    id: str
    event: str
    state: str
    look: str
    status: int | None
    error: str
    attempts: int
    took_ms: int | None
    created_at: datetime
    next_at: datetime | None
    again_url: str
    payload: str
    by_hand: bool


@dataclass(frozen=True, slots=True)
class WebhooksPage(Page):
    """templates/webhooks/list.html."""

    template: ClassVar[str] = "webhooks/list.html"
    title: ClassVar[str] = "Webhooks"
    rows: list[WebhookRow]


@dataclass(frozen=True, slots=True)
class WebhookPage(Page):
    """templates/webhooks/webhook.html; ``secret`` only right after it was made."""

    template: ClassVar[str] = "webhooks/webhook.html"
    title: ClassVar[str] = "Webhook"
    webhook: WebhookRow
    secret: str
    listing: Listing
    rows: list[DeliveryRow]


@dataclass(frozen=True, slots=True)
class WebhookFormPage(Page):
    """templates/webhooks/form.html; ``webhook`` is empty for a new one."""

    template: ClassVar[str] = "webhooks/form.html"
    title: ClassVar[str] = "Webhook"
    webhook: str
    fields: list[Field]
    events: list[tuple[str, str, bool]]
    events_complaint: str
    complaints: Sequence[tuple[str, str] | str]


@routes.get(_URL)
@gated(MANAGE)
async def show_list(request: web.Request) -> web.Response:
    """Show every webhook and how its last message went."""
    return render(request, WebhooksPage([_row(one) for one in await service.everything(call(request))]))


def _row(found: Row) -> WebhookRow:
    return WebhookRow(
        id=str(found["id"]),
        url=f"{_URL}/{found['id']}",
        name=found["name"],
        address=found["url"],
        events=list(found["events"]),
        enabled=found["enabled"],
        note=found["note"],
        failing_since=found["failing_since"],
        last_state=found["last_state"] or "",
        last_look=_LOOKS.get(found["last_state"] or "", "neutral"),
        last_error=found["last_error"] or "",
        last_at=found["last_at"],
    )


@routes.get(f"{_URL}/new")
@gated(MANAGE)
async def new(request: web.Request) -> web.Response:
    """Show the form of a new webhook."""
    return _form(request, "", {"events": ["job.succeeded", "job.failed"]}, {})


def _form(
    request: web.Request, webhook: str, values: Mapping[str, Any], said: Mapping[str, str], status: int = 200
) -> web.Response:
    shown = filled(_FIELDS, values, said)
    chosen = values.get("events") or []
    events = [(event, text, event in chosen) for event, text in rules.EVENTS.items()]
    page = WebhookFormPage(webhook, shown, events, said.get("events", ""), complained(shown, said))
    return render(request, page, status=status, breadcrumbs=(_CRUMB, (str(values.get("name") or "New"), "")))


@routes.get(f"{_URL}/{{webhook}}")
@gated(MANAGE)
async def show(request: web.Request) -> web.Response:
    """Show one webhook and what was sent."""
    return await _page(request, path_text(request, "webhook"), "")


async def _page(request: web.Request, webhook: str, secret: str) -> web.Response:
    asked = call(request)
    found = await service.fetch(asked, webhook)
    table = Table(
        name="deliveries",
        path=f"{_URL}/{found['id']}",
        noun="message",
        columns=_DELIVERIES,
        empty="Nothing was sent yet.",
        empty_icon="send",
    )
    wanted = parse_list(table, request.query)
    headers = {} if secret else settled(request, wanted)
    page = await service.deliveries(asked, webhook, Window(wanted.window.page, wanted.window.size))
    shown = WebhookPage(
        webhook=_row(found),
        secret=secret,
        listing=listing(wanted, page.total, may=asked.actor.may),
        rows=[_delivery(str(found["id"]), one) for one in page.items],
    )
    return render(request, shown, headers=headers, breadcrumbs=(_CRUMB, (found["name"], "")))


def _delivery(webhook: str, one: Row) -> DeliveryRow:
    return DeliveryRow(
        id=str(one["id"]),
        event=one["event"],
        state=one["state"],
        look=_LOOKS[one["state"]],
        status=one["status"],
        error=one["error"],
        attempts=one["attempts"],
        took_ms=one["took_ms"],
        created_at=one["created_at"],
        next_at=one["next_at"] if one["state"] == "pending" else None,
        again_url=f"{_URL}/{webhook}/deliveries/{one['id']}/redeliver",
        payload=orjson.dumps(one["payload"], option=orjson.OPT_INDENT_2).decode(),
        by_hand=one["repeat_of"] is not None,
    )


@routes.get(f"{_URL}/{{webhook}}/edit")
@gated(MANAGE)
async def edit(request: web.Request) -> web.Response:
    """Show the form of a webhook; its secret is not shown."""
    found = await service.fetch(call(request), path_text(request, "webhook"))
    values = {name: found[name] for name in ("name", "url", "events", "enabled")}
    return _form(request, str(found["id"]), values, {})


@routes.post(_URL)
@gated(MANAGE)
async def create(request: web.Request) -> web.Response:
    """Make a webhook, and show its secret this once."""
    values = _typed(await form_values(request))
    try:
        wanted = parse(schemas.WebhookBody, values).webhook()
        made, secret = await service.create(call(request), wanted)
    except Invalid as refused:
        return _form(request, "", values, refused.complaints or {"": str(refused)}, status_of(refused))
    return await _page(request, str(made["id"]), secret)


@routes.post(f"{_URL}/{{webhook}}")
@gated(MANAGE)
async def change(request: web.Request) -> web.Response:
    """Change a webhook."""
    values, webhook = _typed(await form_values(request)), path_text(request, "webhook")
    try:
        changed = await service.change(call(request), webhook, parse(schemas.WebhookBody, values).webhook())
    except Invalid as refused:
        return _form(request, webhook, values, refused.complaints or {"": str(refused)}, status_of(refused))
    return _back(request, f"{_URL}/{changed['id']}", f"The webhook {changed['name']} was saved.")


def _typed(values: Mapping[str, Any]) -> dict[str, Any]:
    enabled = values.get("enabled")
    events = values.get("events") or []
    return {
        **{name: values.get(name, "") for name in ("name", "url", "secret")},
        "events": [one for one in (events if isinstance(events, list) else [events]) if one],
        "enabled": (enabled[-1] if isinstance(enabled, list) and enabled else enabled) == "true",
    }


@routes.post(f"{_URL}/{{webhook}}/delete")
@gated(MANAGE)
async def delete(request: web.Request) -> web.Response:
    """Remove a webhook."""
    await posted(request)
    await service.delete(call(request), path_text(request, "webhook"))
    return _back(request, _URL, "The webhook was deleted.")


@routes.post(f"{_URL}/{{webhook}}/ping")
@gated(MANAGE)
async def ping(request: web.Request) -> web.Response:
    """Send a message that says nothing."""
    await posted(request)
    webhook = path_text(request, "webhook")
    await service.ping(call(request), webhook)
    return _back(request, f"{_URL}/{webhook}", "A test message is on its way.")


@routes.post(f"{_URL}/{{webhook}}/deliveries/{{delivery}}/redeliver")
@gated(MANAGE)
async def redeliver(request: web.Request) -> web.Response:
    """Send a message again, as it was."""
    await posted(request)
    webhook = path_text(request, "webhook")
    await service.redeliver(call(request), webhook, path_text(request, "delivery"))
    return _back(request, f"{_URL}/{webhook}", "The message is sent again.")


def _back(request: web.Request, url: str, text: str) -> web.Response:
    answer = web.Response(status=303, headers={"Location": url})
    flash.say(answer, request, "good", text)
    return answer
