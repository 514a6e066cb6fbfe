"""What the warm process adds to a module's archive changes how long a task takes and nothing else."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.agent.supervise.test_warm import waiting
from tests.agent.test_pyz import interpreters, version_of
from tests.factories.house import BIN
from tests.factories.jobs import Jobs

pytestmark = pytest.mark.real
PLAY = """
- hosts: all
  gather_facts: false
  vars: {ansible_python_interpreter: "PYTHON"}
  tasks:
    - {probe: {respawn: ""}, register: probe}
    - {probe: {respawn: "OTHER"}, register: anew}
    - {probe: {fail: true}, ignore_errors: true, register: fails}
    - {ansible.builtin.stat: {path: /etc/passwd}, register: known}
    - {ansible.builtin.command: {cmd: echo later}, async: 30, poll: 1, changed_when: false, register: later}
    - ansible.builtin.copy:
        content: "{{ {'probe': probe, 'anew': anew, 'fails': fails, 'known': known, 'later': later} | to_json }}"
        dest: "OUT"
        mode: "0600"
"""
MODULE = """
import inspect
import os
import sys
import zipfile
from ansible.module_utils import basic
from ansible.module_utils.common import respawn
from ansible.module_utils.common.text import converters
from ansible.module_utils.spoken import speak


def main():
    module = basic.AnsibleModule({"respawn": {"default": ""}, "fail": {"type": "bool", "default": False}})
    if module.params["respawn"] and not respawn.has_respawned():
        respawn.respawn_module(module.params["respawn"])
    if module.params["fail"]:
        raise ValueError("as it was asked for")
    module.deprecate("from the module", version="9.9")
    speak(module)
    archive = basic.__loader__.archive
    module.exit_json(
        python=list(sys.version_info[:2]),
        anew=respawn.has_respawned(),
        file=os.path.relpath(basic.__file__, archive),
        told=os.path.relpath(basic.AnsibleModule.exit_json.__code__.co_filename, archive),
        inner=os.path.relpath(converters.to_bytes.__code__.co_filename, archive),
        source=inspect.getsource(converters.container_to_text)[:40],
        carried="ansible/module_utils/basic.pyc" in zipfile.ZipFile(archive).namelist(),
        read=basic.__loader__.get_code("ansible.module_utils.basic").co_filename == basic.__file__,
    )


if __name__ == "__main__":
    main()
"""
UTIL = """
def speak(module):
    module.deprecate("from the library", version="9.9")
    module.warn("heard")
"""


FILES = {"library/probe.py": MODULE, "module_utils/spoken.py": UTIL}


def play(out: Path, python: str, other: str = sys.executable) -> str:
    return PLAY.replace("PYTHON", python).replace("OTHER", other).replace("OUT", str(out))


def by_agent(jobs: Jobs, out: Path, python: str, *, warm: bool) -> dict[str, Any]:
    """Return every task's result as a job of the agent has it."""
    job = jobs.make(play(out, python), files=FILES)
    job.start()
    waits = waiting(job)
    if not warm:
        os.kill(waits.pid, signal.SIGKILL)
    job.go()
    assert job.ended(60)["status"] == "succeeded", job.log()
    return dict(json.loads(out.read_text()))


def by_ansible(folder: Path, out: Path) -> dict[str, Any]:
    """Return every task's result as ansible-playbook itself has it."""
    for name, text in {**FILES, "play.yml": play(out, sys.executable)}.items():
        (folder / name).parent.mkdir(exist_ok=True, parents=True)
        (folder / name).write_text(text)
    command = [str(BIN / "ansible-playbook"), "-i", "web-01,", "-c", "local", "play.yml"]
    subprocess.run(command, check=True, cwd=folder, capture_output=True)
    return dict(json.loads(out.read_text()))


def comparable(result: dict[str, Any]) -> dict[str, Any]:
    """Return a result without what differs from run to run: when, how long, which process and folder."""
    differs = {"start", "end", "delta", "ansible_job_id", "results_file", "exception", "carried"}
    return {name: value for name, value in result.items() if name not in differs}


@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
def test_the_library_says_what_it_says_without(jobs: Jobs, tmp_path: Path, warm: bool) -> None:
    ours = by_agent(jobs, tmp_path / "ours", sys.executable, warm=warm)
    theirs = by_ansible(tmp_path / "plain", tmp_path / "theirs")
    assert [ours[task]["carried"] for task in ("probe", "anew")] == [True, True]
    assert [theirs[task]["carried"] for task in ("probe", "anew")] == [False, False]
    assert ours.keys() == theirs.keys()
    for task, result in ours.items():
        assert comparable(result) == comparable(theirs[task]), task
    probe = ours["probe"]
    assert (probe["file"], probe["told"]) == ("ansible/module_utils/basic.py",) * 2
    assert probe["inner"] == "ansible/module_utils/common/text/converters.py"
    assert probe["source"].startswith("def container_to_text")
    assert probe["read"] is True
    assert [one["msg"] for one in probe["deprecations"]] == ["from the module", "from the library"]
    assert (probe["anew"], ours["anew"]["anew"]) == (False, True)
    assert "as it was asked for" in str(ours["fails"])


@pytest.mark.parametrize("python", [one for one in interpreters() if version_of(one) != sys.version_info[:2]])
def test_another_python_compiles_for_itself(jobs: Jobs, tmp_path: Path, python: str) -> None:
    found = by_agent(jobs, tmp_path / "out", python, warm=True)
    assert tuple(found["probe"]["python"]) == version_of(python)
    assert (found["probe"]["carried"], found["probe"]["file"]) == (True, "ansible/module_utils/basic.py")
    # Started anew under the Python that Ansible runs in.
    assert (tuple(found["anew"]["python"]), found["anew"]["anew"]) == (sys.version_info[:2], True)
