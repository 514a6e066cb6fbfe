"""One job on this host: its beginning that happens once, its play, its end that is always written."""

from __future__ import annotations

import os
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Callable, Dict, List, Mapping, Tuple

from agent.protocol import archive, events
from agent.protocol.cleaning import Cleaner, fit

from . import layout, process, restart, results, spec, stages
from .ending import Cause, Ending
from .environment import agent_environment, live_socket
from .live import LiveSocket
from .outcome import Outcome
from .play import Play, warm_up
from .record import read_object, write_durably, write_once
from .spool import Spool
from .warm import WarmProcess

_RESERVE_BYTES = 64 * 1024
_GRACE_SECONDS = 30
_WATCH_SECONDS = 0.05
_SYNC_SECONDS = 0.2
_COLLECT_SECONDS = 5.0


class Refused(RuntimeError):
    """The job cannot begin; the text says why."""


class Job:
    """Carries out one job. Everything a person may read of it went through ``cleaner``."""

    def __init__(self, job_dir: Path, run_dir: Path, log: Callable[[str], None]) -> None:
        self.cleaner = Cleaner()
        self._dir = job_dir
        self._run = run_dir
        self._log = log
        self.terminated = False
        self._outcome = Outcome()
        self._left = restart.Left()
        self._sums: Dict[str, int] = {}
        self._runner_counter = 0
        self._spool: Spool | None = None
        self._warm: WarmProcess | None = None

    # ------------------------------------------------------------ before

    def warm_up(self) -> None:
        """Do everything slow that does not need the job's parts."""
        layout.prepare(self._run)
        self._warm = WarmProcess(self._run, agent_environment())
        _reserve(self._dir / "reserve")
        warm_up()

    def terminate(self) -> None:
        """Take note of SIGTERM; safe to call from a signal handler."""
        self.terminated = True

    def stop_wanted(self) -> bool:
        """Say whether somebody asked for the end."""
        return self.terminated or (self._dir / "stop.json").exists()

    # ------------------------------------------------------------ all of it

    def carry_out(self) -> None:
        """Run the play, unless it was ever begun before, and write the last word."""
        self._left = restart.read(self._dir)
        self._sums = dict(self._left.counters)
        if self.stop_wanted():
            self._end(self._wish().status, 0, self._wish().reason)
            return
        try:
            work = self._begin()
        except (Refused, spec.BadSpec, archive.ArchiveError, OSError) as error:
            self._end("failed", 1, self.cleaner.text(str(error)))
            return
        if work is None:
            self._log("begun before: not run again")
            return
        self._perform(work)

    def fail(self, reason: str) -> None:
        """End whatever runs and make ``reason`` the last word, unless there is one already."""
        if (self._dir / "ended.json").exists() or not self._dir.exists():
            return
        ending = Ending(Cause("failed", reason, 0), self._helper())
        while not ending.step():
            time.sleep(_WATCH_SECONDS)
        self._end("failed", 1, self.cleaner.text(reason))

    def clear(self) -> None:
        """Delete the run directory with its secrets, and end the process that was kept warm."""
        if self._warm:
            self._warm.close()
        try:
            layout.clear(self._run)
        except OSError as error:
            self._log(f"{self._run}: {error.strerror}")

    # ------------------------------------------------------------ beginning

    def _begin(self) -> spec.Spec | None:
        """Read the parts, look at the room and note the beginning for good; None when it is noted already."""
        work = spec.take([self._run / "spec.json", self._dir / "spec.json"])
        self.cleaner = Cleaner(work.secret_values)
        project = self._project()
        layout.check_room(self._dir, self._run, len(project))
        layout.lay_out(work, project, self._run)
        if self._left.is_there:
            return work if restart.return_once(self._dir) else None
        noted = {"boot_id": process.boot_id(), "at": events.rfc3339(datetime.now(timezone.utc))}
        return work if write_once(self._dir / "started", noted) else None

    def _project(self) -> bytes:
        wanted = read_object(self._dir / "offer.json").get("project")
        digest = wanted.get("digest") if isinstance(wanted, dict) else None
        try:
            content = (self._dir.parent.parent / "projects" / f"{digest}.zip").read_bytes()
        except FileNotFoundError:
            raise Refused("the job's project is not here") from None
        if archive.digest(content) != digest:
            raise Refused("the job's project is not what its digest says")
        return content

    # ------------------------------------------------------------ playing

    def _perform(self, work: spec.Spec) -> None:
        left = self._left
        spool = Spool(self._dir / "spool.jsonl", work.max_events, work.max_bytes, left.runner, left.live)
        self._spool = spool
        live = self._listen()
        if left.is_there:
            self._on_live(stages.back_again(left), datetime.now(timezone.utc))
        deadline = time.monotonic() + work.timeout_seconds
        verdict, goes_down = stages.Verdict("succeeded", 0, ""), False
        for number, stage in enumerate(work.stages[left.next_stage :], left.next_stage):
            play, cause = self._play(work, stage, spool, deadline)
            verdict = self._verdict(stage, play, spool, cause)
            request = restart.requested(self._run)
            if verdict.status == "succeeded" and request and not work.check:
                verdict = stages.may_go_down(work, stage, verdict)
                goes_down = verdict.status == "succeeded"
                self._left = restart.Left(number + 1, reason=str(request.get("reason") or ""))
            if verdict.status != "succeeded" or goes_down:
                break
        if live:
            live.close()
        if goes_down:
            self._go_down(work, spool)
            return
        self._conclude(spool, verdict)

    def _play(self, work: spec.Spec, stage: spec.Stage, spool: Spool, deadline: float) -> Tuple[Play, Cause | None]:
        """Run one playbook to its end, or until somebody ends it."""
        self._outcome, self._runner_counter = Outcome(), 0
        if len(work.stages) > 1:
            layout.tell_stage(self._run, stage, restarted=self._left.is_there)
        environment = {**agent_environment(), **work.environment}
        play = Play(self._run, environment, layout.arguments(work, stage, self._run), self._on_event)
        play.start()
        cause = self._watch(play, spool, deadline, work.timeout_seconds)
        for name, number in self._outcome.counters.items():
            self._sums[name] = self._sums.get(name, 0) + number
        return play, cause

    def _go_down(self, work: spec.Spec, spool: Spool) -> None:
        """Leave everything that phase two needs; where that is not possible, why is the job's end."""
        request = restart.requested(self._run)
        spool.close()
        counters = spool.counters
        try:
            kept = [*self._left.results, *results.collect(self._run / "results", self._dir / "results", self.cleaner)]
            self.clear()
            left = restart.Left(
                self._left.next_stage, reason=self.cleaner.text(self._left.reason), runner=counters["runner"],
                live=counters["live"], counters=self._sums, results=kept,
            )  # fmt: skip
            self._left = left
            restart.leave(self._dir, work, left, request.get("timeout_seconds"))
        except OSError as error:
            self._end("failed", 1, f"the host was not restarted: {error.strerror}")

    def _listen(self) -> LiveSocket | None:
        try:
            return LiveSocket(live_socket(self._run), self._on_live)
        except OSError as error:
            # Without live lines a job is poorer, not broken.
            self._log(f"no live lines: {error}")
            return None

    def _watch(self, play: Play, spool: Spool, deadline: float, timeout_seconds: int) -> Cause | None:
        """Wait for the play's end; when somebody ends it earlier, until nothing of it lives. Return who did."""
        collector = process.Collector()
        sync_at = collect_at = 0.0
        while play.is_alive():
            now = time.monotonic()
            cause = self._cause(spool, timeout_seconds if now >= deadline else None)
            if cause:
                return self._take_down(play, spool, cause)
            if now >= sync_at:
                spool.sync()
                sync_at = now + _SYNC_SECONDS
            if now >= collect_at:
                collector.collect(process.descendants(os.getpid()), everyone=False)
                collect_at = now + _COLLECT_SECONDS
            play.join(_WATCH_SECONDS)
        if play.crash or play.rc < 0:
            # Its workers may have survived it.
            reason = play.crash or f"ansible-playbook was killed by signal {-play.rc}"
            return self._take_down(play, spool, Cause("failed", reason, self._grace()))
        return self._cause(spool, None) if spool.failure else None

    def _cause(self, spool: Spool, exceeded_seconds: int | None) -> Cause | None:
        if spool.failure:
            return Cause("failed", f"spool full: {spool.failure}", self._grace())
        if self.stop_wanted():
            return self._wish()
        if exceeded_seconds is not None:
            return Cause("timed_out", f"took longer than {exceeded_seconds} s", self._grace())
        return None

    def _take_down(self, play: Play, spool: Spool, cause: Cause) -> Cause:
        ending = Ending(cause, self._helper())
        while not ending.step() or play.is_alive():
            if self.stop_wanted():
                ending.hurry(self._wish().grace_seconds)
            spool.sync()
            time.sleep(_WATCH_SECONDS)
        return cause

    def _helper(self) -> int:
        return self._warm.pid if self._warm else 0

    def _wish(self) -> Cause:
        wish = read_object(self._dir / "stop.json")
        if not wish and self.terminated and not (self._dir / "stop.json").exists():
            # Nobody asked for this job's end: the host goes down, and the job with it.
            return Cause("lost", "the host is shutting down", self._grace())
        grace = wish.get("grace_seconds")
        return Cause("cancelled", "stopped on request", grace if isinstance(grace, (int, float)) else self._grace())

    def _grace(self) -> float:
        grace = read_object(self._dir / "offer.json").get("grace_seconds")
        return grace if isinstance(grace, (int, float)) else _GRACE_SECONDS

    # ------------------------------------------------------------ what it says

    def _on_event(self, event: Mapping[str, object]) -> None:
        """Take one event of ansible-runner, in the play's thread; it must never raise, that would orphan the play."""
        spool = self._open_spool()
        try:
            counter = event.get("counter")
            if isinstance(counter, int):
                if counter > self._runner_counter + 1:
                    spool.fail("events were lost between Ansible and its runner")
                self._runner_counter = counter
            item = events.to_item(event)
            if item is None:
                return
            item = self.cleaner.item(item)
            self._outcome.see(item)
            spool.append("runner", fit(item), vital=item["event"] in events.VITAL)
        except Exception as error:  # noqa: BLE001 (see above)
            spool.fail(f"{type(error).__name__} at an event of kind {event.get('event')!r}")

    def _on_live(self, text: str, at: datetime) -> None:
        item = events.live_item(self.cleaner.text(text), at, self._outcome.task_uuid)
        self._open_spool().append("live", fit(item))

    def _open_spool(self) -> Spool:
        if self._spool is None:
            raise Refused("an event before the beginning")
        return self._spool

    # ------------------------------------------------------------ ending

    def _verdict(self, stage: spec.Stage, play: Play, spool: Spool, cause: Cause | None) -> stages.Verdict:
        """Say how a playbook ended; a failure names the playbook unless it is what the job is there for."""
        spool.sync()
        if spool.failure and (cause is None or cause.status != "failed"):
            cause = Cause("failed", f"spool full: {spool.failure}", 0)
        if cause:
            return stages.Verdict(cause.status, play.rc, self.cleaner.text(cause.reason))
        if play.rc == 0:
            return stages.Verdict("succeeded", 0, "")
        reason = self._outcome.reason(play.rc).replace(f"{self._run}/project/", "")
        return stages.Verdict("failed", play.rc, stages.named(stage, reason))

    def _conclude(self, spool: Spool, verdict: stages.Verdict) -> None:
        spool.close()
        if spool.dropped:
            self._log(f"past the cap {spool.dropped} events were not recorded")
        self._end(verdict.status, verdict.rc, verdict.reason)

    def _end(self, status: str, rc: int, reason: str) -> None:
        (self._dir / "reserve").unlink(missing_ok=True)
        listed: List[Dict[str, object]] = list(self._left.results)
        try:
            listed += results.collect(self._run / "results", self._dir / "results", self.cleaner)
        except OSError as error:
            status = "failed"
            reason = f"results not kept: {error.strerror}; {reason}".rstrip("; ")
        self.clear()
        counters = self._spool.counters if self._spool else {"runner": self._left.runner, "live": self._left.live}
        write_durably(
            self._dir / "ended.json",
            {
                "job": self._dir.name,
                "status": status,
                "rc": rc,
                "reason": reason,
                **counters,
                "counters": self._sums,
                "results": listed,
            },
        )


def _reserve(path: Path) -> None:
    """Take room now that the last word will need on a full disk."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(handle, b"\0" * _RESERVE_BYTES)
        os.fsync(handle)
    finally:
        os.close(handle)
