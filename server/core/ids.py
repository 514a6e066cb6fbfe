"""Typed ids and the random values that name or prove things."""

import secrets
import uuid
from typing import NewType

UserId = NewType("UserId", str)
HostId = NewType("HostId", int)
JobId = NewType("JobId", int)
JobHostId = NewType("JobHostId", int)


def new_uuid() -> str:
    """Return a random UUID as text, the form every id takes outside the database."""
    return str(uuid.uuid4())


def is_uuid(text: str) -> bool:
    """Tell whether ``text`` is a UUID, in any of the spellings Python accepts."""
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def random_hex(size_bytes: int) -> str:
    """Return ``2 * size_bytes`` lowercase hex digits from the system's secure source."""
    return secrets.token_hex(size_bytes)
