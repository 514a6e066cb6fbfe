"""Jobs on existing agents: begun and ended by commands of the wire contract, lost with the connection."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

import orjson

from agent.protocol.messages import Result
from server.automation import executors, progress, rules
from server.automation.events import JobsQueued
from server.automation.executors.native import CHANGING_AT_ONCE, NAME, Command, Translator
from server.automation.ledger import Ledger
from server.automation.models import Claimed, Standing, Status
from server.automation.queries import life
from server.automation.queries import native as rows
from server.channel import service as channel
from server.channel.models import Lines, Link
from server.core.bus import announce
from server.core.call import Call, World, system
from server.core.db import DatabaseError, Tx, retried
from server.core.ids import HostId, JobHostId
from server.core.log import get_log
from server.core.loop import Keeper
from server.core.redis import RedisError
from server.hosts import service as hosts

log = get_log(__name__)

LOST: Final = "Agent disconnected during patch run"
_UNCONFIRMED: Final = "stopped; the agent did not say that it ended"
#: A link that ends is not missed before this long: the agent may have opened another one.
_GRACE_SECONDS: Final = 1.0
#: A server that was killed says farewell for nobody; agents return within half a minute.
_AWAY: Final = timedelta(seconds=90)
#: Interrupted, after half a minute killed, and two minutes to say so.
_STOPPING: Final = timedelta(minutes=3)


class Natives:
    """The hosts of this process whose agents never said hello."""

    def __init__(
        self,
        world: World,
        keeper: Keeper,
        lines: Lines,
        translators: Sequence[Translator],
        hurry: Callable[[Iterable[HostId]], None],
    ) -> None:
        self._world = world
        self._lines = lines
        self._translators = {one.playbook: one for one in translators}
        self._hurry = hurry
        self._fresh: deque[Link] = deque()
        self._gone: set[HostId] = set()
        self._stopped: set[str] = set()
        self._arrivals = asyncio.Event()
        self._departures = asyncio.Event()
        keeper.start("native-arrivals", self._await_hellos())
        keeper.start("native-departures", self._miss())

    def _call(self) -> Call:
        return Call(self._world, system("dispatch"))

    # ------------------------------------------------------------ links

    def opened(self, link: Link) -> None:
        """Look at a new link again once it should have said hello."""
        self._fresh.append(link)
        self._arrivals.set()

    def left(self, host_id: HostId) -> None:
        """Miss a host without hello, unless it is back in a moment."""
        self._gone.add(host_id)
        self._departures.set()

    async def _await_hellos(self) -> None:
        while True:
            await self._arrivals.wait()
            while self._fresh:
                await self._await_hello(self._fresh.popleft())
            self._arrivals.clear()

    async def _await_hello(self, link: Link) -> None:
        if (wait := link.opened_at + rules.HELLO_SECONDS - time.monotonic()) > 0:
            await asyncio.sleep(wait + 0.01)
        if self._lines.link(link.host_id) is link:
            self._hurry([link.host_id])

    async def _miss(self) -> None:
        while True:
            await self._departures.wait()
            await asyncio.sleep(_GRACE_SECONDS)
            self._departures.clear()
            gone, self._gone = self._gone, set()
            try:
                await self._lose([host_id for host_id in gone if self._lines.link(host_id) is None])
            except DatabaseError as error:
                log.warning("native_jobs_not_given_up", hosts=len(gone), reason=str(error).strip())
            except RedisError as error:
                log.warning("native_jobs_not_given_up", hosts=len(gone), reason=str(error))

    async def _lose(self, host_ids: list[HostId]) -> None:
        call = self._call()
        elsewhere = await channel.online(call, host_ids) if host_ids else {}
        under_way = await rows.list_under_way(call.db, [one for one in host_ids if one not in elsewhere])
        if under_way:
            await progress.end(call, under_way, Status.LOST, LOST)

    # ------------------------------------------------------------ beginning and ending

    async def begin(self, host_ids: list[HostId]) -> None:
        """Hand out what waits for hosts of this process that have links and did not say hello."""
        call = self._call()
        patient_since = call.now - timedelta(seconds=rules.PATIENCE_SECONDS)
        silent = await rows.list_silent(call.db, host_ids, patient_since)
        rooms = [{"host_id": one, "changing": CHANGING_AT_ONCE, "checking": rules.CHECKS_AT_ONCE} for one in silent]
        claimed = await progress.claim(call, rooms, NAME) if rooms else []
        commands = await self._commands(call, claimed)
        ready: list[tuple[Claimed, Command]] = []
        for one in claimed:
            said = commands[one.uuid]
            if isinstance(said, str):
                await progress.give_up(call, one.id, said)
            else:
                ready.append((one, said))
        await mark_running(call, [one.id for one, _ in ready])
        for playbook, translator in self._translators.items():
            if sent := [one.uuid for one, _ in ready if one.playbook == playbook]:
                await translator.begun(call, sent)
        for one, command in ready:
            self._send(one.host_id, command, one.uuid)

    async def _commands(self, call: Call, claimed: Sequence[Claimed]) -> dict[str, Command | str]:
        found: dict[str, Command | str] = dict.fromkeys((one.uuid for one in claimed), executors.choose(None).refusal)
        for playbook, translator in self._translators.items():
            if mine := [one for one in claimed if one.playbook == playbook]:
                found |= await translator.begin(call, mine)
        return found

    async def stop(self, host_ids: list[HostId]) -> None:
        """Tell hosts without hello what shall end, once for each."""
        call = self._call()
        asked = {job: host for host, job, _ in await progress.stopping(call, host_ids) if job not in self._stopped}
        for translator in self._translators.values():
            for job, command in (await translator.stop(call, list(asked))).items():
                self._stopped.add(job)
                self._send(asked[job], command, job)

    def _send(self, host_id: HostId, command: Command, job: str) -> None:
        link = self._lines.link(host_id)
        if link is not None:
            log.info("job_command_sent", host=link.name, job=job, kind=command.get("type"))
            link.send(orjson.dumps(command).decode())


# ---------------------------------------------------------------- what other rooms hear from existing agents


async def mark_running(call: Call, ids: Sequence[JobHostId]) -> None:
    """Note that a command is on its way; there is no answer to it but what the agent says later."""
    if not ids:
        return

    async def attempt() -> None:
        async with call.transaction() as tx:
            ledger = Ledger(await life.lock_standings(tx, list(ids)), call.now)
            for one in ids:
                ledger.move(one, Status.RUNNING)
            await ledger.write(tx)

    await retried(attempt)


async def adopt_in(tx: Tx, call: Call, job_host: str) -> bool:
    """Let a job host that waits be at its existing agent, which speaks of it; False when it is elsewhere already."""
    return await _with(tx, call, job_host, _adopt)


def _adopt(ledger: Ledger, row: Standing, now: datetime) -> bool:
    return ledger.move(row.id, Status.DISPATCHED, "", dispatched_at=now, executor=NAME) and ledger.move(
        row.id, Status.RUNNING
    )


async def resume_in(tx: Tx, call: Call, job_host: str) -> bool:
    """Take the word of an existing agent that it is at a job host."""
    return await _with(tx, call, job_host, lambda ledger, row, _: ledger.move(row.id, Status.RUNNING))


async def append_in(tx: Tx, call: Call, job_host: str, text: str) -> bool:
    """Store what an existing agent printed as one live event; it may end within a line. The state stays."""
    item = {"event": "output", "at": call.now.isoformat(), "stdout": text}

    def add(ledger: Ledger, row: Standing, _: datetime) -> bool:
        ledger.append(row.id, (item,), len(text.encode()))
        return True

    return await _with(tx, call, job_host, add)


async def end_in(
    tx: Tx, call: Call, job_host: str, status: Status, reason: str, results: Sequence[Result] = ()
) -> bool:
    """End a job host by the word, or the silence, of its existing agent; False when it is over for good."""

    def close(ledger: Ledger, row: Standing, _: datetime) -> bool:
        return ledger.close(row.id, status, reason, results)

    return await _with(tx, call, job_host, close)


async def _with(tx: Tx, call: Call, job_host: str, do: Callable[[Ledger, Standing, datetime], bool]) -> bool:
    standings = await life.lock_standings_of(tx, [job_host])
    ledger = Ledger(standings, call.now)
    done = [do(ledger, row, call.now) for row in standings]
    await ledger.write(tx)
    if changed := await life.list_changed_hosts(tx, ledger.ended) if ledger.ended else []:
        await hosts.await_reports(tx, changed)
    if ledger.ended:
        # What waited behind it may begin.
        tx.after_commit(announce(JobsQueued(tuple(row.host_id for row in standings if row.host_id is not None))))
    return any(done)


# ---------------------------------------------------------------- the sweep


async def sweep(call: Call) -> None:
    """Find what a killed server or a silent agent left behind."""
    if forsaken := await rows.list_forsaken(call.db, call.now - _AWAY):
        await progress.end(call, forsaken, Status.LOST, LOST)
    if unsent := await rows.list_unsent(call.db, call.now - _AWAY):
        await progress.end(call, unsent, Status.QUEUED, "")
    if unconfirmed := await rows.list_unconfirmed(call.db, call.now - _STOPPING):
        await progress.end(call, unconfirmed, Status.CANCELLED, _UNCONFIRMED)
