"""What the pages of hosts show."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Happening:
    """A line of the host's history, for people."""

    at: datetime
    kind: str
    text: str
