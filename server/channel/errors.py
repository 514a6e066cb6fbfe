"""What the channel refuses."""

from server.core.errors import Invalid


class MessageTooLong(Invalid):
    """Agents read 64 KiB at most and would drop the link."""

    code = "message_too_long"
    text = "The message {kind} is longer than an agent reads"
