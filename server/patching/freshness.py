"""How freshly hosts are patched: checking in is not patching."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from server.core.bus import announce
from server.core.call import Call
from server.core.db import Tx
from server.core.ids import HostId
from server.hosts.events import HostsChanged
from server.patching import rules
from server.patching.events import (
    HostPatchEvent,
    HostPatchFailing,
    HostPatchFresh,
    HostPatchRecovered,
    HostPatchStale,
)
from server.patching.queries import freshness as rows
from server.patching.verdicts import Verdict, cause_of
from server.settings import service as settings

_AT_ONCE: Final = 500


async def note(tx: Tx, host_ids: Sequence[HostId]) -> None:
    """Count anew what the real runs of these hosts amount to, after some of them ended in this transaction."""
    if not host_ids:
        return
    wanted = sorted(set(host_ids))
    # Counted only under the hosts' locks: of two runs that end at once, the second counts the first.
    await rows.lock_hosts(tx, wanted)
    found = await rows.list_verdicts(tx, wanted)
    verdicts = [verdict_of(row) for row in found]
    await rows.store_verdicts(tx, verdicts)
    for row, verdict in zip(found, verdicts, strict=True):
        if (said := _news(row, verdict)) is not None:
            tx.after_commit(announce(said))
    tx.after_commit(announce(HostsChanged(tuple(wanted))))


def verdict_of(row: dict[str, Any]) -> Verdict:
    """Return what the runs of a host amount to."""
    failures, error = row["consecutive_failures"], row["last_error"]
    return Verdict(
        row["host_id"],
        row["last_success_at"],
        row["last_attempt_at"],
        row["last_status"],
        row["last_run"],
        failures,
        error if failures else "",
        cause_of(row["failed_status"], error) if failures else "",
    )


def _news(row: dict[str, Any], verdict: Verdict) -> HostPatchEvent | None:
    """Return what is new about a host's failures; ``None`` when it was said before."""
    if verdict.cause == row["said_failing"]:
        return None
    kind = HostPatchFailing if verdict.cause else HostPatchRecovered
    return kind(
        row["host"],
        row["host_name"],
        _moment(verdict.last_success_at),
        failures=verdict.consecutive_failures,
        cause=verdict.cause or row["said_failing"],
        error=rules.cut(verdict.last_error),
    )


async def look(call: Call) -> tuple[int, int]:
    """Announce the hosts that became stale, and those that are fresh again; return how many of each."""
    before = call.now - timedelta(days=(await settings.effective(call)).patch_stale_days)
    async with call.transaction() as tx:
        fresh = await rows.unmark_stale(tx, before)
        _tell(tx, HostPatchFresh, fresh)
    stale = 0
    while True:
        async with call.transaction() as tx:
            found = await rows.mark_stale(tx, before, call.now, _AT_ONCE)
            _tell(tx, HostPatchStale, found)
        stale += len(found)
        if len(found) < _AT_ONCE:
            return stale, len(fresh)


def _tell(tx: Tx, kind: type[HostPatchEvent], hosts: Sequence[dict[str, Any]]) -> None:
    for one in hosts:
        at, more = _moment(one["last_success_at"]), {key: one[key] for key in ("updates", "security") if key in one}
        tx.after_commit(announce(kind(one["host"], one["host_name"], at, **more)))


def _moment(at: datetime | None) -> str:
    return "" if at is None else at.isoformat()
