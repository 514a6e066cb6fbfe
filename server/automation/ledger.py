"""What one transaction changes on locked job hosts: states by the table, events in order, positions handed out."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from agent.protocol.messages import JobEnded, Result
from server.automation import rules
from server.automation.events import JobChanged, JobHostsEnded, JobListChanged
from server.automation.models import SOURCE_NUMBERS, Batch, Ending, Note, Sighting, Standing, Status, Stored
from server.automation.queries import events as event_rows
from server.automation.queries import library, life
from server.core.bus import announce
from server.core.db import Tx
from server.core.ids import JobHostId, JobId

_RUNNER: Final = SOURCE_NUMBERS["runner"]
_LIVE: Final = SOURCE_NUMBERS["live"]


@dataclass(slots=True)
class _Entry:
    """A standing and what has been decided about it so far."""

    standing: Standing
    status: Status
    stored: list[int]
    move: dict[str, Any] = field(default_factory=dict)
    gap: bool = False


class Ledger:
    """Collects decisions; ``write`` puts them into the database, one statement per kind of change."""

    def __init__(self, standings: Iterable[Standing], now: datetime) -> None:
        self._now = now
        self._entries = {s.id: _Entry(s, Status(s.status), [s.runner_counter, s.live_counter]) for s in standings}
        self._positions: dict[JobId, int] = {e.standing.job_id: e.standing.job_position for e in self._entries.values()}
        self._jobs: dict[JobId, str] = {e.standing.job_id: e.standing.job_uuid for e in self._entries.values()}
        self._batches: list[dict[str, Any]] = []
        self._results: list[dict[str, Any]] = []
        self._ended: list[str] = []

    def move(self, job_host_id: JobHostId, wanted: Status, reason: str | None = None, **values: Any) -> bool:
        """Move a job host if the table allows it; ``values`` are further columns to write."""
        entry = self._entries[job_host_id]
        if not rules.may_become(entry.status, wanted):
            return False
        entry.status = wanted
        entry.move.update(status=wanted, reason=reason, **values)
        if wanted in rules.ENDED:
            entry.move["finished_at"] = self._now
            self._ended.append(entry.standing.uuid)
        elif wanted == Status.RUNNING:
            entry.move.setdefault("started_at", self._now)
            entry.move.update(finished_at=None, reason=reason or "")
        return True

    def ask_stop(self, job_host_id: JobHostId) -> None:
        """Remember that a job host on its host shall end."""
        entry = self._entries[job_host_id]
        entry.move["stop_asked_at"] = entry.standing.stop_asked_at or self._now
        entry.move["told"] = True

    def take(self, note: Note) -> None:
        """Take what a host says about one of its jobs."""
        entry = self._entries.get(note.job_host_id)
        if entry is None:
            return
        if isinstance(note, Batch):
            self._take_batch(entry, note)
        elif isinstance(note, Sighting):
            self._take_sighting(entry, note)
        else:
            self._take_ending(entry, note)

    def _take_batch(self, entry: _Entry, batch: Batch) -> None:
        number = SOURCE_NUMBERS[batch.source]
        stored = entry.stored[number]
        if entry.status in rules.ENDED - {Status.LOST}:
            return
        if not rules.fits(stored, batch.first):
            entry.gap = True
            return
        items = batch.items[stored + 1 - batch.first :]
        if not items:
            return
        if entry.status != Status.RUNNING:
            self._runs(entry, returned=True)
        if rules.is_kept(sum(entry.stored), entry.standing.bytes + entry.move.get("bytes", 0)):
            self._batches.append(self._row(entry.standing, number, stored + 1, items))
        entry.stored[number] += len(items)
        entry.move["events"] = entry.move.get("events", 0) + len(items)
        entry.move["bytes"] = entry.move.get("bytes", 0) + batch.size_bytes

    def _row(self, standing: Standing, number: int, first: int, items: tuple[Any, ...]) -> dict[str, Any]:
        position = self._positions[standing.job_id]
        self._positions[standing.job_id] = position + len(items)
        return {
            "d": standing.job_date,
            "h": standing.id,
            "s": number,
            "f": first,
            "j": standing.job_id,
            "p": position + 1,
            "i": items,
        }

    def _runs(self, entry: _Entry, *, returned: bool) -> None:
        back = returned and entry.status == Status.REBOOTING
        self.move(entry.standing.id, Status.RUNNING)
        if back:
            entry.move["returned_at"] = self._now

    def _take_sighting(self, entry: _Entry, sighting: Sighting) -> None:
        restarts = sighting.state == "rebooting"
        if restarts and entry.status == Status.REBOOTING:
            return
        if (restarts or sighting.state in {"running", "ended"}) and entry.status != Status.RUNNING:
            self._runs(entry, returned=sighting.state == "running")
        if restarts:
            self.move(entry.standing.id, Status.REBOOTING, rebooting_at=self._now)

    def _take_ending(self, entry: _Entry, ending: Ending) -> None:
        ended = ending.ended
        if entry.status in rules.ENDED - {Status.LOST}:
            return
        if not ending.incomplete and not rules.is_complete(ended, entry.stored[_RUNNER], entry.stored[_LIVE]):
            entry.gap = True
            return
        status, reason = rules.verdict(ended)
        if ending.incomplete:
            reason = f"{reason} (some events never arrived)".strip()
        if self.move(entry.standing.id, status, reason, **_end_values(ended)):
            self._note_results(entry, ended.results)

    def append(self, job_host_id: JobHostId, items: tuple[dict[str, Any], ...], size_bytes: int) -> None:
        """Add live events whose source does not number them; the state stays what it is."""
        entry = self._entries[job_host_id]
        if rules.is_kept(sum(entry.stored), entry.standing.bytes + entry.move.get("bytes", 0)):
            self._batches.append(self._row(entry.standing, _LIVE, entry.stored[_LIVE] + 1, items))
        entry.stored[_LIVE] += len(items)
        entry.move["events"] = entry.move.get("events", 0) + len(items)
        entry.move["bytes"] = entry.move.get("bytes", 0) + size_bytes

    def close(self, job_host_id: JobHostId, status: Status, reason: str, results: Iterable[Result] = ()) -> bool:
        """End a job host whose source counts nothing: what is stored is all there is."""
        entry = self._entries[job_host_id]
        final = {"final_runner": entry.stored[_RUNNER], "final_live": entry.stored[_LIVE]}
        moved = self.move(job_host_id, status, reason, **final)
        if moved:
            self._note_results(entry, results)
        return moved

    def _note_results(self, entry: _Entry, results: Iterable[Result]) -> None:
        self._results += [
            {"job_host_id": entry.standing.id, "module": r.module, "digest": r.digest, "size": r.size} for r in results
        ]

    async def write(self, tx: Tx) -> None:
        """Write everything and ring afterwards."""
        if self._batches:
            await event_rows.insert_events(tx, self._batches)
        if self._results:
            await library.insert_results(tx, self._results)
        changed = [entry for entry in self._entries.values() if entry.move]
        if not changed:
            return
        moved = {entry.standing.job_id for entry in changed if entry.move.keys() & {"status", "told"}}
        for job_id in moved:
            self._positions[job_id] += 1
        await life.update_standings(tx, [self._update(entry) for entry in changed])
        touched = {entry.standing.job_id for entry in changed}
        finished = await life.update_jobs(
            tx, [{"id": i, "position": self._positions[i], "moved": i in moved} for i in sorted(touched)], self._now
        )
        for job_id in touched:
            tx.after_commit(announce(JobChanged(self._jobs[job_id])))
        if self._ended:
            tx.after_commit(announce(JobHostsEnded(tuple(self._ended), tuple(finished))))
        if finished:
            tx.after_commit(announce(JobListChanged()))

    def _update(self, entry: _Entry) -> dict[str, Any]:
        values = {name: value for name, value in entry.move.items() if name != "told"}
        if entry.move.keys() & {"status", "told"}:
            values["position"] = self._positions[entry.standing.job_id]
        return {"id": entry.standing.id, "runner": entry.stored[_RUNNER], "live": entry.stored[_LIVE], **values}

    @property
    def ended(self) -> list[str]:
        """The UUIDs of the job hosts that reached their end."""
        return self._ended

    def outcome(self) -> list[Stored]:
        """Return what is stored of every job host, for the acknowledgements."""
        return [
            Stored(
                entry.standing.id,
                entry.stored[_RUNNER],
                entry.stored[_LIVE],
                gap=entry.gap,
                over=entry.status in rules.ENDED - {Status.LOST},
            )
            for entry in self._entries.values()
        ]


def _end_values(ended: JobEnded) -> dict[str, Any]:
    return {"rc": ended.rc, "counters": ended.counters, "final_runner": ended.runner, "final_live": ended.live}
