"""What hosts report about their containers, and what is kept of it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

import msgspec

Kind = Literal["container", "image", "volume", "network"]
KINDS: Final[tuple[Kind, ...]] = ("container", "image", "volume", "network")
#: JSON as an agent sent it.
Json = dict[str, Any]
#: A line of a table, on its way into a statement.
Row = dict[str, object]
#: Repository, tag and id: what makes two images the same one.
ImageKey = tuple[str, str, str]


class ReportedContainer(msgspec.Struct, frozen=True, gc=False):
    """A container as agents send it; what follows ``restart_count`` only ours say."""

    container_id: str = ""
    name: str = ""
    image_name: str = ""
    image_tag: str = ""
    image_repository: str = ""
    image_source: str = ""
    image_id: str = ""
    status: str = ""
    state: str = ""
    ports: dict[str, str] | None = None
    created_at: str = ""
    started_at: str = ""
    labels: dict[str, str] | None = None
    network_mode: str = ""
    restart_count: int = 0
    restart_policy: str = ""
    command: str = ""
    entrypoint: str = ""
    exit_code: int | None = None
    mounts: list[Json] | None = None
    networks: list[Json] | None = None


class ReportedImage(msgspec.Struct, frozen=True, gc=False):
    """An image as agents send it; what follows ``labels`` only ours say."""

    repository: str = ""
    tag: str = ""
    image_id: str = ""
    source: str = ""
    size_bytes: int = 0
    created_at: str = ""
    digest: str = ""
    labels: dict[str, str] | None = None
    digests: list[str] | None = None
    architecture: str = ""
    os: str = ""
    history: list[Json] | None = None


class ReportedVolume(msgspec.Struct, frozen=True, gc=False):
    """A volume as agents send it."""

    volume_id: str = ""
    name: str = ""
    driver: str = ""
    mountpoint: str = ""
    renderer: str = ""
    scope: str = ""
    labels: dict[str, str] | None = None
    options: dict[str, str] | None = None
    created_at: str = ""
    size_bytes: int | None = None
    ref_count: int = 0


class ReportedNetwork(msgspec.Struct, frozen=True, gc=False):
    """A network as agents send it."""

    network_id: str = ""
    name: str = ""
    driver: str = ""
    scope: str = ""
    ipv6_enabled: bool = False
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    config_only: bool = False
    labels: dict[str, str] | None = None
    options: dict[str, str] | None = None
    ipam: Json | None = None
    created_at: str = ""
    container_count: int = 0


class ReportedUpdate(msgspec.Struct, frozen=True, gc=False):
    """Something newer than an image, where an agent looks for that itself."""

    repository: str = ""
    current_tag: str = ""
    tag: str = ""
    available_tag: str = ""
    current_digest: str = ""
    available_digest: str = ""
    image_id: str = ""


class Snapshot(msgspec.Struct, frozen=True):
    """Everything a host has, as one request brings it."""

    containers: list[ReportedContainer] | None = None
    images: list[ReportedImage] | None = None
    volumes: list[ReportedVolume] | None = None
    networks: list[ReportedNetwork] | None = None
    updates: list[ReportedUpdate] | None = None
    daemon_info: Json | None = None
    hostname: str = ""
    machine_id: str = ""
    agent_version: str = ""
    docker_hash: str = ""


class Counts(NamedTuple):
    """How much a snapshot held, as it was received."""

    containers: int
    images: int
    volumes: int
    networks: int
    updates: int


class Reference(NamedTuple):
    """The name of an image taken apart: ``nginx`` is ``library/nginx`` of ``docker.io``."""

    registry: str
    path: str
    tag: str


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A container's status that another one took the place of."""

    host_id: int
    uuid: str
    name: str
    image: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Happening:
    """A live event of a container, as an agent sends it.

    Attributes:
        status: what the container is from now on.
        exit_code: why it ended, where that was said.
    """

    container_id: str
    status: str
    at: datetime
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """A name and tag of which a registry has to be asked."""

    repository: str
    tag: str
    registry: str
    digest: str
    digests: tuple[str, ...]
    failures: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What a registry said of a name and tag; ``problem`` when it did not say anything useful."""

    digest: str = ""
    digests: tuple[str, ...] = ()
    newer_tag: str = ""
    problem: str = ""
