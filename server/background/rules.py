"""Pure decisions about background work."""

from server.core.queue import Task

#: Work that comes around more often leaves only its last run on record: thousands of equal lines tell nobody anything.
RECORDED_SECONDS = 60.0


def leaves_a_run(task: Task, cause: str) -> bool:
    """Tell whether a run of this task is put on record."""
    return cause != "schedule" or (task.every_seconds or 0) >= RECORDED_SECONDS


def title(task: Task) -> str:
    """Return a task's name for people."""
    return task.title or task.name.rpartition(".")[2].replace("_", " ").capitalize()


def every(seconds: float) -> str:
    """Return an interval in words."""
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"every {unit}" if count == 1 else f"every {count} {unit}s"
    return f"every {seconds:g} seconds"
