"""Slow hashes: bcrypt in threads that step back, and as slow when there is nothing to compare with.

The only importer of bcrypt.
"""

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

import bcrypt

#: bcrypt looks at no more than this; a longer password would only seem to be one.
PASSWORD_BYTES: Final = 72
_COST: Final = 10
#: The hash of a password nobody knows; checked when there is none, so that the answer takes as long.
_NOBODY: Final = "$2b$10$wFAOEUO2di1hcJkDjbztrOPlZXydy.xuQ9qIm45cneCeHid2Z0k3S"
#: The last of all: beside a crowd that signs in, agents and pages are served as if it were not there.
_NICENESS: Final = 19
#: Half of the processors: the loop and the database need the others.
THREADS: Final = max(1, (os.cpu_count() or 1) // 2)
_KINDS: Final = ("$2a$", "$2b$", "$2y$")


def _step_back() -> None:
    with suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


#: Of their own, so that slow files and slow hashes do not wait for each other.
_threads: Final = ThreadPoolExecutor(THREADS, "password", initializer=_step_back)


async def hashed(password: str) -> str:
    """Return what is stored instead of the password."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _hash, password)


async def matches(password: str, stored: str | None) -> bool:
    """Tell whether this is the password; without a stored hash the answer is no, after the same work."""
    usable = stored is not None and stored.startswith(_KINDS)
    compared = stored if usable and stored is not None else _NOBODY
    same = await asyncio.get_running_loop().run_in_executor(_threads, _check, password, compared)
    return usable and same


def _hash(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(_COST)).decode()


def _check(password: str, stored: str) -> bool:
    try:
        return bcrypt.checkpw(password.encode()[:PASSWORD_BYTES], stored.encode())
    except ValueError:
        # A hash that was cut or mistyped by hand opens nothing.
        return False
