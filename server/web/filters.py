"""Filters of lists: what kinds there are, and how each reads what stands in an address."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

FilterKind = Literal["text", "choice", "choices", "flag", "number", "day"]
#: What a filter in use holds; only ``choices`` hold several.
Value = str | tuple[str, ...]
_TEXT_MOST: Final = 200


@dataclass(frozen=True, slots=True)
class Filter:
    """One filter; ``choices`` are pairs of value and word, ``hint`` an example of what may be typed."""

    key: str
    label: str
    kind: FilterKind = "text"
    choices: Sequence[tuple[str, str]] = ()
    hint: str = ""


def read(one: Filter, raw: list[str]) -> Value:
    """Return the value of a filter from what was given for it; empty when it is not in use.

    Raises:
        ValueError: it makes no sense; the text says what would.
    """
    return _KINDS[one.kind](one, [each for each in raw if each])


def text(given: str) -> str:
    """Return what somebody typed, without what no database takes, and not endless."""
    return given.replace("\x00", "").strip()[:_TEXT_MOST]


def _as_text(_filter: Filter, raw: list[str]) -> str:
    return raw[0] if raw else ""


def _as_choice(one: Filter, raw: list[str]) -> str:
    if raw and raw[0] not in dict(one.choices):
        message = f"must be one of: {', '.join(value for value, _ in one.choices if value)}"
        raise ValueError(message)
    return raw[0] if raw else ""


def _as_choices(one: Filter, raw: list[str]) -> tuple[str, ...]:
    chosen = {value for text in raw for value in text.split(",") if value}
    known = [value for value, _ in one.choices]
    if chosen - set(known):
        message = f"must be among: {', '.join(known)}"
        raise ValueError(message)
    return tuple(value for value in known if value in chosen)


def _as_flag(_filter: Filter, raw: list[str]) -> str:
    return "1" if raw and raw[0].lower() in {"1", "true", "yes", "on"} else ""


def _as_number(_filter: Filter, raw: list[str]) -> str:
    if raw and not (raw[0].isdecimal() and raw[0].isascii() and len(raw[0]) < 10):  # noqa: PLR2004 (fits an int4)
        message = "must be a whole number"
        raise ValueError(message)
    return str(int(raw[0])) if raw else ""


def _as_day(_filter: Filter, raw: list[str]) -> str:
    if not raw:
        return ""
    try:
        datetime.fromisoformat(raw[0])
    except ValueError as error:
        message = "must be a day such as 2026-01-31 or a moment such as 2026-01-31T12:00:00Z"
        raise ValueError(message) from error
    return raw[0]


_KINDS: Final[Mapping[FilterKind, Callable[[Filter, list[str]], Value]]] = {
    "text": _as_text,
    "choice": _as_choice,
    "choices": _as_choices,
    "flag": _as_flag,
    "number": _as_number,
    "day": _as_day,
}
