"""Background work of identity."""

from typing import Final

from server.core.queue import Task
from server.identity import sessions

TASKS: Final = (
    Task(
        "identity.forget_sessions",
        sessions.sweep,
        every_seconds=3600,
        title="Forget ended sessions",
        about="Deletes sessions, links and trusted browsers that ended or fell idle.",
        also="session-cleanup",
    ),
)
