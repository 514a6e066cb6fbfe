"""What workflows and schedules refuse."""

from server.core.errors import Conflict, Invalid, Missing, Refused


class WorkflowMissing(Missing):
    """No workflow has this id."""

    code = "workflow_not_found"
    text = "Workflow not found"


class RunMissing(Missing):
    """No run has this id."""

    code = "workflow_run_not_found"
    text = "Workflow run not found"


class ScheduleMissing(Missing):
    """No schedule has this id."""

    code = "schedule_not_found"
    text = "Schedule not found"


class BadWorkflow(Invalid):
    """The workflow cannot be like this."""

    code = "bad_workflow"
    text = "The workflow cannot be saved like this"


class BadSchedule(Invalid):
    """The schedule cannot be like this."""

    code = "bad_schedule"
    text = "The schedule cannot be saved like this"


class WholeFleetWorkflows(Refused):
    """Workflows are everybody's; who sees a part of the fleet launches them, and does not change them."""

    code = "whole_fleet_only"
    text = "Workflows are changed by people who see the whole fleet"


class RunOver(Conflict):
    """There is nothing left to cancel."""

    code = "workflow_run_over"
    text = "The run is over"


class RunNotOver(Conflict):
    """Relaunching waits for the end."""

    code = "workflow_run_not_over"
    text = "The run is not over"


class NothingFailed(Conflict):
    """Every step succeeded."""

    code = "nothing_failed"
    text = "No step of this run failed"


class NotWaiting(Conflict):
    """This step waits for nobody."""

    code = "not_waiting"
    text = "This step does not wait for an approval"
