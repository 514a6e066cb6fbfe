"""Whether something newer exists than what hosts run: registries are asked by the worker, rarely and politely."""

import asyncio
import random
from collections.abc import Sequence
from datetime import timedelta
from itertools import groupby
from operator import attrgetter
from typing import Final

from server.audit import service as audit
from server.audit.models import Subject
from server.core.bus import announce
from server.core.call import Call
from server.core.fetch import fetcher
from server.core.queue import enqueue
from server.docker.errors import ImageMissing
from server.docker.events import ContainerImageUpdateAvailable
from server.docker.fleet import image
from server.docker.models import Answer, Due
from server.docker.queries import registries
from server.docker.references import parse
from server.docker.registry import Registry, RegistryAway

#: So often something is asked about again: when it was answered, and when the answer was that nothing can be said.
EVERY: Final = timedelta(hours=6)
EVERY_PROBLEM: Final = timedelta(hours=24)
#: Nobody else asks about what one worker has taken until then.
_TAKEN: Final = timedelta(minutes=30)
_FIRST_PAUSE: Final = timedelta(minutes=15)
_LONGEST_PAUSE: Final = timedelta(hours=6)
_AT_ONCE: Final = 200
_TASK: Final = "docker.check_updates"


async def check_due(call: Call) -> int:
    """Ask registries about what is due; return how many names and tags were answered.

    Registries are asked side by side, each about one thing at a time. One that is away or asks us to wait is left alone
    for a while, longer each time.
    """
    async with call.transaction() as tx:
        due = await registries.claim_due(tx, call.now, call.now + _TAKEN, _AT_ONCE)
    by_registry = attrgetter("registry")
    parts = [list(group) for _, group in groupby(sorted(due, key=by_registry), by_registry)]
    return sum(await asyncio.gather(*(_check(call, part) for part in parts)))


async def _check(call: Call, due: Sequence[Due]) -> int:
    registry = Registry(due[0].registry, fetcher(call.world.env, https_only=True))
    for number, one in enumerate(due):
        wanted = parse(one.repository, one.tag)
        try:
            known = Answer(one.digest, tuple(one.digests))
            answer = Answer(problem="No such name") if wanted is None else await registry.look_up(wanted, known)
        except RegistryAway as away:
            await _pause(call, registry.name, away, due[number:])
            return number
        await _keep(call, one, answer)
    return len(due)


async def _keep(call: Call, one: Due, answer: Answer) -> None:
    # Not all at the same moment, for ever after.
    spread = random.uniform(0.9, 1.1)  # noqa: S311 (spreads load, guards nothing)
    next_at = call.now + (EVERY_PROBLEM if answer.problem else EVERY) * spread
    async with call.transaction() as tx:
        await registries.store_answer(tx, one, answer, call.now, next_at)
        await registries.note_working(tx, one.registry, call.now)
        for found in await registries.compare(tx, [(one.repository, one.tag)], call.now):
            event = ContainerImageUpdateAvailable(found["id"], found["name"], found["available"], found["hosts"])
            tx.after_commit(announce(event))


async def _pause(call: Call, registry: str, away: RegistryAway, left: Sequence[Due]) -> None:
    failures = await registries.fetch_failures(call.db, registry)
    pause = min(_FIRST_PAUSE * 2 ** min(failures, 10), _LONGEST_PAUSE)
    if away.wait_seconds is not None:
        pause = max(timedelta(seconds=away.wait_seconds), timedelta(minutes=1))
    until = call.now + pause
    async with call.transaction() as tx:
        await registries.pause_registry(tx, registry, str(away)[:500], until, call.now)
        await registries.postpone(tx, left, until)


async def ask_again(call: Call, uuid: str) -> None:
    """Have a registry asked about an image as soon as possible. Raises ``ImageMissing``."""
    found = await image(call, uuid)
    if found.row.source in {"local", "unknown"}:
        raise ImageMissing
    async with call.transaction() as tx:
        await registries.make_due(tx, found.row.repository, found.row.tag, call.now)
        await audit.record(tx, call, "docker.update_check_asked", Subject("docker_image", uuid, found.row.name))
        tx.after_commit(enqueue(_TASK))
