"""Reading what is kept: lists over all hosts that somebody sees, and one of each kind."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from server.core.call import Call
from server.core.ids import is_uuid
from server.core.paging import Page
from server.docker.errors import (
    ContainerMissing,
    DockerHostMissing,
    ImageMissing,
    NetworkMissing,
    VolumeMissing,
)
from server.docker.models import Kind
from server.docker.queries import engines, fleet, one, registries
from server.docker.views import (
    Asked,
    Container,
    ContainerRow,
    Dashboard,
    DockerHostRow,
    HostMark,
    Image,
    ImageHost,
    ImageRow,
    Member,
    Network,
    NetworkRow,
    StackRow,
    Volume,
    VolumeRow,
)

_SIMILAR: Final = 20
_MOST: Final = 100
_FEW: Final = 2000
Line = TypeVar("Line")
Facts = dict[str, Any]


async def dashboard(call: Call) -> Dashboard:
    """Return the numbers above the lists."""
    numbers = await engines.count_everything(call.db, call.actor.scope)
    sources = await engines.count_sources(call.db, call.actor.scope)
    troubled = await registries.list_troubled(call.db, call.now)
    return Dashboard(
        **numbers,
        images=sum(row["images"] for row in sources),
        updates=sum(row["updates"] for row in sources),
        sources={row["source"]: row["images"] for row in sources},
        troubled=tuple((row["registry"], row["problem"], row["paused_until"]) for row in troubled),
    )


async def containers(call: Call, asked: Asked) -> Page[ContainerRow]:
    """Return a page of containers."""
    if asked.search:
        keys = await fleet.match_containers(call.db, call.actor.scope, asked, _FEW)
        if len(keys) <= _FEW:
            # Sorting the few that match is quicker than looking for them in the order of the list.
            chosen = await fleet.list_chosen(call.db, keys, asked)
            return Page([_container(row) for row in chosen], len(keys), asked.window)
    rows = await fleet.list_containers(call.db, call.actor.scope, asked)
    total = await _total(call, asked, "containers", fleet.count_containers)
    return Page([_container(row) for row in rows], total, asked.window)


async def images(call: Call, asked: Asked) -> Page[ImageRow]:
    """Return a page of images."""
    rows = await fleet.list_images(call.db, call.actor.scope, asked)
    return Page([_image(row) for row in rows], await fleet.count_images(call.db, call.actor.scope, asked), asked.window)


async def volumes(call: Call, asked: Asked) -> Page[VolumeRow]:
    """Return a page of volumes."""
    rows = await fleet.list_volumes(call.db, call.actor.scope, asked)
    return Page([_volume(row) for row in rows], await _total(call, asked, "volumes", fleet.count_volumes), asked.window)


async def networks(call: Call, asked: Asked) -> Page[NetworkRow]:
    """Return a page of networks."""
    rows = await fleet.list_networks(call.db, call.actor.scope, asked)
    total = await _total(call, asked, "networks", fleet.count_networks)
    return Page([_network(row) for row in rows], total, asked.window)


async def stacks(call: Call, asked: Asked) -> Page[StackRow]:
    """Return a page of stacks: the containers of one host that belong together."""
    rows = await fleet.list_stacks(call.db, call.actor.scope, asked)
    return Page([_stack(row) for row in rows], await _total(call, asked, "stacks", fleet.count_stacks), asked.window)


async def hosts(call: Call, asked: Asked) -> Page[DockerHostRow]:
    """Return a page of the hosts that have the integration switched on."""
    rows = await engines.list_hosts(call.db, call.actor.scope, asked)
    total = rows[0]["total"] if rows else 0
    for row in rows:
        del row["total"]
    return Page([DockerHostRow(**row) for row in rows], total, asked.window)


async def drivers(call: Call, kind: str) -> list[str]:
    """Return the drivers of ``volumes`` or ``networks``."""
    return await fleet.list_drivers(call.db, call.actor.scope, kind)


async def _total(call: Call, asked: Asked, kind: str, count: Callable[..., Awaitable[int]]) -> int:
    if asked.narrowed:
        return await count(call.db, call.actor.scope, asked)
    # Everything was counted when it was stored, host by host.
    numbers = await engines.count_everything(call.db, call.actor.scope)
    total: int = numbers[kind]
    return total


# ------------------------------------------------------------------------------------------------ one of them


async def host(call: Call, uuid: str) -> DockerHostRow:
    """Return a host that ever reported Docker. Raises ``DockerHostMissing``."""
    row = await engines.find_host(call.db, call.actor.scope, uuid) if is_uuid(uuid) else None
    if row is None:
        raise DockerHostMissing
    return DockerHostRow(**row)


async def container(call: Call, uuid: str) -> Container:
    """Return a container with others on the same image. Raises ``ContainerMissing``."""
    row = await one.find_container(call.db, call.actor.scope, uuid) if is_uuid(uuid) else None
    if row is None:
        raise ContainerMissing
    similar: Sequence[Facts] = ()
    if row["image_id"] is not None:
        similar = await one.list_similar(call.db, call.actor.scope, row["image_id"], uuid, _SIMILAR)
    return Container(
        row=_container(row), similar=tuple(map(_container, similar)), **{name: row[name] for name in _OF_CONTAINER}
    )


_OF_CONTAINER: Final = (
    "host_key", "state", "started_at", "exit_code", "restart_policy", "restart_count", "network_mode", "command",
    "entrypoint", "labels", "mounts", "networks",
)  # fmt: skip


async def image(call: Call, uuid: str) -> Image:
    """Return an image with (the first of) its hosts and containers. Raises ``ImageMissing``."""
    row = await one.find_image(call.db, call.actor.scope, uuid) if is_uuid(uuid) else None
    if row is None:
        raise ImageMissing
    found = await one.list_image_hosts(call.db, call.actor.scope, row["key"], _MOST)
    users = await one.list_similar(call.db, call.actor.scope, uuid, _NOBODY, _MOST)
    return Image(
        row=_image(row),
        hosts=tuple(_image_host(each) for each in found),
        containers=tuple(map(_container, users)),
        **{name: row[name] for name in _OF_IMAGE},
    )


#: The id of no container: all of them count.
_NOBODY: Final = "00000000-0000-0000-0000-000000000000"
_OF_IMAGE: Final = (
    "key", "architecture", "os", "labels", "history", "current_digest", "found_at", "found_by",
)  # fmt: skip


async def volume(call: Call, uuid: str) -> Volume:
    """Return a volume with the containers that mount it. Raises ``VolumeMissing``."""
    row = await one.find_volume(call.db, call.actor.scope, uuid) if is_uuid(uuid) else None
    if row is None:
        raise VolumeMissing
    users = await _users(call, row, "volume")
    return Volume(_volume(row), row["host_key"], row["labels"], row["options"], users)


async def network(call: Call, uuid: str) -> Network:
    """Return a network with the containers that are attached to it. Raises ``NetworkMissing``."""
    row = await one.find_network(call.db, call.actor.scope, uuid) if is_uuid(uuid) else None
    if row is None:
        raise NetworkMissing
    users = await _users(call, row, "network")
    return Network(_network(row), row["host_key"], row["flags"], row["ipam"], row["labels"], row["options"], users)


async def _users(call: Call, row: Facts, kind: Kind) -> tuple[ContainerRow, ...]:
    return tuple(map(_container, await one.list_users_of(call.db, row["host_key"], kind, row["name"])))


# ------------------------------------------------------------------------------------------------ rows


def _mark(row: Facts) -> HostMark:
    return HostMark(row["host_id"], row["host_name"])


def _container(row: Facts) -> ContainerRow:
    return ContainerRow(host=_mark(row), **{name: row[name] for name in _CONTAINER})


_CONTAINER: Final = (
    "id", "container_id", "name", "image", "tag", "image_id", "source", "status", "stack", "ports", "created_at",
    "status_at", "update",
)  # fmt: skip


def _image(row: Facts) -> ImageRow:
    return ImageRow(host=_mark(row) if row.get("host_id") else None, **{name: row[name] for name in _IMAGE})


_IMAGE: Final = (
    "id", "repository", "tag", "image_id", "source", "size_bytes", "created_at", "hosts", "containers",
    "available_tag", "available_digest", "checked_at", "problem",
)  # fmt: skip


def _image_host(row: Facts) -> ImageHost:
    return ImageHost(_mark(row), row["tag"], tuple(row["digests"]), row["containers"], row["seen_at"])


def _volume(row: Facts) -> VolumeRow:
    return VolumeRow(host=_mark(row), **{name: row[name] for name in _VOLUME})


_VOLUME: Final = ("id", "name", "driver", "mountpoint", "scope", "size_bytes", "containers", "created_at")


def _network(row: Facts) -> NetworkRow:
    return NetworkRow(host=_mark(row), **{name: row[name] for name in _NETWORK})


_NETWORK: Final = (
    "id", "network_id", "name", "driver", "scope", "subnet", "gateway", "containers", "created_at",
)  # fmt: skip


def _stack(row: Facts) -> StackRow:
    members = tuple(Member(*each) for each in row["members"] or ())
    return StackRow(row["name"], _mark(row), row["total"], row["running"], row["exited"], row["paused"], members)
