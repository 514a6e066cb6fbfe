"""Use cases that hosts drive: claiming what waits, judging a hello, taking events and ends, giving up on the silent."""

from datetime import timedelta
from typing import Final

from agent.protocol.messages import Hello
from server.automation import repeats, retention, rules
from server.automation.events import JobsQueued, JobStopAsked
from server.automation.ledger import Ledger
from server.automation.models import Claimed, Note, Sighting, Status, Stored
from server.automation.queries import library, life
from server.core.bus import announce
from server.core.call import Call
from server.core.db import retried
from server.core.ids import HostId, JobHostId, is_uuid
from server.hosts import service as hosts

_MOST_ANNOUNCED: Final = 1000


async def claim(call: Call, rooms: list[dict[str, int]], executor: str) -> list[Claimed]:
    """Take what waits for hosts whose links this process holds; whatever is returned is ours to offer.

    Args:
        call: who acts.
        rooms: per host, ``host_id`` and how many ``changing`` and ``checking`` job hosts may be on it at once.
        executor: how they will be carried out.
    """
    waiting = await life.list_claimable(call.db, rooms, call.now)
    return await claim_these(call, waiting, executor) if waiting else []


async def claim_these(call: Call, waiting: list[JobHostId], executor: str) -> list[Claimed]:
    """Take these job hosts as far as nobody else did meanwhile; whatever is returned is ours."""

    async def attempt() -> list[JobHostId]:
        async with call.transaction() as tx:
            ledger = Ledger(await life.lock_standings(tx, waiting), call.now)
            mine = [
                i for i in waiting if ledger.move(i, Status.DISPATCHED, "", dispatched_at=call.now, executor=executor)
            ]
            await ledger.write(tx)
        return mine

    return await life.list_claimed(call.db, await retried(attempt))


async def unanswered(call: Call, host_ids: list[HostId]) -> list[Claimed]:
    """Return what was offered to hosts some time ago without an answer; offering again is harmless."""
    return await life.list_unanswered(call.db, host_ids, call.now - rules.OFFER_PATIENCE)


async def stopping(call: Call, host_ids: list[HostId]) -> list[tuple[HostId, str, int]]:
    """Return host, job host UUID and grace of everything that shall end on these hosts."""
    return [(row["host_id"], row["uuid"], row["grace_seconds"]) for row in await life.list_stopping(call.db, host_ids)]


async def busy(call: Call, host_ids: list[HostId]) -> frozenset[HostId]:
    """Return which of these hosts have jobs on them as far as we know."""
    return frozenset(await life.list_busy(call.db, host_ids))


async def greet(call: Call, host_id: HostId, hello: Hello) -> tuple[rules.Verdicts, list[Claimed]]:
    """Compare a host's word with the rows, and return what to answer and what to offer again."""
    announced = [position.job for position in hello.jobs[:_MOST_ANNOUNCED] if is_uuid(position.job)]

    async def attempt() -> rules.Verdicts:
        async with call.transaction() as tx:
            standings = await life.lock_host_standings(tx, host_id, announced)
            verdicts = rules.judge_hello(standings, hello.jobs)
            ledger = Ledger(standings, call.now)
            for row in verdicts.again:
                ledger.move(row.id, Status.QUEUED, "")
            for row in verdicts.cancelled:
                ledger.move(row.id, Status.CANCELLED, "stopped before it started")
            for row in verdicts.lost:
                ledger.move(row.id, Status.LOST, "the host no longer knows this job")
            states = {position.job: position.state for position in hello.jobs}
            for row in verdicts.running:
                ledger.take(Sighting(row.id, "running" if states[row.uuid] == "running" else "ended"))
            for row in verdicts.rebooting:
                ledger.take(Sighting(row.id, "rebooting"))
            await ledger.write(tx)
        return verdicts

    verdicts = await retried(attempt)
    again = await life.list_claimed(call.db, [row.id for row in verdicts.offer]) if verdicts.offer else []
    return verdicts, again


async def note(call: Call, notes: list[Note]) -> list[Stored]:
    """Store what hosts said, all in one transaction and in the order it was said."""

    async def attempt() -> list[Stored]:
        async with call.transaction() as tx:
            ledger = Ledger(await life.lock_standings(tx, sorted({n.job_host_id for n in notes})), call.now)
            for one in notes:
                ledger.take(one)
            await ledger.write(tx)
            if changed := await life.list_changed_hosts(tx, ledger.ended) if ledger.ended else []:
                await hosts.await_reports(tx, changed)
        return ledger.outcome()

    return await retried(attempt)


async def decline(call: Call, job_host_id: JobHostId, code: str, reason: str) -> None:
    """Take a host's refusal: busy waits for its turn, everything else is the end, with the host's reason."""
    async with call.transaction() as tx:
        standings = await life.lock_standings(tx, [job_host_id])
        ledger = Ledger(standings, call.now)
        for row in standings:
            if row.stop_asked_at:
                ledger.move(row.id, Status.CANCELLED, "stopped before it started")
            elif code == "busy":
                ledger.move(row.id, Status.QUEUED, reason or "the host is busy", retry_at=call.now + rules.BUSY_PAUSE)
            else:
                ledger.move(row.id, Status.FAILED, f"refused by the host ({code}): {reason}")
        await ledger.write(tx)


async def refuse(call: Call, host_ids: list[HostId], reason: str) -> None:
    """End what is queued for hosts that cannot run playbooks, and say why."""
    waiting = await life.list_queued_for(call.db, host_ids)
    if waiting:
        await end(call, waiting, Status.FAILED, reason)


async def give_up(call: Call, job_host_id: JobHostId, reason: str) -> None:
    """End a job host that can never be offered."""
    await end(call, [job_host_id], Status.FAILED, reason)


async def end(call: Call, ids: list[JobHostId], status: Status, reason: str) -> None:
    """Move job hosts by our own decision, as far as the table allows."""
    async with call.transaction() as tx:
        standings = await life.lock_standings(tx, ids)
        ledger = Ledger(standings, call.now)
        for row in standings:
            gone = "the host was deleted" if row.host_id is None else reason
            ledger.move(row.id, status, gone)
        await ledger.write(tx)


async def sweep(call: Call) -> None:
    """Find what a lost bell or a silent host left behind: late deadlines, unanswered offers, vanished hosts."""
    late = await life.list_past_deadline(call.db, call.now)
    if late:
        await end(call, late, Status.UNREACHABLE, "the host did not come back before the job's deadline")
    silent = await life.list_given_up(call.db, call.now, rules.PATIENCE / timedelta(seconds=1))
    if silent:
        await end(call, silent, Status.LOST, "the host did not come back after the job's time was over")
    gone = await life.list_not_returned(call.db, call.now, rules.PATIENCE / timedelta(seconds=1))
    if gone:
        await end(call, gone, Status.LOST, "the host did not come back from its restart")
    hosts = tuple(await life.list_hosts_to_ring(call.db, call.now - rules.OFFER_PATIENCE, call.now))
    if hosts:
        await announce(JobsQueued(hosts, sweep=True))(call.world)
        await announce(JobStopAsked(hosts))(call.world)


async def tidy(call: Call) -> None:
    """Make partitions ahead of time and forget what is kept no longer."""
    await library.ensure_partitions(call.db)
    await retention.forget(call)
    await repeats.forget(call)
