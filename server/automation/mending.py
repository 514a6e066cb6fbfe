"""Values PostgreSQL refuses made storable, so that one bad event never holds up the others; pure."""

import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from server.automation.models import Batch, Ending, Json, Note

_TEXTS: Final = ("event", "uuid", "parent", "play", "task", "task_uuid", "action", "role", "stdout", "message")
_FLAGS: Final = ("changed", "ignored")
_OBJECTS: Final = ("result", "stats")
_LARGEST: Final = 2**31 - 1
_LARGEST_REAL: Final = 3.0e38
_REPLACEMENT: Final = "\ufffd"
#: Our writer of JSON gives up at 254 levels; nobody reads what is nested deeper than this.
_DEEPEST: Final = 100
_LARGEST_WHOLE: Final = 2**63


def refuses_value(error: BaseException) -> bool:
    """Tell whether the values were refused (no JSON, data exception, limit, constraint), not the database away."""
    if isinstance(error, TypeError):
        return True
    code = getattr(error, "pgcode", None) or ""
    return code[:2] in {"22", "23", "54"}


def mended(note: Note) -> Note:
    """Return the note with every value in a form its column takes."""
    if isinstance(note, Batch):
        return replace(note, items=tuple(_item(item) for item in note.items))
    return _ending(note) if isinstance(note, Ending) else note


def marked(note: Note) -> Note:
    """Return the note with every item replaced by a mark: the last resort, so that counting goes on."""
    if not isinstance(note, Batch):
        return note
    mark: dict[str, Json] = {"event": "unreadable", "message": "this event could not be stored and was replaced"}
    return replace(note, items=(mark,) * len(note.items))


def single(note: Note) -> list[Note]:
    """Return a batch as one batch per item, anything else as it is."""
    if not isinstance(note, Batch):
        return [note]
    return [
        replace(note, first=note.first + place, items=(item,), size_bytes=0) for place, item in enumerate(note.items)
    ]


def _item(item: Mapping[str, Any]) -> dict[str, Json]:
    whole: dict[str, Json] = {name: _text(item.get(name)) for name in _TEXTS}
    whole.update({name: item[name] if isinstance(item.get(name), bool) else None for name in _FLAGS})
    whole.update({name: _storable(item.get(name)) for name in _OBJECTS})
    whole["duration"] = _real(item.get("duration"))
    whole["at"] = _moment(item.get("at"))
    return whole


def _text(value: object) -> str | None:
    if value is None:
        return None
    return (value if isinstance(value, str) else str(value)).replace("\0", _REPLACEMENT)


def _real(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and abs(value) < _LARGEST_REAL else None


def _moment(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def _storable(value: Any, depth: int = 0) -> Json:
    if isinstance(value, str):
        return value.replace("\0", _REPLACEMENT)
    if isinstance(value, list | dict) and depth >= _DEEPEST:
        return "…"
    if isinstance(value, list):
        return [_storable(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {str(name).replace("\0", _REPLACEMENT): _storable(item, depth + 1) for name, item in value.items()}
    if isinstance(value, int) and not -_LARGEST_WHOLE <= value < _LARGEST_WHOLE:
        return str(value)
    return value if isinstance(value, bool | int | float) else None


def _ending(ending: Ending) -> Ending:
    ended = ending.ended
    whole = replace(
        ended,
        rc=max(-_LARGEST, min(ended.rc, _LARGEST)),
        reason=_text(ended.reason) or "",
        runner=min(ended.runner, _LARGEST),
        live=min(ended.live, _LARGEST),
        counters={name.replace("\0", _REPLACEMENT): count for name, count in ended.counters.items()},
        results=tuple(
            replace(
                result,
                module=_text(result.module) or "",
                digest=_text(result.digest) or "",
                size=min(result.size, _LARGEST),
            )
            for result in ended.results
        ),
    )
    return replace(ending, ended=whole)
