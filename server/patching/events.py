"""What patching announces; the facts that a message about it needs travel along."""

from dataclasses import dataclass
from typing import ClassVar

from server.core.bus import Event


@dataclass(frozen=True, slots=True)
class PatchRunEvent(Event):
    """Something happened to a run.

    Attributes:
        packages: at most five names, then how many more.
        error: at most 300 characters.
    """

    name: ClassVar[str] = "patch_run"
    severity: ClassVar[str] = "informational"
    run: str
    host: str
    host_name: str
    patch_type: str
    dry_run: bool
    packages: str
    policy: str
    error: str = ""
    reference_type: str = "patch_run"

    @property
    def link(self) -> str:
        """Where a person reads more."""
        return f"/patching/runs/{self.run}"


@dataclass(frozen=True, slots=True)
class PatchRunStarted(PatchRunEvent):
    """The host began."""

    name: ClassVar[str] = "patch_run_started"


@dataclass(frozen=True, slots=True)
class PatchRunApproved(PatchRunEvent):
    """Somebody signed a run off."""

    name: ClassVar[str] = "patch_run_approved"


@dataclass(frozen=True, slots=True)
class PatchRunCompleted(PatchRunEvent):
    """A real run succeeded."""

    name: ClassVar[str] = "patch_run_completed"


@dataclass(frozen=True, slots=True)
class PatchRunFailed(PatchRunEvent):
    """A run did not succeed, dry or real."""

    name: ClassVar[str] = "patch_run_failed"
    severity: ClassVar[str] = "error"


@dataclass(frozen=True, slots=True)
class PatchRunCancelled(PatchRunEvent):
    """A run was deleted before it began, or stopped."""

    name: ClassVar[str] = "patch_run_cancelled"


@dataclass(frozen=True, slots=True)
class PatchRebootRequired(PatchRunEvent):
    """What was installed needs a restart; ``error`` says why."""

    name: ClassVar[str] = "patch_reboot_required"


@dataclass(frozen=True, slots=True)
class PatchRunChanged(Event):
    """A run is in another state, or gone; its followers look."""

    name: ClassVar[str] = "patch_run_changed"
    run: str = ""

    @property
    def topic(self) -> str:
        """One topic per run."""
        return run_topic(self.run)


@dataclass(frozen=True, slots=True)
class PatchRunsChanged(Event):
    """Runs were made, moved or deleted: lists look again, and who watches their jobs."""

    name: ClassVar[str] = "patch_runs_changed"


def run_topic(run: str) -> str:
    """Return the topic of a run's followers."""
    return f"patch_run:{run}"


@dataclass(frozen=True, slots=True)
class HostPatchEvent(Event):
    """How freshly a host is patched has changed; each change is announced once.

    Attributes:
        last_success_at: when it was patched last, in ISO form; empty for never.
        updates, security: what waits on it, where that was looked at.
        failures: failed runs since.
        cause: why, in few words; ``error`` is what the last run said, at most 300 characters.
    """

    name: ClassVar[str] = "host_patch"
    severity: ClassVar[str] = "informational"
    host: str
    host_name: str
    last_success_at: str = ""
    updates: int = 0
    security: int = 0
    failures: int = 0
    cause: str = ""
    error: str = ""
    reference_type: str = "host"

    @property
    def link(self) -> str:
        """Where a person reads more."""
        return f"/hosts/{self.host}"


@dataclass(frozen=True, slots=True)
class HostPatchStale(HostPatchEvent):
    """A host was not patched for longer than it should be, or never."""

    name: ClassVar[str] = "host_patch_stale"
    severity: ClassVar[str] = "warning"


@dataclass(frozen=True, slots=True)
class HostPatchFresh(HostPatchEvent):
    """A host that was announced as stale is fresh again."""

    name: ClassVar[str] = "host_patch_fresh"


@dataclass(frozen=True, slots=True)
class HostPatchFailing(HostPatchEvent):
    """Patching began to fail on a host, or fails for another cause than before."""

    name: ClassVar[str] = "host_patch_failing"
    severity: ClassVar[str] = "error"


@dataclass(frozen=True, slots=True)
class HostPatchRecovered(HostPatchEvent):
    """A host on which patching failed was patched."""

    name: ClassVar[str] = "host_patch_recovered"
