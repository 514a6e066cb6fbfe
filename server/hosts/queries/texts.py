"""Text from hosts on its way into JSON columns."""

import re
from typing import Any, Final

from server.core.db import as_json

_NUL: Final = "\\u0000"
_ESCAPED_NUL: Final = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def hostile_json(value: Any) -> str:
    """Return ``value`` as JSON text without U+0000, which PostgreSQL stores nowhere."""
    text = as_json(value)
    return _ESCAPED_NUL.sub(r"\1", text) if _NUL in text else text
