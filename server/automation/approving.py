"""Approving a job that waits for somebody else than who launched it."""

from server.audit import service as audit
from server.audit.models import Subject
from server.automation import publishing
from server.automation.errors import JobMissing, NothingToApprove, NotYourOwn
from server.automation.events import JobsQueued
from server.automation.ledger import Ledger
from server.automation.models import Job, Status
from server.automation.queries import jobs as job_rows
from server.automation.queries import life
from server.core.bus import announce
from server.core.call import Call
from server.core.ids import is_uuid


def is_own(call: Call, job: Job) -> bool:
    """Tell whether the actor launched the job, with whatever token."""
    return job.launched_by_id.partition(":")[2] == call.actor.id and call.actor.kind != "system"


async def approve(call: Call, job: str) -> str:
    """Let a job go out that awaits approval; nobody approves what they launched. Return its UUID."""
    found = await job_rows.find_job(call.db, call.actor.scope, job) if is_uuid(job) else None
    if found is None:
        raise JobMissing
    await publishing.demand(call, found.playbook)
    if is_own(call, found):
        raise NotYourOwn
    async with call.transaction() as tx:
        standings = await life.lock_job_standings(tx, call.actor.scope, job, None)
        waiting = [row for row in standings if row.status == Status.AWAITING_APPROVAL]
        if not waiting:
            raise NothingToApprove
        ledger = Ledger(standings, call.now)
        for row in waiting:
            ledger.move(row.id, Status.QUEUED)
        await ledger.write(tx)
        await audit.record(
            tx, call, "automation.job_approved", Subject("job", job, found.title),
            {"hosts": len(waiting), "launched_by": found.launched_by},
        )  # fmt: skip
        tx.after_commit(announce(JobsQueued(tuple(row.host_id for row in waiting if row.host_id is not None))))
    return job
