"""How long to wait before the next attempt."""

from __future__ import annotations

import random

_FIRST_SECONDS = 1.0
_LAST_SECONDS = 30.0
_SPREAD = 0.25


class Backoff:
    """1, 2, 4 … 30 seconds, each up to a quarter longer or shorter so that a fleet does not return at one moment."""

    def __init__(self) -> None:
        self._seconds = _FIRST_SECONDS

    def next_seconds(self) -> float:
        """Return the next wait; each call doubles the one after it."""
        wait = self._seconds
        self._seconds = min(self._seconds * 2, _LAST_SECONDS)
        return wait * random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311 (spreads load, guards nothing)

    def reset(self) -> None:
        """The last attempt succeeded."""
        self._seconds = _FIRST_SECONDS
