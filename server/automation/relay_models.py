"""What the relay knows of hosts and runs."""

from dataclasses import dataclass

from server.core.ids import HostId, JobHostId


@dataclass(frozen=True, slots=True)
class RelayHost:
    """A host through whose agent somebody wants to relay.

    Attributes:
        is_ours: its agent ever greeted; an existing agent never does.
        automation: the word of the agent's own file.
        relays: the agent said that it can.
    """

    id: HostId
    uuid: str
    name: str
    is_ours: bool
    automation: str
    relays: bool


@dataclass(frozen=True, slots=True)
class RelayWaiting:
    """A job host that waits for a worker."""

    id: JobHostId
    host_id: HostId
