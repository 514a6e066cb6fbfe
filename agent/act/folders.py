"""The jobs of this host as folders: what is on disk is what is true about them."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List

from agent import supervise
from agent.act import spool
from agent.act.policy import is_job
from agent.protocol.messages import Content, JobEnded, JobOffer, JobPosition, Result
from agent.supervise import restart
from agent.system import files

_RUN_NAME_LENGTH = 8
_CACHED_PROJECTS = 20
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Return the kernel's name of this boot."""
    return _BOOT_ID.read_text(encoding="ascii").strip()


@dataclass(frozen=True)
class JobFolder:
    """One job on this host."""

    path: Path
    run: Path

    @property
    def job(self) -> str:
        """Return the job's name."""
        return self.path.name

    @property
    def offer(self) -> JobOffer:
        """Return the offer as it came; the fields that matter here."""
        told = files.read_object(self.path / "offer.json")
        return JobOffer(
            job=self.job,
            playbook=str(told.get("playbook") or ""),
            project=_content(told.get("project")),
            spec=_content(told.get("spec")),
            check=told.get("check") is True,
            request_id=str(told.get("request_id") or ""),
        )

    @property
    def ended(self) -> bool:
        """The last word is written."""
        return (self.path / "ended.json").exists()

    @property
    def begun(self) -> bool:
        """The play was started, once and for all."""
        return (self.path / "started").exists()

    @property
    def complete(self) -> bool:
        """Every part was here and the supervisor was told to go."""
        return (self.path / "go").exists()

    @property
    def rebooting(self) -> bool:
        """The job has asked for a restart of the host, and has not gone on behind it yet."""
        return not self.ended and self.waits_for_restart

    @property
    def waits_for_restart(self) -> bool:
        """Nothing of the job ran behind the restart, ended or not."""
        return restart.pending(self.path)

    @property
    def alive(self) -> bool:
        """The supervisor lives."""
        return supervise.alive(self.path)

    @property
    def spool(self) -> Path:
        """Return where the events are."""
        return self.path / "spool.jsonl"

    def part(self, name: str) -> Path:
        """Return where an arriving part is collected; the spec holds secrets and stays in memory."""
        return self.run / "spec.part" if name == "spec" else self.path / f"{name}.part"

    def position(self) -> JobPosition:
        """Return how far the job is."""
        if self.ended:
            told = files.read_object(self.path / "ended.json")
            return JobPosition(self.job, "ended", _number(told.get("runner")), _number(told.get("live")))
        counters = spool.count(self.spool)
        state = "running" if self.begun or self.complete else "receiving"
        if self.rebooting and not self.alive:
            state = "rebooting"
        return JobPosition(self.job, state, counters["runner"], counters["live"])

    def last_word(self) -> JobEnded:
        """Return the job's end as a message."""
        told = files.read_object(self.path / "ended.json")
        counters, results = told.get("counters"), told.get("results")
        return JobEnded(
            job=self.job,
            status=str(told.get("status") or "failed"),
            rc=_number(told.get("rc")),
            reason=str(told.get("reason") or "")[:4096],
            runner=_number(told.get("runner")),
            live=_number(told.get("live")),
            counters={str(key): _number(value) for key, value in counters.items()}
            if isinstance(counters, dict)
            else {},
            results=tuple(map(_result, results)) if isinstance(results, list) else (),
        )

    def end(self, status: str, reason: str) -> None:
        """Write the last word in place of a supervisor that cannot any more."""
        left = restart.read(self.path)
        word = {"job": self.job, "status": status, "rc": 0, "reason": reason, **spool.count(self.spool)}
        files.write_object(self.path / "ended.json", {**word, "counters": left.counters, "results": left.results})
        (self.path / "spec.json").unlink(missing_ok=True)
        files.remove_tree(self.run)

    def end_lost(self) -> None:
        """Write the last word about a play that went away without one."""
        began_in = restart.returned_boot(self.path) or files.read_object(self.path / "started").get("boot_id")
        rebooted = began_in != boot_id()
        self.end("lost", "host rebooted" if rebooted else "the job supervisor died")

    def log_tail(self) -> str:
        """Return the end of what the supervisor said."""
        try:
            return (self.path / "supervisor.log").read_text(encoding="utf-8", errors="replace").strip()[-300:]
        except FileNotFoundError:
            return ""


class Folders:
    """Every job folder of this host, and the projects they run."""

    def __init__(self, state: Path) -> None:
        self._jobs = files.private_folder(state / "jobs")
        self._projects = files.private_folder(state / "projects")

    def all(self) -> List[JobFolder]:
        """Return every job on this host."""
        entries = [entry for entry in sorted(self._jobs.iterdir()) if is_job(entry.name) and entry.is_dir()]
        return [self.find(entry.name) for entry in entries if not entry.is_symlink()]

    def find(self, job: str) -> JobFolder:
        """Return a job's folder, there or not."""
        path = self._jobs / job
        return JobFolder(path, _run_folder(path))

    def make(self, offer: JobOffer, told: Dict[str, object]) -> JobFolder:
        """Make the folder of an offered job."""
        folder = self.find(offer.job)
        files.private_folder(folder.path)
        files.private_folder(folder.run)
        files.write_object(folder.path / "offer.json", told)
        return folder

    def remove(self, folder: JobFolder) -> None:
        """Delete everything of a job; what came of its project is kept for the next attempt."""
        part = folder.part("project")
        if part.exists():
            part.replace(self._projects / f"{folder.offer.project.digest}.part")
        files.remove_tree(folder.run)
        files.remove_tree(folder.path)

    def free_bytes(self) -> int:
        """Return the room there is for jobs."""
        return files.free_bytes(self._jobs)

    def changing(self) -> int:
        """Return how many jobs that change the host are not over."""
        return sum(1 for folder in self.all() if not folder.ended and not folder.offer.check)

    def restarting(self) -> bool:
        """Say whether a job is about to restart the host."""
        return any(folder.rebooting for folder in self.all())

    def has(self, offer: JobOffer, folder: JobFolder) -> Dict[str, int]:
        """Return how many bytes of each part are here; what an earlier transfer left is taken over."""
        have = {"spec": _size(folder.part("spec"))}
        if self.project(offer.project.digest).exists():
            have["project"] = offer.project.size
        else:
            left = self._projects / f"{offer.project.digest}.part"
            if left.exists() and not folder.part("project").exists():
                left.replace(folder.part("project"))
            have["project"] = _size(folder.part("project"))
        for name, content in (("project", offer.project), ("spec", offer.spec)):
            # All there but not verified yet: only an earlier attempt whose digest was wrong ends up like that.
            if folder.part(name).exists() and have[name] >= content.size:
                folder.part(name).unlink()
                have[name] = 0
        return have

    def complete(self, offer: JobOffer, folder: JobFolder) -> str:
        """Check the parts and put them in place; return the part that is not what its digest says, or nothing."""
        project = self.project(offer.project.digest)
        if not project.exists():
            part = folder.part("project")
            if not _is(part, offer.project):
                part.unlink(missing_ok=True)
                return "project"
            part.replace(project)
            self._prune()
        os.utime(project)
        if not _is(folder.part("spec"), offer.spec):
            folder.part("spec").unlink(missing_ok=True)
            return "spec"
        folder.part("spec").replace(folder.run / "spec.json")
        return ""

    def project(self, digest: str) -> Path:
        """Return where a project is kept."""
        return self._projects / f"{digest}.zip"

    def _prune(self) -> None:
        used = {folder.offer.project.digest for folder in self.all() if not folder.ended}
        kept = sorted(self._projects.glob("*.zip"), key=lambda file: file.stat().st_mtime, reverse=True)
        for file in kept[_CACHED_PROJECTS:]:
            if file.stem not in used:
                file.unlink()
        for file in sorted(self._projects.glob("*.part"), key=lambda file: file.stat().st_mtime)[:-2]:
            file.unlink()


def _run_folder(path: Path) -> Path:
    name = path.name[:_RUN_NAME_LENGTH]
    base = Path("/run") if os.geteuid() == 0 else Path("/dev/shm")  # noqa: S108 (memory, and made private below)
    own = base / ("patchmon-agent" if os.geteuid() == 0 else f"patchmon-agent-{os.geteuid()}")
    try:
        return files.private_folder(own) / name
    except OSError:
        return path / "run"


def _is(file: Path, content: Content) -> bool:
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return False
    return len(data) == content.size and hashlib.sha256(data).hexdigest() == content.digest


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _content(told: object) -> Content:
    told = told if isinstance(told, dict) else {}
    return Content(str(told.get("digest") or ""), _number(told.get("size")))


def _result(told: object) -> Result:
    told = told if isinstance(told, dict) else {}
    return Result(str(told.get("module") or ""), str(told.get("digest") or ""), _number(told.get("size")))


def _number(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
