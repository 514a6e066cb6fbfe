"""The script of docs/ci.md, run by a shell against a server and an agent that looks at this machine's real packages."""

import asyncio
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from server.core.call import Call
from server.hosts import service as hosts
from tests.factories.apt_repository import AptRepository
from tests.factories.house import ROOT, House, Start
from tests.factories.people import person, token_of

pytestmark = [
    pytest.mark.real,
    pytest.mark.xdist_group("machine"),
    pytest.mark.skipif(os.geteuid() != 0, reason="installing a package on this machine needs root"),
    pytest.mark.skipif(shutil.which("apt-get") is None, reason="this machine has no apt"),
]


def script(folder: Path) -> Path:
    """The first script of the page, as a reader copies it."""
    found = re.search(r"```sh\n(#!/bin/sh\n.*?)```", (ROOT / "docs" / "ci.md").read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    assert len(found[1].splitlines()) <= 10
    file = folder / "patches.sh"
    file.write_text(found[1])
    return file


async def test_the_pipeline_fails_exactly_when_packages_are_outdated(
    house: House, start: Start, call: Call, tmp_path: Path
) -> None:
    server = await start()
    token = await token_of(call, await person(call, "host_manager"), scopes=["can_view_hosts", "can_manage_patching"])
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PATCHMON_URL": server.url}

    async def pipeline(package: str, *more: str) -> tuple[int, str]:
        scope = ["-e", "patch_scope=packages", "-e", "patch_refresh_cache=false", "-e", f'patch_packages=["{package}"]']
        process = await asyncio.create_subprocess_exec(
            "sh", str(script(tmp_path)), *scope, *more, env={**environment, "PATCHMON_TOKEN": token}, cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        out, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode()

    with AptRepository(tmp_path) as repo:
        repo.add_version("1.0")
        repo.add_version("2.0")
        repo.install("1.0")
        agent = await house.agent("this-machine", server.port, automation="builtin")
        group = await hosts.create_group(call, "web", "", "#206bc4")
        await hosts.set_groups(call, agent.uuid, [str(group["id"])])
        await agent.start()
        code, out = await pipeline(repo.package)
        assert code == 1, out
        assert f"{repo.package} 1.0 -> 2.0" in out
        assert "Packages are outdated" in out
        assert repo.installed_version() == "1.0"
        repo.install("2.0")
        code, out = await pipeline(repo.package)
        assert (code, "Everything is up to date." in out) == (0, True), out
        await server.stop()
        code, out = await pipeline(repo.package)
        assert (code, "was not reached" in out) == (1, True), out
