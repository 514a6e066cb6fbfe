"""Slow hashes: bcrypt in a thread, and as slow when there is nothing to compare with; the only importer of bcrypt."""

from typing import Final

import bcrypt

from server.core.loop import in_thread

#: bcrypt looks at no more than this; a longer password would only seem to be one.
PASSWORD_BYTES: Final = 72
_COST: Final = 10
#: The hash of a password nobody knows; checked when there is none, so that the answer takes as long.
_NOBODY: Final = "$2b$10$wFAOEUO2di1hcJkDjbztrOPlZXydy.xuQ9qIm45cneCeHid2Z0k3S"
_KINDS: Final = ("$2a$", "$2b$", "$2y$")


async def hashed(password: str) -> str:
    """Return what is stored instead of the password."""
    return await in_thread(_hash, password)


async def matches(password: str, stored: str | None) -> bool:
    """Tell whether this is the password; without a stored hash the answer is no, after the same work."""
    usable = stored is not None and stored.startswith(_KINDS)
    same = await in_thread(_check, password, stored if usable and stored is not None else _NOBODY)
    return usable and same


def _hash(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(_COST)).decode()


def _check(password: str, stored: str) -> bool:
    try:
        return bcrypt.checkpw(password.encode()[:PASSWORD_BYTES], stored.encode())
    except ValueError:
        # A hash that was cut or mistyped by hand opens nothing.
        return False
