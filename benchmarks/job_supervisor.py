"""A 20-task play under the job supervisor: warm and cold start, ansible-core's strategy and mitogen's.

``python benchmarks/job_supervisor.py [--rounds 5] [--mitogen FOLDER]`` prints a table of medians and ranges in seconds;
FOLDER is where ``pip install --target FOLDER mitogen`` put it. Arms take turns within a round.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.factories.jobs import HostJob, Jobs, tree, wait_for

_TASKS = (
    "ansible.builtin.command: 'true'",
    "ansible.builtin.stat: {path: /etc/hostname}",
    "ansible.builtin.shell: echo hello | wc -c",
    "ansible.builtin.file: {path: /tmp/patchmon-bench, state: directory, mode: '0700'}",
)
_MITOGEN = "import sys\nsys.path.insert(0, {folder!r})\n{proxy}"


def playbook(tasks: int, strategy: str) -> str:
    """Return a play of that many short tasks of four kinds."""
    lines = [f"    - {_TASKS[number % len(_TASKS)]}" for number in range(tasks)]
    return "\n".join(["- hosts: all", "  gather_facts: false", f"  strategy: {strategy}", "  tasks:", *lines, ""])


def carry_out(job: HostJob, *, warm: bool) -> tuple[float, float]:
    """Return seconds from the word to the first task and to the job's end."""
    job.start()
    wait_for((job.run / "warm.sock").exists, 20)
    time.sleep(3)
    if not warm:
        supervisor = json.loads((job.folder / "supervisor.json").read_text())["pid"]
        for process in tree(supervisor):
            os.kill(process.pid, signal.SIGKILL)
        time.sleep(0.2)
    word = time.time()
    job.go()
    wait_for((job.folder / "ended.json").exists, 120, job.log)
    end = time.time() - word
    ended = job.ended()
    if ended["status"] != "succeeded":
        raise RuntimeError(ended)
    first = next(event["at"] for event in job.events() if event["event"] == "runner_on_start")
    return datetime.fromisoformat(str(first)).timestamp() - word, end


def bare(folder: Path, text: str) -> float:
    """Return the seconds of a plain ``ansible-playbook`` with the same tasks."""
    play = folder / "bare.yml"
    play.write_text(text)
    before = time.time()
    subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "web-01,", "-c", "local", play],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "ANSIBLE_PIPELINING": "true", "ANSIBLE_PYTHON_INTERPRETER": sys.executable},
    )
    return time.time() - before


def main() -> None:
    """Run the rounds and print the table."""
    options = argparse.ArgumentParser()
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--tasks", type=int, default=20)
    options.add_argument("--mitogen", type=Path)
    chosen = options.parse_args()
    arms = [("cold, linear", False, "linear"), ("warm, linear", True, "linear")]
    files = {}
    if chosen.mitogen:
        arms += [("cold, mitogen_linear", False, "mitogen_linear"), ("warm, mitogen_linear", True, "mitogen_linear")]
        proxy = (chosen.mitogen / "ansible_mitogen/plugins/strategy/mitogen_linear.py").read_text()
        proxy = proxy.replace("from __future__ import absolute_import, division, print_function\n", "")
        files["strategy_plugins/mitogen_linear.py"] = _MITOGEN.format(folder=str(chosen.mitogen), proxy=proxy)
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name, _, _ in arms}
    plain: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        jobs = Jobs(Path(folder))
        for _ in range(chosen.rounds):
            plain.append(bare(Path(folder), playbook(chosen.tasks, "linear")))
            for name, warm, strategy in arms:
                seen[name].append(carry_out(jobs.make(playbook(chosen.tasks, strategy), files=files), warm=warm))
        jobs.close()
    print(f"{chosen.tasks} tasks, {chosen.rounds} rounds, seconds: median (range)")
    print(f"{'arm':24} {'first task':>20} {'end':>20}")
    print(f"{'bare ansible-playbook':24} {'':>20} {shown(plain):>20}")
    for name, times in seen.items():
        print(f"{name:24} {shown([first for first, _ in times]):>20} {shown([end for _, end in times]):>20}")


def shown(times: list[float]) -> str:
    """Return median and range as text."""
    return f"{statistics.median(times):.2f} ({min(times):.2f}-{max(times):.2f})"


if __name__ == "__main__":
    main()
