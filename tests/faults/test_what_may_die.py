"""Any part may be killed in the middle of a job: nothing is lost, doubled or stuck, and nothing is left behind."""

import asyncio
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server.automation.models import Field
from server.core.call import Call
from tests.factories.automation import Api
from tests.factories.house import AgentProcess, House, ServerProcess

pytestmark = pytest.mark.real

STEPS = 200
PLAY = """
- name: Many steps
  hosts: all
  gather_facts: false
  tasks:
    - name: Step
      ansible.builtin.command: "sleep 0.1"
      loop: "{{ range(200) | list }}"
    - name: Say so
      ansible.builtin.debug:
        msg: all steps done
"""
SHORT = 60
SHORT_PLAY = PLAY.replace("range(200)", f"range({SHORT})")


async def connected(api: Api, agent: AgentProcess, seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not (await api.ask("GET", f"/hosts/{agent.uuid}"))["connected"]:
            await asyncio.sleep(0.1)


async def done(api: Api, job: dict[str, Any], seconds: float = 200) -> dict[str, Any]:
    return await api.until(job, lambda found: found["finished_at"] is not None, seconds)


async def begun(api: Api, job: dict[str, Any], events: int = 5) -> None:
    """Wait until the play's events arrive; tolerate a server that is away."""
    await api.until(job, lambda found: found["hosts"][0]["events"] >= events, 60)


async def stored(call: Call, job: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the events after checking that each counter is there once and that positions follow the counters."""
    rows = await call.db.all(
        """
        select e.source, e.counter, e.position, e.event, e.result, e.stdout
          from job_events e
          join jobs j on j.id = e.job_id
         where j.uuid = %(job)s
         order by e.source, e.counter
        """,
        job=job["id"],
    )
    final = await call.db.one(
        "select runner_counter, live_counter from job_hosts h join jobs j on j.id = h.job_id where j.uuid = %(job)s",
        job=job["id"],
    )
    assert final is not None
    for source, last in ((0, final["runner_counter"]), (1, final["live_counter"])):
        mine = [row for row in rows if row["source"] == source]
        assert [row["counter"] for row in mine] == list(range(1, last + 1))
        positions = [row["position"] for row in mine]
        assert positions == sorted(set(positions))
    return rows


def items(rows: list[dict[str, Any]]) -> list[int]:
    return [row["result"]["item"] for row in rows if row["event"] == "runner_item_on_ok"]


def processes(mark: str) -> list[int]:
    """Return the processes whose command line has ``mark``."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if mark.encode() in words:
                found.append(int(entry.name))
    return found


async def test_a_server_killed_ten_times_loses_no_event(
    house: House, server_process: ServerProcess, api: Api, call: Call
) -> None:
    await house.playbook("steps", PLAY)
    agent = await house.agent("web-01", server_process.port)
    await agent.start()
    await connected(api, agent)
    job = await api.launch(agent.uuid, playbook="steps", check=False)
    await begun(api, job, 3)
    chance = random.Random(4)
    for _ in range(10):
        await asyncio.sleep(chance.uniform(0.2, 3.0))
        await server_process.kill()
        await server_process.start()
    ended = await done(api, job)
    assert ended["status"] == "succeeded", agent.said()[-3000:]
    rows = await stored(call, job)
    assert len(rows) > STEPS
    assert items(rows) == list(range(STEPS))
    assert rows[-1]["event"] == "playbook_on_stats" or any(row["event"] == "playbook_on_stats" for row in rows)


async def test_a_killed_agent_is_followed_by_one_that_adopts_the_play(
    house: House, server_process: ServerProcess, api: Api, call: Call
) -> None:
    await house.playbook("steps", SHORT_PLAY)
    agent = await house.agent("web-01", server_process.port)
    await agent.start()
    await connected(api, agent)
    job = await api.launch(agent.uuid, playbook="steps", check=False)
    await begun(api, job)
    await agent.kill()
    await asyncio.sleep(3)
    await agent.start()
    ended = await done(api, job)
    assert ended["status"] == "succeeded", agent.said()[-3000:]
    assert items(await stored(call, job)) == list(range(SHORT))


async def test_a_restart_by_the_units_rules_lets_the_play_finish(
    house: House, server_process: ServerProcess, api: Api, call: Call
) -> None:
    unit = (Path(__file__).resolve().parents[2] / "deploy/systemd/patchmon-agent.service").read_text()
    assert "KillMode=process" in unit  # so a restart sends SIGTERM to the main process alone, as below
    await house.playbook("steps", SHORT_PLAY)
    agent = await house.agent("web-01", server_process.port)
    await agent.start()
    await connected(api, agent)
    job = await api.launch(agent.uuid, playbook="steps", check=False)
    await begun(api, job)
    assert await agent.stop() == 0
    await agent.start()
    ended = await done(api, job)
    assert ended["status"] == "succeeded", agent.said()[-3000:]
    assert items(await stored(call, job)) == list(range(SHORT))


async def test_a_cut_of_thirty_seconds_is_resumed(
    house: House, server_process: ServerProcess, api: Api, call: Call
) -> None:
    await house.playbook("steps", PLAY)
    wire = await house.wire(server_process.port)
    agent = await house.agent("web-01", wire.port)
    await agent.start()
    await connected(api, agent)
    job = await api.launch(agent.uuid, playbook="steps", check=False)
    await begun(api, job)
    wire.cut()
    await asyncio.sleep(30)
    seen_at_the_cut = (await api.show(job))["hosts"][0]["events"]
    wire.mend()
    ended = await done(api, job)
    assert ended["status"] == "succeeded", agent.said()[-3000:]
    rows = await stored(call, job)
    assert len(rows) > seen_at_the_cut
    assert items(rows) == list(range(STEPS))


STUBBORN = "trap '' INT TERM; while true; do sleep {mark}; done"


@pytest.mark.parametrize(("command", "within"), [("sleep {mark}", 5.0), (STUBBORN, 10.0)], ids=["honours", "ignores"])
async def test_stop_leaves_no_descendant(
    house: House, server_process: ServerProcess, api: Api, call: Call, command: str, within: float
) -> None:
    mark = str(6000 + os.getpid() + len(command))
    text = f"""
- hosts: all
  gather_facts: false
  tasks:
    - name: Speak first
      ansible.builtin.command: echo partial output is kept
    - name: Hang
      ansible.builtin.shell: |
        {command.format(mark=mark)}
"""
    await house.playbook("hangs", text)
    agent = await house.agent("web-01", server_process.port)
    await agent.start()
    await connected(api, agent)
    job = await api.launch(agent.uuid, playbook="hangs", check=False, grace_seconds=5)
    async with asyncio.timeout(60):
        while not processes(mark):
            await asyncio.sleep(0.05)
    asked = asyncio.get_running_loop().time()
    await api.ask("POST", f"/jobs/{job['id']}/stop")
    async with asyncio.timeout(within):
        while processes(mark):
            await asyncio.sleep(0.05)
    took = asyncio.get_running_loop().time() - asked
    ended = await done(api, job, 30)
    assert ended["status"] == "cancelled"
    assert took <= within
    rows = await stored(call, job)
    assert any("partial output is kept" in str(row["result"]) for row in rows)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = [shutil.which("mount") or "/bin/mount", "-t", "tmpfs", "-o", "size=12m,mode=0700", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("this machine does not let us mount a small file system")
    yield disk
    subprocess.run([shutil.which("umount") or "/bin/umount", "-l", str(disk)], check=True)


async def test_a_full_disk_on_the_host_ends_the_job_with_that_reason(
    house: House, server_process: ServerProcess, api: Api, small_disk: Path
) -> None:
    text = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Talk
      ansible.builtin.shell: "head -c 150000 /dev/zero | tr '\\\\0' 'x'"
      loop: "{{ range(200) | list }}"
"""
    await house.playbook("talks", text)
    wire = await house.wire(server_process.port)
    agent = await house.agent("web-01", wire.port)
    shutil.move(str(agent.folder), str(small_disk / "agent"))
    agent.folder.symlink_to(small_disk / "agent")
    await agent.start()
    await connected(api, agent)
    job = await api.launch(agent.uuid, playbook="talks", check=False)
    ended = await done(api, job)
    assert ended["status"] == "failed", ended
    assert "spool full" in ended["hosts"][0]["reason"] or "room" in ended["hosts"][0]["reason"]


async def test_a_launch_variable_stays_literal_text(
    house: House, server_process: ServerProcess, api: Api, call: Call, tmp_path: Path
) -> None:
    witness = tmp_path / "ran"
    template = "{{ lookup('pipe', 'touch " + str(witness) + "') }}"
    text = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Show
      ansible.builtin.debug:
        msg: "said {{ text }} and {{ deep.list[0] }}"
"""
    await house.playbook("says", text, (Field("text", "str"), Field("deep", "dict")))
    agent = await house.agent("web-01", server_process.port)
    await agent.start()
    await connected(api, agent)
    job = await api.launch(
        agent.uuid, playbook="says", check=False, variables={"text": template, "deep": {"list": [template]}}
    )
    ended = await done(api, job, 60)
    rows = await stored(call, job)
    said = next(row["result"]["msg"] for row in rows if row["event"] == "runner_on_ok")
    assert ended["status"] == "succeeded", rows
    assert said == f"said {template} and {template}"
    assert not witness.exists()


async def test_an_agent_on_one_server_is_driven_and_watched_from_both(
    house: House, server_process: ServerProcess, api: Api, call: Call, unused_tcp_port_factory: Any
) -> None:
    second = house.server(unused_tcp_port_factory())
    await second.start()
    there = Api(api.session, second.url, api.headers)
    await house.playbook("steps", SHORT_PLAY)
    agent = await house.agent("web-01", server_process.port)
    await agent.start()
    await connected(there, agent)
    job = await there.launch(agent.uuid, playbook="steps", check=False)

    async def watched(by: Api) -> list[int]:
        numbers = []
        async with by.following(job) as frames:
            async for name, number, _data in frames:
                if name == "event":
                    numbers.append(number)
                if name == "end":
                    return numbers
        return numbers

    here, elsewhere = await asyncio.gather(watched(api), watched(there))
    assert here == elsewhere == sorted(set(here))
    assert len(here) >= SHORT
    assert (await api.show(job))["status"] == "succeeded"
    assert items(await stored(call, job)) == list(range(SHORT))
    stopped = await there.launch(agent.uuid, playbook="steps", check=False)
    await begun(api, stopped)
    await there.ask("POST", f"/jobs/{stopped['id']}/stop")
    assert (await done(there, stopped, 60))["status"] == "cancelled"
