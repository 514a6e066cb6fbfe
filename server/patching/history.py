"""Reading runs for their pages: the history, the overview, one run with what its dry run said, a package's runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from server.core.call import Call
from server.core.ids import is_uuid
from server.patching import comparing, service
from server.patching.errors import RunMissing
from server.patching.models import ACTIVE, Status
from server.patching.queries import history as rows
from server.patching.queries import runs as run_rows
from server.patching.recorded import Cause, Coming, Difference, Line, Named, Sought, Upgrade
from server.patching.rules import FAILED_KINDS

#: So far back the overview looks for failures.
FAILURES: Final = timedelta(days=30)
_COMING: Final = 8
_CAUSES: Final = 6
_RECENT: Final = 8


@dataclass(frozen=True, slots=True)
class Board:
    """What the overview shows; ``counts`` by state, with every run in ``total``."""

    counts: dict[str, int]
    active: list[Line]
    recent: list[Line]
    coming: list[Coming]
    causes: list[Cause]


@dataclass(frozen=True, slots=True)
class Told:
    """A run as its page shows it.

    Attributes:
        row: as the service returns it, with the output.
        execution: the run that came of it when it was approved.
        job: the address of the job that carries it, if there is one.
        compared: whether its dry run's plan is there to be compared with.
    """

    row: dict[str, Any]
    execution: str
    job: str
    compared: bool
    differences: list[Difference]


def statuses(word: str) -> tuple[str, ...]:
    """Return the states that a word of the filter stands for: ``active``, ``failed`` with all its kinds, or itself."""
    groups = {"": (), "active": ACTIVE, "failed": FAILED_KINDS}
    return tuple(map(str, groups.get(word, (word,))))


async def page(call: Call, sought: Sought) -> tuple[list[Line], int]:
    """Return one page of runs, and how many match."""
    if not all(not one or is_uuid(one) for one in (sought.host, sought.batch)):
        return [], 0
    scope = call.actor.scope
    return await rows.list_lines(call.db, scope, sought), await rows.count_lines(call.db, scope, sought)


async def chosen(call: Call, ids: Sequence[str]) -> list[Line]:
    """Return these runs as far as they are there for the asker."""
    return await rows.list_by_ids(call.db, call.actor.scope, [one for one in ids if is_uuid(one)])


async def board(call: Call) -> Board:
    """Return the overview."""
    scope = call.actor.scope
    active = await rows.list_lines(call.db, scope, Sought(statuses=statuses("active"), limit=_RECENT))
    return Board(
        counts=tallied(await service.counts(call)),
        active=active,
        recent=await rows.list_lines(call.db, scope, Sought(limit=_RECENT)),
        coming=await rows.list_coming(call.db, scope, _COMING),
        causes=await rows.list_causes(call.db, scope, FAILED_KINDS, call.now - FAILURES, _CAUSES),
    )


async def counts_of_host(call: Call, host: str) -> dict[str, int]:
    """Return how many runs of a host are in each state."""
    return tallied(await rows.count_of_host(call.db, call.actor.scope, host))


def tallied(counts: dict[str, int]) -> dict[str, int]:
    """Return the numbers by state, complete; whatever ended without a word counts as failed too."""
    every = {str(status): counts.get(status, 0) for status in Status}
    return {**every, "failed": sum(counts.get(status, 0) for status in FAILED_KINDS), "total": sum(counts.values())}


async def told(call: Call, run: str, *, output: bool = True) -> Told:
    """Return one run; ``RunMissing`` when there is none. Without ``output`` it is read for nothing that grows."""
    scope = call.actor.scope
    if output:
        row = await service.fetch(call, run)
    else:
        found = await run_rows.find_run(call.db, scope, run) if is_uuid(run) else None
        if found is None:
            raise RunMissing
        row = {**found, "shell_output": ""}
    planned = None
    if row["validation_run_id"] and row["status"] in {Status.COMPLETED, *FAILED_KINDS, Status.CANCELLED}:
        planned = await run_rows.find_run(call.db, scope, str(row["validation_run_id"]))
    compared = planned is not None and planned["plan"] is not None and row["plan"] is not None
    job = await rows.find_job(call.db, scope, str(row["id"]))
    return Told(
        row=row,
        execution=await rows.find_execution(call.db, scope, str(row["id"])) or "",
        job=f"/jobs/{job['job']}?host={job['job_host']}" if job is not None else "",
        compared=compared,
        differences=comparing.differences(
            comparing.parts(planned["packages_affected"]), comparing.parts(row["packages_affected"])
        )
        if compared and planned is not None
        else [],
    )


async def upgrades(call: Call, package: str, limit: int = 25) -> list[Upgrade]:
    """Return the newest real runs that had a package in their hands."""
    return await rows.list_upgrades(call.db, call.actor.scope, package, limit)


async def named(call: Call, words: str, limit: int = 20) -> list[Named]:
    """Return groups and hosts with these words in their names."""
    return await rows.list_named(call.db, call.actor.scope, words, limit)
