"""The built-in playbooks around a restart, run by the real supervisor; the test says when the boot is another one."""

import json
import os
import shutil
from pathlib import Path

import pytest

from agent import supervise
from tests.ansible.conftest import needs_apt
from tests.factories.jobs import HostJob, Jobs, wait_for

PLAYBOOKS = {file.name: file.read_text() for file in Path("playbooks").glob("*.yml")}
AROUND = ("snapshot", "main", "after_restart")
pytestmark = [needs_apt, pytest.mark.timeout(120)]


def restart(job: HostJob) -> None:
    """What a restart does to a job: memory is empty, the boot has another name, and somebody starts the supervisor."""
    wait_for(lambda: not supervise.alive(job.folder), 10)
    shutil.rmtree(job.run, ignore_errors=True)
    left = job.folder / "rebooting.json"
    left.write_text(json.dumps({**json.loads(left.read_text()), "boot_id": "an earlier one"}))
    job.start()


@pytest.fixture
def job(jobs: Jobs, tmp_path: Path) -> HostJob:
    """Snapshot of a small system, restart in any case, the look afterwards."""
    root = tmp_path / "root"
    for name in ("etc/app.conf", "var/lib/dpkg/status"):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text("before\n")
    files = {"snapshot": "snapshot.yml", "main": "reboot.yml", "after_restart": "after_restart.yml"}
    variables = {
        "snapshot_root": str(root), "snapshot_folder": str(tmp_path / "kept"), "reboot_when": "always",
        "reboot_reason": "a new kernel",
    }  # fmt: skip
    return jobs.make(
        "[]\n",
        files=PLAYBOOKS,
        stages=[{"name": name, "playbook": files[name]} for name in AROUND],
        variables=json.dumps(variables),
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="an archive of /etc is for root")
def test_a_snapshot_is_taken_the_restart_asked_for_and_the_host_looked_at_when_it_is_back(
    job: HostJob, tmp_path: Path
) -> None:
    job.play()
    wait_for((job.folder / "rebooting.json").exists, 60, job.log)
    left = json.loads((job.folder / "rebooting.json").read_text())
    assert (left["next_stage"], left["reason"], left["deadline_at"] - left["at"]) == (2, "a new kernel", 1800)
    assert sorted(one["module"] for one in left["results"]) == ["reboot", "snapshot"]
    assert len(list((tmp_path / "kept").iterdir())) == 1
    assert not (job.folder / "ended.json").exists()
    wait_for(lambda: not job.run.exists(), 5)
    restart(job)
    ended = job.ended(60)
    assert (ended["status"], ended["reason"]) == ("succeeded", "")
    assert sorted(one["module"] for one in ended["results"]) == ["reboot", "reboot", "snapshot"]  # type: ignore[attr-defined]
    counters = [event["counter"] for event in job.events("runner")]
    assert counters == list(range(1, len(counters) + 1))
    assert "estart is" in str([event.get("stdout") for event in job.events()][-5:])
    assert not (job.folder / "spec.json").exists()
    # Another start finds the end and does nothing.
    job.start()
    assert json.loads((job.folder / "ended.json").read_text()) == ended


@pytest.mark.skipif(os.geteuid() != 0, reason="an archive of /etc is for root")
def test_without_its_snapshot_a_job_changes_nothing(jobs: Jobs, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    made = jobs.make(
        "[]\n",
        files=PLAYBOOKS,
        stages=[{"name": "snapshot", "playbook": "snapshot.yml"}, {"name": "main", "playbook": "reboot.yml"}],
        variables=json.dumps({"snapshot_folder": str(tmp_path / "file" / "kept"), "reboot_when": "always"}),
    )
    made.play()
    ended = made.ended(60)
    assert ended["status"] == "failed"
    assert str(ended["reason"]).startswith("the snapshot before the run failed: ")
    assert not (made.folder / "rebooting.json").exists()


def test_a_main_playbook_is_needed_exactly_once(jobs: Jobs) -> None:
    made = jobs.make("[]\n", stages=[{"name": "pre_playbook", "playbook": "play.yml"}])
    made.play()
    ended = made.ended()
    assert (ended["status"], ended["reason"]) == ("failed", "stages has not exactly one main stage")


@pytest.mark.parametrize("name", ["../play.yml", "/etc/passwd"])
def test_stages_stay_within_the_project(jobs: Jobs, name: str) -> None:
    made = jobs.make("[]\n", stages=[{"name": "main", "playbook": name}])
    made.play()
    assert made.ended()["reason"] == "playbook is not a name within the project"


def test_a_projects_own_folder_stays_apart_from_the_playbook_it_surrounds(jobs: Jobs, tmp_path: Path) -> None:
    said = (
        "- hosts: all\n  gather_facts: false\n  tasks:\n    - ansible.builtin.debug:\n"
        "        msg: main {{ colour | default('plain') }}\n"
    )
    lent = {
        "drain.yml": "- hosts: all\n  gather_facts: false\n  roles:\n    - drain\n",
        "group_vars/all.yml": "colour: blue\n",
        "roles/drain/tasks/main.yml": (
            f"- ansible.builtin.template:\n    src: note.j2\n    dest: {tmp_path}/note\n    mode: '0600'\n"
        ),
        "roles/drain/templates/note.j2": "{{ patchmon_stage }} {{ colour }}\n",
    }
    made = jobs.make(
        said,
        files={f"around/balancer/{name}": text for name, text in lent.items()},
        stages=[
            {"name": "pre_playbook", "playbook": "around/balancer/drain.yml"},
            {"name": "main", "playbook": "play.yml"},
        ],
    )
    made.play()
    assert made.ended(60)["status"] == "succeeded"
    assert (tmp_path / "note").read_text() == "pre_playbook blue\n"
    assert "main plain" in str([event.get("stdout") for event in made.events()])
