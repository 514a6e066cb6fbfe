"""What the docker room announces; the facts that a message about it needs travel along."""

from dataclasses import dataclass
from typing import ClassVar

from server.core.bus import Event


@dataclass(frozen=True, slots=True)
class ContainerEvent(Event):
    """A container began or ceased to run; each change is announced once.

    Attributes:
        old_status, new_status: the container's status before and after.
    """

    name: ClassVar[str] = "container"
    severity: ClassVar[str] = "informational"
    host: str
    host_name: str
    container: str
    container_name: str
    image: str
    old_status: str
    new_status: str
    reference_type: str = "docker_container"

    @property
    def link(self) -> str:
        """Where a person reads more."""
        return f"/docker/containers/{self.container}"


@dataclass(frozen=True, slots=True)
class ContainerStarted(ContainerEvent):
    """A container runs that did not."""

    name: ClassVar[str] = "container_started"


@dataclass(frozen=True, slots=True)
class ContainerStopped(ContainerEvent):
    """A container that ran does not any more."""

    name: ClassVar[str] = "container_stopped"
    severity: ClassVar[str] = "warning"


@dataclass(frozen=True, slots=True)
class ContainerImageUpdateAvailable(Event):
    """Something newer exists of an image that hosts have; announced once for each newer thing.

    Attributes:
        available: the newer tag, or the newer digest of the same tag.
        hosts: how many hosts have the image.
    """

    name: ClassVar[str] = "container_image_update_available"
    severity: ClassVar[str] = "informational"
    image_id: str
    image: str
    available: str
    hosts: int
    reference_type: str = "docker_image"

    @property
    def link(self) -> str:
        """Where a person reads more."""
        return f"/docker/images/{self.image_id}"


@dataclass(frozen=True, slots=True)
class DockerChanged(Event):
    """What is known of these hosts' containers changed: lists look again."""

    name: ClassVar[str] = "docker_changed"
    host_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class DeletionEnded(Event):
    """An agent said how a deletion went; whoever waits for it reads the row."""

    name: ClassVar[str] = "docker_deletion"
    deletion: str = ""

    @property
    def topic(self) -> str:
        """One topic per deletion."""
        return deletion_topic(self.deletion)


def deletion_topic(deletion: str) -> str:
    """Return where one deletion's end is heard."""
    return f"docker_deletion:{deletion}"
