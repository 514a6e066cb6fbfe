"""Runs as their existing agents and the decisions about these see them."""

from dataclasses import dataclass

from server.core.ids import HostId
from server.patching.models import PatchType


@dataclass(frozen=True, slots=True)
class NativeRun:
    """What a run wants; everything from ``holds`` on is beyond existing agents."""

    id: str
    job_host: str
    patch_type: PatchType
    package_names: list[str]
    dry_run: bool
    windows: bool
    holds: bool = False
    allows: bool = False
    security_only: bool = False
    full_upgrade: bool = False
    reboots: bool = False
    snapshot: bool = False
    hooks: bool = False


@dataclass(frozen=True, slots=True)
class Addressed:
    """A run that an agent speaks of, under lock; ``executor`` and ``job_status`` are those of its job host."""

    id: str
    host_id: HostId
    status: str
    job_host: str | None
    job_status: str
    executor: str
    platform: str


@dataclass(frozen=True, slots=True)
class Said:
    """What an agent posts: the output is a piece, or with the last word everything."""

    stage: str
    output: str = ""
    error: str = ""
