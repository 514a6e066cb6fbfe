"""What compliance announces; the facts that a message about it needs travel along."""

from dataclasses import dataclass
from typing import ClassVar

from server.core.bus import Event


@dataclass(frozen=True, slots=True)
class ComplianceScanCompleted(Event):
    """A host handed in scans; one for every submission.

    Attributes:
        title: ``Compliance Scan - <host>``, and how many rules failed.
        profiles: per scan a name, its score in percent (empty without one), passed and failed rules.
        total: rules that were looked at.
    """

    name: ClassVar[str] = "compliance_scan_completed"
    host: str
    host_name: str
    title: str
    severity: str
    failed: int
    passed: int
    total: int
    profiles: tuple[tuple[str, str, int, int], ...] = ()
    reference_type: str = "host"

    @property
    def link(self) -> str:
        """Where a person reads more."""
        return f"/compliance/hosts/{self.host}"


@dataclass(frozen=True, slots=True)
class ComplianceScanFailed(Event):
    """One scanner could not do its work; ``error`` is what it said, at most 300 characters."""

    name: ClassVar[str] = "compliance_scan_failed"
    severity: ClassVar[str] = "error"
    host: str
    host_name: str
    profile_name: str
    profile_type: str
    error: str
    reference_type: str = "host"

    @property
    def link(self) -> str:
        """Where a person reads more."""
        return f"/compliance/hosts/{self.host}"


@dataclass(frozen=True, slots=True)
class _Remediation(Event):
    """What came of a remediation by playbook; ``reason`` is empty where every rule stands as required."""

    host: str
    host_name: str
    remedy: str
    rules: int
    reason: str
    reference_type: str = "host"

    @property
    def link(self) -> str:
        """Where a person reads more."""
        return f"/compliance/remedies/{self.remedy}"


@dataclass(frozen=True, slots=True)
class ComplianceRemediationCompleted(_Remediation):
    """The rules stand as required now."""

    name: ClassVar[str] = "compliance_remediation_completed"
    severity: ClassVar[str] = "informational"


@dataclass(frozen=True, slots=True)
class ComplianceRemediationFailed(_Remediation):
    """Some rules do not, or nobody could look."""

    name: ClassVar[str] = "compliance_remediation_failed"
    severity: ClassVar[str] = "error"


@dataclass(frozen=True, slots=True)
class ComplianceRemediationAwaits(_Remediation):
    """It was tried, and somebody else than who asked has to approve it."""

    name: ClassVar[str] = "compliance_remediation_awaits_approval"
    severity: ClassVar[str] = "warning"


@dataclass(frozen=True, slots=True)
class ComplianceRemediationRejected(_Remediation):
    """Somebody turned it down."""

    name: ClassVar[str] = "compliance_remediation_rejected"
    severity: ClassVar[str] = "informational"


@dataclass(frozen=True, slots=True)
class _Waiver(Event):
    """A waiver's last day; ``place`` is a host, a group or the whole fleet, in words."""

    waiver: str
    rule: str
    rule_title: str
    place: str
    owner: str
    expires_on: str
    reference_type: str = "compliance_rule"

    @property
    def link(self) -> str:
        """Where a person reads more."""
        return f"/compliance/rules/{self.rule}"


@dataclass(frozen=True, slots=True)
class ComplianceWaiverExpiring(_Waiver):
    """It ends within a week; announced once, and again for a new last day."""

    name: ClassVar[str] = "compliance_waiver_expiring"
    severity: ClassVar[str] = "warning"


@dataclass(frozen=True, slots=True)
class ComplianceWaiverExpired(_Waiver):
    """It is not in force any more: the rule counts again."""

    name: ClassVar[str] = "compliance_waiver_expired"
    severity: ClassVar[str] = "warning"


@dataclass(frozen=True, slots=True)
class ComplianceChanged(Event):
    """Scans or tasks were made, moved or ended: pages look again, and who watches the jobs."""

    name: ClassVar[str] = "compliance_changed"
    hosts: tuple[int, ...] = ()
