"""The header with which a program says that a request may arrive more than once."""

from typing import Final

from aiohttp import web

HEADER: Final = "Idempotency-Key"
#: On the answer of a request that was carried out before.
REPLAYED: Final = "Idempotent-Replayed"


def key_of(request: web.Request) -> str:
    """Return the key of a request; empty when it has none."""
    return request.headers.get(HEADER, "").strip()


def replay_headers(*, replayed: bool) -> dict[str, str]:
    """Return the headers that say whether this answer was given before."""
    return {REPLAYED: "true"} if replayed else {}
