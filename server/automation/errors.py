"""What automation refuses."""

from server.core.errors import Conflict, Invalid, Missing, Refused


class JobMissing(Missing):
    """No job has this id."""

    code = "job_not_found"
    text = "Job not found"


class PlaybookMissing(Missing):
    """No playbook has this name."""

    code = "playbook_not_found"
    text = "Playbook {name} not found"


class ResultMissing(Missing):
    """The job host has no such result."""

    code = "result_not_found"
    text = "Result not found"


class MayNotLaunch(Refused):
    """The person may look, not launch."""

    code = "may_not_launch"
    text = "Launching {playbook} needs the permission {permission}"


class NotLaunchable(Invalid):
    """The order for a job has complaints."""

    code = "job_not_launchable"
    text = "The job cannot be launched like this"


class NothingToRelaunch(Conflict):
    """Every host of the job succeeded, or some are not finished yet."""

    code = "nothing_to_relaunch"
    text = "No host of this job failed"


class JobStillRunning(Conflict):
    """Relaunching waits for the end."""

    code = "job_still_running"
    text = "The job is still running"


class JobFinished(Conflict):
    """There is nothing left to stop."""

    code = "job_finished"
    text = "The job is already finished"


class BadResult(Invalid):
    """An uploaded result does not match its name."""

    code = "bad_result"
    text = "The content does not match its digest"


class NothingToApprove(Conflict):
    """No host of the job awaits approval."""

    code = "nothing_to_approve"
    text = "This job does not await approval"


class NotYourOwn(Refused):
    """A second person approves."""

    code = "not_your_own_job"
    text = "Somebody else than who launched this job has to approve it"


class KeyTaken(Conflict):
    """The idempotency key was used for something else."""

    code = "idempotency_key_taken"
    text = "This idempotency key was used for another request; take a new key for a new request"


class BadKey(Invalid):
    """The idempotency key is none."""

    code = "bad_idempotency_key"
    text = "The idempotency key cannot be used"

    @classmethod
    def of(cls, complaints: dict[str, str]) -> "BadKey":
        """Return the refusal with what is wrong."""
        return cls(complaints)


class HostUnknown(Missing):
    """No host of this name that the actor may see."""

    code = "host_not_found"
    text = "There is no host {name} here"


class HostAmbiguous(Conflict):
    """A name that several hosts have."""

    code = "host_ambiguous"
    text = "Several hosts are called {name}: use the host's id (ansible_patchmon_host)"


class HostOffline(Conflict):
    """No process holds a link of the host."""

    code = "host_offline"
    text = "The host's agent is not connected"


class CannotRelay(Refused):
    """The host's agent cannot relay, or its own file forbids it."""

    code = "cannot_relay"
    text = "Nothing can be relayed to this host: {reason}"


class RelayCut(Conflict):
    """The connection went away while an operation ran over it."""

    code = "relay_cut"
    text = "{reason}"


class BadRelay(Invalid):
    """The request for an operation cannot be understood."""

    code = "bad_relay"
    text = "This is no request for the relay: {reason}"
