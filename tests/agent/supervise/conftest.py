"""Job directories that clean up after themselves, and room for the parallel plays of a test run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factories.jobs import Jobs


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    """Makes jobs; whatever still runs at the end is ended."""
    made = Jobs(tmp_path / "state")
    yield made
    made.close()
