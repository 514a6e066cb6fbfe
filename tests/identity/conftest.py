"""A clock that tests can move."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from server.core import clock

Move = Callable[[timedelta], None]


@pytest.fixture
def pass_time() -> Iterator[Move]:
    """Move the server's clock forward; it goes on from there."""
    ahead = timedelta(0)

    def move(by: timedelta) -> None:
        nonlocal ahead
        ahead += by
        clock.set_source(lambda: datetime.now(UTC) + ahead)

    yield move
    clock.set_source(None)
