"""The job supervisor: a small process per job that owns the play, its events, its results and its end."""

from .launch import CannotSupervise, alive, start, stop

__all__ = ["CannotSupervise", "alive", "start", "stop"]
