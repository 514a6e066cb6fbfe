"""What automation announces."""

from dataclasses import dataclass
from typing import Any, ClassVar

from server.core.bus import Event


@dataclass(frozen=True, slots=True)
class JobsQueued(Event):
    """Job hosts wait for these hosts' links; whoever holds one claims them. A sweep also repeats unanswered offers."""

    name: ClassVar[str] = "jobs_queued"
    host_ids: tuple[int, ...] = ()
    sweep: bool = False

    def news(self) -> dict[str, Any]:
        """Return what hearing it would bring."""
        return {"event": self.name, "host_ids": self.host_ids, "sweep": self.sweep}


@dataclass(frozen=True, slots=True)
class JobStopAsked(Event):
    """Job hosts that are on their hosts shall end."""

    name: ClassVar[str] = "job_stop_asked"
    host_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class JobChanged(Event):
    """Events or states of a job are new; its followers read them."""

    name: ClassVar[str] = "job_changed"
    job: str = ""

    @property
    def topic(self) -> str:
        """One topic per job."""
        return job_topic(self.job)


@dataclass(frozen=True, slots=True)
class JobHostsEnded(Event):
    """Job hosts reached their end; ``finished_jobs`` are those whose last host this was."""

    name: ClassVar[str] = "job_hosts_ended"
    job_hosts: tuple[str, ...] = ()
    finished_jobs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class JobListChanged(Event):
    """A job was launched or ended: lists look again."""

    name: ClassVar[str] = "job_list_changed"


@dataclass(frozen=True, slots=True)
class JobAwaitsApproval(Event):
    """Somebody else than who launched it has to approve a job."""

    name: ClassVar[str] = "job_awaits_approval"
    severity: ClassVar[str] = "warning"
    job: str = ""
    title: str = ""
    hosts: int = 0
    reference_type: str = "job"

    @property
    def link(self) -> str:
        """Where a person reads more."""
        return f"/jobs/{self.job}"


@dataclass(frozen=True, slots=True)
class RelayTold(Event):
    """What an agent says about an operation that another process waits for."""

    name: ClassVar[str] = "relay_told"
    hub: str = ""
    host_id: int = 0
    text: str = ""

    @property
    def topic(self) -> str:
        """One topic per hub."""
        return relay_topic(self.hub)


def relay_topic(hub: str) -> str:
    """Return where a hub hears what agents on other processes' links say."""
    return f"relay:{hub}"


def job_topic(job: str) -> str:
    """Return the topic of a job's followers."""
    return f"job:{job}"
