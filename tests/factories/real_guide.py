"""The security guide for Debian 12 that Debian 13 ships: what is really evaluated in the field."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.factories.debian_root import NoRoot

NAME = "ssg-debian12-ds.xml"
_SUITE = "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main\n"
_SECONDS = 120


def debian12(cache: pytest.Cache) -> Path:
    """Return the datastream, fetched from Debian once and kept between test runs.

    Raises:
        NoRoot: it cannot be had here.
    """
    folder = cache.mkdir("ssg-debian")
    kept = folder / NAME
    if not kept.is_file():
        if shutil.which("apt-get") is None:
            raise NoRoot("needs a Debian")
        _fetch(folder / f"fresh.{os.getpid()}", kept)
    return kept


def _fetch(fresh: Path, kept: Path) -> None:
    (fresh / "lists" / "partial").mkdir(parents=True)
    (fresh / "sources.list").write_text(_SUITE, encoding="utf-8")
    settings = {
        "Dir::Etc::sourcelist": fresh / "sources.list", "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": fresh / "lists", "Dir::Cache": fresh, "APT::Sandbox::User": "root",
        "Acquire::Languages": "none",
    }  # fmt: skip
    options = [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]
    try:
        _run(["apt-get", *options, "update"], fresh)
        _run(["apt-get", *options, "download", "ssg-debian"], fresh)
        _run(["sh", "-c", "dpkg -x ssg-debian_*.deb content"], fresh)
        (fresh / "content/usr/share/xml/scap/ssg/content" / NAME).replace(kept)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _run(command: list[str], folder: Path) -> None:
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        raise NoRoot(f"{command[0]}: {error}") from error
