"""What one greeted connection needs to know of its jobs, and the projects all of them share."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from agent.protocol.codec import encode
from agent.protocol.messages import Hello
from agent.protocol.session import Send, ServerEffect, ServerSession
from server.automation import rules
from server.automation.queries import library
from server.channel.models import Link
from server.core.db import Database
from server.core.ids import HostId, JobHostId

_CACHED_PROJECTS: Final = 8


@dataclass(slots=True)
class Held:
    """A job host this connection speaks about.

    Attributes:
        spec: its bytes until the host has them; they may hold secrets.
        taken: the host answered the offer.
        request_id: of whoever asked for the job, for the log.
    """

    job_host_id: JobHostId
    spec: bytes = b""
    taken: bool = False
    request_id: str = ""


@lru_cache(maxsize=256)
def _shared(hello: Hello) -> Hello:
    return hello


class Desk:
    """One connection's end of the conversation; ten thousand of them are idle, so it keeps as little as it can."""

    __slots__ = ("broken", "held", "host_id", "link", "mistakes", "session", "stopped")

    def __init__(self, link: Link) -> None:
        self.link = link
        self.host_id: HostId = link.host_id
        self.session = ServerSession()
        self.held: dict[str, Held] = {}
        self.stopped: frozenset[str] = frozenset()
        self.mistakes = 0
        #: Events are missing: this conversation is over, the next one resumes from what is stored.
        self.broken = False

    @property
    def changing_jobs(self) -> int:
        """How many changing jobs the agent takes at once."""
        return min(self.session.hello.changing_jobs, rules.MOST_CHANGING) if self.session.hello else 0

    def settle(self) -> None:
        """Let go what only the greeting needed of the hello; agents of one kind share what is left."""
        if self.session.hello is not None:
            self.session.hello = _shared(replace(self.session.hello, boot_id="", jobs=()))

    def hold(self, job: str, job_host_id: JobHostId) -> Held:
        """Remember a job host that is ours to speak about."""
        return self.held.setdefault(job, Held(job_host_id))

    def send(self, effect: Send) -> None:
        """Put a message on the socket."""
        self.link.send(encode(effect.message))

    def do(self, effects: Iterable[ServerEffect]) -> None:
        """Carry out effects of our own doing: they are all messages."""
        for effect in effects:
            if isinstance(effect, Send):
                self.send(effect)


class Projects:
    """Project bytes by digest, the last few in memory: a thousand hosts ask for the same one at the same time."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._kept: OrderedDict[str, bytes] = OrderedDict()

    async def content(self, digest: str) -> bytes:
        """Return a project's bytes."""
        if digest in self._kept:
            self._kept.move_to_end(digest)
            return self._kept[digest]
        content = self._kept[digest] = await library.fetch_project(self._db, digest)
        if len(self._kept) > _CACHED_PROJECTS:
            self._kept.popitem(last=False)
        return content
