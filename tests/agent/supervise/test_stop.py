"""Ending a job: every process of it is gone before its last word, and what it said is kept."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import supervise
from agent.supervise import process
from tests.factories.jobs import HostJob, Jobs, tree, wait_for

SLEEPY = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Before
      ansible.builtin.debug: {{msg: kept}}
    - name: Sleep
      ansible.builtin.shell: {script}
"""


def sleeping(jobs: Jobs, script: str, mark: Path, **spec: object) -> HostJob:
    """A job in the middle of a shell script that has touched ``mark``."""
    job = jobs.make(SLEEPY.format(script=json.dumps(script.format(mark=mark))), **spec)  # type: ignore[arg-type]
    job.play()
    wait_for(mark.exists, 20, job.log)
    return job


def living(job: HostJob) -> list[process.Process]:
    return tree(json.loads((job.folder / "supervisor.json").read_text())["pid"])


def alive(pid: int) -> bool:
    found = process.find(pid)
    return found is not None and not found.dead


def test_a_task_that_honours_the_interruption_ends_within_five_seconds(jobs: Jobs, tmp_path: Path) -> None:
    job = sleeping(jobs, "touch {mark}; sleep 600", tmp_path / "mark", grace_seconds=30)
    wait_for(lambda: any(one.name == "sleep" for one in living(job)), 5)
    before = living(job)
    asked = time.monotonic()
    supervise.stop(job.folder, 30)
    ended = job.ended(10)
    assert time.monotonic() - asked < 5
    assert (ended["status"], ended["reason"]) == ("cancelled", "stopped on request")
    assert not [one for one in before if alive(one.pid)]
    assert job.saw("runner_on_ok", task="Before")
    assert ended["runner"] == len(job.events("runner"))


@pytest.mark.real
def test_a_task_that_ignores_the_interruption_is_killed_after_the_grace(jobs: Jobs, tmp_path: Path) -> None:
    job = sleeping(jobs, "trap '' INT; touch {mark}; sleep 600", tmp_path / "mark")
    before = living(job)
    asked = time.monotonic()
    supervise.stop(job.folder, 3)
    ended = job.ended(15)
    assert 3 <= time.monotonic() - asked < 8
    assert ended["status"] == "cancelled"
    assert not [one for one in before if alive(one.pid)]


@pytest.mark.real
def test_children_that_ran_away_are_ended_too(jobs: Jobs, tmp_path: Path) -> None:
    runaway = tmp_path / "runaway"
    script = (
        f"setsid sh -c 'trap \"\" INT HUP TERM; echo $$ > {runaway}; sleep 601' & sleep 1; touch {{mark}}; sleep 600"
    )
    job = sleeping(jobs, script, tmp_path / "mark")
    pid = int(runaway.read_text())
    assert alive(pid)
    supervise.stop(job.folder, 2)
    assert job.ended(15)["status"] == "cancelled"
    assert not alive(pid)


@pytest.mark.real
def test_a_play_that_takes_too_long_is_timed_out_and_its_output_kept(jobs: Jobs) -> None:
    job = jobs.make(SLEEPY.format(script="sleep 600"), timeout_seconds=6)
    job.play()
    ended = job.ended(20)
    assert (ended["status"], ended["reason"]) == ("timed_out", "took longer than 6 s")
    assert job.saw("runner_on_ok", task="Before")


def test_a_job_stopped_before_its_word_never_runs(jobs: Jobs) -> None:
    job = jobs.make(SLEEPY.format(script="sleep 600"))
    job.start()
    supervise.stop(job.folder, 5)
    ended = job.ended(10)
    assert (ended["status"], ended["runner"]) == ("cancelled", 0)
    assert not (job.folder / "started").exists()


@pytest.mark.real
def test_a_host_that_goes_down_loses_the_job(jobs: Jobs, tmp_path: Path) -> None:
    job = sleeping(jobs, "touch {mark}; sleep 600", tmp_path / "mark")
    os.kill(json.loads((job.folder / "supervisor.json").read_text())["pid"], signal.SIGTERM)
    ended = job.ended(10)
    assert (ended["status"], ended["reason"]) == ("lost", "the host is shutting down")


@pytest.mark.real
def test_what_a_finished_play_started_for_good_is_left_alone(jobs: Jobs, tmp_path: Path) -> None:
    daemon = tmp_path / "daemon"
    script = f"setsid sh -c 'echo $$ > {daemon}; exec sleep 60' >/dev/null 2>&1 </dev/null & sleep 1; touch {{mark}}"
    job = sleeping(jobs, script, tmp_path / "mark")
    assert job.ended()["status"] == "succeeded"
    pid = int(daemon.read_text())
    assert alive(pid)
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize(("name", "shortest"), [("dpkg", 4), ("anything", 0)])
@pytest.mark.real
def test_a_second_stop_may_hurry_but_not_a_package_manager(
    jobs: Jobs, tmp_path: Path, name: str, shortest: float
) -> None:
    program = tmp_path / name
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    job = sleeping(jobs, f"trap '' INT; touch {{mark}}; {program} 600", tmp_path / "mark")
    wait_for(lambda: any(one.name == name for one in living(job)), 5)
    asked = time.monotonic()
    supervise.stop(job.folder, 4)
    time.sleep(0.5)
    supervise.stop(job.folder, 0)
    assert job.ended(15)["status"] == "cancelled"
    assert shortest <= time.monotonic() - asked < shortest + 3


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MiB."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", disk], check=False, capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


FILLING = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Fill
      ansible.builtin.shell: dd if=/dev/zero of={disk}/fill bs=64k || true
    - name: Talk
      ansible.builtin.command: {python} -c "print('x' * 20000)"
      loop: "{{{{ range(200) | list }}}}"
"""


def test_a_full_disk_ends_the_job_with_that_reason(jobs: Jobs, small_disk: Path) -> None:
    playbook = FILLING.format(disk=small_disk, python=sys.executable)
    job = jobs.make(playbook, state=small_disk / "state")
    job.play()
    ended = job.ended()
    assert (ended["status"], ended["reason"]) == ("failed", "spool full: No space left on device")
    assert ended["runner"] == len(job.events("runner")) > 0
    assert not living(job)


def test_a_disk_without_room_is_noticed_before_the_beginning(jobs: Jobs, small_disk: Path) -> None:
    job = jobs.make(SLEEPY.format(script="sleep 600"), state=small_disk / "state")
    (small_disk / "fill").write_bytes(b"\0" * 5 * 1024 * 1024)
    job.play()
    ended = job.ended()
    assert ended["status"] == "failed"
    assert "KiB free at" in str(ended["reason"])
    assert not (job.folder / "started").exists()


@pytest.mark.real
def test_a_full_run_directory_ends_the_job_instead_of_losing_events(jobs: Jobs, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=24m", small_disk], check=True)
    job = jobs.make(FILLING.format(disk=small_disk, python=sys.executable))
    job.run.rmdir()
    job.run = small_disk / "run"
    job.play()
    ended = job.ended()
    assert ended["status"] == "failed"
    assert "No space left on device" in str(ended["reason"]) or "events were lost" in str(ended["reason"])
    assert ended["runner"] == len(job.events("runner"))
    assert not job.run.exists()
