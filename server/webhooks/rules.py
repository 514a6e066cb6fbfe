"""Pure decisions about webhooks: which events there are, how messages are signed, when to try again."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

EVENTS: Final[Mapping[str, str]] = {
    "job.queued": "A job was launched",
    "job.running": "Its first host began",
    "job.succeeded": "A job ended, and every host succeeded",
    "job.failed": "A job ended, and a host failed, was lost or not reached",
    "job.cancelled": "A job was stopped",
    "patch_run.running": "A patch run began on its host",
    "patch_run.completed": "A patch run, dry or real, succeeded",
    "patch_run.failed": "A patch run failed",
    "patch_run.cancelled": "A patch run was stopped or deleted",
    "campaign.started": "A campaign began its first wave",
    "campaign.stopped": "A campaign was stopped by its failures",
    "campaign.completed": "Every wave of a campaign is over",
    "campaign.abandoned": "A campaign was given up",
    "workflow.started": "A workflow began",
    "workflow.succeeded": "A workflow ended well",
    "workflow.failed": "A workflow failed",
    "workflow.cancelled": "A workflow was cancelled",
    "compliance_scan.completed": "A host handed in a compliance scan",
    "compliance_scan.failed": "A scanner could not do its work on a host",
    "remediation.waiting": "A remediation was tried and waits for an approval",
    "remediation.applied": "A remediation ended, and every rule stands as required",
    "remediation.failed": "A remediation failed, or some rule does not",
    "remediation.rejected": "A remediation was turned down",
}
#: What a person sends to see whether it arrives.
PING: Final = "ping"

#: How long after an attempt that failed comes the next one; after the last a delivery has failed for good.
PAUSES: Final = tuple(
    timedelta(seconds=seconds) for seconds in (10, 30, 120, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600)
)
#: After so long without a success a webhook is switched off.
PATIENCE: Final = timedelta(days=3)
_NAME_MOST: Final = 200
_URL_MOST: Final = 2000
_SECRET: Final = range(16, 201)
_OK: Final = range(200, 300)


def signature(secret: str, at: datetime, body: bytes) -> str:
    """Return the value of the header that proves who sent a message and when: ``t=SECONDS,v1=HEX``.

    The digest is HMAC-SHA256 over the seconds, a dot and the body.
    """
    seconds = int(at.timestamp())
    digest = hmac.new(secret.encode(), f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"


def is_delivered(status: int) -> bool:
    """Tell whether an answer takes a message."""
    return status in _OK


def next_attempt(attempts: int, now: datetime) -> datetime | None:
    """Return when to try again after so many attempts; ``None`` when that was the last."""
    return now + PAUSES[attempts - 1] if attempts <= len(PAUSES) else None


def is_given_up(failing_since: datetime | None, now: datetime) -> bool:
    """Tell whether nothing arrived for so long that nobody will mind."""
    return failing_since is not None and now - failing_since >= PATIENCE


def complaints_of(name: str, url: str, events: Iterable[str], secret: str) -> dict[str, str]:
    """Return what is wrong with a webhook, field by field."""
    wrong: dict[str, str] = {}
    if not 1 <= len(name.strip()) <= _NAME_MOST or not name.isprintable():
        wrong["name"] = f"must have 1 to {_NAME_MOST} characters"
    if not _is_url(url):
        wrong["url"] = "must be an address that begins with https:// or http://, without a name or password in it"
    chosen = tuple(events)
    if not chosen:
        wrong["events"] = "Choose at least one event"
    elif unknown := [event for event in chosen if event not in EVENTS]:
        wrong["events"] = f"There is no event {unknown[0][:60]}"
    if secret and (len(secret) not in _SECRET or not secret.isprintable()):
        wrong["secret"] = f"must have {_SECRET[0]} to {_SECRET[-1]} characters"
    return wrong


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    plain = len(url) <= _URL_MOST and url.isprintable() and " " not in url and port != 0
    return plain and parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in parts.netloc
