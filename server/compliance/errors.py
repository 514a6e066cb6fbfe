"""What compliance refuses."""

from server.core.errors import Conflict, Invalid, Missing, Refused, TooLarge, Unavailable


class HostMissing(Missing):
    """No host has this id, or it is outside the asker's groups."""

    code = "host_not_found"
    text = "Host not found"


class ScanMissing(Missing):
    """No scan has this id."""

    code = "compliance_scan_not_found"
    text = "Scan not found"


class RuleMissing(Missing):
    """No rule has this id."""

    code = "compliance_rule_not_found"
    text = "Rule not found"


class BadRequest(Invalid):
    """What was asked for makes no sense; ``complaints`` says what, field by field."""

    code = "invalid_body"
    text = "{error}"

    @classmethod
    def of(cls, complaints: dict[str, str]) -> "BadRequest":
        """Return the refusal that says the first complaint and carries all of them."""
        return cls(complaints, error=next(iter(complaints.values())))


class IsDisabled(Invalid):
    """The host's mode lets no scanner run."""

    code = "compliance_disabled"
    text = "Compliance is disabled for this host"


class ScannerOff(Invalid):
    """The scanner that was asked for is switched off on the host."""

    code = "scanner_disabled"
    text = "{scanner} is not enabled for this host"


class BenchRule(Invalid):
    """Docker Bench says what to do, and does nothing."""

    code = "rule_not_remediable"
    text = "Docker Bench rules cannot be remediated automatically"


class UnderWay(Conflict):
    """One at a time."""

    code = "scan_in_progress"
    text = "A scan is already in progress for this host"


class TaskUnderWay(Conflict):
    """One at a time."""

    code = "compliance_task_in_progress"
    text = "{what} is already in progress for this host"


class AgentAway(Conflict):
    """The host's agent has no link."""

    code = "agent_not_connected"
    text = "Agent is not currently connected"


class CannotYet(Conflict):
    """No playbook for it is published."""

    code = "playbook_missing"
    text = "This server has no playbook for this yet: {name}"


class BadSubmission(Invalid):
    """What an agent sent is no JSON."""

    code = "invalid_body"
    text = "Invalid JSON body"


class NoScans(Invalid):
    """What an agent sent holds no scan."""

    code = "invalid_body"
    text = "Invalid payload: expected 'scans' array or 'profile_name'"


class HashMismatch(Invalid):
    """The hash is not the one of what was sent."""

    code = "invalid_body"
    text = "compliance hash mismatch"


class AllRejected(Refused):
    """Every scan is by a scanner that is switched off on the host."""

    code = "scanner_disabled"
    text = "The scanners of this submission are disabled for this host"


class BadFilename(Invalid):
    """Not the name of a content file."""

    code = "invalid_body"
    text = "Invalid filename"


class ContentMissing(Missing):
    """No such content file."""

    text = "Content file not found"


class RemedyMissing(Missing):
    """No remediation has this id."""

    code = "compliance_remedy_not_found"
    text = "Remediation not found"


class NothingToFix(Invalid):
    """None of the rules fails on the host, or none has a fix."""

    code = "nothing_to_fix"
    text = "{reason}"


class OnlyRuleByRule(Conflict):
    """An existing agent runs no playbook."""

    code = "existing_agent"
    text = "{host} has an existing agent, which fixes one rule at a time: use Remediate beside the rule"


class NotNow(Conflict):
    """The remediation is elsewhere on its way."""

    code = "compliance_remedy_not_now"
    text = "{reason}"


class WaiverMissing(Missing):
    """No waiver has this id, or it is about hosts outside the asker's groups."""

    code = "compliance_waiver_not_found"
    text = "Waiver not found"


class NeverScanned(Conflict):
    """There is nothing to compare."""

    code = "compliance_never_scanned"
    text = "{host} never completed a scan by this scanner: scan it first"


class NoArf(Missing):
    """The scanner's own result of a scan was not handed in, or is kept no longer."""

    code = "compliance_arf_not_found"
    text = (
        "There is no ARF of this scan: it is kept for 90 days of OpenSCAP scans that were asked for with it, "
        "by agents that run playbooks"
    )


class PolicyMissing(Missing):
    """No policy of automatic remediation has this id, or its group is not among the asker's."""

    code = "compliance_policy_not_found"
    text = "Policy not found"


class GroupMissing(Missing):
    """No group has this id, or it is not among the asker's."""

    text = "Host group not found"


class WaivedAlready(Conflict):
    """The same rule is waived in the same place."""

    code = "compliance_waiver_exists"
    text = "This rule is waived there already: change or revoke the waiver that is in force"


class WaiverRevoked(Conflict):
    """What was revoked stays so: who wants it back says why."""

    code = "compliance_waiver_revoked"
    text = "This waiver was revoked: make a new one"


class WholeFleetWaiver(Refused):
    """Waivers of the whole fleet are made by who sees all of it."""

    code = "whole_fleet_needed"
    text = "Only people who see the whole fleet make, change or revoke waivers for it: choose a host or a group"


class SecondPerson(Conflict):
    """Who asked for a remediation may not approve it."""

    code = "second_person_needed"
    text = "Somebody else has to approve this: you asked for it"


class NoContent(Unavailable):
    """The content folder holds nothing that can be used."""

    code = "no_content"
    text = "No SSG content available on server"


class BadGuide(Invalid):
    """What was uploaded is no guide, not whole, or not safe to read."""

    code = "bad_guide"
    text = "{reason}"


class GuideTooLarge(TooLarge):
    """More bytes than a guide or a tailoring file may have, packed or unpacked."""

    code = "guide_too_large"
    text = "{what} may have at most {most} MB"


class GuideMissing(Missing):
    """No uploaded guide has this id."""

    code = "guide_not_found"
    text = "Guide not found"


class GuideKnown(Conflict):
    """The same bytes were uploaded before."""

    code = "guide_known"
    text = "This file is there already, as {title}"


class GuideUsed(Conflict):
    """Hosts scan by a profile that only this guide has."""

    code = "guide_used"
    text = "It has the default profile of {hosts}. Give {them} another one first"


class NeedsOurAgent(Invalid):
    """Existing agents know guides and no tailoring files."""

    code = "agent_cannot_tailor"
    text = "This host's agent cannot take tailoring files. Choose a profile of its guide, or move it to our agent"
