"""Bodies that existing agents post, read as the servers they know read them."""

import json
import re
from typing import Any, Final

from aiohttp import web

from server.web.forms import BadBody, read_bytes

#: What no text of the database can hold: half characters, and the character zero.
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")


async def read_first_value(request: web.Request, limit_bytes: int | None = None) -> Any:
    """Return the first JSON value of a body and ignore what follows it.

    Outer names are matched in any case and come back in small letters, nulls count as absent, and what is no text
    becomes U+FFFD. Raises ``BadBody``, and ``TooLarge`` beyond the limit.
    """
    return first_value(await read_bytes(request, limit_bytes))


def first_value(raw: bytes) -> Any:
    """Do the same with a body that was read."""
    try:
        text = raw.decode(errors="replace").lstrip("\ufeff \t\r\n")
        value, _ = json.JSONDecoder(parse_constant=_refused).raw_decode(text)
        found = _tidied(value)
    except (ValueError, RecursionError) as error:
        raise BadBody from error
    return {name.lower(): inner for name, inner in found.items()} if isinstance(found, dict) else found


def _refused(name: str) -> None:
    raise ValueError(name)


def _tidied(value: Any) -> Any:
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, dict):
        return {_UNSTORABLE.sub("\ufffd", name): _tidied(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [_tidied(inner) for inner in value if inner is not None]
    return value
