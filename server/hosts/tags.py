"""Tags of hosts: free words, or keys with a value, by which people find and choose hosts."""

from collections.abc import Mapping, Sequence
from typing import Final

from server.audit import service as audit
from server.audit.models import Subject
from server.core.bus import announce
from server.core.call import Call
from server.core.ids import is_uuid
from server.hosts.errors import BadTag, HostMissing, TooManyTags
from server.hosts.events import HostsChanged
from server.hosts.listed import TagCount
from server.hosts.queries import fleet, keepers
from server.hosts.queries import tags as rows
from server.hosts.rules import tag_of

MOST_TAGS: Final = 50


def read(texts: Sequence[str]) -> dict[str, str]:
    """Return tags written as ``key`` or ``key=value``; raises ``BadTag``."""
    found = {}
    for text in texts:
        pair = tag_of(text)
        if pair is None:
            raise BadTag(tag=text[:80])
        found[pair[0]] = pair[1]
    if len(found) > MOST_TAGS:
        raise TooManyTags(most=MOST_TAGS)
    return found


async def known(call: Call) -> list[TagCount]:
    """Return every tag in use with the number of its hosts."""
    return await rows.list_tags(call.db, call.actor.scope)


async def of(call: Call, uuid: str) -> dict[str, str]:
    """Return a host's tags by key; none for a host that the asker does not see."""
    return await rows.tags_of(call.db, call.actor.scope, uuid) if is_uuid(uuid) else {}


async def replace(call: Call, uuid: str, wanted: Mapping[str, str]) -> dict[str, str]:
    """Make these a host's tags and return them."""
    if not is_uuid(uuid):
        raise HostMissing
    scope = call.actor.scope
    async with call.transaction() as tx:
        host = await keepers.lock_host(tx, scope, uuid)
        if host is None:
            raise HostMissing
        before = await rows.tags_of(tx, scope, uuid)
        await rows.keep_tags(tx, scope, uuid, sorted(wanted))
        await rows.put_tags(tx, scope, [uuid], wanted)
        after = await rows.tags_of(tx, scope, uuid)
        if before != after:
            subject = Subject("host", uuid, host["friendly_name"])
            await audit.record(tx, call, "hosts.tags_changed", subject, {"tags": {"before": before, "after": after}})
            tx.after_commit(announce(HostsChanged((host["id"],))))
    return after


async def change(call: Call, uuids: Sequence[str], add: Mapping[str, str], remove: Sequence[str]) -> int:
    """Give tags to hosts and take others away; return how many hosts that was for."""
    scope = call.actor.scope
    keys = await fleet.keys_of(call.db, scope, uuids)
    async with call.transaction() as tx:
        await rows.drop_tags(tx, scope, uuids, list(remove))
        await rows.put_tags(tx, scope, uuids, add)
        told = {"added": dict(add), "removed": sorted(remove), "hosts": len(keys)}
        await audit.record(tx, call, "hosts.tags_changed", Subject("hosts", "", f"{len(keys)} hosts"), told)
        tx.after_commit(announce(HostsChanged(tuple(keys))))
    return len(keys)
