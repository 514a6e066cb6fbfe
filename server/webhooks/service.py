"""Keeping webhooks, and telling them what happened."""

import asyncio
import time
from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

import orjson

from server.audit import service as audit
from server.audit.models import Subject
from server.core.bus import announce
from server.core.call import Call
from server.core.db import Tx
from server.core.fetch import FetchFailed, FetchRefused, fetcher, refusal
from server.core.ids import is_uuid, random_hex
from server.core.log import get_log
from server.core.paging import Page, Window
from server.webhooks import queries as rows
from server.webhooks import rules
from server.webhooks.errors import BadWebhook, DeliveryMissing, WebhookMissing, WebhookOff, WholeFleetWebhooks
from server.webhooks.events import WebhooksChanged, WebhookSwitchedOff
from server.webhooks.models import Due, Outcome, Row, Webhook

log = get_log(__name__)

#: So far back is looked for what has ended when nobody looked before, or not for long.
_LOOK_BACK: Final = timedelta(hours=48)
#: Longer than any clock is wrong or any transaction takes: what ended before the last look may be committed after it.
_MARGIN: Final = timedelta(minutes=10)
_REST: Final = timedelta(minutes=1)
_CLAIM: Final = timedelta(seconds=60)
_AT_ONCE: Final = 20
_SECONDS: Final = 10.0
_ANSWER_BYTES: Final = 64 * 1024
_KEPT: Final = timedelta(days=30)
_ERROR_MOST: Final = 300
_PRIVATE: Final = "leads into a private network; OUTBOUND_ALLOW_PRIVATE in the server's environment opens networks"


# ---------------------------------------------------------------- keeping


async def everything(call: Call) -> list[Row]:
    """Return every webhook with its last delivery, by name."""
    _demand_whole_fleet(call)
    return await rows.list_webhooks(call.db)


async def fetch(call: Call, webhook: str) -> Row:
    """Return one webhook."""
    _demand_whole_fleet(call)
    found = await rows.find_webhook(call.db, webhook) if is_uuid(webhook) else None
    if found is None:
        raise WebhookMissing
    return found


def _demand_whole_fleet(call: Call) -> None:
    if call.actor.scope is not None:
        raise WholeFleetWebhooks


async def create(call: Call, wanted: Webhook) -> tuple[Row, str]:
    """Make a webhook and return it with its secret, which is shown this once. Raises ``BadWebhook``."""
    _check(call, wanted)
    secret = wanted.secret or f"whsec_{random_hex(24)}"
    async with call.transaction() as tx:
        by = call.actor.name or call.actor.id
        made = await rows.insert_webhook(tx, wanted, call.world.box.seal(secret), by, call.now)
        if made is None:
            raise BadWebhook({"name": "Another webhook has this name"})
        await _record(tx, call, "webhooks.created", made, wanted)
    return await fetch(call, made), secret


async def change(call: Call, webhook: str, wanted: Webhook) -> Row:
    """Change a webhook; without a secret it keeps its own. Raises ``BadWebhook``."""
    before = await fetch(call, webhook)
    _check(call, wanted)
    sealed = call.world.box.seal(wanted.secret) if wanted.secret else before["secret_sealed"]
    async with call.transaction() as tx:
        if await rows.is_name_taken(tx, wanted.name, webhook):
            raise BadWebhook({"name": "Another webhook has this name"})
        await rows.update_webhook(tx, webhook, wanted, sealed, call.now)
        await _record(tx, call, "webhooks.changed", webhook, wanted)
    return await fetch(call, webhook)


async def delete(call: Call, webhook: str) -> None:
    """Remove a webhook and its deliveries."""
    _demand_whole_fleet(call)
    async with call.transaction() as tx:
        name = await rows.delete_webhook(tx, webhook) if is_uuid(webhook) else None
        if name is None:
            raise WebhookMissing
        await audit.record(tx, call, "webhooks.deleted", Subject("webhook", webhook, name))


def _check(call: Call, wanted: Webhook) -> None:
    _demand_whole_fleet(call)
    wrong = rules.complaints_of(wanted.name, wanted.url, wanted.events, wanted.secret)
    if "url" not in wrong:
        host = urlsplit(wanted.url).hostname or ""
        try:
            # What is a name is looked up, and checked, at every attempt.
            closed = host == "localhost" or bool(refusal(host, fetcher(call.world.env).allowed))
        except ValueError:
            closed = False
        if closed and not (host == "localhost" and fetcher(call.world.env).allowed):
            wrong["url"] = _PRIVATE
    if wrong:
        raise BadWebhook(wrong)


async def _record(tx: Tx, call: Call, action: str, webhook: str, told: Webhook) -> None:
    # The address may hold a secret in its path, as many services have it.
    host = urlsplit(told.url).hostname or ""
    detail = {"host": host, "events": list(told.events), "enabled": told.enabled}
    await audit.record(tx, call, action, Subject("webhook", webhook, told.name), detail)
    tx.after_commit(announce(WebhooksChanged()))


# ---------------------------------------------------------------- deliveries


async def deliveries(call: Call, webhook: str, window: Window) -> Page[Row]:
    """Return a webhook's deliveries, newest first."""
    await fetch(call, webhook)
    found = await rows.list_deliveries(call.db, webhook, window.size, window.offset)
    return Page(found, await rows.count_deliveries(call.db, webhook), window)


async def redeliver(call: Call, webhook: str, delivery: str) -> str:
    """Send a message again, as it was, and return the new delivery's id."""
    found = await rows.find_delivery(call.db, webhook, delivery) if is_uuid(webhook) and is_uuid(delivery) else None
    if found is None:
        raise DeliveryMissing
    return await _send(call, webhook, found["event"], found["subject"], found["payload"], delivery)


async def ping(call: Call, webhook: str) -> str:
    """Send a message that says nothing, and return its delivery's id."""
    at = call.now.isoformat()
    return await _send(call, webhook, rules.PING, webhook, {"event": rules.PING, "at": at, "webhook": webhook}, webhook)


async def _send(call: Call, webhook: str, event: str, subject: str, payload: object, repeat_of: str) -> str:
    found = await fetch(call, webhook)
    if not found["enabled"]:
        raise WebhookOff
    async with call.transaction() as tx:
        made = await rows.insert_delivery(tx, webhook, event, subject, payload, call.now, repeat_of)
        detail = {"event": event, "delivery": made}
        await audit.record(tx, call, "webhooks.sent_by_hand", Subject("webhook", webhook, found["name"]), detail)
        tx.after_commit(announce(WebhooksChanged()))
    return made


async def work(call: Call) -> int:
    """Write down what is to be told and tell what is due; return how many messages were sent."""
    wanted, looked_at = await rows.find_last_look(call.db)
    if not wanted:
        return 0
    async with call.transaction() as tx:
        since = max(call.now - _LOOK_BACK, (looked_at or call.now - _LOOK_BACK) - _MARGIN)
        await rows.collect(tx, since, call.now)
        await rows.mark_looked(tx, call.now, call.now - _REST)
    sent = 0
    while due := await rows.claim_due(call.db, call.now, call.now + _CLAIM, _AT_ONCE):
        outcomes = await asyncio.gather(*(_attempt(call, one) for one in due))
        for one, outcome in zip(due, outcomes, strict=True):
            await _settle(call, one, outcome)
        sent += len(due)
    return sent


async def forget(call: Call) -> int:
    """Let go of old deliveries."""
    return await rows.delete_old(call.db, call.now - _KEPT)


async def _attempt(call: Call, due: Due) -> Outcome:
    body = orjson.dumps({"id": due.id, **due.payload})
    headers = {
        "Content-Type": "application/json",
        "X-PatchMon-Event": due.event,
        "X-PatchMon-Delivery": due.id,
        "X-PatchMon-Signature": rules.signature(call.world.box.open(due.secret_sealed), call.now, body),
    }
    began = time.monotonic()

    def took() -> int:
        return int((time.monotonic() - began) * 1000)

    try:
        answer = await fetcher(call.world.env).send(
            due.url, body, headers=headers, limit_bytes=_ANSWER_BYTES, seconds=_SECONDS
        )
    except (FetchRefused, FetchFailed) as failed:
        return Outcome(None, str(failed)[:_ERROR_MOST], took())
    error = "" if rules.is_delivered(answer.status) else f"the receiver answered {answer.status}"
    return Outcome(answer.status, error, took())


async def _settle(call: Call, due: Due, outcome: Outcome) -> None:
    arrived = not outcome.error
    next_at = None if arrived else rules.next_attempt(due.attempts, call.now)
    state = "delivered" if arrived else "pending" if next_at else "failed"
    async with call.transaction() as tx:
        await rows.settle(tx, due, outcome, state, next_at, call.now)
        failing_since = await rows.mark(tx, due.webhook_id, call.now, arrived=arrived)
        if not arrived and rules.is_given_up(failing_since, call.now):
            note = f"Switched off: nothing arrived for {rules.PATIENCE.days} days. The last attempt: {outcome.error}"
            if name := await rows.switch_off(tx, due.webhook_id, note, call.now):
                await audit.record(tx, call, "webhooks.switched_off", Subject("webhook", due.webhook_id, name))
                tx.after_commit(announce(WebhookSwitchedOff(due.webhook_id, name, outcome.error)))
    if not arrived:
        log.info("webhooks: not delivered", webhook=due.webhook_id, about=due.event, attempt=due.attempts)
