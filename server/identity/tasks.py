"""Background work of identity."""

from typing import Final

from server.core.queue import Task
from server.identity import sessions

TASKS: Final = (Task("identity.forget_sessions", sessions.sweep, every_seconds=3600),)
