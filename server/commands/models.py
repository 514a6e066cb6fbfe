"""Commands and what became of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

Kind = Literal[
    "report_now", "update_agent", "refresh_integration_status", "docker_inventory_refresh", "apply_config"
]  # fmt: skip
Status = Literal["waiting", "active", "completed", "failed"]

#: What people call them.
TITLES: Final[dict[str, str]] = {
    "report_now": "Fetch report",
    "update_agent": "Update agent",
    "refresh_integration_status": "Refresh integration status",
    "docker_inventory_refresh": "Refresh Docker inventory",
    "apply_config": "Apply configuration",
}


@dataclass(frozen=True, slots=True)
class Command:
    """Something an agent was asked.

    Attributes:
        id: its UUID.
        sent_at: when it went out; ``None`` while it waits.
        error: why it failed, in words.
    """

    id: str
    kind: Kind
    status: Status
    asked_by: str
    created_at: datetime
    sent_at: datetime | None
    finished_at: datetime | None
    error: str

    @property
    def title(self) -> str:
        """What people call it."""
        return TITLES[self.kind]


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking one of many hosts."""

    id: str
    success: bool
    error: str = ""
