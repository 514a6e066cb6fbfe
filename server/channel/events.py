"""What the channel announces."""

from dataclasses import dataclass
from typing import ClassVar

from server.core.bus import Event


@dataclass(frozen=True, slots=True)
class AgentsConnected(Event):
    """These hosts' agents opened links to this server process, all within the same moment."""

    name: ClassVar[str] = "agents_connected"
    host_ids: tuple[int, ...] = ()
    server: str = ""


@dataclass(frozen=True, slots=True)
class AgentsDisconnected(Event):
    """These hosts' agents left, and no newer link of theirs is known here."""

    name: ClassVar[str] = "agents_disconnected"
    host_ids: tuple[int, ...] = ()
    server: str = ""


@dataclass(frozen=True, slots=True)
class Told(Event):
    """A message for an agent whose link another process holds."""

    name: ClassVar[str] = "told"
    server: str = ""
    host_id: int = 0
    text: str = ""

    @property
    def topic(self) -> str:
        """One topic per server process."""
        return server_topic(self.server)


def server_topic(server: str) -> str:
    """Return where a server process hears what others want its agents to be told."""
    return f"server:{server}"
