"""The jobs of the links in this process: claimed, offered, transferred, stopped; what hosts say goes to the intake."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Final

import orjson

from agent.protocol.codec import BadMessage, decode, encode
from agent.protocol.messages import FROM_AGENT, Hello, JobEnded
from agent.protocol.session import (
    Declined,
    Finish,
    Greeted,
    Mistake,
    Send,
    ServerEffect,
    Store,
    Taken,
    Wanted,
)
from server.automation import bundle, executors, progress, relaying, rules
from server.automation.desk import Desk, Projects
from server.automation.events import JobsQueued, JobStopAsked
from server.automation.executors.native import Translator
from server.automation.intake import Intake
from server.automation.models import SOURCE_NUMBERS, Batch, Claimed, Ending, Note, Sighting, Stored
from server.automation.native import Natives
from server.channel.models import Body, Lines, Link
from server.core.batches import Batches
from server.core.call import Call, World, system
from server.core.ids import HostId
from server.core.log import get_log
from server.core.loop import Keeper
from server.core.secretbox import BadSeal
from server.hosts import service as hosts

log = get_log(__name__)

_Greeting = tuple[HostId, Hello]
_LOOK_SECONDS: Final = 60.0
_MISTAKES: Final = 100
_GAPS: Final = 3


class Dispatcher:
    """The automation room's inbox: one desk per greeted link."""

    message_types: frozenset[str] = frozenset(kind.type for kind in FROM_AGENT)  # type: ignore[attr-defined]

    def __init__(self, world: World, keeper: Keeper, lines: Lines, translators: Sequence[Translator] = ()) -> None:
        self._world = world
        self._keeper = keeper
        self._lines = lines
        self._intake = Intake(world, keeper)
        self._projects = Projects(world.db)
        self._desks: dict[HostId, Desk] = {}
        self._greetings: Batches[_Greeting, bool] = Batches(
            keeper, "greetings", self._note_greetings, key=lambda greeting: greeting[0], linger=True
        )
        self._gaps: dict[str, int] = {}
        self._eager: set[HostId] = set()
        self._stopping: set[HostId] = set()
        self._unanswered: set[HostId] = set()
        self._wake = asyncio.Event()
        self._natives = Natives(world, keeper, lines, translators, self._hurry_silent)
        keeper.start("job-dispatch", self._work())
        keeper.start("job-bells", self._hear())

    def _call(self) -> Call:
        return Call(self._world, system("dispatch"))

    # ------------------------------------------------------------ links

    def opened(self, link: Link) -> None:
        """Wait for its hello."""
        self._natives.opened(link)

    def closed(self, link: Link) -> None:
        """Forget what belonged to the connection; everything else is in the rows."""
        desk = self._desks.get(link.host_id)
        if desk is not None and desk.link is link:
            del self._desks[link.host_id]
        elif desk is None:
            self._natives.left(link.host_id)

    async def received(self, link: Link, body: Body, size_bytes: int) -> None:
        """Take one message of an agent."""
        desk = self._desks.get(link.host_id)
        try:
            message = decode(body)
        except BadMessage as error:
            self._blame(link, desk, f"{body.get('type')}: bad field {error}")
            return
        if message is None:
            return
        if isinstance(message, Hello):
            desk = self._desks[link.host_id] = Desk(link)
        elif desk is None or desk.link is not link:
            self._blame(link, None, f"{message.type} before hello")
            return
        if desk.broken:
            return
        await self._carry_out(desk, desk.session.received(message), size_bytes)

    async def _carry_out(self, desk: Desk, effects: Iterable[ServerEffect], size_bytes: int) -> None:
        for effect in effects:
            if isinstance(effect, Send):
                desk.send(effect)
            elif isinstance(effect, Store):
                await self._store(desk, effect, size_bytes)
            elif isinstance(effect, Greeted):
                await self._greet(desk, effect.hello)
            elif isinstance(effect, Wanted):
                await self._provide(desk, effect)
            elif isinstance(effect, Taken):
                await self._taken(desk, effect)
            elif isinstance(effect, Finish):
                await self._finish(desk, effect.ended)
            elif isinstance(effect, Declined):
                await self._declined(desk, effect)
            elif isinstance(effect, Mistake):
                self._blame(desk.link, desk, effect.text)

    def _blame(self, link: Link, desk: Desk | None, text: str) -> None:
        log.info("protocol_mistake", host=link.name, mistake=text)
        if desk is not None:
            desk.mistakes += 1
            if desk.mistakes > _MISTAKES:
                link.close("too many protocol mistakes")

    # ------------------------------------------------------------ what hosts say

    async def _note_greetings(self, greetings: list[_Greeting]) -> list[bool]:
        call = self._call()
        await hosts.note_hellos(call, {host_id: orjson.loads(encode(hello)) for host_id, hello in greetings})
        busy = await progress.busy(call, [host_id for host_id, _ in greetings])
        return [host_id in busy for host_id, _ in greetings]

    async def _greet(self, desk: Desk, hello: Hello) -> None:
        busy = await self._greetings.put((desk.host_id, hello))
        if busy or hello.jobs:
            await self._compare(desk, hello)
        else:
            # Most hosts of a crowd that comes back have nothing of ours: there is nothing to compare.
            desk.do(desk.session.welcome(()))
        desk.settle()
        self._hurry([desk.host_id])

    async def _compare(self, desk: Desk, hello: Hello) -> None:
        call = self._call()
        verdicts, again = await progress.greet(call, desk.host_id, hello)
        for standing in verdicts.known:
            desk.hold(standing.uuid, standing.id)
        desk.do(desk.session.welcome(verdicts.welcome))
        if verdicts.stop:
            await self._stop([desk.host_id])
        for claimed in again:
            await self._offer(desk, claimed)

    async def _store(self, desk: Desk, effect: Store, size_bytes: int) -> None:
        held = desk.held.get(effect.job)
        if held is None or effect.source not in SOURCE_NUMBERS or effect.first < 1:
            self._blame(desk.link, desk, f"events of {effect.source!r} from {effect.first} of a job that is not here")
            return
        source: Final = "runner" if effect.source == "runner" else "live"
        await self._put(desk, effect.job, Batch(held.job_host_id, source, effect.first, effect.items, size_bytes))

    async def _taken(self, desk: Desk, effect: Taken) -> None:
        held = desk.held.get(effect.job)
        if held is None:
            return
        held.taken = True
        if effect.state != "receiving":
            held.spec = b""
            await self._put(desk, effect.job, Sighting(held.job_host_id, effect.state))

    async def _finish(self, desk: Desk, ended: JobEnded) -> None:
        held = desk.held.get(ended.job)
        if held is None:
            # Ended before, and the farewell was lost: the host may forget it.
            desk.do(desk.session.drop(ended.job))
            return
        log.info("job_ended", host=desk.link.name, job=ended.job, status=ended.status, request_id=held.request_id)
        hopeless = self._gaps.get(ended.job, 0) >= _GAPS
        await self._put(desk, ended.job, Ending(held.job_host_id, ended, incomplete=hopeless))

    async def _declined(self, desk: Desk, effect: Declined) -> None:
        held = desk.held.pop(effect.job, None)
        if held is None:
            return
        log.info("job_declined", host=desk.link.name, job=effect.job, code=effect.code, reason=effect.reason)
        await progress.decline(self._call(), held.job_host_id, effect.code, effect.reason)

    async def _provide(self, desk: Desk, effect: Wanted) -> None:
        held = desk.held.get(effect.job)
        if held is None:
            return
        content = held.spec if effect.part == "spec" else await self._projects.content(effect.digest)
        desk.do(
            desk.session.provide(effect.job, effect.part, content, desk.session.resume_offset(effect.job, effect.part))
        )

    async def _put(self, desk: Desk, job: str, note: Note) -> None:
        await self._intake.put(note, lambda stored: self._acknowledge(desk, job, stored))

    def _acknowledge(self, desk: Desk, job: str, stored: Stored) -> None:
        if stored.gap:
            # Only a new connection makes the host send again from what is stored. One gap spoils every later note of
            # the same connection; it counts once.
            if not desk.broken:
                desk.broken = True
                self._gaps[job] = self._gaps.get(job, 0) + 1
            desk.link.close("events are missing")
        elif stored.over:
            self._gaps.pop(job, None)
            desk.held.pop(job, None)
            desk.do(desk.session.drop(job))
            self._hurry([desk.host_id])
        else:
            desk.do(desk.session.stored(job, stored.runner, stored.live))

    # ------------------------------------------------------------ what the server wants

    def _hurry(self, host_ids: Iterable[HostId]) -> None:
        self._eager.update(host_ids)
        self._wake.set()

    def _hurry_silent(self, host_ids: Iterable[HostId]) -> None:
        self._hurry([host_id for host_id in host_ids if host_id not in self._desks])

    async def _hear(self) -> None:
        async with self._world.bus.following(JobsQueued.name, JobStopAsked.name) as bell:
            while True:
                heard = await bell.ring(within=_LOOK_SECONDS)
                if not heard:
                    # No bell at all for so long means that Redis may be away: look everywhere.
                    heard = [JobsQueued(tuple(self._lines.host_ids()), sweep=True).news()]
                for news in heard:
                    here = {host_id for host_id in news["host_ids"] if self._lines.link(host_id) is not None}
                    self._eager |= here
                    if news["event"] == JobStopAsked.name:
                        self._stopping |= here
                    elif news["sweep"]:
                        self._unanswered |= here
                        self._stopping |= here
                self._wake.set()

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            eager, self._eager = self._eager, set()
            stopping, self._stopping = self._stopping, set()
            unanswered, self._unanswered = self._unanswered, set()
            try:
                await self._stop([host_id for host_id in stopping if host_id in self._desks])
                await self._stop_silent([host_id for host_id in stopping if host_id not in self._desks])
                await self._repeat_offers([host_id for host_id in unanswered if host_id in self._desks])
                await self._claim_for(eager)
            except Exception:
                # The sweep rings again; one bad moment of the database must not end all dispatching.
                log.exception("dispatch_failed", hosts=len(eager))

    async def _stop(self, host_ids: list[HostId]) -> None:
        if not host_ids:
            return
        for host_id, job, grace_seconds in await progress.stopping(self._call(), host_ids):
            desk = self._desks.get(host_id)
            if desk is not None and job not in desk.stopped:
                desk.stopped |= {job}
                desk.do(desk.session.stop(job, grace_seconds))

    async def _stop_silent(self, host_ids: list[HostId]) -> None:
        if host_ids:
            await self._natives.stop(host_ids)

    async def _repeat_offers(self, host_ids: list[HostId]) -> None:
        if not host_ids:
            return
        for claimed in await progress.unanswered(self._call(), host_ids):
            desk = self._desks.get(claimed.host_id)
            if desk is not None and not (claimed.uuid in desk.held and desk.held[claimed.uuid].taken):
                await self._offer(desk, claimed)

    async def _claim_for(self, host_ids: Iterable[HostId]) -> None:
        rooms: dict[HostId, dict[str, int]] = {}
        refusals: dict[str, list[HostId]] = {}
        silent: list[HostId] = []
        relayed: list[HostId] = []
        for host_id in host_ids:
            link, desk = self._lines.link(host_id), self._desks.get(host_id)
            if link is None or (desk is None and time.monotonic() - link.opened_at < rules.HELLO_SECONDS):
                continue
            if desk is None:
                silent.append(host_id)
                continue
            choice = executors.choose(desk.session.hello)
            if choice.executor == executors.relayed.NAME:
                relayed.append(host_id)
            elif choice.executor:
                rooms[host_id] = {"host_id": host_id, "changing": desk.changing_jobs, "checking": rules.CHECKS_AT_ONCE}
            else:
                refusals.setdefault(choice.refusal, []).append(host_id)
        for reason, refused in refusals.items():
            await progress.refuse(self._call(), refused, reason)
        if silent:
            await self._natives.begin(silent)
        await relaying.hand_over(self._call(), relayed, {h: self._desks[h].session.hello for h in (*relayed, *rooms)})
        await self._claim_on_hosts(list(rooms.values()))

    async def _claim_on_hosts(self, rooms: list[dict[str, int]]) -> None:
        for claimed in await progress.claim(self._call(), rooms, executors.on_host.NAME) if rooms else []:
            desk = self._desks.get(claimed.host_id)
            # Without a desk the link just left: its next hello puts the job back into the queue.
            if desk is not None:
                await self._offer(desk, claimed)

    async def _offer(self, desk: Desk, claimed: Claimed) -> None:
        hello = desk.session.hello
        if claimed.has_stages and (hello is None or "stages" not in hello.abilities):
            log.info("job_needs_newer_agent", host=desk.link.name, job=claimed.uuid)
            await progress.give_up(self._call(), claimed.id, rules.NO_STAGES)
            return
        try:
            secrets = self._world.box.open(claimed.secrets_sealed) if claimed.secrets_sealed else "{}"
        except BadSeal:
            # The server's key is another one by now. This job host ends; nobody else waits behind it.
            log.warning("job_secrets_unreadable", host=desk.link.name, job=claimed.uuid)
            await progress.give_up(
                self._call(), claimed.id, "its secret variables cannot be opened any more: launch again"
            )
            return
        variables = orjson.loads(secrets)
        if bundle.needs_sealed_parts(variables) and (hello is None or "sealed_parts" not in hello.abilities):
            log.info("job_needs_newer_agent", host=desk.link.name, job=claimed.uuid)
            await progress.give_up(self._call(), claimed.id, rules.NO_SEALED_PARTS)
            return
        prepared = executors.on_host.prepare(claimed, variables)
        held = desk.hold(claimed.uuid, claimed.id)
        held.spec, held.request_id = prepared.spec, claimed.request_id
        log.info("job_offered", host=desk.link.name, job=claimed.uuid, request_id=claimed.request_id)
        desk.do(desk.session.offer(prepared.offer))


@asynccontextmanager
async def dispatcher(
    world: World, keeper: Keeper, lines: Lines, translators: Sequence[Translator] = ()
) -> AsyncIterator[Dispatcher]:
    """Open the dispatcher for the life of the process."""
    yield Dispatcher(world, keeper, lines, translators)
