"""How numbers and states are shown."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from server.core.words import counted, number
from server.dashboard.models import Fleet, JobRow, JobSummary, State, Tile

# A job is what its most active host is, and when all have ended, what the worst of them is.
_TELLING: Final = (
    "running",
    "rebooting",
    "dispatched",
    "queued",
    "awaiting_approval",
    "scheduled",
    "failed",
    "timed_out",
    "lost",
    "unreachable",
    "cancelled",
    "succeeded",
)
_STATES: Final[Mapping[str, State]] = {
    "succeeded": "good",
    "failed": "bad",
    "timed_out": "bad",
    "lost": "bad",
    "unreachable": "bad",
    "cancelled": "neutral",
    "queued": "neutral",
    "scheduled": "neutral",
}
_WORDS: Final[Mapping[str, str]] = {"succeeded": "ok"}


def tiles(fleet: Fleet) -> list[Tile]:
    """Return the overview's tiles; each is a filter of the list of hosts."""
    silent = f", {number(fleet.never_reported)} never reported" if fleet.never_reported else ""
    updates, security = counted(fleet.updates, "update"), counted(fleet.security_updates, "update")
    return [
        Tile("Hosts", fleet.hosts, "/hosts", "neutral", f"{number(fleet.connected)} connected{silent}"),
        _warning("Need updates", fleet.need_updates, "/hosts?state=updates", "attention", f"{updates} in all"),
        _warning(
            "Need security updates", fleet.need_security_updates, "/hosts?state=security", "bad", f"{security} in all"
        ),
        _warning("Need a reboot", fleet.need_reboot, "/hosts?state=reboot", "attention", "to finish their updates"),
    ]


def _warning(label: str, value: int, url: str, state: State, hint: str) -> Tile:
    return Tile(label, value, url, state, hint) if value else Tile(label, value, url, "good", "nothing to do")


def summary(job: JobRow, now: datetime) -> JobSummary:
    """Return a job as the list shows it."""
    status = next((status for status in _TELLING if job.counts.get(status)), "queued")
    end = job.finished_at or now
    return JobSummary(
        id=job.id,
        url=f"/jobs/{job.id}",
        title=job.title,
        check=job.check_mode,
        status=status,
        state=_STATES.get(status, "attention"),
        live=job.finished_at is None and status in {"running", "rebooting", "dispatched"},
        counts=[
            (_WORDS.get(one, one.replace("_", " ")), job.counts[one], _STATES.get(one, "attention"))
            for one in (_TELLING[-1], *_TELLING[:-1])
            if job.counts.get(one)
        ],
        only_host=job.only_host,
        launched_by=job.launched_by,
        created_at=job.created_at,
        started_at=job.started_at,
        duration_seconds=(end - job.started_at).total_seconds() if job.started_at else None,
    )
