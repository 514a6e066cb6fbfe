"""Plays that run on a worker: claimed by job, played over the agents' relay, ended host by host."""

import asyncio
import hmac
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
from aiohttp import web

from agent.protocol.messages import JobEnded
from server.automation import progress, relay_layout, rules
from server.automation.errors import HostUnknown
from server.automation.executors import relayed
from server.automation.intake import Intake
from server.automation.models import SOURCE_NUMBERS, Batch, Claimed, Ending, Source, Stored
from server.automation.queries import library, life
from server.automation.queries import relay as rows
from server.automation.relay import Hub, hub
from server.automation.relay_door import carry, read_wanted
from server.channel import service as channel
from server.core import clock, programs
from server.core.call import Call, World, system
from server.core.db import DatabaseError
from server.core.errors import Problem
from server.core.ids import HostId, random_hex
from server.core.log import get_log
from server.core.loop import Keeper, in_thread
from server.core.secretbox import BadSeal
from server.web.problems import json_answer, status_of

log = get_log(__name__)

_GATHER_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 1.0
_SIGN_SECONDS: Final = 15.0
_LATE_SECONDS: Final = 15
_LINE_BYTES: Final = 4 * 1024**2
_NO_STAGES: Final = (
    "playbooks around a run and restarts in between need an agent that runs plays itself (Python 3.11, executor "
    "automatic)"
)
#: Plays outlive the task that begins them: tasks have half an hour, plays as long as their job says.
_runs: Final = Keeper()
_places: Final = asyncio.Semaphore(8)


async def begin(call: Call, job: str) -> None:
    """Claim what waits of a job for a worker, on hosts that are connected, and play it beside the queue."""
    # A launch rings for every server's hosts; a moment later all of them are in one play.
    await asyncio.sleep(_GATHER_SECONDS)
    waiting = await rows.list_relay_waiting(call.db, job, call.now)
    online = await channel.online(call, [row.host_id for row in waiting]) if waiting else {}
    wanted = [row.id for row in waiting if row.host_id in online]
    claimed = await progress.claim_these(call, wanted, relayed.NAME) if wanted else []
    if claimed:
        _runs.start(f"relayed {job}", _play(call.world, claimed))


async def _play(world: World, claimed: list[Claimed]) -> None:
    async with _places:
        keeper = Keeper()
        run = Run(world, keeper, claimed)
        try:
            await run.carry_out()
        except Exception as error:
            log.exception("relayed_play_failed", job=claimed[0].job_uuid)
            await run.give_up(f"the play could not be run: {type(error).__name__}")
        finally:
            await keeper.close()


@dataclass(slots=True)
class Seat:
    """A host of a play: its job host, how much of it is told, and what went wrong last."""

    claimed: Claimed
    counters: list[int] = field(default_factory=lambda: [0, 0])
    failure: str = ""
    stopped: bool = False
    ended: bool = False


class Run:
    """One play on a worker."""

    def __init__(self, world: World, keeper: Keeper, claimed: list[Claimed]) -> None:
        self._world = world
        self._keeper = keeper
        self._first = claimed[0]
        self._seats = {name: Seat(one) for name, one in relay_layout.names(claimed).items()}
        self._playing: list[str] = []
        self._stats: dict[str, dict[str, int]] | None = None
        self._ticket = random_hex(32)
        self._intake = Intake(world, keeper)
        self._uuids: dict[int, str] = {}
        # Nobody speaks yet: a program that ends before it could is not waited for.
        self._heard = asyncio.Event()
        self._heard.set()

    def _call(self) -> Call:
        return Call(self._world, system("relay"))

    async def carry_out(self) -> None:
        """Play batch after batch; a batch that fails everywhere is the last."""
        if self._first.has_stages:
            await self.give_up(_NO_STAGES)
            return
        try:
            sealed = self._first.secrets_sealed
            secrets = orjson.loads(self._world.box.open(sealed)) if sealed else {}
        except BadSeal:
            await self.give_up("its secret variables cannot be opened any more: launch again")
            return
        self._uuids = await rows.list_host_uuids(self._world.db, [s.claimed.host_id for s in self._seats.values()])
        project = await library.fetch_project(self._world.db, self._first.project_digest)
        async with self._folder() as folder, hub(self._world, self._keeper) as through, self._doors(folder, through):
            hosts = {name: seat.claimed for name, seat in self._seats.items()}
            await in_thread(relay_layout.lay_out, folder, project, hosts, self._uuids, secrets)
            self._keeper.start("relayed-watch", self._watch(folder))
            for batch in self._batches():
                if not await self._play_batch(folder, batch, secrets):
                    await self.give_up("not begun: the play failed on every host of the batch before")
                    return

    async def give_up(self, reason: str) -> None:
        """End what has not ended."""
        for seat in self._seats.values():
            if not seat.ended:
                await self._end(seat, "cancelled" if seat.stopped else "failed", reason)

    def _batches(self) -> list[list[str]]:
        size = self._first.number("serial", 0) or len(self._seats)
        names = list(self._seats)
        return [names[start : start + size] for start in range(0, len(names), size)]

    @asynccontextmanager
    async def _folder(self) -> AsyncIterator[Path]:
        folder = await in_thread(relay_layout.make)
        try:
            yield folder
        finally:
            await in_thread(relay_layout.remove, folder)

    # ------------------------------------------------------------ playing

    async def _play_batch(self, folder: Path, batch: list[str], secrets: dict[str, Any]) -> bool:
        """Play on some hosts and end them; False when it went wrong on all of them."""
        self._playing, self._stats = batch, None
        timeout = self._first.number("timeout_seconds", 3600)
        grace = self._first.number("grace_seconds", 30)
        await in_thread(relay_layout.plan, folder, self._first, batch, secrets)
        await in_thread(relay_layout.hand_over, folder)
        log.info("relayed_play_begins", job=self._first.job_uuid, hosts=len(batch), request_id=self._first.request_id)
        deadline = self._keeper.start("relayed-deadline", _touch_after(folder / "stop", timeout))
        began = time.monotonic()
        done = await programs.run(
            relay_layout.command(folder),
            cwd=folder,
            environment=relay_layout.environment(folder, self._ticket, secrets),
            seconds=timeout + grace + _LATE_SECONDS,
        )
        deadline.cancel()
        late = time.monotonic() - began >= timeout
        await self._heard.wait()
        log.info("relayed_play_ended", job=self._first.job_uuid, code=done.code, late=late)
        if done.code not in {0, 2, 4} and self._stats is None:
            log.warning("relayed_play_says", job=self._first.job_uuid, size_bytes=len(done.output))
        statuses = [await self._judge(name, done.code, timeout if late else 0) for name in batch]
        return "succeeded" in statuses

    async def _judge(self, name: str, code: int, late_seconds: int) -> str:
        seat = self._seats[name]
        counters = {word: figures.get(name, 0) for word, figures in (self._stats or {}).items()}
        if seat.stopped:
            status, reason = "cancelled", "stopped on request"
        elif late_seconds:
            status, reason = "timed_out", f"took longer than {late_seconds} s"
        elif counters.get("dark"):
            status, reason = "unreachable", seat.failure or "the host could not be reached"
        elif counters.get("failures"):
            status, reason = "failed", seat.failure or "a task failed"
        elif counters.get("processed") or (self._stats is not None and code == 0):
            status, reason = "succeeded", ""
        else:
            status, reason = "failed", seat.failure or f"ansible-playbook ended with {code} before this host's turn"
        await self._end(seat, status, reason, code, counters)
        return status

    async def _end(
        self, seat: Seat, status: str, reason: str, code: int = 1, counters: dict[str, int] | None = None
    ) -> None:
        seat.ended = True
        told = {_WORDS[word]: count for word, count in (counters or {}).items() if word in _WORDS}
        runner, live = seat.counters
        ended = JobEnded(
            seat.claimed.uuid, status, 0 if status == "succeeded" else code or 1, reason, runner, live, told
        )
        stored = asyncio.Event()
        await self._intake.put(Ending(seat.claimed.id, ended), lambda _: stored.set())
        await stored.wait()

    # ------------------------------------------------------------ what the play says

    @asynccontextmanager
    async def _doors(self, folder: Path, through: Hub) -> AsyncIterator[None]:
        """Open the play's own door to its hosts, and the ear for its events; both are gone with it."""

        async def relay(request: web.Request) -> web.StreamResponse:
            return await self._relay(request, through)

        app = web.Application()
        app.router.add_post("/api/v1/relay/hosts/{host}/{operation}", relay)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)
        await runner.setup()
        await web.UnixSite(runner, str(folder / "door.sock")).start()
        ear = await asyncio.start_unix_server(self._hear, str(folder / "events.sock"), limit=_LINE_BYTES)
        try:
            yield
        finally:
            ear.close()
            await runner.cleanup()

    async def _relay(self, request: web.Request, through: Hub) -> web.StreamResponse:
        given = request.headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            seat = self._seat_of(request.match_info["host"])
            if seat is None or not hmac.compare_digest(given, self._ticket):
                raise HostUnknown(name=request.match_info["host"][:200])
            wanted = await read_wanted(request, f"job {self._first.job_uuid} ({self._first.playbook})", live=True)

            async def live(data: bytes) -> None:
                await self._tell_live(seat, data)

            return await carry(request, through, seat.claimed.host_id, wanted, live)
        except Problem as problem:
            return json_answer({"error": str(problem), "code": problem.code}, status_of(problem))

    def _seat_of(self, uuid: str) -> Seat | None:
        return next(
            (
                seat
                for seat in self._seats.values()
                if self._uuids.get(seat.claimed.host_id) == uuid and not (seat.stopped or seat.ended)
            ),
            None,
        )

    async def _tell_live(self, seat: Seat, data: bytes) -> None:
        text = data.decode("utf-8", "replace").replace("\0", "\N{REPLACEMENT CHARACTER}")
        await self._put(seat, "live", {"at": clock.now().isoformat(), "event": "live", "stdout": text}, len(data))

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._heard.clear()
        try:
            while line := await reader.readline():
                await self._take(orjson.loads(line), len(line))
        finally:
            writer.close()
            self._heard.set()

    async def _take(self, item: dict[str, Any], size_bytes: int) -> None:
        if item.get("event") == "playbook_on_stats":
            self._stats = item.get("stats") or {}
        only = self._seats.get(str(item.get("host", "")))
        if only is not None and item.get("message") and not item.get("ignored"):
            only.failure = f"{item.get('task') or 'a task'}: {item['message']}"[:1000]
        # What belongs to the play as a whole stands in the story of every host of it.
        for seat in [only] if only is not None else [self._seats[name] for name in self._playing]:
            await self._put(seat, "runner", item, size_bytes)

    async def _put(self, seat: Seat, source: Source, item: dict[str, Any], size_bytes: int) -> None:
        number = SOURCE_NUMBERS[source]
        seat.counters[number] += 1
        await self._intake.put(Batch(seat.claimed.id, source, seat.counters[number], (item,), size_bytes), _ignore)

    # ------------------------------------------------------------ what the server wants

    async def _watch(self, folder: Path) -> None:
        """Show that this worker lives, and hear who is to be stopped; runs until the play ends."""
        signed = 0.0
        ids = [seat.claimed.id for seat in self._seats.values()]
        by_uuid = {seat.claimed.uuid: seat for seat in self._seats.values()}
        hosts: list[HostId] = [seat.claimed.host_id for seat in self._seats.values()]
        while True:
            try:
                if time.monotonic() - signed >= _SIGN_SECONDS:
                    signed = time.monotonic()
                    await rows.mark_relay_seen(self._world.db, ids, clock.now())
                for row in await life.list_stopping(self._world.db, hosts):
                    if row["uuid"] in by_uuid:
                        by_uuid[row["uuid"]].stopped = True
            except DatabaseError as error:
                log.warning("relayed_play_not_watched", reason=str(error).strip())
            if self._playing and all(self._seats[name].stopped for name in self._playing):
                await in_thread((folder / "stop").touch)
            await asyncio.sleep(_LOOK_SECONDS)


#: What Ansible calls its figures, and what jobs call them.
_WORDS: Final = {
    "ok": "ok", "changed": "changed", "failures": "failed", "skipped": "skipped", "dark": "unreachable",
    "ignored": "ignored", "rescued": "rescued",
}  # fmt: skip


def _ignore(_stored: Stored) -> None:
    """The play keeps nothing that an acknowledgement would let it forget."""


async def _touch_after(file: Path, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await in_thread(file.touch)


async def sweep(call: Call) -> None:
    """Give up plays whose worker is gone."""
    forsaken = await rows.list_relay_forsaken(call.db, call.now - rules.RELAY_PATIENCE)
    if forsaken:
        await progress.end(call, forsaken, rules.S.LOST, "the worker that ran the play is gone")
