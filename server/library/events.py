"""What the library announces."""

from dataclasses import dataclass
from typing import ClassVar

from server.core.bus import Event


@dataclass(frozen=True, slots=True)
class ProjectSynced(Event):
    """A project was fetched, checked and published."""

    name: ClassVar[str] = "project_synced"
    severity: ClassVar[str] = "informational"
    project: str = ""
    title: str = ""
    revision: str = ""
    reason: str = ""
    reference_type: str = "project"

    @property
    def link(self) -> str:
        """Where a person reads more."""
        return f"/projects/{self.project}"


@dataclass(frozen=True, slots=True)
class ProjectSyncFailed(ProjectSynced):
    """A project could not be fetched or published; what could be launched before still can."""

    name: ClassVar[str] = "project_sync_failed"
    severity: ClassVar[str] = "error"
