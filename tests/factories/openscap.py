"""A small security guide of our own, as a datastream: rules that pass, fail, can be fixed, and cannot."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

sys.path.insert(0, str(ROOT / "collections"))
from ansible_collections.patchmon.fleet.plugins.module_utils import _oscap

RULE = "xccdf_org.example_rule_"
needs_oscap = pytest.mark.skipif(shutil.which("oscap") is None, reason="OpenSCAP (openscap-scanner) is not installed")


def guide(folder: Path, watched: Path, name: str = "ssg-tiny-ds.xml") -> Path:
    """Compose the guide about files of a folder: ``calm`` is there, ``missing`` and ``unreachable/file`` are not."""
    folder.mkdir(parents=True, exist_ok=True)
    watched.mkdir(parents=True, exist_ok=True)
    (watched / "calm").touch()
    for source in (ROOT / "tests" / "fixtures" / "openscap").iterdir():
        text = source.read_text(encoding="utf-8").replace("@FOLDER@", str(watched))
        (folder / source.name).write_text(text, encoding="utf-8")
    subprocess.run(["oscap", "ds", "sds-compose", "benchmark-xccdf.xml", name], cwd=folder, check=True)
    for part in folder.glob("benchmark-*.xml"):
        part.unlink()
    return folder / name


def names_here() -> list[str]:
    """Return what the guide for this very system is called; none where there is no guide for it."""
    return _oscap.content_names(*_oscap.system())
