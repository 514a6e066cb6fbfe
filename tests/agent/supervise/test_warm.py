"""The warm process saves the play's start; whatever happens to it, the play runs, and runs once."""

import json
import os
import signal
from pathlib import Path

import pytest

from agent import supervise
from agent.supervise import process
from tests.factories.jobs import HostJob, Jobs, tree, wait_for

COUNTING = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Count
      ansible.builtin.shell: echo run >> {count}; sleep 2
"""


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")


def lives(pid: int) -> bool:
    found = process.find(pid)
    return found is not None and not found.dead


def of(job: HostJob, program: str) -> list[process.Process]:
    pid = json.loads((job.folder / "supervisor.json").read_text())["pid"]
    return [one for one in tree(pid) if program in command_line(one.pid)]


def waiting(job: HostJob) -> process.Process:
    """The warm process of a job that waits for its word."""
    wait_for(lambda: (job.run / "warm.sock").exists() and of(job, "zygote.py"), 10, job.log)
    return of(job, "zygote.py")[0]


def test_the_play_is_a_child_of_the_warm_process(jobs: Jobs, tmp_path: Path) -> None:
    count = tmp_path / "count"
    job = jobs.make(COUNTING.format(count=count))
    job.start()
    warm = waiting(job)
    job.go()
    wait_for(count.exists, 20, job.log)
    assert [one for one in of(job, "zygote.py") if one.parent == warm.pid]
    assert job.ended()["status"] == "succeeded"
    assert count.read_text() == "run\n"
    assert process.find(warm.pid) is None


@pytest.mark.real
@pytest.mark.parametrize("when", ["before the word", "with its socket gone"])
def test_without_the_warm_process_the_play_starts_cold(jobs: Jobs, tmp_path: Path, when: str) -> None:
    count = tmp_path / "count"
    job = jobs.make(COUNTING.format(count=count))
    job.start()
    os.kill(waiting(job).pid, signal.SIGKILL)
    if when == "with its socket gone":
        (job.run / "warm.sock").unlink()
    job.go()
    assert job.ended()["status"] == "succeeded"
    assert count.read_text() == "run\n"


@pytest.mark.real
def test_a_warm_process_that_dies_during_the_play_does_not_make_it_run_twice(jobs: Jobs, tmp_path: Path) -> None:
    count = tmp_path / "count"
    job = jobs.make(COUNTING.format(count=count))
    job.start()
    warm = waiting(job)
    job.go()
    wait_for(count.exists, 20, job.log)
    (play,) = [one for one in of(job, "zygote.py") if one.parent == warm.pid]
    os.kill(warm.pid, signal.SIGKILL)
    ended = job.ended()
    assert (ended["status"], ended["reason"]) == ("failed", "ansible-playbook was killed by signal 9")
    assert count.read_text() == "run\n"
    assert not lives(play.pid)


@pytest.mark.real
def test_exit_codes_pass_through_the_warm_process(jobs: Jobs) -> None:
    job = jobs.make("- hosts: all\n  tasks: [{fail: {msg: no}\n")
    job.start()
    waiting(job)
    job.go()
    assert job.ended()["rc"] == 4


@pytest.mark.real
def test_a_play_killed_from_outside_is_a_failure_with_its_signal(jobs: Jobs, tmp_path: Path) -> None:
    count = tmp_path / "count"
    job = jobs.make(COUNTING.format(count=count).replace("sleep 2", "sleep 600"))
    job.start()
    warm = waiting(job)
    job.go()
    wait_for(count.exists, 20, job.log)
    (play,) = [one for one in of(job, "zygote.py") if one.parent == warm.pid]
    os.kill(play.pid, signal.SIGKILL)
    ended = job.ended()
    assert (ended["status"], ended["reason"]) == ("failed", "ansible-playbook was killed by signal 9")
    assert ended["rc"] == -9


@pytest.mark.real
def test_the_warm_process_ends_with_an_abandoned_offer_and_with_its_supervisor(jobs: Jobs) -> None:
    abandoned, orphaned = jobs.make(COUNTING), jobs.make(COUNTING)
    for job in (abandoned, orphaned):
        job.start()
    first, second = waiting(abandoned).pid, waiting(orphaned).pid
    (abandoned.folder / "abandon").touch()
    os.kill(json.loads((orphaned.folder / "supervisor.json").read_text())["pid"], signal.SIGKILL)
    wait_for(lambda: not supervise.alive(abandoned.folder) and not supervise.alive(orphaned.folder), 10)
    for pid in (first, second):
        wait_for(lambda pid=pid: not lives(pid), 10)
