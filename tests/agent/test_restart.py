"""A restart of the host between two phases of a job; the boot is another one when the test says so."""

import hashlib
import json
import os
import shlex
import shutil
import signal
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from agent.act.folders import Folders
from agent.protocol import archive
from agent.protocol.messages import Content, JobOffer
from tests.agent.conftest import Agent
from tests.stand_ins.agent_server import AgentServer, ServerLink

pytestmark = pytest.mark.timeout(90)

SAY = "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.debug: {{msg: '{}'}}\n"
FAIL = """\
- hosts: all
  gather_facts: false
  tasks:
    - name: Out of the pool
      ansible.builtin.fail: {msg: nobody answers}
"""
RESTART = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.shell: >-
        printf '{"module":"package_update","result":{"manager":"apt"}}' > "$PATCHMON_RESULT_DIR/package_update-1.json";
        printf '{"reason":"a new kernel","timeout_seconds":%s}' > "$PATCHMON_REBOOT_REQUEST"
"""
VERIFY = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {msg: "verify after {{ patchmon_stage }} restarted={{ patchmon_restarted }}"}
"""
STAGES = (("pre_playbook", "drain.yml"), ("main", "site.yml"), ("post_playbook", "verify.yml"))


def put(server: AgentServer, content: bytes) -> Content:
    digest = hashlib.sha256(content).hexdigest()
    server.store.contents[digest] = content
    return Content(digest, len(content))


def offer(server: AgentServer, main: str, *, drain: str = "", verify: str = VERIFY, **more: Any) -> JobOffer:
    """A job of three playbooks."""
    job = str(uuid.uuid4())
    spec = {
        "job": job, "playbook": "site.yml", "host": "web-01",
        "inventory": "all:\n  hosts:\n    web-01:\n      ansible_connection: local\n",
        "timeout_seconds": 60, "stages": [{"name": name, "playbook": file} for name, file in STAGES], **more,
    }  # fmt: skip
    texts = {"site.yml": main, "drain.yml": drain or SAY.format("drained"), "verify.yml": verify}
    project = archive.pack({name: text.encode() for name, text in texts.items()})
    return JobOffer(job, "site.yml", put(server, project), put(server, json.dumps(spec).encode()))


class Machine:
    """The host around the agent: its restart command notes that it was called, and the test plays the restart."""

    def __init__(self, agent: Agent, server: AgentServer, notes: Path) -> None:
        self.agent, self.server, self.notes, self.links = agent, server, notes, 0
        self.command = shlex.join([sys.executable, "-c", f"open({str(notes)!r}, 'a').write('restart\\n')"])

    async def boot(self, command: str = "") -> ServerLink:
        self.agent.configure(self.server.url, automation="any", reboot_command=command or self.command)
        await self.agent.serve()
        self.links += 1
        return await self.server.link(self.links)

    @property
    def restarts(self) -> int:
        return len(self.notes.read_text().splitlines()) if self.notes.exists() else 0

    def left(self, job: JobOffer) -> Path:
        return self.agent.state / "jobs" / job.job / "rebooting.json"

    async def go_down(self, job: JobOffer, *, other_boot: bool = True, **changes: Any) -> None:
        """End the agent; memory is empty afterwards, and the boot has another name."""
        await self.agent.stop(self.agent.services[-1], signal.SIGKILL)
        folder = Folders(self.agent.state).find(job.job)
        shutil.rmtree(folder.run, ignore_errors=True)
        told = json.loads(self.left(job).read_text())
        told |= {"boot_id": "an earlier boot"} if other_boot else {}
        self.left(job).write_text(json.dumps({**told, **changes}))


@pytest.fixture
def machine(agent: Agent, server: AgentServer, tmp_path: Path) -> Machine:
    return Machine(agent, server, tmp_path / "restarts")


def plays(server: AgentServer, job: JobOffer) -> int:
    return sum(one["event"] == "playbook_on_start" for one in server.store.events[job.job]["runner"].values())


async def test_a_job_goes_on_behind_the_restart_it_asked_for(machine: Machine, server: AgentServer) -> None:
    link = await machine.boot()
    job = offer(server, RESTART % 600)
    await link.offer(job)
    await server.until(lambda: (job.job, "rebooting") in server.store.states)
    await server.until(lambda: machine.restarts == 1)
    assert plays(server, job) == 2
    assert "verify" not in server.store.text(job.job)
    await machine.go_down(job)
    second = await machine.boot()
    assert [one["state"] for one in second.received[0]["jobs"]] in (["rebooting"], ["running"])
    end = await server.until(lambda: server.store.ended.get(job.job))
    assert (end.status, end.reason) == ("succeeded", "")
    text = server.store.text(job.job)
    assert "verify after post_playbook restarted=True" in text
    assert "The host is back after" in text
    assert plays(server, job) == 3
    assert server.store.doubles == 0
    kept = server.store.events[job.job]
    assert (len(kept["runner"]), len(kept["live"])) == (end.runner, end.live)
    assert [one.module for one in end.results] == ["package_update"]
    assert end.counters["ok"] == 3
    assert machine.restarts == 1
    assert server.store.states[-1] == (job.job, "running")


async def test_without_a_restart_all_playbooks_run_one_after_the_other(machine: Machine, server: AgentServer) -> None:
    link = await machine.boot()
    job = offer(server, SAY.format("patched"))
    await link.offer(job)
    end = await server.until(lambda: server.store.ended.get(job.job))
    assert end.status == "succeeded"
    assert "restarted=False" in server.store.text(job.job)
    assert (plays(server, job), machine.restarts) == (3, 0)


async def test_a_pre_playbook_that_fails_ends_the_job_before_anything_changed(
    machine: Machine, server: AgentServer
) -> None:
    link = await machine.boot()
    job = offer(server, RESTART % 600, drain=FAIL)
    await link.offer(job)
    end = await server.until(lambda: server.store.ended.get(job.job))
    assert (end.status, end.reason) == ("failed", "pre playbook drain failed: Out of the pool: nobody answers")
    assert (plays(server, job), machine.restarts, end.results) == (1, 0, ())


async def test_a_post_playbook_that_fails_fails_the_job_and_keeps_what_was_done(
    machine: Machine, server: AgentServer
) -> None:
    link = await machine.boot()
    job = offer(server, RESTART % 600, verify=FAIL)
    await link.offer(job)
    await server.until(lambda: machine.restarts == 1)
    await machine.go_down(job)
    await machine.boot()
    end = await server.until(lambda: server.store.ended.get(job.job))
    assert (end.status, end.reason) == ("failed", "post playbook verify failed: Out of the pool: nobody answers")
    assert [one.module for one in end.results] == ["package_update"]


async def test_an_agent_that_is_killed_around_the_restart_asks_for_it_once(
    machine: Machine, server: AgentServer
) -> None:
    link = await machine.boot()
    job = offer(server, RESTART % 600)
    await link.offer(job)
    await server.until(lambda: machine.restarts == 1)
    for _ in range(2):
        await machine.go_down(job, other_boot=False)
        again = await machine.boot()
        assert [one["state"] for one in again.received[0]["jobs"]] == ["rebooting"]
        await server.until(lambda: server.store.states.count((job.job, "rebooting")) > 1)
    assert (machine.restarts, job.job in server.store.ended) == (1, False)
    await machine.go_down(job)
    await machine.boot()
    end = await server.until(lambda: server.store.ended.get(job.job))
    assert (end.status, machine.restarts, plays(server, job)) == ("succeeded", 1, 3)


async def test_phase_two_that_dies_is_not_begun_again(machine: Machine, server: AgentServer) -> None:
    link = await machine.boot()
    slow = VERIFY + "    - ansible.builtin.command: sleep 600\n"
    job = offer(server, RESTART % 600, verify=slow)
    await link.offer(job)
    await server.until(lambda: machine.restarts == 1)
    await machine.go_down(job)
    await machine.boot()
    await server.until(lambda: "verify after" in server.store.text(job.job))
    folder = machine.agent.state / "jobs" / job.job
    os.kill(json.loads((folder / "supervisor.json").read_text())["pid"], signal.SIGKILL)
    end = await server.until(lambda: server.store.ended.get(job.job))
    assert (end.status, end.reason) == ("lost", "the job supervisor died")
    assert [one.module for one in end.results] == ["package_update"]
    assert plays(server, job) == 3


@pytest.mark.parametrize(
    ("other_boot", "status", "reason"),
    [
        (True, "timed_out", "after the time it had for its restart"),
        (False, "failed", "was asked to restart and is still the same boot after"),
    ],
)
async def test_a_host_that_comes_back_too_late_or_never_went_says_so(
    machine: Machine, server: AgentServer, other_boot: bool, status: str, reason: str
) -> None:
    link = await machine.boot()
    job = offer(server, RESTART % 600)
    await link.offer(job)
    await server.until(lambda: machine.restarts == 1)
    await machine.go_down(job, other_boot=other_boot, deadline_at=1.0)
    await machine.boot()
    end = await server.until(lambda: server.store.ended.get(job.job))
    assert end.status == status
    assert reason in end.reason
    assert plays(server, job) == 2


async def test_a_host_that_cannot_be_restarted_says_why(machine: Machine, server: AgentServer) -> None:
    link = await machine.boot("/bin/false")
    job = offer(server, RESTART % 600)
    await link.offer(job)
    end = await server.until(lambda: server.store.ended.get(job.job))
    assert (end.status, end.reason) == ("failed", "the host was not restarted: /bin/false ended with 1")
    assert [one.module for one in end.results] == ["package_update"]


async def test_an_agent_of_somebody_restarts_nothing_by_itself(
    agent: Agent, machine: Machine, server: AgentServer
) -> None:
    agent.configure(server.url, automation="any")
    await agent.serve()
    job = offer(server, RESTART % 600)
    await (await server.link()).offer(job)
    end = await server.until(lambda: server.store.ended.get(job.job))
    assert end.status == "failed"
    assert "its file names no reboot_command" in end.reason
    assert machine.restarts == 0


async def test_the_restart_waits_until_the_server_has_heard_everything(machine: Machine, server: AgentServer) -> None:
    link = await machine.boot()
    link.acknowledges = False
    job = offer(server, RESTART % 600)
    await link.offer(job)
    await server.until(lambda: (job.job, "rebooting") in server.store.states)
    check = offer(server, SAY.format("other"))
    await link.offer(check)
    refused = await server.until(lambda: server.store.declined.get(check.job))
    assert (refused.code, refused.reason) == ("busy", "The host is about to be restarted.")
    assert machine.restarts == 0
    await link.stop(job.job, 5)
    end = await server.until(lambda: server.store.ended.get(job.job))
    assert (end.status, end.reason, machine.restarts) == ("cancelled", "stopped before the host was restarted", 0)


async def test_secret_values_do_not_wait_on_the_disk_for_the_restart(machine: Machine, server: AgentServer) -> None:
    link = await machine.boot()
    job = offer(server, RESTART % 600, secrets="token: canary-4711\n", secret_values=["canary-4711"])
    await link.offer(job)
    end = await server.until(lambda: server.store.ended.get(job.job))
    assert (end.status, machine.restarts) == ("failed", 0)
    assert "a job with secret values cannot go on after a restart" in end.reason
