"""Ending job hosts on behalf of another room, within its transaction."""

from collections.abc import Sequence

from server.automation import rules
from server.automation.events import JobStopAsked
from server.automation.ledger import Ledger
from server.automation.models import Status
from server.automation.queries import life
from server.core.bus import announce
from server.core.call import Call
from server.core.db import Tx


async def stop_in(
    tx: Tx, call: Call, job_hosts: Sequence[str], reason: str, *, only_waiting: bool = False
) -> frozenset[str]:
    """End job hosts within another room's transaction; return those of them that run nowhere now.

    What waits never begins; what is on its host already is asked to end, unless ``only_waiting``, and is not in the
    answer. Whoever calls has asked whether the actor may.
    """
    rows = await life.lock_standings_of(tx, job_hosts)
    ledger = Ledger(rows, call.now)
    for row in rows:
        if row.status in rules.WAITING:
            ledger.move(row.id, Status.CANCELLED, reason)
        elif row.status in rules.ON_HOST and not only_waiting:
            ledger.ask_stop(row.id)
    await ledger.write(tx)
    begun = [row for row in rows if row.status in rules.ON_HOST]
    hosts = tuple(row.host_id for row in begun if row.host_id is not None)
    if hosts and not only_waiting:
        tx.after_commit(announce(JobStopAsked(hosts)))
    return frozenset(job_hosts) - {row.uuid for row in begun}
