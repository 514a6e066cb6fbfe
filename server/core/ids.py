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


def random_hex(size_bytes: int) -> str:
    """Return ``2 * size_bytes`` lowercase hex digits from the system's secure source."""
    return secrets.token_hex(size_bytes)
