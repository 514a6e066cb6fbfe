"""The install and removal scripts run for real, on folders of their own in place of the machine's."""

import os
import shutil
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from subprocess import CompletedProcess, run

import pytest

from server.core.call import Call
from server.core.env import Env
from server.core.loop import in_thread
from tests.factories.hosts import Browser, enrolled

AGENT = """
import json, pathlib, sys, urllib.request
words = pathlib.Path("/etc/patchmon/config.yml").read_text() + pathlib.Path("/etc/patchmon/credentials.yml").read_text()
told = dict(line.split(": ", 1) for line in words.splitlines() if ": " in line and not line.startswith((" ", "#")))
told = {name: value.strip('"') for name, value in told.items()}
if sys.argv[1:] == ["ping"]:
    request = urllib.request.Request(told["patchmon_server"] + "/api/v1/hosts/ping", data=b"", method="POST",
        headers={"X-API-ID": told["api_id"], "X-API-KEY": told["api_key"]})
    sys.exit(urllib.request.urlopen(request).status != 200)
"""


def can_unshare() -> bool:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        return False
    command = ["unshare", "--mount", "--pid", "--fork", "--mount-proc", "true"]
    return run(command, check=False, capture_output=True).returncode == 0


pytestmark = [
    pytest.mark.skipif(not can_unshare(), reason="needs root and namespaces of mounts and processes"),
    # One folder of this machine is what all of them mount theirs on.
    pytest.mark.xdist_group("etc-patchmon"),
]


@pytest.fixture
def env(env: Env, tmp_path: Path) -> Env:
    """The shelf holds a small agent that can ping and does nothing when it is told to serve."""
    with (tmp_path / "patchmon-agent.pyz").open("wb") as file:
        file.write(b"#!/usr/bin/env python3\n")
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("agent/__init__.py", '__version__ = "3.0.0"\n')
            archive.writestr("__main__.py", AGENT)
    return replace(env, agents_dir=tmp_path)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Path]:
    """The folders that stand in for the machine's."""
    for name in ("etc-patchmon", "usr-local-bin"):
        (tmp_path / name).mkdir()
    real = Path("/etc/patchmon")
    existed = real.exists()
    yield tmp_path
    if not existed and real.exists():
        # The empty folder the other was mounted on.
        real.rmdir()


async def on_machine(machine: Path, script: str, *arguments: str) -> "CompletedProcess[str]":
    path = machine / "script.sh"
    path.write_text(script)
    # Everything the scripts touch is hidden behind empty folders, and they see no process but their own.
    mounts = f"""
        set -e
        mkdir -p /etc/patchmon
        mount --bind {machine}/etc-patchmon /etc/patchmon
        mount --bind {machine}/usr-local-bin /usr/local/bin
        for hidden in /run /var/lib /var/log /var/spool /etc/systemd /etc/init.d /etc/cron.d; do
            [ ! -d "$hidden" ] || mount -t tmpfs none "$hidden"
        done
        cd {machine}
        sh {path} "$@"
    """
    command = [
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--mount-proc",
        "--kill-child",
        "sh",
        "-c",
        mounts,
        "install",
        *arguments,
    ]
    environment = {"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}
    return await in_thread(run, command, capture_output=True, text=True, check=False, env=environment, timeout=60)


@pytest.mark.proves(
    "AGENT-INST-05", "AGENT-INST-06", "AGENT-INST-08", "AGENT-INST-11", "INV-49", "INV-49a", "AGENT-ENR-09"
)
async def test_the_script_installs_an_agent_once(client: Browser, call: Call, machine: Path) -> None:
    agent = await enrolled(call, client)
    script = await (await agent.get("/hosts/install")).text()
    done = await on_machine(machine, script, "--automation", "any")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().splitlines()[-1].endswith("PatchMon Agent installation completed successfully")
    for line in (
        "Downloading patchmon-agent-linux-",
        "Installing to /usr/local/bin/patchmon-agent",
        "Writing /etc/patchmon/config.yml",
        "Writing /etc/patchmon/credentials.yml",
        "Starting patchmon-agent service",
    ):
        assert line in done.stdout
    for name in ("config.yml", "credentials.yml"):
        assert stat.S_IMODE((machine / "etc-patchmon" / name).stat().st_mode) == 0o600
    config = (machine / "etc-patchmon/config.yml").read_text()
    assert f'patchmon_server: "http://127.0.0.1:{client.port}"' in config
    assert "automation: any\n" in config
    assert '    enabled: "on-demand"' in config
    assert agent.api_key in (machine / "etc-patchmon/credentials.yml").read_text()
    assert agent.api_key not in done.stdout + done.stderr
    assert await call.db.value("select status from hosts") == "active"
    again = await on_machine(machine, script)
    assert again.returncode == 0
    assert "Agent is already configured and ping successful" in again.stdout


@pytest.mark.proves("AGENT-INST-07", "AGENT-INST-09", "AGENT-INST-10")
async def test_a_used_script_installs_nothing(client: Browser, call: Call, machine: Path) -> None:
    agent = await enrolled(call, client)
    script = await (await agent.get("/hosts/install")).text()
    assert (await on_machine(machine, script)).returncode == 0
    for name in ("config.yml", "credentials.yml"):
        (machine / "etc-patchmon" / name).unlink()
    done = await on_machine(machine, script)
    assert done.returncode != 0
    assert "ERROR: Failed to fetch credentials. Bootstrap token may have expired." in done.stderr
    assert "Please request a new installation script." in done.stderr
    assert not (machine / "etc-patchmon/config.yml").exists()
    (machine / "etc-patchmon/config.yml").write_text("broken")
    done = await on_machine(machine, await (await agent.get("/hosts/install")).text())
    assert done.returncode == 0, done.stdout + done.stderr
    assert [path.read_text() for path in (machine / "etc-patchmon").glob("config.yml.backup.*")] == ["broken"]


async def test_a_wrong_argument_is_said_so(client: Browser, call: Call, machine: Path) -> None:
    agent = await enrolled(call, client)
    script = await (await agent.get("/hosts/install")).text()
    done = await on_machine(machine, script, "--automation=sometimes")
    assert done.returncode != 0
    assert "automation must be one of: any, builtin, off" in done.stderr


@pytest.mark.proves("AGENT-RM-02", "AGENT-RM-04", "AGENT-RM-05")
async def test_the_removal_script_leaves_nothing(client: Browser, call: Call, machine: Path) -> None:
    agent = await enrolled(call, client)
    installed = await on_machine(machine, await (await agent.get("/hosts/install")).text())
    assert installed.returncode == 0
    (machine / "usr-local-bin/patchmon-agent.backup.20260101_000000").write_text("old")
    script = await (await client.get("/api/v1/hosts/remove")).text()
    for _ in range(2):
        done = await on_machine(machine, script)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Removal Summary" in done.stdout
    left = sorted(path.name for path in (machine / "usr-local-bin").iterdir())
    assert left == ["patchmon-agent.backup.20260101_000000"]
    assert list((machine / "etc-patchmon").iterdir()) == []
