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
        detail: what else a reader needs; never a secret.
    """

    id: int
    at: datetime
    actor_kind: str
    actor_id: str
    actor_name: str
    via: str
    address: str
    action: str
    subject_kind: str
    subject_id: str
    subject_name: str
    detail: dict[str, Any]
    request_id: str
