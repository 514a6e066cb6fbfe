"""What a job's artifacts are made of."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EventFile:
    """One event of a host's play as ansible-runner keeps it in a file; ``text`` is its JSON, made by PostgreSQL."""

    counter: int
    uuid: str
    stdout: str
    text: str
