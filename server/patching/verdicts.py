"""What the real runs of a host amount to, and why they failed in few words."""

import re
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

from server.core.ids import HostId
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
#: The first that fits; causes stand before their consequences.
_CAUSES: Final = tuple(
    (re.compile(pattern, re.IGNORECASE), cause)
    for pattern, cause in (
        (r"disk of the host is full|no space left|not enough (?:free )?space|disk quota", "Disk full"),
        (r"read-only", "File system read-only"),
        (r"holds /var/|could not get lock|gave up after|is locked|lock-frontend", "Package manager locked"),
        (r"half (?:installed|configured)|could not be set up|dpkg was interrupted", "Package could not be set up"),
        (r"dependencies contradict|unmet dependencies|lack what they depend on|held broken", "Dependency conflict"),
        (r"not signed|authenticated|no_pubkey", "Package source not trusted"),
        (r"no longer, in the package sources|unable to locate|not installed|has no installation", "Package gone"),
        (r"source cannot be reached|failed to fetch|could not resolve|some index files", "Package source unreachable"),
        (r"snapshot", "Snapshot failed"),
        (r"\b(?:pre|drain)\b.*(?:hook|playbook)|before (?:the )?patching", "Playbook before patching failed"),
        (r"\b(?:post|verify)\b.*(?:hook|playbook)|after (?:the )?patching", "Playbook after patching failed"),
        (r"did not (?:come back|return)|same boot|reboot|restart of the host", "Reboot failed"),
        (r"refused by|policy of the (?:host|agent)|not allowed", "Refused by the host"),
        (r"timed out|took longer than|did not end within", "Took too long"),
        (r"disconnected|agent (?:was|is) (?:gone|lost)|unreachable|offline", "Agent disconnected"),
    )
)
_BY_STATUS: Final = {Status.TIMED_OUT: "Took too long", Status.AGENT_DISCONNECTED: "Agent disconnected"}


def cause_of(status: str, error: str) -> str:
    """Return the cause of a failed run from its state and what was said about it."""
    found = next((cause for pattern, cause in _CAUSES if pattern.search(error)), "")
    return found or _BY_STATUS.get(Status(status), OTHER)
