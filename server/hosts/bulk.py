"""What is done with many hosts at once: each by itself, so that one that cannot be changed stops nobody else."""

from collections.abc import Sequence
from typing import Final

from server.core.call import Call
from server.core.ids import is_uuid
from server.hosts import fleet, service
from server.hosts.errors import HostMissing
from server.hosts.listed import ForEach, Listed

#: More are chosen by what they have in common.
MOST_IDS: Final = 10_000


def ids_of(given: Sequence[str]) -> list[str]:
    """Return the UUIDs among what was sent, each once."""
    return [one for one in dict.fromkeys(given) if is_uuid(one)][:MOST_IDS]


async def names(call: Call, uuids: Sequence[str], most: int) -> tuple[list[tuple[str, str]], int]:
    """Return the first of these hosts as pairs of id and name, and how many the asker sees of them."""
    found, total = await fleet.part(call, Listed(selected=list(uuids)), most, 0)
    return [(row.id, row.name) for row in found], total


async def delete(call: Call, uuids: Sequence[str]) -> ForEach:
    """Remove hosts, each with everything known about it."""
    done = 0
    skipped = []
    for uuid in uuids:
        try:
            await service.delete(call, uuid)
        except HostMissing as error:
            skipped.append((uuid, str(error)))
        else:
            done += 1
    return ForEach(done, len(uuids), tuple(skipped))


async def set_groups(call: Call, uuids: Sequence[str], group_ids: Sequence[str]) -> ForEach:
    """Set the groups of hosts to exactly these. Raises what ``service.set_groups`` does, before anything is changed."""
    done = 0
    skipped = []
    for uuid in uuids:
        try:
            await service.set_groups(call, uuid, group_ids)
        except HostMissing as error:
            skipped.append((uuid, str(error)))
        else:
            done += 1
    return ForEach(done, len(uuids), tuple(skipped))
