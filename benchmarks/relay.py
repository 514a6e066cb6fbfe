"""Bar 19: a play of fifty tasks through the relay, against the same play over a real sshd on the same machine."""

import asyncio
import subprocess
from pathlib import Path

from benchmarks.agents import ansible, play, real_agent
from benchmarks.equipment import BIN, ROOT, Bench, Stage
from benchmarks.outcome import Outcome, most
from benchmarks.play import SSHD, sshd

_TASKS = 50


async def measure(bench: Bench) -> list[Outcome]:
    outcome = Outcome("19", f"{_TASKS}-task play: relay / sshd", "×", most(1.3), most(1.0), arm_unit="s")
    outcome.note = "sshd with pipelining and ControlPersist; every play begins without a connection"
    if not await asyncio.to_thread(Path(SSHD).exists):
        outcome.note = "no sshd on this machine: apt-get install openssh-server"
        return [outcome]
    async with bench.stage() as stage, sshd(stage) as inventory:
        (host,) = await stage.enrol(1)
        (stage.folder / "fifty.yml").write_text(play(_TASKS))
        await real_agent(stage, host)
        mine = stage.folder / "relayed.yml"
        mine.write_text(f"all: {{hosts: {{{host.name}: {{ansible_connection: patchmon.fleet.agent}}}}}}\n")
        for number in range(bench.rounds):
            relayed = await _play(stage, mine, f"r{number}")
            over_ssh = await _play(stage, inventory, f"s{number}")
            outcome.ratio(relayed, over_ssh)
    return [outcome]


async def _play(stage: Stage, inventory: Path, name: str) -> float:
    """Return the seconds of the play, each time from no connection at all."""
    home = stage.folder / name
    (home / "cp").mkdir(parents=True, mode=0o700)
    try:
        return await ansible(
            [str(BIN / "ansible-playbook"), "-i", str(inventory), str(stage.folder / "fifty.yml")],
            {
                "HOME": str(home),
                "ANSIBLE_HOME": str(home),
                "ANSIBLE_PIPELINING": "true",
                "ANSIBLE_HOST_KEY_CHECKING": "false",
                "ANSIBLE_SSH_CONTROL_PATH_DIR": str(home / "cp"),
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
                "PATCHMON_URL": stage.url,
                "PATCHMON_TOKEN": stage.api.token,
                "PATCHMON_PERSIST": "5",
            },
        )
    finally:
        for control in (home / "cp").iterdir():
            command = ["ssh", "-O", "exit", "-o", f"ControlPath={control}", "x"]
            await asyncio.to_thread(subprocess.run, command, capture_output=True)
