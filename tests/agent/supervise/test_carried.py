"""What the warm process adds to a module's archive changes how long a task takes and nothing else."""

import json
import os
import signal
import sys
from typing import Any

import pytest

from tests.agent.supervise.test_warm import of, waiting
from tests.agent.test_pyz import interpreters, version_of
from tests.factories.jobs import HostJob, Jobs

pytestmark = pytest.mark.real
PLAY = """
- hosts: all
  gather_facts: false
  vars: {ansible_python_interpreter: "PYTHON"}
  tasks:
    - {name: Probe, probe: {respawn: ""}, register: first}
    - {name: Anew, probe: {respawn: "OTHER"}}
    - {name: Fails, probe: {fail: true}, ignore_errors: true}
    - {name: Known, ansible.builtin.stat: {path: /etc/passwd}}
    - {name: Later, ansible.builtin.command: {cmd: echo later}, async: 30, poll: 1, changed_when: false}
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


def job(jobs: Jobs, python: str, other: str) -> HostJob:
    files = {"library/probe.py": MODULE, "module_utils/spoken.py": UTIL}
    return jobs.make(PLAY.replace("PYTHON", python).replace("OTHER", other), files=files)


def results(done: HostJob) -> dict[str, Any]:
    return {
        str(event["task"]): event["result"]
        for event in done.events("runner")
        if event["event"] in {"runner_on_ok", "runner_on_failed"}
    }


def comparable(result: Any) -> Any:
    """Return a result without what differs from run to run: when, how long, which process, which folder."""
    text = json.dumps(result, sort_keys=True)
    for name in ("start", "end", "delta", "ansible_job_id", "results_file"):
        text = text.replace(f'"{name}"', f'"_{name}"')
    found = json.loads(text)
    return {name: value for name, value in found.items() if not name.startswith("_") and name != "exception"}


def test_the_library_says_what_it_says_without(jobs: Jobs) -> None:
    warm, cold = job(jobs, sys.executable, sys.executable), job(jobs, sys.executable, sys.executable)
    warm.start()
    waiting(warm)
    warm.go()
    assert warm.ended(60)["status"] == "succeeded", warm.log()
    cold.start()
    os.kill(waiting(cold).pid, signal.SIGKILL)
    cold.go()
    assert cold.ended(60)["status"] == "succeeded", cold.log()
    with_, without = results(warm), results(cold)
    assert with_["Probe"].pop("carried") is True
    assert without["Probe"].pop("carried") is False
    assert with_["Anew"].pop("carried") != without["Anew"].pop("carried")
    assert with_.keys() == without.keys() == {"Probe", "Anew", "Fails", "Known", "Later"}
    for task, result in with_.items():
        assert comparable(result) == comparable(without[task]), task
    probe = with_["Probe"]
    assert (probe["file"], probe["told"]) == ("ansible/module_utils/basic.py",) * 2
    assert probe["inner"] == "ansible/module_utils/common/text/converters.py"
    assert probe["source"].startswith("def container_to_text")
    assert probe["read"] is True
    assert [one["msg"] for one in probe["deprecations"]] == ["from the module", "from the library"]
    assert (probe["anew"], with_["Anew"]["anew"]) == (False, True)
    assert "as it was asked for" in str(with_["Fails"])


@pytest.mark.parametrize("python", [one for one in interpreters() if version_of(one) != sys.version_info[:2]])
def test_another_python_compiles_for_itself(jobs: Jobs, python: str) -> None:
    warm = job(jobs, python, sys.executable)
    warm.start()
    waiting(warm)
    warm.go()
    assert warm.ended(60)["status"] == "succeeded", warm.log()
    found = results(warm)
    assert tuple(found["Probe"]["python"]) == version_of(python)
    assert (found["Probe"]["carried"], found["Probe"]["file"]) == (True, "ansible/module_utils/basic.py")
    # Started anew under the Python that Ansible runs in.
    assert (tuple(found["Anew"]["python"]), found["Anew"]["anew"]) == (sys.version_info[:2], True)
    assert of(warm, "zygote.py") == []
