"""Bodies of agents: strict and quick for the form they write, patient with every other one."""

import json
import re
from datetime import datetime
from typing import Any, Final

import msgspec

from server.core.clock import now
from server.docker.errors import BadInventory
from server.docker.models import Happening, Snapshot
from server.docker.rules import STATUS_OF, cut, moment
from server.docker.service import digest_of

_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_FAILURES: Final = (msgspec.DecodeError, UnicodeDecodeError)
_SNAPSHOT: Final = msgspec.json.Decoder(Snapshot)
#: The engine's shortest form of an id.
_SHORT_ID: Final = 12


class _Stamp(msgspec.Struct, frozen=True):
    """When our agents looked."""

    collected_at: str = ""


_STAMP: Final = msgspec.json.Decoder(_Stamp)


def snapshot(body: bytes) -> tuple[Snapshot, str, datetime | None]:
    """Return an inventory, the section hash of what was received, and when it was collected, if that was said.

    Raises ``BadInventory``.
    """
    try:
        told = _SNAPSHOT.decode(body)
    except _FAILURES:
        body = _tidy(body)
        try:
            told = _SNAPSHOT.decode(body)
        except _FAILURES as error:
            raise BadInventory from error
    return told, digest_of(msgspec.to_builtins(told)), moment(_stamp(body))


def _stamp(body: bytes) -> str:
    try:
        return _STAMP.decode(body).collected_at
    except _FAILURES:
        return ""


def _tidy(body: bytes) -> bytes:
    """Return a body in the form the decoder takes: broken text becomes U+FFFD, nulls mean absent."""
    try:
        value = json.loads(body.decode(errors="replace").lstrip("\ufeff"), parse_constant=_no_constant)
        if not isinstance(value, dict):
            raise BadInventory
        return msgspec.json.encode(_tidied(value))
    except (ValueError, RecursionError) as error:
        raise BadInventory from error


def _no_constant(name: str) -> None:
    raise ValueError(name)


def _tidied(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATES.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_SURROGATES.sub("\ufffd", key): _tidied(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_tidied(each) for each in value if each is not None]
    return value


def happening(body: dict[str, Any]) -> Happening | None:
    """Return a live event, in any form agents have ever sent; ``None`` when it says nothing that counts.

    The details are an object under ``event``, or ``event`` is the word and they stand beside it, or the word is the
    type of the message itself.
    """
    nested = body.get("event")
    inner = nested if isinstance(nested, dict) else {}
    word = inner.get("type") or (nested if isinstance(nested, str) else "") or body.get("type")
    status = STATUS_OF.get(str(word))
    container = inner.get("container_id") or body.get("container_id")
    if status is None or not isinstance(container, str) or len(container) < _SHORT_ID:
        return None
    told_at = inner.get("timestamp") or body.get("timestamp")
    code = inner.get("exit_code", body.get("exit_code"))
    return Happening(
        container_id=cut(container, 200),
        status=status,
        at=moment(told_at if isinstance(told_at, str) else "") or now(),
        exit_code=code if isinstance(code, int) and abs(code) < 2**31 else None,
    )


def answer(body: dict[str, Any]) -> tuple[str, str]:
    """Return which deletion an agent speaks of and why it failed; an empty reason means that it worked."""
    error = "" if body.get("ok") is True else cut(str(body.get("error") or "The agent did not say why."), 2000)
    return str(body.get("request") or ""), error
