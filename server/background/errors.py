"""What the background room refuses."""

from server.core.errors import Conflict, Invalid, Missing


class TaskMissing(Missing):
    """No such task, or none that may be started by hand."""

    code = "task_missing"
    text = "There is no such job to start by hand: {name}"


class RunMissing(Missing):
    """No such run, or it is older than runs are kept."""

    code = "run_missing"
    text = "This run is not on record (any more)"


class RunNotFailed(Conflict):
    """Only what failed can be tried again."""

    code = "run_not_failed"
    text = "Only a run that failed can be tried again"


class BadState(Invalid):
    """No such state."""

    code = "bad_state"
    text = "A run is waiting, running, done or failed"
