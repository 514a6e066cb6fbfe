"""Job directories as the agent makes them: parts verified, waiting for the word."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agent import supervise
from agent.protocol import archive
from agent.supervise import process

HOST = "web-01"
INVENTORY = f"all:\n  hosts:\n    {HOST}: {{}}\n"


@dataclass
class HostJob:
    """One job directory with everything a test wants to see of it."""

    state: Path
    run: Path
    job: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def folder(self) -> Path:
        return self.state / "jobs" / self.job

    def start(self) -> int:
        return supervise.start(self.folder, self.run)

    def go(self) -> None:
        (self.folder / "go").touch()

    def play(self) -> int:
        """Start and give the word."""
        pid = self.start()
        self.go()
        return pid

    def ended(self, within: float = 30) -> dict[str, object]:
        wait_for((self.folder / "ended.json").exists, within, self.log)
        wait_for(lambda: not supervise.alive(self.folder), 5, self.log)
        return dict(json.loads((self.folder / "ended.json").read_text()))

    def events(self, source: str | None = None) -> list[dict[str, object]]:
        spool = self.folder / "spool.jsonl"
        lines = spool.read_text().split("\n")[:-1] if spool.exists() else []
        items = [json.loads(line) for line in lines]
        return [item for item in items if source in (None, item["source"])]

    def saw(self, kind: str, within: float = 20, **fields: object) -> dict[str, object]:
        """Wait for an event and return it."""
        found: list[dict[str, object]] = []

        def look() -> bool:
            found[:] = [e for e in self.events() if e["event"] == kind and fields.items() <= e.items()]
            return bool(found)

        wait_for(look, within, self.log)
        return found[0]

    def log(self) -> str:
        log = self.folder / "supervisor.log"
        return f"{log.read_text() if log.exists() else 'no log'}\n{self.events()[-5:]}"

    def everything(self) -> bytes:
        """All bytes of all files the job leaves behind."""
        return b"\n".join(path.read_bytes() for path in sorted(self.folder.rglob("*")) if path.is_file())


def wait_for(condition: object, within: float, tell: object = None) -> None:
    deadline = time.monotonic() + within
    while not condition():  # type: ignore[operator]
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within} s\n{tell() if callable(tell) else ''}")
        time.sleep(0.02)


class Jobs:
    """Makes jobs below one state directory and leaves no process behind."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self._made: list[HostJob] = []

    def make(
        self,
        text: str,
        *,
        files: Mapping[str, str] | None = None,
        state: Path | None = None,
        grace_seconds: int = 5,
        **spec: object,
    ) -> HostJob:
        """A complete job whose play.yml is this text; ``spec`` overrides fields of its description."""
        run = Path(tempfile.mkdtemp(prefix="pm-", dir=_memory()))
        made = HostJob(state or self.state, run)
        content = {"play.yml": text, **(files or {})}
        project = archive.pack({name: text.encode() for name, text in content.items()})
        digest = archive.digest(project)
        (made.state / "projects").mkdir(parents=True, exist_ok=True)
        (made.state / "projects" / f"{digest}.zip").write_bytes(project)
        made.folder.mkdir(parents=True, mode=0o700)
        described = {"job": made.job, "playbook": "play.yml", "host": HOST, "inventory": INVENTORY, **spec}
        (made.folder / "spec.json").write_text(json.dumps(described))
        offer = {
            "job": made.job,
            "playbook": "play.yml",
            "project": {"digest": digest, "size": len(project)},
            "grace_seconds": grace_seconds,
        }
        (made.folder / "offer.json").write_text(json.dumps(offer))
        self._made.append(made)
        return made

    def close(self) -> None:
        for job in self._made:
            if supervise.alive(job.folder):
                supervise.stop(job.folder, 0)
                with contextlib.suppress(TimeoutError):
                    wait_for(lambda job=job: not supervise.alive(job.folder), 20)
            shutil.rmtree(job.run, ignore_errors=True)


def tree(pid: int) -> list[process.Process]:
    """Every living process below this one."""
    return [one for one in process.descendants(pid) if not one.dead]


def jobs(state: Path) -> Iterator[Jobs]:
    """Use as the body of a fixture."""
    made = Jobs(state)
    yield made
    made.close()


def _memory() -> Path | None:
    memory = Path("/dev/shm")
    return memory if memory.is_dir() else None
