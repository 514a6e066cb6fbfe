"""Background work as JSON, in the names existing programs know."""

from typing import Any, Final

from server.background.models import Run, Scheduled
from server.background.rules import every

_STATUS: Final = {"waiting": "waiting", "running": "active", "done": "completed", "failed": "failed"}


def scheduled(one: Scheduled) -> dict[str, Any]:
    """Return a task of the clock."""
    last = one.last
    return {
        "name": one.title,
        "queue": one.name,
        "description": one.about,
        "schedule": every(one.every_seconds),
        "trigger": one.also or None,
        "status": "Failed" if last is not None and last.error else "Active",
        "lastRun": last.began_at if last is not None else None,
        "lastDurationMs": last.duration_ms if last is not None else None,
        "lastError": (last.error or None) if last is not None else None,
        "nextRun": one.next_at,
        "runs": last.runs if last is not None else 0,
        "failures": last.failures if last is not None else 0,
    }


def run(one: Run) -> dict[str, Any]:
    """Return one run."""
    return {
        "id": one.id,
        "job_name": one.name,
        "status": _STATUS[one.state],
        "cause": one.cause,
        "asked_by": one.asked_by or None,
        "attempt": one.attempt,
        "created_at": one.asked_at,
        "started_at": one.began_at,
        "completed_at": one.ended_at,
        "error_message": one.error or None,
    }
