"""Bar 9: a play of twenty tasks on one host through the agent, against the same play over a real sshd."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.agents import ansible, play, publish, real_agent, watched
from benchmarks.equipment import BIN, Bench, Stage, free_port
from benchmarks.outcome import Outcome, least

SSHD = "/usr/sbin/sshd"
_TASKS = 20
_CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/user.pub
PidFile {folder}/sshd.pid
PermitRootLogin yes
StrictModes no
UsePAM no
PasswordAuthentication no
Subsystem sftp internal-sftp
"""


async def measure(bench: Bench) -> list[Outcome]:
    default = Outcome("9a", "20-task play / over sshd as it comes", "×", least(3.5), least(7), arm_unit="s")
    tuned = Outcome("9b", "20-task play / pipelining + ControlPersist", "×", least(1.2), least(2.3), arm_unit="s")
    default.note = "as it comes, ansible-core has ControlPersist and no pipelining"
    if not await asyncio.to_thread(Path(SSHD).exists):
        default.note = tuned.note = "no sshd on this machine: apt-get install openssh-server"
        return [default, tuned]
    async with bench.stage() as stage, sshd(stage) as inventory:
        (host,) = await stage.enrol(1)
        await publish(stage, "twenty", play(_TASKS))
        await real_agent(stage, host)
        await watched(stage, host, "twenty")
        for number in range(bench.rounds):
            mine = (await watched(stage, host, "twenty"))["end"]
            plain = await _over_ssh(stage, inventory, f"p{number}")
            piped = await _over_ssh(stage, inventory, f"t{number}", ANSIBLE_PIPELINING="true")
            default.ratio(mine, plain, faster=False)
            tuned.ratio(mine, piped, faster=False)
    return [default, tuned]


async def _over_ssh(stage: Stage, inventory: Path, name: str, **environment: str) -> float:
    """Return the seconds of the play, each time from no connection at all."""
    sockets = stage.folder / name
    sockets.mkdir()
    file = stage.folder / "twenty.yml"
    file.write_text(play(_TASKS))
    try:
        return await ansible(
            [str(BIN / "ansible-playbook"), "-i", str(inventory), str(file)],
            {"ANSIBLE_HOST_KEY_CHECKING": "false", "ANSIBLE_SSH_CONTROL_PATH_DIR": str(sockets), **environment},
        )
    finally:
        for control in sockets.iterdir():
            await asyncio.to_thread(
                subprocess.run, ["ssh", "-O", "exit", "-o", f"ControlPath={control}", "x"], capture_output=True
            )


@asynccontextmanager
async def sshd(stage: Stage) -> AsyncIterator[Path]:
    """Start an sshd of our own and yield an inventory that leads to it."""
    folder, port = stage.folder / "ssh", free_port() + 7
    folder.mkdir(mode=0o755)
    stage.folder.chmod(0o755)
    for name in ("host", "user"):
        command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
        await asyncio.to_thread(subprocess.run, command, check=True)
    (folder / "config").write_text(_CONFIG.format(port=port, folder=folder))
    await asyncio.to_thread(lambda: Path("/run/sshd").mkdir(exist_ok=True))
    process = await stage.start(
        [SSHD, "-D", "-e", "-f", str(folder / "config")], {"PATH": os.environ["PATH"]}, "sshd.log"
    )
    await asyncio.sleep(0.5)
    if process.process.returncode is not None:
        raise RuntimeError((stage.folder / "sshd.log").read_text())
    inventory = folder / "inventory"
    inventory.write_text(
        f"web-01 ansible_host=127.0.0.1 ansible_port={port} ansible_user=root "
        f"ansible_ssh_private_key_file={folder / 'user'} ansible_python_interpreter={sys.executable}\n"
    )
    yield inventory
    await process.end()
