"""Webhooks and their deliveries."""

from dataclasses import dataclass
from typing import Any, TypeAlias

Row: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook as somebody wants it; an empty ``secret`` makes one, or keeps the one there is."""

    name: str
    url: str
    events: tuple[str, ...]
    secret: str = ""
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that this process has just claimed."""

    id: str
    webhook_id: str
    url: str
    secret_sealed: str
    event: str
    payload: dict[str, Any]
    attempts: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt went.

    Attributes:
        status: of the answer; ``None`` when there was none.
        error: why it does not count as delivered; empty when it does.
    """

    status: int | None
    error: str
    took_ms: int
