"""The real ansible against real agents through the real server: the connection plugin and the relay."""

import asyncio
import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.factories.house import BIN, ROOT, AgentProcess, House, ServerProcess
from tests.factories.people import person, token_of

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
    await made.start()
    return made


@pytest.fixture
async def laptop(running: ServerProcess, house: House, tmp_path: Path) -> Laptop:
    folder = tmp_path / "laptop"
    folder.mkdir()
    return Laptop(folder, running.url, await token_of(house.call, await person(house.call, "superadmin")))


async def agents(house: House, running: ServerProcess, *names: str, **config: object) -> list[AgentProcess]:
    """Start agents and wait until the server knows what they can."""
    made = [await house.agent(name, running.port, **config) for name in names]
    await asyncio.gather(*(agent.start() for agent in made))
    async with asyncio.timeout(20):
        while await house.call.db.value(
            "select count(*) from hosts where agent_hello is not null and friendly_name = any(%(names)s)",
            names=list(names),
        ) < len(names):
            await asyncio.sleep(0.1)
    return made


@pytest.mark.timeout(60)
async def test_a_laptop_pings_hosts_moves_files_and_is_on_record(
    house: House, running: ServerProcess, laptop: Laptop
) -> None:
    (agent,) = await agents(house, running, "web-01")
    inventory = str(laptop.inventory("web-01"))
    code, said = await laptop.run("ansible", "-i", inventory, "all", "-m", "ping")
    assert (code, '"ping": "pong"' in said) == (0, True), said + agent.said()[-3000:]


PLAY = r"""
- name: Everything
  hosts: all
  serial: 3
  gather_facts: true
  vars: {here: "{{ ansible_remote_tmp }}-work"}
  tasks:
    - {name: Folder, ansible.builtin.file: {path: "{{ here }}", state: directory, mode: "0755"}}
    - {name: Copy, ansible.builtin.copy: {content: "hello {{ inventory_hostname }}\n", dest: "{{ here }}/copied", mode: "0644"}}
    - {name: Template, ansible.builtin.template: {src: t.j2, dest: "{{ here }}/templated", mode: "0600"}}
    - {name: Command, ansible.builtin.command: {cmd: "cat {{ here }}/templated"}, register: said, changed_when: false}
    - {name: Said, ansible.builtin.assert: {that: "said.stdout == 'I am ' ~ inventory_hostname"}, when: not ansible_check_mode}
    - {name: Binary, ansible.builtin.copy: {src: binary, dest: "{{ here }}/binary", mode: "0600"}}
    - {name: Fetch, ansible.builtin.fetch: {src: "{{ here }}/binary", dest: "fetched-{{ inventory_hostname }}", flat: true}, when: not ansible_check_mode}
    - {name: Errors, ansible.builtin.shell: {cmd: "echo out; echo err >&2; exit 7"}, register: bad, when: not ansible_check_mode, failed_when: "bad.rc != 7 or bad.stdout != 'out' or bad.stderr != 'err'", changed_when: false}
    - {name: Raw, ansible.builtin.raw: "printf raw; exit 0", when: not ansible_check_mode, register: raw, failed_when: "raw.stdout != 'raw'", changed_when: false}
    - {name: Async, ansible.builtin.command: {cmd: "sleep 1"}, async: 30, poll: 1, changed_when: false}
    - {name: Other, ansible.builtin.command: {cmd: "id -un"}, become: true, become_user: nobody, become_method: ansible.builtin.su, become_flags: "-s /bin/sh", register: other, changed_when: false, when: ROOT}
    - {name: Other is other, ansible.builtin.assert: {that: "other.stdout == 'nobody'"}, when: ROOT and not ansible_check_mode}
    - {name: Delegate, ansible.builtin.copy: {content: "for {{ inventory_hostname }}", dest: "{{ hostvars['db-01'].ansible_remote_tmp }}-{{ inventory_hostname }}", mode: "0600"}, delegate_to: db-01}
    - {name: Once, ansible.builtin.command: {cmd: "echo {{ inventory_hostname }}"}, run_once: true, register: once, changed_when: false}
    - {name: Script, ansible.builtin.script: {cmd: "./s.sh 'a b'"}, when: not ansible_check_mode, register: script, failed_when: "'got a b' not in script.stdout", changed_when: false}
    - {name: Slurp, ansible.builtin.slurp: {src: "{{ here }}/binary"}, register: slurped, when: not ansible_check_mode}
    - {name: Hostile, ansible.builtin.copy: {content: x, dest: "{{ here }}/ a'b\"c$(id);\u00fc\u2028 -rf", mode: "0600"}}
    - {name: Hostile again, ansible.builtin.fetch: {src: "{{ here }}/ a'b\"c$(id);\u00fc\u2028 -rf", dest: "hostile-{{ inventory_hostname }}", flat: true}, when: not ansible_check_mode}
    - {name: Reconnect, ansible.builtin.meta: reset_connection}
    - name: Restart
      when: not ansible_check_mode
      ansible.builtin.reboot:
        boot_time_command: "cat {{ here }}/boots 2>/dev/null || echo 0"
        reboot_command: "/bin/sh -c 'date +%s%N > {{ here }}/boots'"
        test_command: "true"
        search_paths: [/bin]
        post_reboot_delay: 0
        pre_reboot_delay: 0
        reboot_timeout: 30
    - {name: Loop, ansible.builtin.command: {cmd: "echo {{ item }}"}, loop: "{{ range(LOOPS) | list }}", changed_when: false}
    - {name: No pipelining, ansible.builtin.ping: {}, vars: {ansible_pipelining: false}}
"""


def project(laptop: Laptop, loops: int) -> str:
    (laptop.folder / "t.j2").write_text("I am {{ inventory_hostname }}")
    (laptop.folder / "binary").write_bytes(bytes(range(256)) * 5000 + b"\0\xff\n\r")
    (laptop.folder / "s.sh").write_text('#!/bin/sh\necho "got $1"\n')
    root = "true" if os.geteuid() == 0 else "false"
    return PLAY.replace("LOOPS", str(loops)).replace("ROOT", root)


@pytest.mark.real
async def test_a_play_of_everything_over_four_agents(house: House, running: ServerProcess, laptop: Laptop) -> None:
    await agents(house, running, *HOSTS)
    laptop.inventory(*HOSTS)
    play = project(laptop, 5)
    code, said = await laptop.play(play, "--check", seconds=200)
    assert code == 0, said
    assert not any(laptop.folder.glob("tmp-*-work"))
    code, said = await laptop.play(play, seconds=200)
    print(said)
    assert code == 0, said
