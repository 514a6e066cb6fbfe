"""What the audit log holds."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Subject:
    """What was acted upon; ``name`` is kept because the thing itself may be gone when someone reads the log."""

    kind: str
    id: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the log.

    Attributes:
        action: ``room.what_happened``, e.g. ``identity.signed_in``.
        via: the session or token that was used, by its id.
        via_name: the name of the token.
        detail: what else a reader needs; never a secret.
    """

    id: int
    at: datetime
    actor_kind: str
    actor_id: str
    actor_name: str
    via: str
    via_name: str
    address: str
    action: str
    subject_kind: str
    subject_id: str
    subject_name: str
    detail: dict[str, Any]
    request_id: str


@dataclass(frozen=True, slots=True)
class Filter:
    """Which entries are asked for; what is empty does not count.

    Attributes:
        who: a part of the actor's name, or the whole id of the actor or of the session or token that was used.
        action: a whole action, or a room, which stands for all of its actions.
        subject: a part of the name of what was acted upon, its whole id or its kind.
        since, until: from this moment on, and before that one.
    """

    who: str = ""
    action: str = ""
    subject: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in the log, for reading on from there."""

    at: datetime
    id: int
