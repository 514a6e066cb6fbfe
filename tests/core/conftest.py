"""Installations whose services a test starts and stops itself."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from server.core.embedded import opened
from tests.core.embedded.processes import left_in


@pytest.fixture(scope="session")
async def new_installation() -> AsyncIterator[Path]:
    """A data directory after its first start and a stop: tests copy it instead of waiting for a first start each."""
    # Not in pytest's folder: that is closed to the user PostgreSQL runs as when root runs the tests.
    path = Path(tempfile.mkdtemp(prefix="patchmon-installed-"))
    async with opened(path):
        pass
    yield path
    shutil.rmtree(path)


@pytest.fixture
def empty_dir() -> Iterator[Path]:
    """An empty data directory that nobody used; nothing may run in it when the test ends."""
    path = Path(tempfile.mkdtemp(prefix="patchmon-embedded-"))
    yield path
    left = left_in(path)
    shutil.rmtree(path)
    assert not left


@pytest.fixture
def data_dir(empty_dir: Path, new_installation: Path) -> Path:
    """A data directory that was used before; nothing may run in it when the test ends."""
    path = empty_dir / "data"
    empty_dir.chmod(0o711)
    subprocess.run(["cp", "-a", str(new_installation), str(path)], check=True)
    return path


@pytest.fixture
def as_root() -> None:
    """Skip what only root can try."""
    if os.geteuid() != 0:
        pytest.skip("needs root: it acts as another user")
