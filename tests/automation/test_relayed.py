"""Plays that a worker runs: real agents, a real ansible, one play over several hosts."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from server.automation import relay_runs
from server.automation.models import Field
from tests.agent.test_pyz import interpreters, pyz, version_of
from tests.factories.automation import Api
from tests.factories.house import AgentProcess, House, ServerProcess
from tests.factories.people import bearer

__all__ = ["pyz"]
ACROSS = """
- name: Across
  hosts: all
  gather_facts: false
  tasks:
    - name: Say
      ansible.builtin.command: {cmd: "echo I am {{ inventory_hostname }}, {{ word }}"}
      changed_when: true
    - name: Once
      ansible.builtin.command: {cmd: "echo once"}
      run_once: true
      changed_when: false
    - name: There
      ansible.builtin.command: {cmd: "echo of {{ inventory_hostname }}"}
      delegate_to: web-02
      changed_when: false
    - name: Lines
      ansible.builtin.shell:
        executable: /usr/bin/python3
        cmd: |
          import os, socket
          live = socket.socket(socket.AF_UNIX)
          live.connect(os.environ["PATCHMON_LIVE_SOCKET"])
          live.sendall(b"a live line" + bytes([10]))
      changed_when: false
"""
FAILS = """
- hosts: all
  gather_facts: false
  tasks:
    - {name: Fails, ansible.builtin.fail: {msg: "it cannot be {{ inventory_hostname }}"}}
"""
LONG = """
- hosts: all
  gather_facts: false
  tasks:
    - {name: Long, ansible.builtin.shell: {cmd: "echo $$ > FILE; exec sleep 120"}, changed_when: false}
"""


@pytest.fixture
async def running(house: House, unused_tcp_port_factory: Callable[[], int]) -> ServerProcess:
    made = house.server(unused_tcp_port_factory())
    await made.start(90)
    return made


@pytest.fixture
async def remote(house: House, running: ServerProcess) -> AsyncIterator[Api]:
    async with ClientSession() as session:
        yield Api(session, running.url, await bearer(house.call))


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


def is_of(folder: Path, words: str) -> bool:
    """Tell whether a play's folder holds the playbook with these words."""
    file = folder / "project" / "long.yml"
    return file.exists() and words in file.read_text()


def by_name(job: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {host["name"]: host for host in job["hosts"]}


@pytest.mark.real
async def test_a_worker_plays_across_hosts_and_every_host_tells_its_part(
    house: House, running: ServerProcess, remote: Api
) -> None:
    await house.playbook("across", ACROSS, (Field("word", "str", secret=True),))
    names = ("web-01", "web-02", "web-03")
    await agents(house, running, *names)
    await agents(house, running, "closed-01", automation="builtin")
    job = await remote.launch(
        *names, "closed-01", playbook="across", check=False, executor="relayed", forks=3,
        variables={"word": "canary-5512"},
    )  # fmt: skip
    done = await remote.until(job, lambda found: found["finished_at"], 150)
    hosts = by_name(done)
    assert {name: hosts[name]["status"] for name in names} == dict.fromkeys(names, "succeeded"), done
    assert {hosts[name]["executor"] for name in names} == {"relayed"}
    assert hosts["closed-01"]["status"] == "failed"
    assert "automation: builtin" in hosts["closed-01"]["reason"]
    assert {name: hosts[name]["counters"]["changed"] for name in names} == dict.fromkeys(names, 1)

    events = await remote.events(job)
    said = {name: [e for e in events if e["host"] == name] for name in names}
    for name in names:
        runner = [e for e in said[name] if e["source"] == "runner"]
        assert [e["counter"] for e in runner] == list(range(1, len(runner) + 1))
        # The play as a whole stands in everybody's story, what other hosts did does not.
        assert {"playbook_on_start", "playbook_on_stats"} <= {e["event"] for e in runner}
        (own,) = [e for e in runner if e["event"] == "runner_on_ok" and e["task"] == "Say"]
        assert own["result"]["stdout"] == f"I am {name}, ********"
        (there,) = [e for e in runner if e["event"] == "runner_on_ok" and e["task"] == "There"]
        assert there["result"]["stdout"] == f"of {name}"
        assert [e["stdout"] for e in said[name] if e["source"] == "live"] == ["a live line\n"]
    assert sum(e["event"] == "runner_on_ok" and e["task"] == "Once" for e in events) == 1
    assert "canary-5512" not in str(events) + running.program.log.read_text()


@pytest.mark.real
async def test_batches_stops_and_workers_that_die_end_every_host_with_a_reason(
    house: House, running: ServerProcess, remote: Api, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    await house.playbook("fails", FAILS)
    await house.playbook("long", LONG.replace("FILE", str(pid)))
    await agents(house, running, "web-01", "web-02")

    job = await remote.launch("web-01", "web-02", playbook="fails", check=False, serial=1)
    hosts = by_name(await remote.until(job, lambda found: found["finished_at"], 100))
    assert (hosts["web-01"]["status"], hosts["web-01"]["reason"]) == ("failed", "Fails: it cannot be web-01")
    assert (hosts["web-02"]["status"], hosts["web-02"]["reason"][:9]) == ("failed", "not begun")

    async def sleeper() -> int:
        async with asyncio.timeout(90):
            while not (pid.exists() and pid.read_text().strip()):
                await asyncio.sleep(0.1)
        found = int(pid.read_text())
        pid.unlink()
        return found

    async def gone(process: int) -> None:
        async with asyncio.timeout(20):
            while Path(f"/proc/{process}").exists():
                await asyncio.sleep(0.1)

    job = await remote.launch("web-01", playbook="long", check=False, executor="relayed", grace_seconds=2)
    process = await sleeper()
    await remote.ask("POST", f"/jobs/{job['id']}/stop")
    stopped = await remote.until(job, lambda found: found["finished_at"], 60)
    assert by_name(stopped)["web-01"]["status"] == "cancelled"
    await gone(process)

    job = await remote.launch("web-01", playbook="long", check=False, executor="relayed")
    process = await sleeper()
    folders = [folder for folder in Path("/dev/shm").glob("patchmon-run-*") if is_of(folder, str(pid))]
    await running.kill()
    await gone(process)
    async with asyncio.timeout(30):
        # Its folder may hold secrets: the program that played removes what the worker cannot any more.
        while any(folder.exists() for folder in folders):
            await asyncio.sleep(0.1)
    await relay_runs.sweep(replace(house.call, now=house.call.now + timedelta(minutes=5)))
    row = await house.call.db.one("select status, reason from job_hosts order by id desc limit 1")
    assert dict(row or {}) == {"status": "lost", "reason": "the worker that ran the play is gone"}


OLD = """
- hosts: all
  gather_facts: false
  vars: {ansible_python_interpreter: "PYTHON"}
  tasks:
    - ansible.builtin.setup: {gather_subset: [min]}
    - name: Write
      ansible.builtin.copy: {content: "by {{ ansible_facts.python_version }}", dest: "FILE", mode: "0600"}
    - name: Later
      ansible.builtin.command: {cmd: "cat FILE"}
      async: 30
      poll: 1
      changed_when: false
"""


@pytest.mark.real
@pytest.mark.timeout(400)
@pytest.mark.parametrize("python", [one for one in interpreters() if version_of(one) < (3, 11)])
async def test_a_host_with_an_older_python_has_its_plays_relayed_without_being_told_to(
    house: House, running: ServerProcess, remote: Api, pyz: Path, tmp_path: Path, python: str
) -> None:
    file = tmp_path / "written"
    await house.playbook("old", OLD.replace("PYTHON", python).replace("FILE", str(file)))
    agent = await house.agent("old-01", running.port, pyz=pyz)
    agent.program.command[0] = python
    await agent.start()
    async with asyncio.timeout(90):
        while not await house.call.db.value(
            "select agent_hello ->> 'python' from hosts where friendly_name = 'old-01'"
        ):
            await asyncio.sleep(0.1)

    done = await remote.until(
        await remote.launch("old-01", playbook="old", check=False), lambda found: found["finished_at"], 150
    )
    (host,) = done["hosts"]
    assert (host["status"], host["executor"]) == ("succeeded", "relayed"), done
    assert file.read_text() == f"by {'.'.join(map(str, version_of(python)))}." + file.read_text().rpartition(".")[2]

    dry = await remote.until(
        await remote.launch("old-01", playbook="patch", check=True), lambda found: found["finished_at"], 150
    )
    (host,) = dry["hosts"]
    assert (host["status"], host["executor"]) == ("succeeded", "relayed"), dry
    assert [event for event in await remote.events(dry) if event["source"] == "live"]
