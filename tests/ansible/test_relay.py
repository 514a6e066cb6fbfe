"""The real ansible against real agents through the real server: the connection plugin and the relay."""

import asyncio
import filecmp
import json
import os
import random
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from server.integrations import rules as integration_rules
from server.integrations import service as integrations
from server.integrations.models import NewToken
from tests.factories.house import BIN, ROOT, AgentProcess, House, ServerProcess
from tests.factories.people import person, token_of
from tests.factories.scopes import group, limited

#: Any user may run it; the one of a virtual environment may lie in somebody's home.
PYTHON = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
HOSTS = ("web-01", "web-02", "web-03", "db-01")


@dataclass
class Laptop:
    """An engineer's machine: ansible, the collection, an inventory and a token."""

    folder: Path
    url: str
    token: str
    bin: Path = BIN
    collections: Path = ROOT / "collections"
    variables: dict[str, str] = field(default_factory=dict)

    def inventory(self, *names: str) -> Path:
        lines = ["all:", "  vars: {ansible_connection: patchmon.fleet.agent}", "  hosts:"]
        for name in names:
            own = {"ansible_python_interpreter": PYTHON, "ansible_remote_tmp": str(self.folder / f"tmp-{name}")}
            lines.append(f"    {name}: {json.dumps(own)}")
        file = self.folder / "inventory.yml"
        file.write_text("\n".join([*lines, ""]))
        return file

    async def run(self, program: str, *arguments: str, seconds: float = 100, **more: str) -> tuple[int, str]:
        environment = {
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "ANSIBLE_COLLECTIONS_PATH": str(self.collections),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_DEPRECATION_WARNINGS": "false",
            "PATCHMON_URL": self.url,
            "PATCHMON_TOKEN": self.token,
            "PATCHMON_PERSIST": "5",
            "LC_ALL": "C.UTF-8",
            **self.variables,
            **more,
        }
        process = await asyncio.create_subprocess_exec(
            str(self.bin / program), *arguments, env=environment, cwd=self.folder,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate()
        return process.returncode or 0, output.decode()

    async def play(self, text: str, *arguments: str, **more: Any) -> tuple[int, str]:
        file = self.folder / "play.yml"
        file.write_text(text)
        return await self.run(
            "ansible-playbook", "-i", str(self.folder / "inventory.yml"), str(file), *arguments, **more
        )


@pytest.fixture
async def running(house: House, unused_tcp_port_factory: Callable[[], int]) -> ServerProcess:
    made = house.server(unused_tcp_port_factory())
    await made.start(90)
    return made


@pytest.fixture
async def laptop(running: ServerProcess, house: House, tmp_path: Path) -> Laptop:
    folder = tmp_path / "laptop"
    folder.mkdir()
    return Laptop(folder, running.url, await token_of(house.call, await person(house.call, "superadmin")))


async def agents(house: House, running: ServerProcess, *names: str, **config: Any) -> list[AgentProcess]:
    """Start agents and wait until the server knows what they can."""
    made = [await house.agent(name, running.port, **config) for name in names]
    await asyncio.gather(*(agent.start() for agent in made))
    async with asyncio.timeout(90):
        while await house.call.db.value(
            "select count(*) from hosts where agent_hello is not null and friendly_name = any(%(names)s)",
            names=list(names),
        ) < len(names):
            await asyncio.sleep(0.1)
    return made


def peak_kib(process: asyncio.subprocess.Process | None) -> int:
    """Return the most memory a process ever had."""
    assert process is not None
    status = Path(f"/proc/{process.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))


@pytest.mark.real
async def test_a_laptop_reaches_a_host_whose_link_another_server_holds(
    house: House, running: ServerProcess, laptop: Laptop, unused_tcp_port_factory: Callable[[], int]
) -> None:
    other = house.server(unused_tcp_port_factory())
    await other.start(90)
    laptop.url = other.url
    agent, _ = (
        *await agents(house, running, "web-01"),
        *await agents(house, running, "closed-01", automation="builtin"),
    )
    inventory = str(laptop.inventory("web-01", "closed-01", "gone-01"))

    async def ad_hoc(host: str, module: str, words: str = "", **more: Any) -> tuple[int, str]:
        return await laptop.run("ansible", "-i", inventory, host, "-m", module, "-a", words, **more)

    # What is large goes through in pieces; nobody holds it whole.
    (laptop.folder / "large").write_bytes(random.Random(1).randbytes(64 * 1024**2))
    before = [peak_kib(one.program.process) for one in (agent, running, other)]
    code, said = await ad_hoc("web-01", "copy", f"src=large dest={laptop.folder}/arrived mode=0600")
    assert code == 0, said + agent.said()[-3000:]
    code, said = await ad_hoc(
        "web-01", "fetch", f"src={laptop.folder}/arrived dest=back flat=true validate_checksum=false"
    )
    assert code == 0, said
    assert filecmp.cmp(laptop.folder / "large", laptop.folder / "back", shallow=False)
    after = [peak_kib(one.program.process) for one in (agent, running, other)]
    assert all(now - then < 48 * 1024 for now, then in zip(after, before, strict=True)), (before, after)

    # Secrets stand in commands: they are told to nobody.
    code, said = await ad_hoc("web-01", "shell", "echo canary-7391")
    assert code == 0
    assert "canary-7391" in said
    logs = agent.said() + running.program.log.read_text() + other.program.log.read_text()
    assert "canary-7391" not in logs
    rows = await house.call.db.all("select * from audit_log where action = 'automation.relayed'")
    assert rows
    assert "canary-7391" not in str(rows)
    assert {row["detail"]["operation"] for row in rows} == {"exec", "put", "fetch"}
    assert all(row["subject_name"] == "web-01" and row["actor_name"].startswith("superadmin") for row in rows)
    assert "operation=fetch" in agent.said()
    assert "by=" in agent.said()

    # Who may not, and where not.
    code, said = await ad_hoc("closed-01", "ping")
    assert (code, "UNREACHABLE" in said, "automation: builtin" in said) == (4, True, True), said
    code, said = await ad_hoc("gone-01", "ping")
    assert (code, "There is no host gone-01 here" in said) == (4, True), said
    code, said = await ad_hoc("web-01", "ping", PATCHMON_TOKEN="pmt_" + "0" * 64)
    assert (code, "the token is wrong" in said) == (4, True), said
    stranger = await limited(house.call, await group(house.call, "elsewhere"), role="admin")
    code, said = await ad_hoc("web-01", "ping", PATCHMON_TOKEN=await token_of(house.call, stranger))
    assert (code, "There is no host web-01 here" in said) == (4, True), said
    reader = await token_of(house.call, await person(house.call, "readonly"))
    code, said = await ad_hoc("web-01", "ping", PATCHMON_TOKEN=reader)
    assert (code, "UNREACHABLE" in said) == (4, True), said
    assert "pmt_" not in said

    # A program's own credentials, by scope.
    for scopes, wanted in (
        ({"relay": ["post"]}, '"ping": "pong"'),
        ({"host": ["get"]}, "does not have access to relay"),
    ):
        made = await integrations.make(
            house.call, NewToken("play", {"integration_type": "api"}, scopes=integration_rules.checked_scopes(scopes))
        )
        keys = {"PATCHMON_API_KEY": made.token.token_key, "PATCHMON_API_SECRET": made.secret.reveal()}
        code, said = await ad_hoc("web-01", "ping", PATCHMON_TOKEN="", **keys)
        assert wanted in said, said
        assert code == (0 if "pong" in wanted else 4)


CUT = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Long
      ansible.builtin.shell: {cmd: "echo $$ > PID-{{ inventory_hostname }}; sleep SECONDS"}
      changed_when: false
    - {name: After, ansible.builtin.command: {cmd: "true"}, changed_when: false}
"""


@pytest.mark.real
async def test_a_host_that_leaves_mid_play_is_unreachable_and_keeps_nothing_running(
    house: House, running: ServerProcess, laptop: Laptop
) -> None:
    wire = await house.wire(running.port)
    await agents(house, running, "web-01")
    other = await house.agent("web-02", wire.port)
    await other.start()
    async with asyncio.timeout(90):
        while not await house.call.db.value(
            "select count(*) from hosts where agent_hello is not null and friendly_name = 'web-02'"
        ):
            await asyncio.sleep(0.1)
    laptop.inventory("web-01", "web-02")
    text = CUT.replace("PID", str(laptop.folder / "pid")).replace("SECONDS", "15")
    play = asyncio.get_running_loop().create_task(laptop.play(text))
    async with asyncio.timeout(60):
        while not all((laptop.folder / f"pid-{name}").exists() for name in ("web-01", "web-02")):
            await asyncio.sleep(0.1)
    process = int((laptop.folder / "pid-web-02").read_text())
    wire.cut()
    code, said = await play
    assert code == 4, said
    assert re.search(r"web-01 .*ok=2 .*unreachable=0", said), said
    assert re.search(r"web-02 .*ok=0 .*unreachable=1", said), said
    assert not Path(f"/proc/{process}").exists()


SUDO = """#!/bin/sh
# A sudo that asks: sudo -H -S -p <prompt> -u <user> <command…>
while [ "$1" != "/bin/sh" ]; do [ "$1" = -p ] && prompt=$2; shift; done
printf '%s' "$prompt" >&2
read -r answer
[ "$answer" = "pass word" ] || { echo "Sorry, try again." >&2; exit 1; }
exec "$@"
"""


@pytest.mark.real
@pytest.mark.skipif(os.geteuid() != 0, reason="becoming somebody else needs root")
async def test_a_password_is_given_when_it_is_asked_for(house: House, running: ServerProcess, laptop: Laptop) -> None:
    await agents(house, running, "web-01")
    sudo = laptop.folder / "sudo"
    sudo.write_text(SUDO)
    sudo.chmod(0o755)
    inventory = str(laptop.inventory("web-01"))
    words = ("web-01", "-m", "ping", "--become", "-e", f"ansible_become_exe={sudo}")
    code, said = await laptop.run("ansible", "-i", inventory, *words, "-e", "{ansible_become_pass: pass word}")
    assert (code, "pong" in said) == (0, True), said
    code, said = await laptop.run("ansible", "-i", inventory, *words, "-e", "ansible_become_pass=wrong")
    assert code != 0, said
    assert "Incorrect or missing sudo password" in said or "Incorrect sudo password" in said, said


@pytest.fixture
async def apart(laptop: Laptop, request: pytest.FixtureRequest) -> Laptop:
    """A machine with nothing but ansible-core and the collection as it is built and installed."""
    assert request.config.cache is not None
    venv = request.config.cache.mkdir("relay-laptop") / f"ansible-core-{version('ansible-core')}"
    if not (venv / "complete").exists():
        await done(sys.executable, "-m", "venv", "--clear", str(venv))
        await done(str(venv / "bin/pip"), "install", "-q", f"ansible-core=={version('ansible-core')}")
        (venv / "complete").touch()
    source = ROOT / "collections/ansible_collections/patchmon/fleet"
    galaxy, built = str(venv / "bin/ansible-galaxy"), laptop.folder / "built"
    await done(galaxy, "collection", "build", str(source), "--output-path", str(built))
    (archive,) = built.iterdir()
    await done(galaxy, "collection", "install", str(archive), "-p", str(laptop.folder / "collections"), "--offline")
    laptop.bin, laptop.collections = venv / "bin", laptop.folder / "collections"
    return laptop


async def done(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd="/"
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


def project(laptop: Laptop) -> str:
    """Put down the files of the play of everything, and return it."""
    (laptop.folder / "t.j2").write_text("I am {{ inventory_hostname }}")
    (laptop.folder / "binary").write_bytes(bytes(range(256)) * 5000 + b"\0\xff\n\r")
    (laptop.folder / "s.sh").write_text('#!/bin/sh\necho "got $1"\n')
    return (ROOT / "tests/fixtures/relay/everything.yml").read_text()


@pytest.mark.real
async def test_a_play_of_everything_over_four_agents(house: House, running: ServerProcess, apart: Laptop) -> None:
    await agents(house, running, *HOSTS)
    apart.inventory(*HOSTS)
    play = project(apart)
    root = "true" if os.geteuid() == 0 else "false"
    words = ("-e", f"become_somebody={root}", "-e", "loops=3")
    code, said = await apart.play(play, "--check", *words, seconds=140)
    assert code == 0, said
    assert not any(apart.folder.glob("tmp-*-work"))
    code, said = await apart.play(play, *words, seconds=140)
    assert code == 0, said
