"""Jobs on a host: offered, transferred, run under the real supervisor, followed, stopped, adopted, forgotten."""

import asyncio
import hashlib
import json
import os
import signal
import uuid
from dataclasses import replace
from typing import Any

import pytest

from agent.protocol import archive
from agent.protocol.messages import Content, JobOffer
from agent.supervise import process
from tests.agent.conftest import ROOT, Agent
from tests.stand_ins.agent_server import AgentServer, ServerLink

QUICK = "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.debug: {msg: 'hello from a play'}\n"
SLOW = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug: {msg: first}
    - ansible.builtin.command: sleep 8
    - ansible.builtin.debug: {msg: last}
"""
RESULT = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.shell: >-
        printf '{"module":"package_update","result":{"manager":"apt"}}' > "$PATCHMON_RESULT_DIR/package_update-1-1.json"
"""
LIVE = """\
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.shell:
        cmd: |
          import os, socket, time
          line = socket.socket(socket.AF_UNIX)
          line.connect(os.environ["PATCHMON_LIVE_SOCKET"])
          line.sendall(b"a line while it runs\\n")
          time.sleep(2)
        executable: "{{ ansible_python_interpreter }}"
"""
pytestmark = pytest.mark.timeout(60)


def put(server: AgentServer, content: bytes) -> Content:
    digest = hashlib.sha256(content).hexdigest()
    server.store.contents[digest] = content
    return Content(digest, len(content))


def offer(
    server: AgentServer, play: str = QUICK, *, playbook: str = "site.yml", check: bool = False, **more: Any
) -> JobOffer:
    job = str(uuid.uuid4())
    spec = {
        "job": job,
        "playbook": playbook,
        "host": "web-01",
        "inventory": "all:\n  hosts:\n    web-01:\n      ansible_connection: local\n",
        "variables": "",
        "secrets": "",
        "check": check,
        "diff": False,
        "tags": [],
        "skip_tags": [],
        "verbosity": 0,
        "timeout_seconds": 60,
        "caps": {"events": 100000, "bytes": 67108864},
        "secret_values": [],
        "request_id": "r",
    }
    project = archive.pack({playbook: play.encode(), "notes.txt": b"x" * 100_000})
    return JobOffer(job, playbook, put(server, project), put(server, json.dumps(spec).encode()), check, **more)


@pytest.fixture
async def link(agent: Agent, server: AgentServer) -> ServerLink:
    agent.configure(server.url, automation="any")
    await agent.serve()
    return await server.link()


async def test_a_job_runs_and_is_forgotten(agent: Agent, server: AgentServer, link: ServerLink) -> None:
    job = offer(server)
    await link.offer(job)
    await server.until(lambda: job.job in server.store.ended)
    end = server.store.ended[job.job]
    assert (end.status, end.rc, end.reason) == ("succeeded", 0, "")
    assert end.counters["ok"] == 1
    kept = server.store.events[job.job]
    assert (len(kept["runner"]), len(kept["live"])) == (end.runner, end.live)
    assert "hello from a play" in server.store.text(job.job)
    assert (job.job, "running") in server.store.states
    await server.until(lambda: not (agent.state / "jobs" / job.job).exists())
    # The project stays: the next job with it needs no transfer.
    again = offer(server)
    assert again.project == job.project
    await link.offer(again)
    await server.until(lambda: again.job in server.store.ended)
    parts = [(one["job"], one["part"]) for one in link.received if one["type"] == "job_need"]
    assert (again.job, "project") not in parts
    assert (job.job, "project") in parts


async def test_live_lines_arrive_before_their_task_ends(server: AgentServer, link: ServerLink) -> None:
    job = offer(server, LIVE)
    await link.offer(job)
    live = server.store.events[job.job]["live"]
    await server.until(lambda: live)
    assert live[1]["stdout"] == "a line while it runs\n"
    kinds = {item["event"] for item in server.store.events[job.job]["runner"].values()}
    assert "runner_on_start" in kinds
    assert not kinds & {"runner_on_ok", "runner_on_failed"}
    end = await server.until(lambda: server.store.ended.get(job.job))
    assert (end.status, end.live) == ("succeeded", 1)


async def test_the_same_offer_three_times_runs_once(server: AgentServer, link: ServerLink) -> None:
    job = offer(server)
    await asyncio.gather(link.offer(job), link.offer(job), link.offer(job))
    await server.until(lambda: job.job in server.store.ended)
    starts = [one for one in server.store.events[job.job]["runner"].values() if one["event"] == "playbook_on_start"]
    assert len(starts) == 1
    assert server.store.ended[job.job].status == "succeeded"


@pytest.mark.parametrize(("automation", "word"), [("off", "no playbooks"), ("builtin", "only the built-in playbooks")])
async def test_the_local_file_forbids(agent: Agent, server: AgentServer, automation: str, word: str) -> None:
    agent.configure(server.url, automation=automation)
    await agent.serve()
    link = await server.link()
    job = offer(server)
    await link.offer(job)
    refused = await server.until(lambda: server.store.declined.get(job.job))
    assert refused.code == "forbidden"
    assert word in refused.reason
    assert str(agent.file) in refused.reason
    assert list((agent.state / "jobs").iterdir()) == []


async def test_an_edit_of_the_local_file_counts_at_once(agent: Agent, server: AgentServer, link: ServerLink) -> None:
    agent.configure(server.url, automation="off")
    job = offer(server)
    await link.offer(job)
    assert (await server.until(lambda: server.store.declined.get(job.job))).code == "forbidden"


async def test_the_built_in_project_may_run(agent: Agent, server: AgentServer) -> None:
    agent.configure(server.url)
    await agent.serve()
    link = await server.link()
    job = offer(server)
    builtin = put(server, archive.pack(archive.read_folder(ROOT / "playbooks")))
    await link.offer(JobOffer(job.job, "ping.yml", builtin, job.spec, check=True))
    await server.until(lambda: job.job in server.store.ended or job.job in server.store.declined)
    assert job.job not in server.store.declined


async def test_one_changing_job_at_a_time_but_checks_overlap(server: AgentServer, link: ServerLink) -> None:
    first, second, check = offer(server, SLOW), offer(server), offer(server, check=True)
    await link.offer(first)
    await server.until(lambda: server.store.events[first.job]["runner"])
    await link.offer(second)
    await link.offer(check)
    refused = await server.until(lambda: server.store.declined.get(second.job))
    assert refused.code == "busy"
    await server.until(lambda: check.job in server.store.ended)
    assert first.job not in server.store.ended
    await server.until(lambda: first.job in server.store.ended)
    await link.offer(second)
    await server.until(lambda: second.job in server.store.ended)


@pytest.mark.parametrize("part", ["project", "spec"])
async def test_content_that_is_not_what_it_says(agent: Agent, server: AgentServer, link: ServerLink, part: str) -> None:
    job = offer(server)
    content = getattr(job, part)
    server.store.contents[content.digest] = b"y" * content.size
    await link.offer(job)
    refused = await server.until(lambda: server.store.declined.get(job.job))
    assert refused.code == "digest"
    await server.until(lambda: not (agent.state / "jobs" / job.job).exists())


async def test_a_bad_offer_touches_nothing(agent: Agent, server: AgentServer, link: ServerLink) -> None:
    good = offer(server)
    for bad in (
        JobOffer("../../etc", "x.yml", good.project, good.spec),
        JobOffer(good.job, "x.yml", Content("../x", 5), good.spec),
        JobOffer(good.job, "x.yml", Content("a" * 64, 2**40), good.spec),
    ):
        await link.offer(bad)
        await server.until(lambda: server.store.declined)
        assert [server.store.declined.popitem()[1].code] == ["invalid"]
    assert list((agent.state / "jobs").iterdir()) == []


async def test_stop(server: AgentServer, link: ServerLink) -> None:
    job = offer(server, SLOW.replace("sleep 4", "sleep 600"))
    await link.offer(job)
    await server.until(lambda: "first" in server.store.text(job.job))
    await link.stop(job.job, 5)
    end = await server.until(lambda: server.store.ended.get(job.job))
    assert end.status == "cancelled"
    assert "first" in server.store.text(job.job)


async def test_stop_before_everything_is_here(server: AgentServer, link: ServerLink) -> None:
    job = offer(server)
    del server.store.contents[job.project.digest]
    server.store.contents[job.project.digest] = b""
    await link.offer(job)
    await server.until(lambda: [one for one in link.received if one["type"] == "job_need"])
    await link.stop(job.job, 5)
    end = await server.until(lambda: server.store.ended.get(job.job))
    assert end.status == "cancelled"
    assert not server.store.events[job.job]["runner"]


async def test_results_are_uploaded_before_the_end(server: AgentServer, link: ServerLink) -> None:
    job = offer(server, RESULT)
    await link.offer(job)
    end = await server.until(lambda: server.store.ended.get(job.job))
    assert [result.module for result in end.results] == ["package_update"]
    content = server.results[end.results[0].digest]
    assert hashlib.sha256(content).hexdigest() == end.results[0].digest
    assert json.loads(content)["result"]["manager"] == "apt"


async def test_an_upload_that_fails_is_repeated(server: AgentServer, link: ServerLink) -> None:
    job = offer(server, RESULT)

    class Once(dict[str, int]):
        def __contains__(self, path: object) -> bool:
            return str(path).startswith("/agent/results/") and len(server.seen("/agent/results/")) == 1

        def __getitem__(self, path: str) -> int:
            return 503

    server.statuses = Once()
    await link.offer(job)
    end = await server.until(lambda: server.store.ended.get(job.job))
    assert len(end.results) == 1
    assert len(server.seen("/agent/results/")) == 2


async def test_a_cut_connection_loses_and_doubles_nothing(server: AgentServer, link: ServerLink) -> None:
    job = offer(server, SLOW)
    link.acknowledges = False
    await link.offer(job)
    await server.until(lambda: "first" in server.store.text(job.job))
    await link.socket.close()
    await server.link(2)
    end = await server.until(lambda: server.store.ended.get(job.job))
    kept = server.store.events[job.job]
    assert end.status == "succeeded"
    assert (len(kept["runner"]), len(kept["live"])) == (end.runner, end.live)
    # The server stored before the cut and said so in its welcome: nothing came twice.
    assert server.store.doubles == 0


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_cut_transfer_is_resumed(agent: Agent, server: AgentServer, link: ServerLink, restarted: bool) -> None:
    job = offer(server)
    big = archive.pack({"site.yml": QUICK.encode(), "data": os.urandom(2_000_000)})
    job = JobOffer(job.job, job.playbook, put(server, big), job.spec)
    # The server has only the first part to send, then the cable is cut.
    part = agent.state / "jobs" / job.job / "project.part"
    server.store.contents[job.project.digest] = big[:700_000]
    server.store.events[job.job]["runner"] = {}
    await link.offer(job)
    await server.until(lambda: part.exists() and part.stat().st_size == 700_000)
    server.store.contents[job.project.digest] = big
    if restarted:
        await agent.stop(agent.services[0], signal.SIGKILL)
        await agent.serve()
    else:
        await link.socket.close()
    later = await server.link(2)
    await later.offer(job)
    end = await server.until(lambda: server.store.ended.get(job.job))
    assert end.status == "succeeded"
    needs = [one["offset"] for one in later.received if one["type"] == "job_need" and one["part"] == "project"]
    assert needs == [700_000]


async def test_a_killed_agent_is_replaced_by_one_that_adopts(
    agent: Agent, server: AgentServer, link: ServerLink
) -> None:
    job = offer(server, SLOW)
    await link.offer(job)
    await server.until(lambda: "first" in server.store.text(job.job))
    await agent.stop(agent.services[0], signal.SIGKILL)
    await agent.serve()
    second = await server.link(2)
    assert [one["state"] for one in second.received[0]["jobs"]] == ["running"]
    end = await server.until(lambda: server.store.ended.get(job.job))
    assert end.status == "succeeded"
    assert "last" in server.store.text(job.job)
    assert server.store.doubles == 0


async def test_a_stopped_service_leaves_the_play_running(agent: Agent, server: AgentServer, link: ServerLink) -> None:
    job = offer(server, SLOW)
    await link.offer(job)
    await server.until(lambda: "first" in server.store.text(job.job))
    assert await agent.stop(agent.services[0]) < 2
    folder = agent.state / "jobs" / job.job
    await server.until((folder / "ended.json").exists)
    await agent.serve()
    end = await server.until(lambda: server.store.ended.get(job.job))
    assert end.status == "succeeded"
    await server.until(lambda: not folder.exists())


async def test_a_job_whose_supervisor_died_is_lost(agent: Agent, server: AgentServer, link: ServerLink) -> None:
    job = offer(server, SLOW)
    await link.offer(job)
    await server.until(lambda: "first" in server.store.text(job.job))
    supervisor = json.loads((agent.state / "jobs" / job.job / "supervisor.json").read_text())["pid"]
    os.kill(supervisor, signal.SIGKILL)
    end = await server.until(lambda: server.store.ended.get(job.job))
    assert (end.status, end.reason) == ("lost", "the job supervisor died")
    assert end.runner == len(server.store.events[job.job]["runner"])


async def test_a_reboot_in_the_middle_is_noticed(agent: Agent, server: AgentServer) -> None:
    agent.configure(server.url, automation="any")
    job = str(uuid.uuid4())
    folder = agent.state / "jobs" / job
    folder.mkdir(parents=True)
    (folder / "offer.json").write_text(json.dumps({"job": job, "playbook": "patch.yml", "check": False}))
    (folder / "started").write_text(json.dumps({"boot_id": "another", "at": "2026-01-01T00:00:00Z"}))
    lines = [{"source": "runner", "counter": n, "event": "e", "stdout": "line\n"} for n in (1, 2)]
    torn = json.dumps(lines[0] | {"counter": 3})[:20]
    (folder / "spool.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines) + torn)
    server.store.events[job]["runner"] = {}
    await agent.serve()
    end = await server.until(lambda: server.store.ended.get(job))
    assert (end.status, end.reason, end.runner) == ("lost", "host rebooted", 2)
    assert len(server.store.events[job]["runner"]) == 2


async def test_a_job_that_the_server_does_not_know_goes_away(
    agent: Agent, server: AgentServer, link: ServerLink
) -> None:
    job = offer(server, SLOW.replace("sleep 4", "sleep 600"))
    await link.offer(job)
    await server.until(lambda: "first" in server.store.text(job.job))
    supervisor = json.loads((agent.state / "jobs" / job.job / "supervisor.json").read_text())["pid"]
    server.store.events.clear()
    await link.socket.close()
    await server.link(2)
    await server.until(lambda: not (agent.state / "jobs" / job.job).exists())
    found = process.find(supervisor)
    assert found is None or found.dead


async def test_a_job_that_is_being_removed_is_not_taken_again_meanwhile(server: AgentServer, link: ServerLink) -> None:
    job = offer(server, SLOW)
    await link.offer(job)
    await server.until(lambda: "first" in server.store.text(job.job))
    await link.carry_out(link.session.drop(job.job))
    await link.offer(job)
    refused = await server.until(lambda: server.store.declined.get(job.job))
    assert refused.code == "busy"


@pytest.mark.parametrize(("check", "reports"), [(False, 2), (True, 1)])
async def test_what_changed_the_host_is_reported(
    server: AgentServer, link: ServerLink, check: bool, reports: int
) -> None:
    await server.until(lambda: server.seen("/hosts/update"))
    job = offer(server, playbook="patch.yml", check=check)
    await link.offer(replace(job, playbook="patch"))
    await server.until(lambda: job.job in server.store.ended)
    if reports == 2:
        await server.until(lambda: len(server.seen("/hosts/update")) == 2)
    await asyncio.sleep(1)
    assert len(server.seen("/hosts/update")) == reports
