"""Typed ids and the random values that name or prove things."""

import re
import secrets
import uuid
from typing import Final, NewType

UserId = NewType("UserId", str)
HostId = NewType("HostId", int)
JobId = NewType("JobId", int)
JobHostId = NewType("JobHostId", int)

_UUID: Final = re.compile("[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}")


def new_uuid() -> str:
    """Return a random UUID as text, the form every id takes outside the database."""
    return str(uuid.uuid4())


def is_uuid(text: str) -> bool:
    """Tell whether ``text`` is a UUID, in a spelling that PostgreSQL accepts as well."""
    return _UUID.fullmatch(text) is not None


#: Nothing has it.
_NOBODY: Final = "00000000-0000-0000-0000-000000000000"


def sought_uuid(text: str) -> str | None:
    """Return what a statement compares a UUID column with: nothing without a text, what nobody has for another text.

    A column turned into text instead would be read for every row of its table.
    """
    if not text:
        return None
    return text if is_uuid(text) else _NOBODY


def random_hex(size_bytes: int) -> str:
    """Return ``2 * size_bytes`` lowercase hex digits from the system's secure source."""
    return secrets.token_hex(size_bytes)
