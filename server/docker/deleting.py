"""Deleting on hosts, through their agents, and forgetting what is only a record."""

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from server.audit import service as audit
from server.audit.models import Subject
from server.channel import service as channel
from server.core.bus import announce
from server.core.call import Call
from server.core.ids import HostId, is_uuid, new_uuid
from server.docker.errors import (
    AgentAway,
    AgentTooOld,
    ContainerMissing,
    EngineRefused,
    ImageMissing,
    ImageUsed,
    ManyHosts,
    NetworkMissing,
    NoAnswer,
    VolumeMissing,
)
from server.docker.events import DeletionEnded, DockerChanged, deletion_topic
from server.docker.models import Kind
from server.docker.queries import one, storage

#: The word by which agents that delete say so in their greeting.
ABILITY: Final = "docker_delete"
#: An agent that takes longer has perhaps done it: the next report says.
PATIENCE_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 5.0
_KEPT: Final = timedelta(days=30)
_MISSING: Final = {
    "container": ContainerMissing,
    "image": ImageMissing,
    "volume": VolumeMissing,
    "network": NetworkMissing,
}


@dataclass(frozen=True, slots=True)
class Target:
    """What is to be deleted, and where.

    Attributes:
        name: what people call it; ``engine_id``: what the engine does.
        hosts: how many hosts have it.
    """

    kind: Kind
    key: int
    name: str
    engine_id: str
    host_key: int
    host_id: str
    host_name: str
    agent_version: str
    able: bool
    hosts: int


async def target(call: Call, kind: Kind, uuid: str, host: str = "") -> Target:
    """Return what a deletion is about.

    Raises ``ManyHosts`` for an image on several hosts of which none is named, and ``…Missing``.
    """
    rows = await one.find_target(call.db, call.actor.scope, kind, uuid) if is_uuid(uuid) else []
    chosen = [row for row in rows if not host or row["host_id"] == host]
    if not chosen:
        raise _MISSING[kind]
    if len(chosen) > 1:
        raise ManyHosts(count=len(chosen))
    return _target(kind, chosen[0], len(rows))


def _target(kind: Kind, row: dict[str, Any], hosts: int) -> Target:
    engine_id = row["target"]
    # By name, as a person would: an image with several names loses this one only.
    if kind == "image" and "<none>" not in row["name"]:
        engine_id = row["name"]
    return Target(
        kind=kind,
        key=row["key"],
        name=row["name"],
        engine_id=engine_id,
        host_key=row["host_key"],
        host_id=row["host_id"],
        host_name=row["host_name"],
        agent_version=row["agent_version"] or "unknown",
        able=ABILITY in row["abilities"],
        hosts=hosts,
    )


async def delete(call: Call, what: Target, *, patience_seconds: float = PATIENCE_SECONDS) -> None:
    """Have a host's agent delete something; the record goes when the engine said yes, and stays otherwise.

    Raises ``AgentAway``, ``AgentTooOld``, ``EngineRefused`` with the engine's own words, or ``NoAnswer``.
    """
    if not what.able:
        raise AgentTooOld(host=what.host_name, version=what.agent_version)
    host = HostId(what.host_key)
    if host not in await channel.online(call, [host]):
        raise AgentAway
    deletion = new_uuid()
    async with call.transaction() as tx:
        await one.insert_deletion(tx, deletion, what.host_key, what.kind, what.engine_id, call.actor.name, call.now)
        detail = {"host": what.host_name, "id": what.engine_id}
        await audit.record(tx, call, f"docker.{what.kind}_deletion_asked", _subject(what), detail)
    body = {"type": "docker_delete", "request": deletion, "kind": what.kind, "id": what.engine_id}
    async with call.world.bus.following(deletion_topic(deletion)) as bell:
        if not await channel.tell(call, host, body):
            raise AgentAway
        until = time.monotonic() + patience_seconds
        while True:
            found = await one.fetch_deletion(call.db, deletion)
            if found is not None and found["finished_at"] is not None:
                break
            left = until - time.monotonic()
            if left <= 0:
                raise NoAnswer(seconds=round(patience_seconds))
            await bell.ring(within=min(left, _LOOK_SECONDS))
    if found["error"]:
        raise EngineRefused(reason=found["error"])


async def ended(call: Call, host_id: int, deletion: str, error: str) -> None:
    """Keep what an agent says about a deletion; nobody else's, and each only once."""
    if not is_uuid(deletion):
        return
    async with call.transaction() as tx:
        row = await one.end_deletion(tx, deletion, host_id, error, call.now)
        if row is None:
            return
        if not error:
            await one.delete_record(tx, row["kind"], host_id, row["target"])
            await storage.count_again(tx, host_id, call.now)
            tx.after_commit(announce(DockerChanged((host_id,))))
        tx.after_commit(announce(DeletionEnded(deletion)))


async def forget(call: Call, kind: Kind, uuid: str) -> Target:
    """Take a record away without asking anybody; what still exists comes back with the next report.

    An image that a container needs stays. Raises ``…Missing`` or ``ImageUsed``.
    """
    rows = await one.find_target(call.db, call.actor.scope, kind, uuid) if is_uuid(uuid) else []
    if not rows:
        raise _MISSING[kind]
    what = _target(kind, rows[0], len(rows))
    async with call.transaction() as tx:
        if kind == "image":
            if await one.image_is_used(tx, call.actor.scope, what.key):
                raise ImageUsed
            touched = sorted(await one.forget_image(tx, call.actor.scope, what.key))
        else:
            await one.delete_record(tx, kind, what.host_key, what.engine_id)
            touched = [what.host_key]
        for host_key in touched:
            await storage.count_again(tx, host_key, call.now)
        await audit.record(tx, call, f"docker.{kind}_forgotten", _subject(what), {"host": what.host_name})
        tx.after_commit(announce(DockerChanged(tuple(touched))))
    return what


def _subject(what: Target) -> Subject:
    return Subject(f"docker_{what.kind}", what.engine_id[:200], what.name)


async def tidy(call: Call) -> tuple[int, int]:
    """Delete images that no host has, and what registries said of names nobody uses; return how many of each."""
    async with call.transaction() as tx:
        images = await one.delete_orphans(tx)
        references = await one.delete_unused_references(tx)
        await one.delete_old_deletions(tx, call.now - _KEPT)
    return images, references
