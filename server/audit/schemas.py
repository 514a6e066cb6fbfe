"""What comes in and goes out at the doors of the audit room."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from server.audit.models import Entry, Filter

COLUMNS: Final = (
    "at",
    "actor_kind",
    "actor_id",
    "actor_name",
    "via",
    "via_name",
    "address",
    "action",
    "subject_kind",
    "subject_id",
    "subject_name",
    "detail",
    "request_id",
)
_TEXT_MOST: Final = 200


def filter_of(query: Mapping[str, str]) -> tuple[Filter, dict[str, str]]:
    """Return the filter of a query, and a complaint for each moment that is none."""
    complaints: dict[str, str] = {}
    moments: dict[str, datetime | None] = {}
    for name in ("since", "until"):
        try:
            moments[name] = _moment(query.get(name, ""), end=name == "until")
        except ValueError:
            complaints[name] = "must be a day such as 2026-01-31 or a moment such as 2026-01-31T12:00:00Z"
            moments[name] = None
    texts = {name: _text(query.get(name, "")) for name in ("who", "action", "subject")}
    return Filter(**texts, since=moments["since"], until=moments["until"]), complaints


def as_json(entry: Entry) -> dict[str, Any]:
    """Return an entry as programs see it."""
    return {"id": entry.id, **{name: getattr(entry, name) for name in COLUMNS}}


def _text(given: str) -> str:
    return given.replace("\x00", "").strip()[:_TEXT_MOST]


def _moment(given: str, *, end: bool) -> datetime | None:
    if not given.strip():
        return None
    moment = datetime.fromisoformat(given.strip())
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    # "until the 31st" includes the 31st.
    is_day = len(given.strip()) == len("2026-01-31")
    return moment.astimezone(UTC) + timedelta(days=1) if end and is_day else moment.astimezone(UTC)
