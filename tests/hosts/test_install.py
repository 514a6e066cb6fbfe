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
import yaml

from server.core.call import Call
from server.core.env import Env
from server.core.loop import in_thread
from server.settings import service as settings
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


async def on_machine(
    machine: Path, script: str, *arguments: str, shell: str = "sh", **variables: str
) -> "CompletedProcess[str]":
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
        {shell} {path} "$@"
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
    path_of_all = "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    environment = {"PATH": path_of_all, "HOME": "/root", "LANG": "C.UTF-8", "PATCHMON_CONNECT_SECONDS": "0"}
    environment |= variables
    return await in_thread(run, command, capture_output=True, text=True, check=False, env=environment, timeout=60)


@pytest.mark.proves(
    "AGENT-INST-05", "AGENT-INST-06", "AGENT-INST-08", "AGENT-INST-11", "INV-49", "INV-49a", "AGENT-ENR-09",
    "AGENT-PATH-01", "AGENT-PATH-02", "AGENT-PATH-03", "AGENT-PATH-04", "AGENT-DIFF-02",
    "AGENT-DIFF-03", "AGENT-EXIT-06",
)  # fmt: skip
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
    program = machine / "usr-local-bin/patchmon-agent"
    assert (stat.S_IMODE(program.stat().st_mode), program.stat().st_uid) == (0o755, 0)
    config = (machine / "etc-patchmon/config.yml").read_text()
    assert f'patchmon_server: "http://127.0.0.1:{client.port}"' in config
    assert "automation: any\n" in config
    assert '    enabled: "on-demand"' in config
    assert "  rdp-proxy-enabled: false\n" in config
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


SHELLS = ["dash", "busybox ash", "bash"]


@pytest.mark.proves("AGENT-CFG-11", "AGENT-CFG-12", "AGENT-RM-02", "AGENT-RM-03")
@pytest.mark.parametrize("shell", SHELLS)
async def test_every_shell_installs_again_and_removes(client: Browser, call: Call, machine: Path, shell: str) -> None:
    if shutil.which(shell.split(maxsplit=1)[0]) is None:
        pytest.skip(f"{shell} is not installed")
    agent = await enrolled(call, client)
    config = machine / "etc-patchmon/config.yml"
    config.write_text(
        "patchmon_server: http://old\nautomation: any\nlog_level: debug\nmax_changing_jobs: 3\n"
        "reboot_command: /sbin/restart 'now'\nintegrations:\n  docker: true\n  ssh-proxy-enabled: true # by hand\n"
        "  rdp-proxy-enabled: false\n"
    )
    config.chmod(0o600)
    install = await (await agent.get("/hosts/install")).text()
    done = await on_machine(machine, install, shell=shell)
    assert done.returncode == 0, done.stdout + done.stderr
    kept = yaml.safe_load(config.read_text())
    assert (kept["automation"], kept["log_level"], kept["max_changing_jobs"]) == ("any", "debug", 3)
    assert kept["reboot_command"] == "/sbin/restart 'now'"
    assert (kept["integrations"]["ssh-proxy-enabled"], kept["integrations"]["rdp-proxy-enabled"]) == (True, False)
    assert kept["integrations"]["docker"] is False
    # What anybody may have written allows nothing.
    config.chmod(0o606)
    (machine / "etc-patchmon/credentials.yml").unlink()
    done = await on_machine(machine, await (await agent.get("/hosts/install")).text(), shell=shell)
    assert done.returncode == 0, done.stdout + done.stderr
    assert yaml.safe_load(config.read_text())["automation"] == "builtin"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    backup = machine / "usr-local-bin/patchmon-agent.backup.20260101_000000"
    backup.write_text("old")
    script = await (await client.get("/api/v1/hosts/remove")).text()
    done = await on_machine(machine, script, shell=shell, REMOVE_BACKUPS="1", SILENT="1")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert [*(machine / "usr-local-bin").iterdir(), *(machine / "etc-patchmon").iterdir()] == []


MANAGERS = {
    "apt-get": "install -y -q curl",
    "dnf": "install -y -q curl",
    "yum": "install -y -q curl",
    "zypper": "--non-interactive install curl",
    "pacman": "-Sy --noconfirm curl",
    "apk": "add curl",
    "pkg": "install -y curl",
}


@pytest.mark.proves("AGENT-INST-03", "AGENT-INST-04", "AGENT-PLAT-08")
async def test_curl_comes_from_whichever_package_manager_there_is(client: Browser, call: Call, machine: Path) -> None:
    agent = await enrolled(call, client)
    tools = machine / "tools"
    tools.mkdir()
    for folder in ("/usr/bin", "/usr/sbin"):
        for program in Path(folder).iterdir():
            if program.name not in {*MANAGERS, "curl", "systemctl"} and not (tools / program.name).exists():
                (tools / program.name).symlink_to(program)
    script = await (await agent.get("/hosts/install")).text()
    for manager, wanted in MANAGERS.items():
        fake = tools / manager
        fake.write_text(f'#!/bin/sh\necho "$@" >>{machine}/asked\n')
        fake.chmod(0o755)
        done = await on_machine(machine, script, PATH=str(tools))
        assert done.returncode != 0, manager
        assert "curl could not be installed" in done.stderr
        assert (machine / "asked").read_text().splitlines()[-1] == wanted
        fake.unlink()
        (machine / "asked").unlink()
    done = await on_machine(machine, script, PATH=str(tools))
    assert "no known package manager found" in done.stderr
    # Packages that are broken elsewhere stop it, unless it is forced.
    (tools / "apt-get").write_text(
        f"#!/bin/sh\n[ $1 = download ] || exit 100\nln -s {shutil.which('curl')} {tools}/curl\ntouch curl_1.deb\n"
    )
    (tools / "apt-get").chmod(0o755)
    (tools / "dpkg").unlink(missing_ok=True)
    (tools / "dpkg").write_text(f'#!/bin/sh\necho "$@" >{machine}/asked\n')
    (tools / "dpkg").chmod(0o755)
    assert (await on_machine(machine, script, PATH=str(tools))).returncode != 0
    assert not (machine / "asked").exists()
    done = await on_machine(machine, script, "--force", PATH=str(tools))
    assert done.returncode == 0, done.stdout + done.stderr
    assert (machine / "asked").read_text() == "--force-depends -i curl_1.deb\n"


@pytest.mark.proves("AGENT-INST-01", "AGENT-INST-02", "AGENT-PLAT-07", "AGENT-EXIT-06")
async def test_what_the_machine_must_be(client: Browser, call: Call, machine: Path) -> None:
    agent = await enrolled(call, client)
    script = await (await agent.get("/hosts/install")).text()
    for name, words in (("id", "echo 1000"), ("date", "[ $1 = +%Y ] && echo 1970 || exec /bin/date $@")):
        fake = machine / "usr-local-bin" / name
        fake.write_text(f"#!/bin/sh\n{words}\n")
        fake.chmod(0o755)
        done = await on_machine(machine, script)
        fake.unlink()
        if name == "id":
            assert done.returncode != 0
            assert "this script must be run as root" in done.stderr
            assert not (machine / "etc-patchmon/config.yml").exists()
        else:
            # Nobody sits there to ask: it goes on, and says so.
            assert done.returncode == 0, done.stderr
            assert "the clock of this machine says" in done.stderr
    names = (("x86_64", "amd64"), ("aarch64", "arm64"), ("i686", "386"), ("armv7l", "arm"))
    for told, expected in names:
        (machine / "etc-patchmon/credentials.yml").unlink(missing_ok=True)
        fake = machine / "usr-local-bin/uname"
        fake.write_text(f"#!/bin/sh\n[ $1 = -m ] && echo {told} || exec /bin/uname $@\n")
        fake.chmod(0o755)
        done = await on_machine(machine, await (await agent.get("/hosts/install")).text())
        assert done.returncode == 0, done.stderr
        assert f"Downloading patchmon-agent-linux-{expected}..." in done.stdout


@pytest.mark.proves("AGENT-INST-14", "AGENT-INST-13", "AGENT-RM-01")
async def test_a_proxy_is_used_and_a_self_signed_server_accepted(client: Browser, call: Call, machine: Path) -> None:
    agent = await enrolled(call, client)
    script = await (await agent.get("/hosts/install")).text()
    # The only way to the server would be a proxy that nobody answers at.
    done = await on_machine(machine, script, http_proxy="http://127.0.0.1:9", HTTP_PROXY="http://127.0.0.1:9")
    assert done.returncode != 0
    assert "Failed to fetch credentials" in done.stderr
    await settings.change(call, {"ignore_ssl_self_signed": True})
    assert "CURL_FLAGS=-sk\n" in await (await client.get("/api/v1/hosts/remove")).text()
    done = await on_machine(machine, await (await agent.get("/hosts/install")).text())
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load((machine / "etc-patchmon/config.yml").read_text())["skip_ssl_verify"] is True
