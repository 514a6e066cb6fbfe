"""What lists of containers, images, volumes, networks, stacks and hosts are asked for, and what their lines show."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from server.core.paging import Window
from server.docker.references import link_of

_UNITS: Final = ("B", "KB", "MB", "GB", "TB")
_STEP: Final = 1000


def size_text(size_bytes: int | None) -> str:
    """Return a size as engines write it; empty when nobody knows it."""
    if size_bytes is None:
        return ""
    size, unit = float(size_bytes), 0
    while size >= _STEP and unit < len(_UNITS) - 1:
        size, unit = size / _STEP, unit + 1
    return f"{size:.0f} {_UNITS[unit]}" if size >= 10 or not unit else f"{size:.1f} {_UNITS[unit]}"  # noqa: PLR2004 (digits)


TABS: Final = ("stacks", "containers", "images", "volumes", "networks", "hosts")


@dataclass(frozen=True, slots=True)
class Asked:
    """A page of one of the lists; each list reads what it knows.

    Attributes:
        host_id, image: keys that narrow the list to one host, to one image.
        updates: only images of which something newer exists.
        removed: containers that are gone since the last snapshot, too.
    """

    search: str = ""
    status: str = ""
    source: str = ""
    driver: str = ""
    stack: str = ""
    updates: bool = False
    host_id: int | None = None
    image: int | None = None
    sort: str = ""
    direction: str = "asc"
    window: Window = field(default_factory=Window)

    @property
    def narrowed(self) -> bool:
        """Whether it leaves anything out."""
        words = self.search or self.status or self.source or self.driver or self.stack
        return bool(words or self.updates) or not (self.host_id is self.image is None)


@dataclass(frozen=True, slots=True)
class HostMark:
    """The host that something is on."""

    id: str
    name: str

    @property
    def url(self) -> str:
        """Its containers."""
        return f"/docker/hosts/{self.id}"


@dataclass(frozen=True, slots=True)
class ContainerRow:
    """A container in a list.

    Attributes:
        status_at: since when it has its status, as far as that was told.
        update: something newer exists of its image.
    """

    id: str
    container_id: str
    name: str
    image: str
    tag: str
    image_id: str | None
    source: str
    status: str
    stack: str
    ports: dict[str, str]
    created_at: datetime | None
    status_at: datetime
    update: bool
    host: HostMark

    @property
    def url(self) -> str:
        """Its page."""
        return f"/docker/containers/{self.id}"

    @property
    def link(self) -> str:
        """The page about its image at its registry."""
        return link_of(self.image, self.source)


@dataclass(frozen=True, slots=True)
class ImageRow:
    """An image in a list, over all hosts that are seen.

    Attributes:
        available_tag, available_digest: what is newer, if anything is.
        problem: why nothing is known about newer ones.
        host: the one that has it, when only one does.
    """

    id: str
    repository: str
    tag: str
    image_id: str
    source: str
    size_bytes: int
    created_at: datetime | None
    hosts: int
    containers: int
    available_tag: str
    available_digest: str
    checked_at: datetime | None
    problem: str
    host: HostMark | None = None

    @property
    def url(self) -> str:
        """Its page."""
        return f"/docker/images/{self.id}"

    @property
    def name(self) -> str:
        """Its name with its tag."""
        return f"{self.repository}:{self.tag}"

    @property
    def link(self) -> str:
        """The page about it at its registry."""
        return link_of(self.repository, self.source)

    @property
    def size(self) -> str:
        """Its size, in words."""
        return size_text(self.size_bytes)

    @property
    def update(self) -> str:
        """What is newer, in a word or two; empty when nothing is."""
        if self.available_tag:
            return self.available_tag
        return "new build" if self.available_digest else ""


@dataclass(frozen=True, slots=True)
class VolumeRow:
    """A volume in a list."""

    id: str
    name: str
    driver: str
    mountpoint: str
    scope: str
    size_bytes: int | None
    containers: int
    created_at: datetime | None
    host: HostMark

    @property
    def size(self) -> str:
        """Its size, in words."""
        return size_text(self.size_bytes)

    @property
    def url(self) -> str:
        """Its page."""
        return f"/docker/volumes/{self.id}"


@dataclass(frozen=True, slots=True)
class NetworkRow:
    """A network in a list."""

    id: str
    network_id: str
    name: str
    driver: str
    scope: str
    subnet: str
    gateway: str
    containers: int
    created_at: datetime | None
    host: HostMark

    @property
    def url(self) -> str:
        """Its page."""
        return f"/docker/networks/{self.id}"


@dataclass(frozen=True, slots=True)
class Member:
    """A container of a stack."""

    id: str
    name: str
    image: str
    image_id: str | None
    status: str


@dataclass(frozen=True, slots=True)
class StackRow:
    """Containers of one host that belong together."""

    name: str
    host: HostMark
    total: int
    running: int
    exited: int
    paused: int
    members: tuple[Member, ...]

    @property
    def other(self) -> int:
        """How many are neither running nor exited nor paused."""
        return self.total - self.running - self.exited - self.paused


@dataclass(frozen=True, slots=True)
class DockerHostRow:
    """A host with the integration; ``received_at`` is ``None`` before its first snapshot."""

    id: str
    name: str
    hostname: str
    enabled: bool
    received_at: datetime | None
    engine: dict[str, Any]
    containers: int
    running: int
    exited: int
    paused: int
    images: int
    volumes: int
    networks: int
    stacks: int

    @property
    def url(self) -> str:
        """Its containers."""
        return f"/docker/hosts/{self.id}"

    @property
    def version(self) -> str:
        """The engine, in words."""
        name = str(self.engine.get("name") or "Docker")
        return f"{name} {self.engine.get('version') or ''}".strip() if self.engine else ""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """The numbers above the lists.

    Attributes:
        hosts: those that are switched on and sent a snapshot; ``enabled``: those that are switched on.
        paused_registries: registries that are not asked for now, and why.
    """

    hosts: int = 0
    enabled: int = 0
    containers: int = 0
    running: int = 0
    exited: int = 0
    paused: int = 0
    images: int = 0
    updates: int = 0
    volumes: int = 0
    networks: int = 0
    stacks: int = 0
    sources: dict[str, int] = field(default_factory=dict)
    troubled: tuple[tuple[str, str, datetime | None], ...] = ()


@dataclass(frozen=True, slots=True)
class Container:
    """Everything about a container; ``row`` is what lists show of it."""

    row: ContainerRow
    host_key: int
    state: str
    started_at: datetime | None
    exit_code: int | None
    restart_policy: str
    restart_count: int
    network_mode: str
    command: str
    entrypoint: str
    labels: dict[str, str]
    mounts: list[dict[str, Any]]
    networks: list[dict[str, Any]]
    similar: tuple[ContainerRow, ...] = ()


@dataclass(frozen=True, slots=True)
class ImageHost:
    """A host that has an image."""

    host: HostMark
    tag: str
    digests: tuple[str, ...]
    containers: int
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Image:
    """Everything about an image; ``row`` is what lists show of it."""

    row: ImageRow
    key: int
    architecture: str
    os: str
    labels: dict[str, str]
    history: list[dict[str, Any]]
    current_digest: str
    found_at: datetime | None
    found_by: str
    hosts: tuple[ImageHost, ...] = ()
    containers: tuple[ContainerRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Volume:
    """Everything about a volume; ``row`` is what lists show of it."""

    row: VolumeRow
    host_key: int
    labels: dict[str, str]
    options: dict[str, str]
    containers: tuple[ContainerRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Network:
    """Everything about a network; ``row`` is what lists show of it."""

    row: NetworkRow
    host_key: int
    flags: dict[str, bool]
    ipam: dict[str, Any]
    labels: dict[str, str]
    options: dict[str, str]
    containers: tuple[ContainerRow, ...] = ()
