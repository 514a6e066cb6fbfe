"""Messages as JSON text: strict out, tolerant in."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Callable, Dict, Tuple

from .messages import (
    FROM_AGENT,
    FROM_SERVER,
    RELAY_FROM_AGENT,
    RELAY_TO_AGENT,
    Content,
    JobPosition,
    Message,
    Result,
)

_KINDS = (*FROM_AGENT, *FROM_SERVER, *RELAY_FROM_AGENT, *RELAY_TO_AGENT)
_TYPES: Dict[str, type] = {kind.type: kind for kind in _KINDS}  # type: ignore[attr-defined]


class BadMessage(ValueError):
    """A message of a known type whose fields do not fit; the text names the field."""


def encode(message: Message) -> str:
    """Return the compact JSON text of a message."""
    body: Dict[str, Any] = {"type": message.type}
    # Not asdict: it copies every event of a batch, leaf by leaf.
    for field in dataclasses.fields(message):
        body[field.name] = _plain(getattr(message, field.name))
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def decode(body: Any) -> Message | None:
    """Return the message in a decoded JSON object; ``None`` when its type is not one of ours.

    Raises:
        BadMessage: a known type with a missing or ill-typed field.
    """
    if not isinstance(body, dict):
        message = "a message is a JSON object"
        raise BadMessage(message)
    kind = _TYPES.get(str(body.get("type", "")))
    if kind is None:
        return None
    return kind(**{name: read(body[name], name) for name, read in _READERS[kind].items() if name in body})  # type: ignore[no-any-return]


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or len(value) > 4096:  # noqa: PLR2004 (no text field of ours is near it)
        raise BadMessage(name)
    return value


def _data(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise BadMessage(name)
    return value


def _whole(value: Any, name: str) -> int:
    number = _signed(value, name)
    if not 0 <= number < 2**53:
        raise BadMessage(name)
    return number


def _signed(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise BadMessage(name)
    return int(value)


def _truth(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise BadMessage(name)
    return value


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise BadMessage(name)
    return value


def _texts(value: Any, name: str) -> Tuple[str, ...]:
    return tuple(_text(item, name) for item in _list(value, name))


def _items(value: Any, name: str) -> Tuple[Dict[str, Any], ...]:
    items = _list(value, name)
    if not all(isinstance(item, dict) for item in items):
        raise BadMessage(name)
    return tuple(items)


def _numbers(value: Any, name: str) -> Dict[str, int]:
    if not isinstance(value, dict):
        raise BadMessage(name)
    return {_text(key, name): _whole(number, name) for key, number in value.items()}


def _record(kind: Any) -> Callable[[Any, str], Any]:
    def read(value: Any, name: str) -> Any:
        if not isinstance(value, dict):
            raise BadMessage(name)
        readers = _READERS[kind].items()
        fields = {field: reader(value[field], f"{name}.{field}") for field, reader in readers if field in value}
        try:
            return kind(**fields)
        except TypeError as error:
            # A field without a default is missing.
            raise BadMessage(name) from error

    return read


def _records(kind: Any) -> Callable[[Any, str], Any]:
    one = _record(kind)

    def read(value: Any, name: str) -> Any:
        return tuple(one(item, name) for item in _list(value, name))

    return read


_SHAPES: Dict[str, Callable[[Any, str], Any]] = {
    "str": _text,
    "int": _whole,
    "bool": _truth,
    "Tuple[str, ...]": _texts,
    "Tuple[Dict[str, Any], ...]": _items,
    "Dict[str, int]": _numbers,
    "Content": _record(Content),
    "Tuple[JobPosition, ...]": _records(JobPosition),
    "Tuple[Result, ...]": _records(Result),
}
_READERS: Dict[type, Dict[str, Callable[[Any, str], Any]]] = {
    kind: {field.name: _SHAPES[str(field.type)] for field in dataclasses.fields(kind)}
    for kind in (Content, JobPosition, Result, *_TYPES.values())
}
# Exit codes are negative when a signal ended the play; chunk data is longer than any other text.
_READERS[_TYPES["job_ended"]]["rc"] = _signed
_READERS[_TYPES["relay_done"]]["rc"] = _signed
_READERS[_TYPES["job_chunk"]]["data"] = _data
_READERS[_TYPES["relay_open"]]["target"] = _data
_READERS[_TYPES["relay_input"]]["data"] = _data
_READERS[_TYPES["relay_output"]]["data"] = _data
