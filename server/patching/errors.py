"""What patching refuses."""

from server.core.errors import Conflict, Invalid, Missing, Refused


class RunMissing(Missing):
    """No run has this id, or its host is outside the asker's groups."""

    code = "patch_run_not_found"
    text = "Patch run not found"


class PolicyMissing(Missing):
    """No policy has this id."""

    code = "patch_policy_not_found"
    text = "Policy not found"


class AssignmentMissing(Missing):
    """The policy has no such assignment or exclusion."""

    code = "patch_assignment_not_found"
    text = "Assignment not found"


class TargetMissing(Missing):
    """A host or group that was named does not exist."""

    code = "patch_target_not_found"
    text = "{kind} not found"


class BadRun(Invalid):
    """What was asked for cannot become a run; ``complaints`` says what, field by field."""

    code = "invalid_body"
    text = "{error}"

    @classmethod
    def of(cls, complaints: dict[str, str]) -> "BadRun":
        """Return the refusal that says the first complaint and carries all of them."""
        return cls(complaints, error=next(iter(complaints.values())))


class NotApprovable(Invalid):
    """The run is not waiting for an approval; somebody else may have been faster."""

    code = "patch_run_not_approvable"
    text = "Only validated, pending validation or pending approval runs can be approved"


class NotRetryable(Invalid):
    """Only a dry run that waits is repeated."""

    code = "patch_run_not_retryable"
    text = "Only runs pending validation can be validated again"


class NotDeletable(Invalid):
    """The run is running or over."""

    code = "patch_run_not_deletable"
    text = "Runs that are {status} cannot be deleted"


class RunStarting(Conflict):
    """The host is being given the run at this moment: it is started, not deleted."""

    code = "patch_run_starting"
    text = "The run is being handed to its host and can no longer be deleted"


class NotStoppable(Invalid):
    """The run is not running yet."""

    code = "patch_run_not_running"
    text = "Only running runs can be stopped; delete the run instead"


class RunFinished(Conflict):
    """There is nothing left to stop."""

    code = "patch_run_finished"
    text = "Run already finished"


class AgentAway(Conflict):
    """Nobody is there to hear the word."""

    code = "agent_not_connected"
    text = "Agent is not currently connected"


class NoRollback(Conflict):
    """What a run replaced cannot be put back, or not yet."""

    code = "patch_run_no_rollback"
    text = "{error}"


class HookRefused(Refused):
    """Around a run people may only have run what they may launch."""

    code = "may_not_launch"
    text = "Running {playbook} before or after a patch run needs the permission can_manage_automation"


class BadPolicy(BadRun):
    """What was sent is no policy."""


class DirectlyAssigned(Invalid):
    """An exclusion takes a host out of what it inherits; this one inherits nothing."""

    code = "patch_host_directly_assigned"
    text = "The policy is assigned to this host directly; remove the assignment instead"


class AlreadyAssigned(Invalid):
    """The policy has this target already."""

    code = "patch_already_assigned"
    text = "The policy is already assigned to this {kind}"


class WholeFleetPolicies(Refused):
    """A policy may reach hosts that the asker does not see."""

    code = "whole_fleet_only"
    text = "Only people who see the whole fleet can make, change or delete policies"


class BadRunId(Invalid):
    """What stands for a run in the path is no id."""

    code = "invalid_body"
    text = "Invalid patch run ID"


class BadPost(Invalid):
    """What an agent posted cannot be read."""

    code = "invalid_body"
    text = "Invalid JSON"


class GuidNeeded(Invalid):
    """An agent told the result of no update."""

    code = "invalid_body"
    text = "guid is required"


class UnknownRun(Missing):
    """An agent speaks of a run that is not there."""

    text = "Patch run not found"


class NotYours(Refused):
    """An agent speaks of a run of another host; its body is the contract's, without a code."""

    code = "unauthorized"
    text = "Patch run does not belong to this host"
