"""A play of fifty tasks over four agents, task by task compared with the same play over a real sshd, in one run."""

import asyncio
import getpass
import json
import os
import re
import shutil
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.ansible.test_relay import HOSTS, PYTHON, Laptop, agents, apart, laptop, running
from tests.factories.house import ROOT, House, ServerProcess

__all__ = ["apart", "laptop", "running"]
SSHD: Final = shutil.which("sshd", path="/usr/sbin:/usr/bin")
FIXTURES: Final = ROOT / "tests/fixtures/relay"
CALLBACKS: Final = ROOT / "tests/ansible/callback_plugins"
#: What a task says that must not depend on the way there.
TOLD: Final = ("changed", "failed", "skipped", "rc", "stdout", "stderr", "msg", "mode", "size", "checksum", "content",
               "state", "rebooted", "finished", "ping", "name")  # fmt: skip
CONFIG: Final = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile {folder}/sshd.pid
PermitRootLogin yes
StrictModes no
UsePAM no
PasswordAuthentication no
MaxStartups 50
Subsystem sftp internal-sftp
"""
#: The play takes it away again, unless it fails half-way.
INIT: Final = Path("/etc/init.d/patchmon-fifty")
SERVICE: Final = "#!/bin/sh\n### BEGIN INIT INFO\n# Provides: patchmon-fifty\n### END INIT INFO\necho $1\n"


@pytest.fixture
async def ssh(tmp_path: Path, unused_tcp_port_factory: Callable[[], int]) -> AsyncIterator[dict[str, object]]:
    """Yield the variables of a host behind a real sshd of our own."""
    if SSHD is None:
        pytest.skip("no sshd on this machine: apt-get install openssh-server")
    folder, port = tmp_path / "ssh", unused_tcp_port_factory()
    folder.mkdir()
    for name in ("host", "user"):
        made = await asyncio.create_subprocess_exec(
            "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)
        )
        assert await made.wait() == 0
    (folder / "config").write_text(CONFIG.format(port=port, folder=folder))
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    log = (folder / "log").open("wb")
    server = await asyncio.create_subprocess_exec(SSHD, "-D", "-e", "-f", str(folder / "config"), stderr=log)
    await asyncio.sleep(0.5)
    assert server.returncode is None, (folder / "log").read_text()
    yield {
        "ansible_connection": "ansible.builtin.ssh",
        "ansible_host": "127.0.0.1",
        "ansible_port": port,
        "ansible_user": getpass.getuser(),
        "ansible_ssh_private_key_file": str(folder / "user"),
        "ansible_control_path_dir": str(folder / "cp"),
        # A terminal in between says goodbye and ends lines its own way.
        "ansible_ssh_use_tty": False,
    }
    server.terminate()
    await server.wait()
    log.close()


async def played(machine: Laptop, name: str, variables: dict[str, object]) -> tuple[dict[tuple[str, str], Any], float]:
    """Play, and return what each task said about each host, and the seconds it took."""
    base = machine.folder / name
    base.mkdir()
    hosts = {
        host: {**variables, "ansible_python_interpreter": PYTHON, "ansible_remote_tmp": str(base / f"tmp-{host}")}
        for host in HOSTS
    }
    (machine.folder / "inventory.yml").write_text(json.dumps({"all": {"hosts": hosts}}))
    root = os.geteuid() == 0
    words = json.dumps(
        {"base": str(base), "root": root, "packages": Path("/usr/lib/python3/dist-packages/apt").is_dir()}
    )
    began = time.perf_counter()
    code, said = await machine.play(
        (FIXTURES / "fifty.yml").read_text(), "-e", words, seconds=280,
        ANSIBLE_STDOUT_CALLBACK="patchmon_test_json", ANSIBLE_CALLBACK_PLUGINS=str(CALLBACKS),
        ANSIBLE_PIPELINING="true", ANSIBLE_HOST_KEY_CHECKING="false", ANSIBLE_FORKS="4",
    )  # fmt: skip
    seconds = time.perf_counter() - began
    assert code == 0, said[-4000:]
    told: dict[tuple[str, str], Any] = {}
    for line in said.splitlines():
        if line.startswith('{"task"'):
            one = json.loads(line)
            result = {key: one["result"][key] for key in TOLD if key in one["result"]}
            told[one["host"], one["task"]] = (one["status"], plain(result, base))
    return told, seconds


def plain(value: Any, base: Path) -> Any:
    """Return a result without what differs from run to run: folders and the names of temporary files."""
    text = json.dumps(value, sort_keys=True).replace(str(base), "BASE")
    text = re.sub(r"ansible-tmp-[\d.-]+", "TMP", text)
    return json.loads(re.sub(r"(j|_)?\d{6,}\.\d+", "NUMBER", text))


@pytest.mark.real
@pytest.mark.timeout(600)
@pytest.mark.xdist_group("machine")
async def test_fifty_tasks_say_the_same_as_over_ssh(
    house: House, running: ServerProcess, apart: Laptop, ssh: dict[str, object]
) -> None:
    await agents(house, running, *HOSTS)
    (apart.folder / "t.j2").write_text("I am {{ inventory_hostname }}")
    (apart.folder / "binary").write_bytes(bytes(range(256)) * 5000 + b"\0\xff\n\r")
    (apart.folder / "s.sh").write_text('#!/bin/sh\necho "got $1"\n')
    (apart.folder / "service").write_text(SERVICE)
    try:
        relayed, ours = await played(apart, "relayed", {"ansible_connection": "patchmon.fleet.agent"})
        over_ssh, theirs = await played(apart, "ssh", ssh)
    finally:
        INIT.unlink(missing_ok=True)
    tasks = {task for _, task in relayed}
    assert len(tasks) >= 50, sorted(tasks)
    assert {host for host, _ in relayed} == set(HOSTS)
    different = {key: (relayed.get(key), over_ssh.get(key)) for key in relayed | over_ssh
                 if relayed.get(key) != over_ssh.get(key)}  # fmt: skip
    assert not different
    fetched = {path.name for path in (apart.folder / "relayed").glob("fetched-*")}
    assert fetched == {f"fetched-{host}" for host in HOSTS}
    assert all(
        (apart.folder / "relayed" / name).read_bytes() == (apart.folder / "binary").read_bytes() for name in fetched
    )
    print(f"fifty tasks on four hosts: {ours:.1f} s over agents, {theirs:.1f} s over ssh", file=sys.stderr)
