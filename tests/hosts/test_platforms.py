"""The served installer on every system it is meant for, and what Windows hosts are given and report.

Programs that say what system this is are stand-ins, the files of the system are those it ships; the script, the shell
and what it writes are real. No other kernel and no Windows ran here.
"""

import hashlib
import re
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from server.core.call import Call
from server.core.env import Env
from tests.factories.hosts import Browser, enrolled, full_report, package
from tests.hosts.test_host_page import page
from tests.hosts.test_install import AGENT, can_unshare, machine, on_machine
from tests.hosts.test_windows_scripts import mistakes

__all__ = ["machine"]
needs_namespaces = [
    pytest.mark.skipif(not can_unshare(), reason="needs root and namespaces of mounts and processes"),
    pytest.mark.xdist_group("etc-patchmon"),
]
#: A compiled agent as far as an installer meets it; the comment is where the server reads its version.
COMPILED = b"#!/bin/sh\n# -X version.Version=2.0.3\ncase $1 in ping | serve) exit 0 ;; esac\nexit 1\n"


@dataclass(frozen=True)
class System:
    """A system as it is shipped: how os-release names it, its package manager, who starts services, its Python."""

    name: str
    identity: str
    manager: str
    service: str = "systemd"
    python: str = "3.11.2"
    kernel: str = "Linux"

    @property
    def runs_ours(self) -> bool:
        return tuple(map(int, self.python.split(".")[:2])) >= (3, 9) if self.python else False


LINUX = (
    System("Ubuntu 18.04.6 LTS", "ubuntu", "apt-get", python="3.6.9"),
    System("Ubuntu 20.04.6 LTS", "ubuntu", "apt-get", python="3.8.10"),
    System("Ubuntu 22.04.5 LTS", "ubuntu", "apt-get", python="3.10.12"),
    System("Ubuntu 24.04.3 LTS", "ubuntu", "apt-get", python="3.12.3"),
    System("Debian GNU/Linux 10 (buster)", "debian", "apt-get", python="3.7.3"),
    System("Debian GNU/Linux 11 (bullseye)", "debian", "apt-get", python="3.9.2"),
    System("Debian GNU/Linux 12 (bookworm)", "debian", "apt-get"),
    System("Debian GNU/Linux 13 (trixie)", "debian", "apt-get", python="3.13.5"),
    System("CentOS Linux 7 (Core)", "centos", "yum", python=""),
    System("CentOS Stream 9", "centos", "dnf", python="3.9.21"),
    System("Red Hat Enterprise Linux Server 7.9 (Maipo)", "rhel", "yum", python=""),
    System("Red Hat Enterprise Linux 8.10 (Ootpa)", "rhel", "dnf", python="3.6.8"),
    System("Red Hat Enterprise Linux 9.4 (Plow)", "rhel", "dnf", python="3.9.18"),
    System("Rocky Linux 9.4 (Blue Onyx)", "rocky", "dnf", python="3.9.18"),
    System("AlmaLinux 9.4 (Seafoam Ocelot)", "almalinux", "dnf", python="3.9.18"),
    System("Fedora Linux 41 (Server Edition)", "fedora", "dnf", python="3.13.0"),
    System("Alpine Linux v3.20", "alpine", "apk", "OpenRC", "3.12.3"),
)
BSD = (
    System("FreeBSD 13.4-RELEASE", "freebsd", "pkg", "rc.d", "3.11.9", "FreeBSD"),
    System("FreeBSD 14.1-RELEASE", "freebsd", "pkg", "rc.d", "3.11.9", "FreeBSD"),
    System("pfSense 2.7.2-RELEASE", "pfsense", "pkg", "rc.d", "3.11.6", "FreeBSD"),
)
_HIDDEN = {"apt-get", "dnf", "yum", "zypper", "pacman", "apk", "pkg", "systemctl", "rc-update", "rc-service",
           "crontab", "service", "sysrc", "python3"}  # fmt: skip


@pytest.fixture
def env(env: Env, tmp_path: Path) -> Env:
    """The shelf holds ours and compiled ones, which do nothing when they are told to serve."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    (shelf / "patchmon-agent.pyz").write_bytes(b"")
    build = "import sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], 'w') as archive:\n"
    build += " archive.writestr('agent/__init__.py', '__version__ = \"3.0.0\"\\n')\n"
    build += " archive.writestr('__main__.py', sys.argv[2])\n"
    subprocess.run(["python3", "-c", build, shelf / "patchmon-agent.pyz", AGENT], check=True)
    content = b"#!/usr/bin/env python3\n" + (shelf / "patchmon-agent.pyz").read_bytes()
    (shelf / "patchmon-agent.pyz").write_bytes(content)
    (shelf / "patchmon-agent-linux-amd64").write_bytes(COMPILED)
    for architecture in ("amd64", "arm64"):
        text = f"MZ {architecture} -X version.Version=2.0.3\n"
        (shelf / f"patchmon-agent-windows-{architecture}.exe").write_bytes(text.encode())
    return replace(env, agents_dir=shelf)


def dressed(machine: Path, system: System) -> str:
    """Make this machine look like that system; return what makes the script see it."""
    tools = machine / f"tools-{abs(hash(system))}"
    tools.mkdir()
    for folder in ("/usr/bin", "/usr/sbin"):
        for program in Path(folder).iterdir():
            if program.name not in _HIDDEN and not program.name.startswith("python3.") and program.name != "uname":
                link = tools / program.name
                if not link.exists():
                    link.symlink_to(program)
    python = 'exec /usr/bin/env -i PATH=/usr/bin:/bin python3 "$@"'
    if not system.runs_ours:
        python = f"[ $1 = --version ] && echo Python {system.python} && exit 0\nexit 1"
    fakes = {
        system.manager: "exit 0",
        "uname": f"[ $1 = -m ] && echo x86_64 || echo {system.kernel}",
        **({"python3": python} if system.python else {}),
        **{name: f'echo "{name} $*" >>{machine}/asked' for name in {
            "systemd": ("systemctl",), "OpenRC": ("rc-update", "rc-service"), "rc.d": ("sysrc", "service"),
        }[system.service]},
    }  # fmt: skip
    for name, words in fakes.items():
        (tools / name).unlink(missing_ok=True)
        (tools / name).write_text(f"#!/bin/sh\n{words}\n")
        (tools / name).chmod(0o755)
    number = re.search(r"\d[\d.]*", system.name)
    assert number
    release = f'NAME="{system.name.split(" ")[0]}"\nID={system.identity}\nVERSION_ID={number[0]}\n'
    (machine / "os-release").write_text(f'{release}PRETTY_NAME="{system.name}"\n')
    prelude = f"mount --bind {machine}/os-release /etc/os-release\nmkdir -p /etc/systemd/system /etc/init.d\n"
    if system.service == "systemd":
        prelude += "mkdir -p /run/systemd/system\n"
    if system.kernel == "FreeBSD":
        prelude += "mount -t tmpfs none /usr/local/etc\n"
    if system.identity == "pfsense":
        # Nothing may stand in the file system of this machine afterwards.
        prelude += "mount -t tmpfs none /opt\ncp -a /etc/. /opt/\nmount --bind /opt /etc\necho pfSense >/etc/platform\n"
    return f"export PATH={tools}:/usr/local/bin\n{prelude}"


def planned(text: str) -> dict[str, str]:
    return dict(line.strip().split(": ", 1) for line in text.splitlines() if line.startswith("  "))


class TestUnix:
    pytestmark = needs_namespaces

    @pytest.mark.proves("AGENT-PLAT-04")
    async def test_every_distribution_is_recognised_and_gets_an_agent(
        self, client: Browser, call: Call, machine: Path
    ) -> None:
        agent = await enrolled(call, client)
        script = await (await agent.get("/hosts/install")).text()
        for system in LINUX:
            done = await on_machine(machine, dressed(machine, system) + script, "--dry-run")
            assert done.returncode == 0, (system, done.stderr)
            told = planned(done.stdout)
            assert (told["System"], told["Package manager"]) == (system.name, system.manager)
            assert (told["Started by"], told["Agent"]) == (system.service, "patchmon-agent-linux-amd64")
            assert told["Runs with"].startswith("/" if system.runs_ours else "no Python, as a compiled program"), system
        assert not (machine / "asked").exists()
        assert not list((machine / "etc-patchmon").iterdir())

    @pytest.mark.proves("AGENT-PLAT-04")
    @pytest.mark.parametrize("system", [LINUX[7], LINUX[8], LINUX[11], LINUX[-1]], ids=lambda one: one.identity)
    async def test_it_is_installed_as_the_system_wants_it(
        self, client: Browser, call: Call, machine: Path, system: System
    ) -> None:
        agent = await enrolled(call, client)
        shown = "\ncat /etc/systemd/system/patchmon-agent.service /etc/init.d/patchmon-agent 2>/dev/null || true\n"
        script = dressed(machine, system) + await (await agent.get("/hosts/install")).text() + shown
        done = await on_machine(machine, script)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "ExecStart=/usr/local/bin/patchmon-agent serve" in done.stdout or system.service == "OpenRC"
        assert 'command="/usr/local/bin/patchmon-agent"' in done.stdout or system.service == "systemd"
        asked = (machine / "asked").read_text()
        assert ("rc-update add patchmon-agent default" if system.service == "OpenRC" else "systemctl enable") in asked
        installed = (machine / "usr-local-bin/patchmon-agent").read_bytes()
        if system.runs_ours:
            assert b"agent/__init__.py" in installed
        else:
            assert installed == COMPILED
            assert "the compiled agent is installed, which runs no playbooks" in done.stderr
            assert "Playbooks allowed here: none, the compiled agent runs no playbooks" in done.stdout

    async def test_without_a_compiled_agent_an_old_python_leaves_the_machine_as_it_is(
        self, client: Browser, call: Call, machine: Path, env: Env
    ) -> None:
        agent = await enrolled(call, client)
        (env.agents_dir / "patchmon-agent-linux-amd64").unlink()
        done = await on_machine(machine, dressed(machine, LINUX[11]) + await (await agent.get("/hosts/install")).text())
        assert done.returncode == 1
        assert "the PatchMon agent needs Python 3.9 or newer; this machine has Python 3.6.8" in done.stderr
        assert "ask the server's operator for a compiled agent" in done.stderr
        assert not list((machine / "etc-patchmon").iterdir())

    async def test_a_download_that_was_cut_off_is_not_installed(
        self, client: Browser, call: Call, machine: Path
    ) -> None:
        agent = await enrolled(call, client)
        old = machine / "usr-local-bin/patchmon-agent"
        old.write_text("#!/bin/sh\nexit 1\n")
        old.chmod(0o755)
        # A proxy in between gives only the first half of every file.
        cut = (
            'curl() { case "$*" in *agent/download*) command curl "$@" && half="$WORK_DIR/agent" &&'
            ' head -c 40 "$half" >"$half.cut" && mv "$half.cut" "$half" ;; *) command curl "$@" ;; esac; }\n'
        )
        done = await on_machine(machine, cut + await (await agent.get("/hosts/install")).text())
        assert done.returncode == 1
        assert "the downloaded agent is damaged: SHA-256 is" in done.stderr
        assert old.read_text() == "#!/bin/sh\nexit 1\n"

    @pytest.mark.proves("AGENT-PLAT-05")
    @pytest.mark.parametrize("system", BSD, ids=lambda one: one.name.split("-")[0])
    async def test_freebsd_and_pfsense_get_what_they_start_at_boot(
        self, client: Browser, call: Call, machine: Path, system: System
    ) -> None:
        agent = await enrolled(call, client, expected_platform="freebsd")
        script = await (await agent.get("/hosts/install")).text()
        done = await on_machine(machine, dressed(machine, system) + script, "--dry-run")
        told = planned(done.stdout)
        assert (told["System"], told["Package manager"], told["Started by"]) == (system.name, "pkg", "rc.d")
        again = replace(system, python=f"{system.python}.0")
        shown = "\nls /usr/local/etc/rc.d; cat /usr/local/etc/rc.d/patchmon_agent.sh 2>/dev/null || true\n"
        done = await on_machine(machine, dressed(machine, again) + script + shown)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "sysrc patchmon_agent_enable=YES" in (machine / "asked").read_text()
        boot = 'exec /usr/local/etc/rc.d/patchmon_agent "one${1:-start}"'
        assert (boot in done.stdout) == (system.identity == "pfsense")


WINDOWS = (
    ("Windows 10 Pro", "22H2", ("amd64",)),
    ("Windows 11 Enterprise", "24H2", ("amd64", "arm64")),
    ("Windows Server 2019 Standard", "1809", ("amd64",)),
    ("Windows Server 2022 Datacenter", "21H2", ("amd64",)),
    ("Windows Server 2025 Standard", "24H2", ("amd64", "arm64")),
)


@pytest.mark.proves("AGENT-PLAT-06")
async def test_every_windows_is_given_its_build_and_shown_with_what_it_has(
    as_admin: Browser, client: Browser, call: Call, env: Env
) -> None:
    sources = {"winget": "Mozilla.Firefox", "chocolatey": "7zip", "local": "Contoso Agent (MSI)"}
    for system, version, architectures in WINDOWS:
        for architecture in architectures:
            name = f"{system} {architecture}"
            agent = await enrolled(call, client, name, expected_platform="windows")
            script = await (await agent.get("/hosts/install")).text()
            assert mistakes(script) == []
            assert f"'{architecture.upper()}' {{ return '{architecture}' }}" in script
            query = f"os=windows&arch={architecture}&type=go"
            offer = await (await agent.get(f"/hosts/agent/version?{query}&currentVersion=2.0.1")).json()
            file = await (await agent.get(f"/hosts/agent/download?{query}&force=binary")).read()
            assert (offer["latestVersion"], offer["hash"]) == ("2.0.3", hashlib.sha256(file).hexdigest())
            assert file == (env.agents_dir / f"patchmon-agent-windows-{architecture}.exe").read_bytes()
            rows = [
                package(found, "1.0", "2.0", category="Application", sourceRepository=source)
                for source, found in sources.items()
            ]
            report = full_report(rows) | {"osType": system, "osVersion": version, "packageManager": "windows"}
            assert (await agent.update(report)).status == 200
    listed = await page(as_admin, "/hosts?size=100")
    assert all(system in listed for system, _, _ in WINDOWS)
    shown = await (await as_admin.get("/api/v1/packages?limit=100")).text()
    assert all(found in shown for found in sources.values())
    wanted = sum(len(architectures) for *_, architectures in WINDOWS)
    by_source = "select source_repository, count(distinct host_id) as hosts from host_packages group by 1"
    assert {row["source_repository"]: row["hosts"] for row in await call.db.all(by_source)} == dict.fromkeys(
        sources, wanted
    )
