"""A small security guide of our own, as a datastream: rules that pass, fail, can be fixed, and cannot."""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import ClientSession

from server.settings import service as settings
from tests.conftest import ROOT
from tests.factories.compliance import Compliance
from tests.factories.house import House
from tests.factories.people import bearer

sys.path.insert(0, str(ROOT / "collections"))
from ansible_collections.patchmon.fleet.plugins.module_utils import _oscap

RULE = "xccdf_org.example_rule_"
_NO_FIX = "<rationale>It shows what cannot be fixed.</rationale>"
_BREAKS = """<fix system="urn:xccdf:fix:script:ansible">- name: Put the unreachable file there
  ansible.builtin.command: touch "@FOLDER@/unreachable/file"
</fix>"""
needs_oscap = pytest.mark.skipif(shutil.which("oscap") is None, reason="OpenSCAP (openscap-scanner) is not installed")


def guide(folder: Path, watched: Path, name: str = "ssg-tiny-ds.xml", *, breaks: bool = False) -> Path:
    """Compose the guide about files of a folder: ``calm`` is there, ``missing`` and ``unreachable/file`` are not.

    With ``breaks`` there is a fix for the last one too, which fails as long as its folder is not there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    watched.mkdir(parents=True, exist_ok=True)
    (watched / "calm").touch()
    for source in (ROOT / "tests" / "fixtures" / "openscap").iterdir():
        text = source.read_text(encoding="utf-8").replace(_NO_FIX, _NO_FIX + _BREAKS * breaks)
        text = text.replace("@FOLDER@", str(watched))
        (folder / source.name).write_text(text, encoding="utf-8")
    subprocess.run(["oscap", "ds", "sds-compose", "benchmark-xccdf.xml", name], cwd=folder, check=True)
    for part in folder.glob("benchmark-*.xml"):
        part.unlink()
    return folder / name


def names_here() -> list[str]:
    """Return what the guide for this very system is called; none where there is no guide for it."""
    return _oscap.content_names(*_oscap.system())


@dataclass
class Box:
    """A host that was scanned by the guide: two of its rules fail."""

    api: Compliance
    url: str
    host: str
    watched: Path


@asynccontextmanager
async def scanned(
    house: House, port: int, folder: Path, *, automation: str = "any", breaks: bool = False
) -> AsyncIterator[Box]:
    """Start a server that has the guide and a real agent, and have it scan and report."""
    names = names_here()
    if not names:
        pytest.skip("this system has no security guide by name")
    guide(folder / "content", folder / "watched", names[0], breaks=breaks)
    (folder / "content" / ".ssg-version").write_text("0.0.1\n", encoding="utf-8")
    running = house.server(port, SSG_CONTENT_DIR=str(folder / "content"))
    await running.start()
    await settings.change(house.call, {"default_compliance_mode": "on-demand"})
    agent = await house.agent("box", running.port, automation=automation)
    async with ClientSession() as session:
        api = Compliance(session, running.url, await bearer(house.call))
        host = str(await house.call.db.value("select uuid from hosts"))
        # Asked before the agent comes: a host that is to scan is not told to install its scanner first.
        await api.trigger(host)
        await agent.start()
        first = await api.scanned(1)
        assert (first["status"], first["passed"], first["failed"]) == ("completed", 1, 2), first
        async with asyncio.timeout(60):
            while not await house.call.db.value("select os_type from hosts"):
                await asyncio.sleep(0.2)
        yield Box(api, running.url, host, folder / "watched")
