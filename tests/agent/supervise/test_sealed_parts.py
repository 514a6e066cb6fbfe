"""Secret files of the project and a secret environment: there for the play, and nowhere once it is over."""

import base64
import json

import pytest

from agent.supervise.spec import BadSpec, parse
from tests.factories.jobs import Jobs

FILED = "canary-filed-77aa"
KEY = "canary-key-19fe"
PLAY = """
- hosts: all
  gather_facts: false
  vars_files: [vars/secret.yml]
  tasks:
    - name: Show both of them
      ansible.builtin.debug: {msg: "{{ filed }} {{ key }} {{ key | length }}"}
      vars: {key: "{{ lookup('env', 'SHOP_KEY') }}"}
    - name: A program gets it
      ansible.builtin.command: printenv SHOP_KEY
"""


def test_a_play_reads_them_and_nothing_of_them_is_left(jobs: Jobs) -> None:
    job = jobs.make(
        PLAY,
        files={"vars/secret.yml": "# encrypted\n"},
        environment={"SHOP_KEY": KEY},
        secret_values=[FILED, KEY],
    )
    described = json.loads((job.folder / "spec.json").read_text())
    described["files"] = {"vars/secret.yml": base64.b64encode(f"filed: {FILED}\n".encode()).decode()}
    (job.folder / "spec.json").write_text(json.dumps(described))
    job.play()
    assert job.ended()["status"] == "succeeded", job.log()
    shown = str(job.events())
    assert f"******** ******** {len(KEY)}" in shown
    assert not job.run.exists()
    assert FILED.encode() not in job.everything()
    assert KEY.encode() not in job.everything()


@pytest.mark.parametrize(
    "more",
    [
        {"files": {"../up": ""}}, {"files": {"/etc/passwd": ""}}, {"files": {"a": "no base64!"}}, {"files": ["a"]},
        {"environment": {"PATH": "x"}}, {"environment": {"LD_PRELOAD": "x"}}, {"environment": {"ANSIBLE_CONFIG": "x"}},
        {"environment": {"A B": "x"}}, {"environment": {"A": 1}}, {"environment": {"A": "\0"}},
    ],
)  # fmt: skip
def test_parts_that_reach_beyond_the_play_are_refused(more: dict[str, object]) -> None:
    body = {"playbook": "play.yml", "host": "h", "inventory": "x", **more}
    with pytest.raises(BadSpec):
        parse(json.dumps(body).encode())
