"""The installer on FreeBSD, with stand-ins for what only FreeBSD has: its service script is run, not only read.

The stand-in for ``rc.subr`` does what ``rc.subr(8)`` says of the variables used; a real one was not tried.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from server.core.call import Call
from server.core.loop import in_thread
from tests.factories.hosts import Browser, enrolled
from tests.hosts.test_install import can_unshare, env, machine, on_machine

__all__ = ["env", "machine"]
pytestmark = [
    pytest.mark.skipif(not can_unshare(), reason="needs root and namespaces of mounts and processes"),
    pytest.mark.xdist_group("etc-patchmon"),
]
RC_SUBR = """
load_rc_config() { :; }
run_rc_command() {
    eval "wanted=\\$$rcvar"
    case $1 in
        start) if [ "$wanted" = YES ]; then eval "$command $command_args"; fi ;;
        stop) echo "stopped by $pidfile" ;;
        status) echo "$name is known" ;;
    esac
}
"""


@pytest.mark.proves("AGENT-SVC-05", "AGENT-PATH-08", "AGENT-INST-12")
async def test_freebsd_gets_a_script_for_rc(client: Browser, call: Call, machine: Path) -> None:
    agent = await enrolled(call, client, "bsd-01", expected_platform="freebsd")
    script = await (await agent.get("/hosts/install")).text()
    assert "PATCHMON_OS=freebsd" in script
    tools = machine / "tools"
    tools.mkdir()
    hidden = {"systemctl", "rc-update", "rc-service", "service", "uname"}
    for folder in ("/usr/bin", "/usr/sbin"):
        for program in Path(folder).iterdir():
            if program.name not in hidden and not (tools / program.name).exists():
                (tools / program.name).symlink_to(program)
    fakes = {
        "uname": "[ $1 = -m ] && echo amd64 || echo FreeBSD",
        "sysrc": f'echo "sysrc $*" >>{machine}/asked; [ $1 != -x ]',
        "service": f'echo "service $*" >>{machine}/asked; cp /usr/local/etc/rc.d/patchmon_agent {machine}/rc',
    }
    for name, words in fakes.items():
        (tools / name).write_text(f"#!/bin/sh\n{words}\n")
        (tools / name).chmod(0o755)
    mounted = f"mount -t tmpfs none /usr/local/etc\n{script}"
    done = await on_machine(machine, mounted, PATH=f"{tools}:/usr/local/bin")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Downloading patchmon-agent-freebsd-amd64..." in done.stdout
    asked = (machine / "asked").read_text().splitlines()
    assert asked == ["sysrc patchmon_agent_enable=YES", "service patchmon_agent restart"]
    rc = (machine / "rc").read_text()
    assert "# PROVIDE: patchmon_agent\n# REQUIRE: NETWORKING\n# KEYWORD: shutdown\n" in rc
    assert "pidfile=/var/run/patchmon_agent.pid" in rc
    # What the script has daemon(8) do.
    (machine / "rc.subr").write_text(RC_SUBR)
    (machine / "daemon").write_text('#!/bin/sh\necho "daemon $*"\n')
    (machine / "daemon").chmod(0o755)
    (machine / "rc").write_text(
        rc.replace("/etc/rc.subr", str(machine / "rc.subr")).replace("/usr/sbin/daemon", str(machine / "daemon"))
        .replace("load_rc_config", "patchmon_agent_enable=YES; load_rc_config")
    )  # fmt: skip
    for verb, said in (
        ("start", "daemon -f -P /var/run/patchmon_agent.pid -r /usr/local/bin/patchmon-agent serve"),
        ("stop", "stopped by /var/run/patchmon_agent.pid"),
        ("status", "patchmon_agent is known"),
    ):
        ran = await in_thread(
            subprocess.run,
            [shutil.which("dash") or "sh", str(machine / "rc"), verb], capture_output=True, text=True, check=True,
            env={"PATH": os.environ["PATH"]},
        )  # fmt: skip
        assert ran.stdout.strip() == said


@pytest.mark.proves("AGENT-PATH-12", "AGENT-INST-09")
async def test_three_backups_of_what_was_there_are_kept(client: Browser, call: Call, machine: Path) -> None:
    agent = await enrolled(call, client)
    folder = machine / "etc-patchmon"
    for number in range(5):
        (folder / "config.yml").write_text(f"broken {number}")
        (folder / "credentials.yml").write_text(f"old {number}")
        (folder / "credentials.yml").chmod(0o600)
        wait = "sleep 1\n" if number else ""
        done = await on_machine(machine, wait + await (await agent.get("/hosts/install")).text())
        assert done.returncode == 0, done.stderr
    for name, words in (("config.yml", "broken"), ("credentials.yml", "old")):
        kept = sorted(folder.glob(f"{name}.backup.*"))
        assert [path.read_text() for path in kept] == [f"{words} {number}" for number in (2, 3, 4)]
        assert all(len(path.name.rpartition(".")[2]) == len("20260101_000000") for path in kept)
    assert all(path.stat().st_mode & 0o077 == 0 for path in folder.glob("credentials.yml*"))
