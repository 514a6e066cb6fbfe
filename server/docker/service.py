"""Keeping what hosts report about their containers: snapshots as differences, events as they happen."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from agent.protocol import hashes
from server.core.bus import announce
from server.core.call import Call
from server.core.db import Tx, retried
from server.docker import rules
from server.docker.errors import InventoryMismatch
from server.docker.events import ContainerImageUpdateAvailable, ContainerStarted, ContainerStopped, DockerChanged
from server.docker.models import Counts, Happening, ImageKey, Json, ReportedUpdate, Row, Snapshot, StatusChange
from server.docker.queries import registries, storage
from server.docker.references import parse
from server.hosts import service as hosts
from server.hosts.models import AgentHost

__all__ = ["digest_of", "hear", "store"]


def digest_of(told: Json) -> str:
    """Return the section hash of an inventory as it was received."""
    return hashes.docker_hash(told)


async def store(call: Call, host: AgentHost, told: Snapshot, computed: str, collected_at: datetime | None) -> Counts:
    """Make a snapshot the host's whole truth: what is not in it any more goes.

    The statements are as many for one container as for hundreds. Raises ``InventoryMismatch``.
    """
    if told.docker_hash and told.docker_hash != computed:
        raise InventoryMismatch
    wanted = rules.rows_of(told)
    made_at = min(collected_at or call.now, call.now)
    await retried(lambda: _store(call, host, told, wanted, computed, made_at))
    return rules.counts(told)


async def _store(
    call: Call, host: AgentHost, told: Snapshot, wanted: rules.Rows, computed: str, made_at: datetime
) -> None:
    async with call.transaction(long=True) as tx:
        await storage.lock_host(tx, host.id, rules.engine_of(told.daemon_info), call.now)
        stored = await storage.fetch_stored(tx, host.id)
        keys = await _store_images(tx, call, host.id, stored["images"], wanted)
        changes = await _store_containers(tx, call, host.id, dict(stored["containers"]), wanted, keys, made_at)
        volumes = rules.difference(dict(stored["volumes"]), wanted.volumes)
        if volumes.written or volumes.gone:
            await storage.write_volumes(tx, host.id, volumes.written, volumes.gone)
        networks = rules.difference(dict(stored["networks"]), wanted.networks)
        if networks.written or networks.gone:
            await storage.write_networks(tx, host.id, networks.written, networks.gone)
        await storage.count_again(tx, host.id, call.now)
        await _announce_updates(tx, await registries.write_told(tx, host.id, _told_updates(told.updates), call.now))
        await hosts.note_docker(tx, host.id, computed, call.now)
        await _announce(tx, changes)
        tx.after_commit(announce(DockerChanged((host.id,))))


async def _store_images(
    tx: Tx, call: Call, host_id: int, stored: Sequence[Sequence[object]], wanted: rules.Rows
) -> dict[ImageKey, int]:
    known = {(row[2], row[3], row[4]): (row[0], row[1]) for row in stored}
    keys = {name: key for name, (key, _) in known.items()}
    written = [row for name, row in wanted.images.items() if known.get(name, (0, None))[1] != row["fingerprint"]]
    gone = [key for name, key in keys.items() if name not in wanted.images]
    if written or gone:
        keys |= await storage.write_images(tx, host_id, written, gone, call.now)  # type: ignore[arg-type]
        asked = [row for row in map(_reference, written) if row is not None]
        if asked:
            await storage.note_references(tx, asked, call.now)
            # A registry may have been asked about the same name for another host.
            pairs = sorted({(str(row["repository"]), str(row["tag"])) for row in asked})
            await _announce_updates(tx, await registries.compare(tx, pairs, call.now))
    return keys  # type: ignore[return-value]


def _reference(row: Row) -> Row | None:
    """Return what a registry has to be asked about; nothing for what never came from one."""
    if row["source"] in {"local", "unknown"} or not row["digests"]:
        return None
    found = parse(str(row["repository"]), str(row["tag"]))
    if found is None or not found.tag:
        return None
    return {"repository": row["repository"], "tag": row["tag"], "registry": found.registry}


async def _store_containers(
    tx: Tx,
    call: Call,
    host_id: int,
    stored: dict[str, int],
    wanted: rules.Rows,
    keys: dict[ImageKey, int],
    made_at: datetime,
) -> list[StatusChange]:
    change = rules.difference(stored, wanted.containers)
    if not change.written and not change.gone:
        return []
    rows = [
        {**row, "image": keys.get((row["repository"], row["tag"], row["image_id"]))}  # type: ignore[arg-type]
        for row in change.written
    ]
    return await storage.write_containers(tx, host_id, rows, change.gone, call.now, made_at)


def _told_updates(told: Sequence[ReportedUpdate] | None) -> list[dict[str, object]]:
    return [
        {
            "repository": rules.cut(one.repository, 400),
            "tag": rules.cut(one.current_tag or one.tag, 200),
            "image_id": rules.cut(one.image_id.removeprefix("sha256:"), 200),
            "current_digest": rules.cut(one.current_digest, 200),
            "available_digest": rules.cut(one.available_digest, 200),
            "available_tag": rules.cut(one.available_tag, 200),
        }
        for one in told or ()
        if one.available_digest or one.available_tag
    ]


async def hear(call: Call, host_id: int, told: Happening) -> StatusChange | None:
    """Give a container the status that an event told; ``None`` when nothing changed, or nobody knows the container."""
    bounded = replace(told, at=min(told.at, call.now))

    async def attempt() -> StatusChange | None:
        async with call.transaction() as tx:
            change = await storage.apply_event(tx, host_id, bounded)
            if change is not None:
                await storage.count_again(tx, host_id, call.now)
                await _announce(tx, [change])
                tx.after_commit(announce(DockerChanged((host_id,))))
        return change

    return await retried(attempt)


async def _announce(tx: Tx, changes: Sequence[StatusChange]) -> None:
    crossed = [(one, crossing) for one in changes if (crossing := rules.crossing(one.old, one.new))]
    if not crossed:
        return
    names = await storage.host_names(tx, [one.host_id for one, _ in crossed])
    for one, crossing in crossed:
        kind = ContainerStarted if crossing == "started" else ContainerStopped
        host, host_name = names[one.host_id]
        tx.after_commit(announce(kind(host, host_name, one.uuid, one.name, one.image, one.old, one.new)))


async def _announce_updates(tx: Tx, found: Sequence[dict[str, object]]) -> None:
    for one in found:
        event = ContainerImageUpdateAvailable(
            str(one["id"]), str(one["name"]), str(one["available"]), int(str(one["hosts"]))
        )
        tx.after_commit(announce(event))
