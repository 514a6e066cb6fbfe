"""What happens to hosts, as others hear of it."""

from dataclasses import dataclass
from typing import ClassVar

from server.core.bus import Event


@dataclass(frozen=True, slots=True)
class HostCreated(Event):
    """A host was added."""

    name: ClassVar[str] = "hosts.created"
    host_id: int


@dataclass(frozen=True, slots=True)
class HostDeleted(Event):
    """A host is gone, with everything that was known about it."""

    name: ClassVar[str] = "host_deleted"
    host_id: int
    api_id: str


@dataclass(frozen=True, slots=True)
class HostKeysChanged(Event):
    """A host's credentials were made anew: links opened with the old ones must end."""

    name: ClassVar[str] = "hosts.keys_changed"
    host_id: int
    api_id: str


@dataclass(frozen=True, slots=True)
class HostsChanged(Event):
    """People changed something about these hosts that lists show; no hosts: something about all of them."""

    name: ClassVar[str] = "hosts.changed"
    host_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class HostReported(Event):
    """A report was stored; ``sections`` are the parts whose content changed."""

    name: ClassVar[str] = "hosts.reported"
    host_id: int
    sections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HostsSeen(Event):
    """Hosts checked in: one announcement for everyone who called at the same moment."""

    name: ClassVar[str] = "hosts.seen"
    host_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AgentRolloutStopped(Event):
    """Hosts had trouble with a new agent: no other host takes it until a person decides."""

    name: ClassVar[str] = "agent_rollout_stopped"
    file: str
    version: str
    reason: str
