"""The conversation about jobs, without sockets, clocks or files: events in, effects out.

Both ends use this file. The server drives a ``ServerSession``, the agent an ``AgentSession``; whoever owns the socket
feeds what arrived and carries out the effects in order. A session lives as long as one connection: everything that must
outlive it is in the database on one side and in the job directories on the other.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Any, Dict, List, Tuple, Union

from .messages import (
    CHUNK_BYTES,
    PROTOCOL,
    WINDOW_CHUNKS,
    Content,
    Hello,
    JobAck,
    JobChunk,
    JobChunkOk,
    JobDrop,
    JobEnded,
    JobEvents,
    JobNeed,
    JobOffer,
    JobPosition,
    JobRefused,
    JobState,
    JobStop,
    Message,
    Welcome,
)

PARTS = ("project", "spec")


@dataclass(frozen=True)
class Send:
    """Put this message on the socket."""

    message: Message


# ------------------------------------------------------------------ server


@dataclass(frozen=True)
class Greeted:
    """Our agent introduced itself: answer with ``ServerSession.welcome`` and hand over what is queued for it."""

    hello: Hello


@dataclass(frozen=True)
class Wanted:
    """The agent lacks a part: call ``ServerSession.provide`` with its bytes."""

    job: str
    part: str
    digest: str


@dataclass(frozen=True)
class Taken:
    """The job is on the host: receiving, running or ended."""

    job: str
    state: str


@dataclass(frozen=True)
class Declined:
    """The agent will not run it; ``code`` busy means: offer again later."""

    job: str
    code: str
    reason: str


@dataclass(frozen=True)
class Store:
    """Store these events, then ``ServerSession.stored``; the agent keeps them until then."""

    job: str
    source: str
    first: int
    items: Tuple[Dict[str, Any], ...]


@dataclass(frozen=True)
class Finish:
    """The job is over on the host; end it once its counters are stored, then ``ServerSession.drop``."""

    ended: JobEnded


@dataclass(frozen=True)
class Mistake:
    """The other side broke the protocol in a way worth a log line; the connection goes on."""

    text: str


ServerEffect = Union[Send, Greeted, Wanted, Taken, Declined, Store, Finish, Mistake]


@dataclass
class _Transfer:
    """One part on its way: bytes not yet sent start at ``sent``, all below ``acked`` are on the host's disk."""

    content: bytes
    sent: int = 0
    acked: int = 0


class ServerSession:
    """The server's end of one connection."""

    __slots__ = ("_offers", "_transfers", "hello")

    def __init__(self) -> None:
        self.hello: Hello | None = None
        self._offers: Dict[str, JobOffer] = {}
        self._transfers: Dict[Tuple[str, str], _Transfer] = {}

    def welcome(self, jobs: Tuple[JobPosition, ...]) -> List[ServerEffect]:
        """Tell the agent what is stored of the jobs it announced."""
        return [Send(Welcome(PROTOCOL, jobs))]

    def offer(self, offer: JobOffer) -> List[ServerEffect]:
        """Offer a job; repeating it is harmless."""
        self._offers[offer.job] = offer
        return [Send(offer)]

    def provide(self, job: str, part: str, content: bytes, offset: int = 0) -> List[ServerEffect]:
        """Hand over the bytes of a wanted part; they leave as the window allows."""
        transfer = _Transfer(content, sent=offset, acked=offset)
        self._transfers[job, part] = transfer
        return self._fill(job, part, transfer)

    def stored(self, job: str, runner: int, live: int) -> List[ServerEffect]:
        """Acknowledge what is stored for good."""
        return [Send(JobAck(job, runner, live))]

    def stop(self, job: str, grace_seconds: int) -> List[ServerEffect]:
        """Ask for the job's end."""
        return [Send(JobStop(job, grace_seconds))]

    def drop(self, job: str) -> List[ServerEffect]:
        """The end is stored: the host may forget the job."""
        self._forget(job)
        return [Send(JobDrop(job))]

    def received(self, message: Message) -> List[ServerEffect]:  # noqa: PLR0911 (one line per message)
        """Take one message of the agent."""
        if isinstance(message, Hello):
            self.hello = message
            return [Greeted(message)]
        if self.hello is None:
            return [Mistake(f"{message.type} before hello")]
        if isinstance(message, JobEvents):
            return [Store(message.job, message.source, message.first, message.items)] if message.items else []
        if isinstance(message, JobNeed):
            return self._needed(message)
        if isinstance(message, JobChunkOk):
            return self._chunk_ok(message)
        if isinstance(message, JobRefused):
            self._forget(message.job)
            return [Declined(message.job, message.code, message.reason)]
        if isinstance(message, JobState):
            return [Taken(message.job, message.state)]
        if isinstance(message, JobEnded):
            self._forget(message.job)
            return [Finish(message)]
        return [Mistake(f"{message.type} is not an agent's message")]

    def _needed(self, message: JobNeed) -> List[ServerEffect]:
        offer = self._offers.get(message.job)
        if offer is None or message.part not in PARTS:
            return [Mistake(f"{message.part!r} of a job that was not offered")]
        content: Content = getattr(offer, message.part)
        if message.offset >= content.size > 0:
            return [Mistake(f"{message.part} wanted from behind its end")]
        self._transfers[message.job, message.part] = _Transfer(b"", sent=message.offset, acked=message.offset)
        return [Wanted(message.job, message.part, content.digest)]

    def resume_offset(self, job: str, part: str) -> int:
        """Where the wanted part starts: 0, or more when an earlier connection brought some of it."""
        transfer = self._transfers.get((job, part))
        return transfer.sent if transfer else 0

    def _chunk_ok(self, message: JobChunkOk) -> List[ServerEffect]:
        transfer = self._transfers.get((message.job, message.part))
        if transfer is None or not transfer.acked <= message.offset <= transfer.sent:
            return [Mistake("acknowledges a chunk that was not sent")]
        transfer.acked = message.offset
        if transfer.acked == len(transfer.content):
            del self._transfers[message.job, message.part]
            return []
        return self._fill(message.job, message.part, transfer)

    @staticmethod
    def _fill(job: str, part: str, transfer: _Transfer) -> List[ServerEffect]:
        effects: List[ServerEffect] = []
        while transfer.sent < len(transfer.content) and transfer.sent - transfer.acked < WINDOW_CHUNKS * CHUNK_BYTES:
            piece = transfer.content[transfer.sent : transfer.sent + CHUNK_BYTES]
            effects.append(Send(JobChunk(job, part, transfer.sent, base64.b64encode(piece).decode())))
            transfer.sent += len(piece)
        return effects

    def _forget(self, job: str) -> None:
        self._offers.pop(job, None)
        for part in PARTS:
            self._transfers.pop((job, part), None)


# ------------------------------------------------------------------ agent


@dataclass(frozen=True)
class Consider:
    """A job is offered: look at the local file, the room and what is already here, then call ``answer``."""

    offer: JobOffer


@dataclass(frozen=True)
class Keep:
    """Write these bytes of a part at ``offset``; then ``AgentSession.kept``."""

    job: str
    part: str
    offset: int
    data: bytes


@dataclass(frozen=True)
class Launch:
    """Every part is here: check the digests and start the job."""

    offer: JobOffer


@dataclass(frozen=True)
class Resume:
    """Send this job's events from behind these counters on."""

    job: str
    runner: int
    live: int


@dataclass(frozen=True)
class Acknowledged:
    """The server has stored up to these counters."""

    job: str
    runner: int
    live: int


@dataclass(frozen=True)
class Interrupt:
    """Stop the job."""

    job: str
    grace_seconds: int


@dataclass(frozen=True)
class Forget:
    """Delete the job's files; when it still runs (the server does not know it), stop it first."""

    job: str


AgentEffect = Union[Send, Consider, Keep, Launch, Resume, Acknowledged, Interrupt, Forget, Mistake]


@dataclass
class _Arrival:
    """An accepted offer whose parts are still coming: bytes each lacks, by part."""

    offer: JobOffer
    offsets: Dict[str, int] = field(default_factory=dict)


class AgentSession:
    """The agent's end of one connection."""

    def __init__(self, hello: Hello) -> None:
        self._hello = hello
        self._arrivals: Dict[str, _Arrival] = {}
        self.welcomed = False

    def opened(self) -> List[AgentEffect]:
        """The socket is open."""
        return [Send(self._hello)]

    def refuse(self, job: str, code: str, reason: str) -> List[AgentEffect]:
        """Turn an offer down."""
        self._arrivals.pop(job, None)
        return [Send(JobRefused(job, code, reason))]

    def already(self, position: JobPosition) -> List[AgentEffect]:
        """Answer an offer for a job that is here already."""
        return [Send(JobState(position.job, position.state, position.runner, position.live))]

    def accept(self, offer: JobOffer, have: Dict[str, int]) -> List[AgentEffect]:
        """Take an offer; ``have`` says per part how many bytes are already here (all of them: nothing is sent)."""
        lacking = {part: have.get(part, 0) for part in PARTS if have.get(part, 0) < getattr(offer, part).size}
        if not lacking:
            return self._complete(offer)
        self._arrivals[offer.job] = _Arrival(offer, lacking)
        return [Send(JobNeed(offer.job, part, offset)) for part, offset in lacking.items()]

    def kept(self, job: str, part: str, offset: int) -> List[AgentEffect]:
        """Everything of the part below ``offset`` is written."""
        arrival = self._arrivals.get(job)
        if arrival is None:
            return []
        effects: List[AgentEffect] = [Send(JobChunkOk(job, part, offset))]
        if offset >= getattr(arrival.offer, part).size:
            del arrival.offsets[part]
        if not arrival.offsets:
            del self._arrivals[job]
            effects += self._complete(arrival.offer)
        return effects

    def events(self, job: str, source: str, first: int, items: Tuple[Dict[str, Any], ...]) -> List[AgentEffect]:
        """Send spooled events."""
        return [Send(JobEvents(job, source, first, items))]

    def ended(self, message: JobEnded) -> List[AgentEffect]:
        """Send a job's last word."""
        return [Send(message)]

    def received(self, message: Message) -> List[AgentEffect]:  # noqa: PLR0911 (one line per message)
        """Take one message of the server."""
        if isinstance(message, Welcome):
            self.welcomed = True
            return self._welcome(message)
        if isinstance(message, JobOffer):
            return [Consider(message)]
        if isinstance(message, JobChunk):
            return self._chunk(message)
        if isinstance(message, JobAck):
            return [Acknowledged(message.job, message.runner, message.live)]
        if isinstance(message, JobStop):
            return [Interrupt(message.job, message.grace_seconds)]
        if isinstance(message, JobDrop):
            self._arrivals.pop(message.job, None)
            return [Forget(message.job)]
        return [Mistake(f"{message.type} is not a server's message")]

    def _welcome(self, message: Welcome) -> List[AgentEffect]:
        known = {position.job: position for position in message.jobs}
        effects: List[AgentEffect] = []
        for position in self._hello.jobs:
            stored = known.get(position.job)
            if stored is None:
                effects.append(Forget(position.job))
            elif position.state != "receiving":
                effects.append(Resume(position.job, stored.runner, stored.live))
        return effects

    def _chunk(self, message: JobChunk) -> List[AgentEffect]:
        arrival = self._arrivals.get(message.job)
        if arrival is None or arrival.offsets.get(message.part) != message.offset:
            return [Mistake("a chunk that was not asked for")]
        try:
            data = base64.b64decode(message.data, validate=True)
        except (binascii.Error, ValueError):
            return [Mistake("a chunk that is not base64")]
        if not data or message.offset + len(data) > getattr(arrival.offer, message.part).size:
            return self.refuse(message.job, "digest", f"{message.part} is longer than announced")
        arrival.offsets[message.part] = message.offset + len(data)
        return [Keep(message.job, message.part, message.offset, data)]

    @staticmethod
    def _complete(offer: JobOffer) -> List[AgentEffect]:
        return [Send(JobState(offer.job, "receiving")), Launch(offer)]
