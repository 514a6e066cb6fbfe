"""Links, presence, and what an upper room that handles agent messages looks like."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeAlias

from server.core.call import World
from server.core.ids import HostId
from server.core.loop import Keeper

#: Existing agents drop a link that sends them more than this in one message.
MESSAGE_BYTES: Final = 64 * 1024

#: One decoded message of an agent; the room that registered for its ``type`` parses it.
Body: TypeAlias = dict[str, Any]


class Link(Protocol):
    """One open connection to one agent, as the rooms above see it.

    Attributes:
        opened_at: monotonic seconds, to tell how long it has been open.
        superseded: a newer connection of the same host holds the slot; this one only waits for its end.
    """

    host_id: HostId
    name: str
    opened_at: float
    superseded: bool

    def send(self, text: str) -> None:
        """Queue a message of at most ``MESSAGE_BYTES``; a link that does not read is dropped."""

    def close(self, reason: str) -> None:
        """End the connection; the agent comes back and both sides resume from what is stored."""


class Inbox(Protocol):
    """Takes the messages of the types it names, from every link of this process."""

    message_types: frozenset[str]

    def opened(self, link: Link) -> None:
        """A link took its host's slot."""

    async def received(self, link: Link, body: Body, size_bytes: int) -> None:
        """A message arrived; the link reads on when this returns, so waiting here slows the sender down."""

    def closed(self, link: Link) -> None:
        """A link lost its slot or ended."""


class Lines(Protocol):
    """What an inbox may ask of the links of its own process."""

    def link(self, host_id: HostId) -> Link | None:
        """Return the link that holds a host's slot here."""

    def host_ids(self) -> list[HostId]:
        """Return every host whose link is here."""


class OpenInbox(Protocol):
    """Opens an inbox for the life of the process."""

    def __call__(self, world: World, keeper: Keeper, lines: Lines) -> AbstractAsyncContextManager[Inbox]:
        """Return the inbox; it is closed when the process ends."""


@dataclass(frozen=True, slots=True)
class Presence:
    """Where a connected agent is.

    Attributes:
        server: id of the server process that holds the link.
        link: id of the connection, so that a late farewell of an older one changes nothing.
    """

    server: str
    link: str
    secure: bool
    since: datetime

    def encode(self) -> str:
        """Return the record's text; texts of newer connections sort behind those of older ones."""
        microseconds = int(self.since.timestamp() * 1_000_000)
        return f"{microseconds:016d} {self.server} {self.link} {int(self.secure)}"

    @classmethod
    def decode(cls, text: str) -> "Presence":
        """Return the record in a text made by ``encode``."""
        microseconds, server, link, secure = text.split(" ")
        return cls(server, link, secure == "1", datetime.fromtimestamp(int(microseconds) / 1_000_000, UTC))
