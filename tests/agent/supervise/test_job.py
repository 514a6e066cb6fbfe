"""Whole jobs with the real ansible-core: beginning, play, last word."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from agent import supervise
from agent.supervise import process
from agent.supervise.launch import import_paths
from tests.factories.jobs import HOST, Jobs, wait_for

GREETING = """
- hosts: all
  gather_facts: false
  tasks:
    - name: Greet
      ansible.builtin.debug: {msg: "Hello {{ name | default('nobody') }}"}
"""


def test_a_play_succeeds_and_leaves_its_events_and_its_end(jobs: Jobs) -> None:
    job = jobs.make(GREETING, variables="name: web\n")
    job.play()
    ended = job.ended()
    assert ended == {
        "job": job.job,
        "status": "succeeded",
        "rc": 0,
        "reason": "",
        "runner": len(job.events("runner")),
        "live": 0,
        "counters": {
            "ok": 1,
            "changed": 0,
            "failed": 0,
            "skipped": 0,
            "unreachable": 0,
            "ignored": 0,
            "rescued": 0,
        },
        "results": [],
    }
    assert [event["counter"] for event in job.events("runner")] == list(range(1, len(job.events()) + 1))
    assert job.saw("runner_on_ok", task="Greet", host=HOST)["result"] == {"msg": "Hello web", "changed": False}
    assert not job.run.exists()
    assert not (job.folder / "spec.json").exists()
    assert not (job.folder / "reserve").exists()
    assert job.folder.stat().st_mode & 0o777 == 0o700
    assert (job.folder / "spool.jsonl").stat().st_mode & 0o777 == 0o600


def test_a_failure_ends_with_its_task_and_message(jobs: Jobs) -> None:
    job = jobs.make(
        """
        - hosts: all
          gather_facts: false
          tasks:
            - name: Look for it
              ansible.builtin.command: ls /nowhere-at-all
        """
    )
    job.play()
    ended = job.ended()
    assert ended["status"] == "failed"
    assert ended["rc"] == 2
    assert str(ended["reason"]).startswith("Look for it: ")
    assert "/nowhere-at-all" in str(ended["reason"])
    assert isinstance(ended["counters"], dict)
    assert ended["counters"]["failed"] == 1


def test_a_syntax_error_is_named_with_its_place(jobs: Jobs) -> None:
    job = jobs.make("- hosts: all\n  tasks:\n    - name: Broken\n      ansible.builtin.debug: {msg: [}\n")
    job.play()
    ended = job.ended()
    assert ended["status"] == "failed"
    assert ended["rc"] == 4
    assert "YAML parsing failed" in str(ended["reason"])
    assert "Origin: play.yml:4" in str(ended["reason"])


def test_check_mode_tags_diff_and_verbosity_reach_ansible(jobs: Jobs, tmp_path: Path) -> None:
    target = tmp_path / "never"
    job = jobs.make(
        f"""
        - hosts: all
          gather_facts: false
          tasks:
            - name: Write
              ansible.builtin.copy: {{content: "new line\\n", dest: {target}, mode: "0600"}}
              tags: [wanted]
            - name: Unwanted
              ansible.builtin.debug: {{msg: no}}
            - name: Skipped
              ansible.builtin.debug: {{msg: no}}
              tags: [wanted, slow]
        """,
        check=True,
        diff=True,
        tags=["wanted"],
        skip_tags=["slow"],
        verbosity=1,
    )
    job.play()
    assert job.ended()["status"] == "succeeded"
    assert not target.exists()
    assert [event["task"] for event in job.events() if event["event"] == "runner_on_ok"] == ["Write"]
    assert "+new line" in "".join(str(event.get("stdout", "")) for event in job.events())


@pytest.mark.real
def test_the_play_runs_here_with_the_agents_interpreter_whatever_the_inventory_says(jobs: Jobs) -> None:
    inventory = (
        f"all:\n  hosts:\n    {HOST}:\n      ansible_connection: ssh\n      ansible_python_interpreter: /nowhere\n"
        "      ansible_host: 192.0.2.1\n"
    )
    job = jobs.make(
        """
        - hosts: all
          gather_facts: false
          tasks:
            - name: Where
              ansible.builtin.command: /bin/sh -c 'echo {{ ansible_python_interpreter }}'
        """,
        inventory=inventory,
    )
    job.play()
    assert job.ended()["status"] == "succeeded"
    result = job.saw("runner_on_ok", task="Where")["result"]
    assert isinstance(result, dict)
    assert result["stdout"] == sys.executable


def test_a_template_in_a_launch_variable_stays_literal_text(jobs: Jobs, tmp_path: Path) -> None:
    planted = tmp_path / "planted"
    template = f"{{{{ lookup('pipe', 'touch {planted}') }}}}"
    job = jobs.make(GREETING, variables=f"name: !unsafe {json.dumps(template)}\n")
    job.play()
    assert job.ended()["status"] == "succeeded"
    result = job.saw("runner_on_ok", task="Greet")["result"]
    assert isinstance(result, dict)
    assert result["msg"] == f"Hello {template}"
    assert not planted.exists()


@pytest.mark.real
def test_project_roles_are_found_and_its_ansible_cfg_is_not(jobs: Jobs) -> None:
    job = jobs.make(
        """
        - hosts: all
          gather_facts: false
          roles: [greeter]
        """,
        files={
            "roles/greeter/tasks/main.yml": "- name: From the role\n  ansible.builtin.debug: {msg: hi}\n",
            "ansible.cfg": "[defaults]\nstdout_callback = minimal\nforks = nonsense\n",
        },
    )
    job.play()
    assert job.ended()["status"] == "succeeded"
    assert job.saw("runner_on_ok", task="From the role")["role"] == "greeter"


@pytest.mark.real
def test_questions_get_their_default_instead_of_waiting(jobs: Jobs) -> None:
    job = jobs.make(
        """
        - hosts: all
          gather_facts: false
          vars_prompt: [{name: name, prompt: Who, default: somebody}]
          tasks:
            - name: Greet
              ansible.builtin.debug: {msg: "Hello {{ name }}"}
        """
    )
    job.play()
    assert job.ended()["status"] == "succeeded"
    assert "Hello somebody" in str(job.saw("runner_on_ok", task="Greet")["result"])


def test_module_results_are_kept_under_their_digest(jobs: Jobs) -> None:
    job = jobs.make(
        """
        - hosts: all
          gather_facts: false
          tasks:
            - ansible.builtin.shell: |
                cd "$PATCHMON_RESULT_DIR"
                echo '{"module": "package_update", "result": {"token": "canary-result"}}' > a.json
                echo 'no json' > b.json
                echo '{"half": ' > .c.json
        """,
        secret_values=["canary-result"],
    )
    job.play()
    results = job.ended()["results"]
    assert isinstance(results, list)
    (result,) = results
    content = (job.folder / "results" / f"{result['digest']}.json").read_bytes()
    assert json.loads(content) == {"module": "package_update", "result": {"token": "********"}}
    assert (result["module"], result["size"]) == ("package_update", len(content))


def test_live_lines_arrive_before_their_task_ends(jobs: Jobs) -> None:
    speaker = (
        "import os,socket,time; s=socket.socket(socket.AF_UNIX); s.connect(os.environ['PATCHMON_LIVE_SOCKET']);"
        "s.sendall(b'Unpacking tiny with canary-live\\n'); time.sleep(3); s.sendall(b'Done\\n')"
    )
    job = jobs.make(
        f"""
        - hosts: all
          gather_facts: false
          tasks:
            - name: Speak
              ansible.builtin.command: {{argv: [{sys.executable}, -c, {json.dumps(speaker)}]}}
        """,
        secret_values=["canary-live"],
    )
    job.play()
    live = job.saw("live")
    assert not [event for event in job.events() if event["event"] == "runner_on_ok"]
    assert live["stdout"] == "Unpacking tiny with ********\n"
    assert live["task_uuid"] == job.saw("playbook_on_task_start", task="Speak")["task_uuid"]
    assert job.ended()["live"] == 2


@pytest.mark.real
def test_refused_characters_are_replaced_in_events(jobs: Jobs) -> None:
    job = jobs.make(
        """
        - hosts: all
          gather_facts: false
          tasks:
            - name: Odd
              ansible.builtin.command: printf 'a\\0b\\355\\240\\200c'
        """
    )
    job.play()
    assert job.ended()["status"] == "succeeded"
    text = (job.folder / "spool.jsonl").read_text()
    assert "\\u0000" not in text
    assert "\\ud8" not in text
    assert "a\ufffdb" in text


def test_past_its_cap_a_job_goes_on_and_its_failure_is_still_told(jobs: Jobs) -> None:
    job = jobs.make(
        """
        - hosts: all
          gather_facts: false
          tasks:
            - ansible.builtin.debug: {msg: "{{ item }}"}
              loop: "{{ range(30) | list }}"
            - name: Breaks
              ansible.builtin.fail: {msg: at last}
        """,
        caps={"events": 10, "bytes": 10**6},
    )
    job.play()
    ended = job.ended()
    assert ended["reason"] == "Breaks: at last"
    kinds = [event["event"] for event in job.events()]
    assert kinds[10:] == ["cap_reached", "runner_on_failed", "playbook_on_stats"]
    assert ended["runner"] == 13


def test_the_same_job_started_three_times_runs_once(jobs: Jobs, tmp_path: Path) -> None:
    count = tmp_path / "count"
    job = jobs.make(
        f"""
        - hosts: all
          gather_facts: false
          tasks:
            - ansible.builtin.shell: echo run >> {count}
        """
    )
    spec = (job.folder / "spec.json").read_bytes()
    pids = {job.play(), job.start()}
    assert len(pids) == 1
    ended = job.ended()
    (job.folder / "spec.json").write_bytes(spec)
    late = job.start()
    wait_for(lambda: not supervise.alive(job.folder), 10)
    assert late not in pids
    assert count.read_text() == "run\n"
    assert job.ended() == ended


def test_a_job_that_was_begun_before_a_crash_is_not_begun_again(jobs: Jobs) -> None:
    job = jobs.make(GREETING)
    (job.folder / "started").write_text("{}")
    job.play()
    wait_for(lambda: not supervise.alive(job.folder), 10)
    assert not (job.folder / "ended.json").exists()
    assert job.events() == []


@pytest.mark.parametrize("signaled", [True, False])
def test_an_abandoned_offer_leaves_nothing(jobs: Jobs, signaled: bool) -> None:
    job = jobs.make(GREETING)
    job.start()
    assert supervise.alive(job.folder)
    if signaled:
        (job.folder / "abandon").touch()
    else:
        shutil.rmtree(job.folder)
    wait_for(lambda: not supervise.alive(job.folder), 10)
    wait_for(lambda: not job.run.exists(), 5)
    assert not (job.folder / "supervisor.json").exists()
    assert not (job.folder / "started").exists()


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"playbook": "../play.yml"}, "playbook is not a name within the project"),
        ({"playbook": "other.yml"}, "playbook 'other.yml' is not in the project"),
        ({"verbosity": "loud"}, "verbosity is not a whole number"),
    ],
)
def test_a_description_that_makes_no_sense_ends_the_job_before_its_beginning(
    jobs: Jobs, broken: dict[str, Any], reason: str
) -> None:
    job = jobs.make(GREETING, **broken)
    job.play()
    ended = job.ended()
    assert (ended["status"], ended["reason"]) == ("failed", reason)
    assert not (job.folder / "started").exists()
    assert not job.run.exists()


def test_a_project_that_is_not_what_its_digest_says_is_not_run(jobs: Jobs) -> None:
    job = jobs.make(GREETING)
    (project,) = (job.state / "projects").iterdir()
    project.write_bytes(project.read_bytes() + b"\0")
    job.play()
    assert job.ended()["reason"] == "the job's project is not what its digest says"


def test_nothing_of_the_agents_environment_reaches_a_play(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY_ENVIRONMENT", "canary-environment")
    monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", "minimal")
    monkeypatch.setenv("PYTHONPATH", "/nowhere")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:canary-proxy@127.0.0.1:9")
    job = jobs.make(
        """
        - hosts: all
          gather_facts: false
          tasks:
            - name: Show
              ansible.builtin.command: env
        """
    )
    job.play()
    assert job.ended()["status"] == "succeeded"
    result = job.saw("runner_on_ok", task="Show")["result"]
    assert isinstance(result, dict)
    seen = dict(line.split("=", 1) for line in result["stdout_lines"])
    assert {name for name in seen if not name.startswith(("ANSIBLE_", "PATCHMON_"))} <= {
        *("PATH", "HOME", "LANG", "LC_ALL", "TERM", "TMPDIR", "PWD", "HTTPS_PROXY", "SHLVL", "_"),
        *("no_proxy", "NO_PROXY", "http_proxy", "https_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"),
        *("AWX_ISOLATED_DATA_DIR", "MAX_EVENT_RES"),
    }
    assert seen["LC_ALL"] == "C.UTF-8"
    assert seen["PATCHMON_JOB"] == job.job
    assert b"canary" not in job.everything()


def test_planted_secrets_are_in_no_file_that_stays(jobs: Jobs) -> None:
    job = jobs.make(
        """
        - hosts: all
          gather_facts: false
          vars: {password: "{{ db_password }}"}
          tasks:
            - name: Say it
              ansible.builtin.debug: {msg: "It is {{ password }}", verbosity: 0}
            - name: Use it
              ansible.builtin.command: echo mysql --password=canary-command-line -p{{ password }}
            - name: Hidden
              ansible.builtin.command: echo canary-no-log
              no_log: true
            - name: Environment
              ansible.builtin.command: "true"
              environment: {TOKEN: canary-task-environment}
            - name: Hidden failure {{ password }}
              ansible.builtin.command: ls /canary-hidden-failure
              no_log: true
        """,
        secrets="db_password: !unsafe 'canary-{{ secret }}-variable'\n",
        secret_values=["canary-{{ secret }}-variable"],
        verbosity=3,
    )
    job.play()
    ended = job.ended()
    assert ended["status"] == "failed"
    assert "Hidden failure ********: failed; the output is hidden" in str(ended["reason"])
    assert job.saw("runner_on_ok", task="Say it")["result"] == {"msg": "It is ********", "changed": False}
    everything = job.everything()
    assert b"canary" not in everything, everything[max(0, everything.index(b"canary") - 300) :][:600]
    assert not job.run.exists()


def test_the_play_survives_the_death_of_the_agent(jobs: Jobs, tmp_path: Path) -> None:
    job = jobs.make(
        """
        - hosts: all
          gather_facts: false
          tasks:
            - ansible.builtin.command: sleep 2
            - name: After
              ansible.builtin.debug: {msg: still here}
        """
    )
    agent = tmp_path / "agent.py"
    agent.write_text(
        textwrap.dedent(
            f"""
            import sys, time
            sys.path[:] = {import_paths()!r}
            from pathlib import Path
            from agent import supervise
            job = Path({str(job.folder)!r})
            supervise.start(job, Path({str(job.run)!r}))
            (job / "go").touch()
            time.sleep(600)
            """
        )
    )
    with subprocess.Popen([sys.executable, agent], start_new_session=True) as parent:
        job.saw("playbook_on_task_start")
        os.killpg(parent.pid, signal.SIGKILL)
    assert supervise.alive(job.folder)
    assert job.ended()["status"] == "succeeded"
    assert job.saw("runner_on_ok", task="After")


def test_starting_returns_at_once_and_waits_for_the_word(jobs: Jobs) -> None:
    job = jobs.make(GREETING)
    before = time.monotonic()
    pid = job.start()
    assert time.monotonic() - before < 1
    assert supervise.alive(job.folder)
    assert json.loads((job.folder / "supervisor.json").read_text())["pid"] == pid
    time.sleep(1)
    assert not (job.folder / "started").exists()
    assert process.find(pid) is not None
    assert os.getsid(pid) == pid


def test_a_run_directory_that_others_could_replace_is_not_used(jobs: Jobs, tmp_path: Path) -> None:
    job = jobs.make(GREETING)
    job.run.rmdir()
    theirs = tmp_path / "open-to-all"
    theirs.mkdir()
    theirs.chmod(0o777)
    job.run = theirs / "run"
    job.play()
    ended = job.ended()
    assert ended["status"] == "failed"
    assert "not safe for secrets" in str(ended["reason"])


@pytest.mark.real
def test_a_run_directory_with_a_very_long_name_only_costs_the_live_lines(jobs: Jobs, tmp_path: Path) -> None:
    job = jobs.make(GREETING)
    job.run.rmdir()
    job.run = tmp_path / ("long" * 30) / "run"
    job.play()
    assert job.ended()["status"] == "succeeded"
    assert job.saw("runner_on_ok", task="Greet")
