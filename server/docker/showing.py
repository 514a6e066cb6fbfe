"""What is kept of containers, for programs."""

from typing import Any

from server.docker.views import (
    Container,
    ContainerRow,
    Dashboard,
    DockerHostRow,
    HostMark,
    Image,
    ImageHost,
    ImageRow,
    Network,
    NetworkRow,
    StackRow,
    Volume,
    VolumeRow,
)

Told = dict[str, Any]


def host_mark(one: HostMark) -> Told:
    """Return the host that something is on."""
    return {"id": one.id, "friendly_name": one.name}


def container(one: ContainerRow) -> Told:
    """Return a container of a list."""
    return {
        "id": one.id,
        "container_id": one.container_id,
        "name": one.name,
        "image_name": one.image,
        "image_tag": one.tag,
        "image_id": one.image_id,
        "image_source": one.source,
        "registry_link": one.link or None,
        "update_available": one.update,
        "status": one.status,
        "stack": one.stack or None,
        "ports": one.ports,
        "created_at": one.created_at,
        "status_at": one.status_at,
        "host_id": one.host.id,
        "host": host_mark(one.host),
    }


def container_in_full(one: Container) -> Told:
    """Return everything about a container."""
    return {
        **container(one.row),
        "state": one.state,
        "started_at": one.started_at,
        "exit_code": one.exit_code,
        "restart_policy": one.restart_policy,
        "restart_count": one.restart_count,
        "network_mode": one.network_mode,
        "command": one.command,
        "entrypoint": one.entrypoint,
        "labels": one.labels,
        "mounts": one.mounts,
        "networks": one.networks,
    }


def image(one: ImageRow) -> Told:
    """Return an image of a list."""
    return {
        "id": one.id,
        "repository": one.repository,
        "tag": one.tag,
        "image_id": one.image_id,
        "source": one.source,
        "registry_link": one.link or None,
        "size_bytes": one.size_bytes,
        "created_at": one.created_at,
        "host_count": one.hosts,
        "container_count": one.containers,
        "update_available": bool(one.update),
        "available_tag": one.available_tag or None,
        "available_digest": one.available_digest or None,
        "checked_at": one.checked_at,
        "check_problem": one.problem or None,
    }


def image_in_full(one: Image) -> Told:
    """Return everything about an image."""
    return {
        **image(one.row),
        "architecture": one.architecture,
        "os": one.os,
        "labels": one.labels,
        "history": one.history,
    }


def updates(one: Image) -> list[Told]:
    """Return what is newer than an image."""
    row = one.row
    if not row.update:
        return []
    return [
        {
            "repository": row.repository,
            "current_tag": row.tag,
            "available_tag": row.available_tag or None,
            "current_digest": one.current_digest or None,
            "available_digest": row.available_digest or None,
            "found_at": one.found_at,
            "found_by": one.found_by,
        }
    ]


def image_host(one: ImageHost) -> Told:
    """Return a host that has an image."""
    return {
        **host_mark(one.host),
        "tag": one.tag,
        "digests": list(one.digests),
        "container_count": one.containers,
        "last_checked": one.seen_at,
    }


def volume(one: VolumeRow) -> Told:
    """Return a volume of a list."""
    return {
        "id": one.id,
        "name": one.name,
        "driver": one.driver,
        "mountpoint": one.mountpoint,
        "scope": one.scope,
        "size_bytes": one.size_bytes,
        "container_count": one.containers,
        "created_at": one.created_at,
        "host_id": one.host.id,
        "host": host_mark(one.host),
    }


def volume_in_full(one: Volume) -> Told:
    """Return everything about a volume."""
    return {**volume(one.row), "labels": one.labels, "options": one.options}


def network(one: NetworkRow) -> Told:
    """Return a network of a list."""
    return {
        "id": one.id,
        "network_id": one.network_id,
        "name": one.name,
        "driver": one.driver,
        "scope": one.scope,
        "subnet": one.subnet,
        "gateway": one.gateway,
        "container_count": one.containers,
        "created_at": one.created_at,
        "host_id": one.host.id,
        "host": host_mark(one.host),
    }


def network_in_full(one: Network) -> Told:
    """Return everything about a network."""
    return {**network(one.row), **one.flags, "ipam": one.ipam, "labels": one.labels, "options": one.options}


def stack(one: StackRow) -> Told:
    """Return a stack: containers of one host that belong together."""
    return {
        "name": one.name,
        "host": host_mark(one.host),
        "total": one.total,
        "running": one.running,
        "exited": one.exited,
        "paused": one.paused,
        "other": one.other,
        "containers": [
            {"id": each.id, "name": each.name, "image": each.image, "image_id": each.image_id, "status": each.status}
            for each in one.members
        ],
    }


def host(one: DockerHostRow) -> Told:
    """Return a host with the integration."""
    return {
        "id": one.id,
        "friendly_name": one.name,
        "hostname": one.hostname,
        "docker_enabled": one.enabled,
        "last_inventory_at": one.received_at,
        "daemon_info": one.engine,
        **counts(one),
    }


def counts(one: DockerHostRow) -> Told:
    """Return how much a host has."""
    return {
        "totalContainers": one.containers,
        "runningContainers": one.running,
        "exitedContainers": one.exited,
        "pausedContainers": one.paused,
        "totalImages": one.images,
        "totalVolumes": one.volumes,
        "totalNetworks": one.networks,
        "totalStacks": one.stacks,
    }


def dashboard(one: Dashboard) -> Told:
    """Return the numbers above the lists."""
    other = one.containers - one.running - one.exited - one.paused
    statuses = {"running": one.running, "exited": one.exited, "paused": one.paused, "other": other}
    return {
        "stats": {
            "hostsWithDocker": one.hosts,
            "enabledHosts": one.enabled,
            "runningContainers": one.running,
            "totalContainers": one.containers,
            "totalImages": one.images,
            "updatesAvailable": one.updates,
            "availableUpdates": one.updates,
            "totalStacks": one.stacks,
            "totalVolumes": one.volumes,
            "totalNetworks": one.networks,
        },
        "containersByStatus": [{"status": name, "count": count} for name, count in statuses.items() if count],
        "imagesBySource": [{"source": name, "count": count} for name, count in one.sources.items()],
        "registries": [
            {"registry": name, "problem": problem, "paused_until": until} for name, problem, until in one.troubled
        ],
    }
