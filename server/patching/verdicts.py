"""What the real runs of a host amount to, and why they failed in few words."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from server.core.ids import HostId
from server.patching import causes
from server.patching.models import Status


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the real runs of a host amount to; dry runs say nothing about it.

    Attributes:
        last_status: how the last one ended, which is ``last_run``; ``None`` before the first.
        consecutive_failures: failed ones since the last success; those that were cancelled count neither way.
        cause: ``last_error`` in the words by which failures are grouped, empty while nothing fails.
    """

    host_id: HostId
    last_success_at: datetime | None = None
    last_attempt_at: datetime | None = None
    last_status: str | None = None
    last_run: str | None = None
    consecutive_failures: int = 0
    last_error: str = ""
    cause: str = ""

    def row(self) -> dict[str, object]:
        """Return it as the database takes it."""
        return asdict(self)


OTHER: Final = "Another reason"
_BY_STATUS: Final = {Status.TIMED_OUT: "Took too long", Status.AGENT_DISCONNECTED: "Agent disconnected"}


def cause_of(status: str, error: str) -> str:
    """Return the cause of a failed run from its state and what was said about it."""
    return causes.known(error)[0] or _BY_STATUS.get(Status(status), OTHER)
