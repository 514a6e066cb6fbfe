"""The six kinds of refusal; a room subclasses one with a stable code and a sentence."""

from typing import Any, ClassVar


class Problem(Exception):
    """A refusal a person can act on. Bugs stay ordinary exceptions.

    Attributes:
        code: stable machine key, part of the public interface.
        text: sentence for a person; may contain ``{fact}`` placeholders filled from the keyword arguments.
        facts: the values that filled the sentence; never a secret, they are logged and sent.
    """

    code: ClassVar[str] = "problem"
    text: ClassVar[str] = "The request could not be carried out"

    def __init__(self, **facts: Any) -> None:
        self.facts = facts
        super().__init__(self.text.format(**facts) if facts else self.text)


class Missing(Problem):
    """The thing asked for does not exist, or must not be seen by the asker."""

    code = "not_found"
    text = "Not found"


class Refused(Problem):
    """The asker is known (or not) and may not do this."""

    code = "forbidden"
    text = "Insufficient permissions"


class Unknown(Refused):
    """Nobody is signed in, or the credentials are wrong."""

    code = "unauthorized"
    text = "Unauthorized"


class Conflict(Problem):
    """The thing is in a state that does not allow this."""

    code = "conflict"
    text = "The current state does not allow this"


class Invalid(Problem):
    """What was sent is wrong; ``complaints`` lists everything that is, field by field."""

    code = "invalid"
    text = "Invalid request body"

    def __init__(self, complaints: dict[str, str] | None = None, **facts: Any) -> None:
        super().__init__(**facts)
        self.complaints = complaints or {}


class TooLarge(Invalid):
    """More bytes than the limit of this door."""

    code = "too_large"
    text = "Request Entity Too Large"


class TooMany(Problem):
    """Asked too often; ``after_seconds`` says when it is worth trying again."""

    code = "too_many_requests"
    text = "Too many requests. Try again later."

    def __init__(self, after_seconds: int = 60, **facts: Any) -> None:
        super().__init__(**facts)
        self.after_seconds = after_seconds


class Unavailable(Problem):
    """Something we depend on is down; nothing is wrong with the request."""

    code = "unavailable"
    text = "Service temporarily unavailable. Please try again shortly."
