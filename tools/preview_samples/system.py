"""Sample pages of the system: the audit log."""

from typing import Final

from server.audit.models import Entry
from server.core.paging import Page, Window
from tools.preview_samples.frame import Context, Sample, before, shell


def _entry(number: int, action: str, subject: tuple[str, str, str], **changes: str) -> Entry:
    return Entry(
        id=number,
        at=before(minutes=number * 17),
        actor_kind=changes.get("actor_kind", "person"),
        actor_id="1",
        actor_name=changes.get("actor_name", "ada"),
        via="",
        address=changes.get("address", "203.0.113.7"),
        action=action,
        subject_kind=subject[0],
        subject_id=subject[1],
        subject_name=subject[2],
        detail={},
        request_id="0f" * 16,
    )


def _audit(entries: list[tuple[Entry, str]], **changes: object) -> Context:
    empty = {"who": "", "action": "", "subject": "", "since": "", "until": ""}
    return {
        "shell": shell("Audit log", "/audit"),
        "entries": entries,
        "page": Page([entry for entry, _ in entries], len(entries) * 30, Window(1, 50)),
        "parameters": empty,
        "complaints": {},
        "chips": [],
        "actions": ["hosts.created", "identity.signed_in", "settings.changed"],
        "listed_most": 10_000,
        **changes,
    }


_ENTRIES: Final = [
    (_entry(1, "settings.changed", ("setting", "update_interval", "update_interval")), "60 → 30"),
    (_entry(2, "hosts.created", ("host", "7", "web-01")), "api id: patchmon_0f5bf7223ce22d62, platform: linux"),
    (_entry(3, "audit.pruned", ("", "", ""), actor_kind="system", actor_name="settings.prune_audit", address=""), ""),
]

PAGES: Final[tuple[Sample, ...]] = (
    ("audit", "audit/log.html", _audit(_ENTRIES)),
    (
        "audit-filtered",
        "audit/log.html",
        _audit(
            [],
            parameters={"who": "ada", "action": "", "subject": "", "since": "yesterday", "until": ""},
            complaints={"since": "must be a day such as 2026-01-31 or a moment such as 2026-01-31T12:00:00Z"},
            chips=[("By: ada", "/audit?since=yesterday"), ("From: yesterday", "/audit?who=ada")],
        ),
    ),
)
