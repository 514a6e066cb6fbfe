"""What workflows and schedules announce; the facts that a message about one needs travel along."""

from dataclasses import dataclass
from typing import ClassVar

from server.core.bus import Event


@dataclass(frozen=True, slots=True)
class WorkflowEvent(Event):
    """Something happened to a run.

    Attributes:
        step: the step it is about; empty when it is about the whole run.
        reason: in plain words; empty when there is nothing to explain.
    """

    name: ClassVar[str] = "workflow"
    severity: ClassVar[str] = "informational"
    run: str
    run_name: str
    step: str = ""
    reason: str = ""
    reference_type: str = "workflow_run"

    @property
    def link(self) -> str:
        """Where a person reads more."""
        return f"/workflows/runs/{self.run}"


@dataclass(frozen=True, slots=True)
class WorkflowStarted(WorkflowEvent):
    """Its first steps begin."""

    name: ClassVar[str] = "workflow_started"


@dataclass(frozen=True, slots=True)
class WorkflowAwaitsApproval(WorkflowEvent):
    """Somebody has to decide whether it goes on."""

    name: ClassVar[str] = "workflow_awaits_approval"
    severity: ClassVar[str] = "warning"


@dataclass(frozen=True, slots=True)
class WorkflowSucceeded(WorkflowEvent):
    """It is over, and nothing failed that was not provided for."""

    name: ClassVar[str] = "workflow_succeeded"


@dataclass(frozen=True, slots=True)
class WorkflowFailed(WorkflowEvent):
    """It is over, and something failed."""

    name: ClassVar[str] = "workflow_failed"
    severity: ClassVar[str] = "error"


@dataclass(frozen=True, slots=True)
class WorkflowCancelled(WorkflowEvent):
    """Somebody ended it."""

    name: ClassVar[str] = "workflow_cancelled"
    severity: ClassVar[str] = "warning"


@dataclass(frozen=True, slots=True)
class ScheduleRefused(Event):
    """A schedule was due and could not start; ``reason`` says why."""

    name: ClassVar[str] = "schedule_refused"
    severity: ClassVar[str] = "error"
    schedule: str
    schedule_name: str
    reason: str = ""
    reference_type: str = "schedule"

    @property
    def link(self) -> str:
        """Where a person reads more."""
        return f"/schedules/{self.schedule}"


@dataclass(frozen=True, slots=True)
class ScheduleMissed(ScheduleRefused):
    """A schedule was due while no server ran."""

    name: ClassVar[str] = "schedule_missed"
    severity: ClassVar[str] = "warning"


@dataclass(frozen=True, slots=True)
class WorkflowRunChanged(Event):
    """A run or one of its steps is elsewhere; its followers look."""

    name: ClassVar[str] = "workflow_run_changed"
    run: str = ""

    @property
    def topic(self) -> str:
        """One topic per run."""
        return run_topic(self.run)


@dataclass(frozen=True, slots=True)
class WorkflowsChanged(Event):
    """Workflows, runs or schedules were made or moved: lists look again, and whatever carries runs on."""

    name: ClassVar[str] = "workflows_changed"


def run_topic(run: str) -> str:
    """Return the topic of a run's followers."""
    return f"workflow_run:{run}"
