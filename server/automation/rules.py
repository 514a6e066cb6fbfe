"""Pure decisions about job hosts: which state may follow which, what a host's word means, how a job is judged."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from agent.protocol.messages import JobEnded, JobPosition
from server.automation.bundle import MAX_BYTES, MAX_EVENTS
from server.automation.models import Standing, Status

S = Status

WAITING: Final = frozenset({S.QUEUED, S.SCHEDULED, S.AWAITING_APPROVAL})
ON_HOST: Final = frozenset({S.DISPATCHED, S.RUNNING, S.REBOOTING})
OPEN: Final = WAITING | ON_HOST
ENDED: Final = frozenset(Status) - OPEN
#: What a host may say about the end.
HOST_VERDICTS: Final = frozenset({S.SUCCEEDED, S.FAILED, S.CANCELLED, S.TIMED_OUT, S.LOST, S.UNREACHABLE})

#: The whole life of a job host. ``lost`` is our own guess about a silent host, so the host's later word corrects it; so
#: is ``timed_out`` where an existing agent carries the job. One of ours says that itself, and then it is final.
MOVES: Final[Mapping[Status, frozenset[Status]]] = {
    S.SCHEDULED: frozenset({S.QUEUED, S.CANCELLED, S.UNREACHABLE}),
    S.AWAITING_APPROVAL: frozenset({S.QUEUED, S.SCHEDULED, S.CANCELLED, S.UNREACHABLE}),
    S.QUEUED: frozenset({S.DISPATCHED, S.FAILED, S.CANCELLED, S.UNREACHABLE}),
    S.DISPATCHED: frozenset({S.QUEUED, S.RUNNING}) | HOST_VERDICTS,
    S.RUNNING: frozenset({S.REBOOTING}) | HOST_VERDICTS,
    S.REBOOTING: frozenset({S.RUNNING}) | HOST_VERDICTS,
    S.LOST: frozenset({S.RUNNING}) | (HOST_VERDICTS - {S.LOST}),
    S.TIMED_OUT: HOST_VERDICTS - {S.TIMED_OUT},
    **{ended: frozenset() for ended in ENDED - {S.LOST, S.TIMED_OUT}},
}

#: A host that announced ``running`` this long ago past its limits is not coming back.
PATIENCE: Final = timedelta(minutes=15)
#: A refused "busy" is offered again after this long even if no other job's end rings first.
BUSY_PAUSE: Final = timedelta(seconds=10)
#: An offer that nobody answered is made again.
OFFER_PATIENCE: Final = timedelta(seconds=20)
#: A worker that runs a play says so every quarter of a minute.
RELAY_PATIENCE: Final = timedelta(seconds=90)
#: Check-mode jobs that may be on one host at a time.
CHECKS_AT_ONCE: Final = 8
#: More changing jobs at once are not offered to a host, whatever its agent says.
MOST_CHANGING: Final = 100
#: An agent that has not said hello by then is an existing one that cannot run playbooks.
HELLO_SECONDS: Final = 5.0
#: One that said hello on an earlier link is ours: it gets this long, a crowd that returns may be slow.
PATIENCE_SECONDS: Final = 180.0

NO_STAGES: Final = (
    "the host's agent is too old to run playbooks around a run or to restart the host in between: update it"
)

NO_SEALED_PARTS: Final = (
    "the host's agent is too old for encrypted files of a project and for credentials in the environment: update it"
)

#: What is kept of one job host at most. Agents stop well before, at their own caps; one that does not is no longer
#: believed, only counted.
MOST_EVENTS: Final = 2 * MAX_EVENTS
MOST_BYTES: Final = 8 * MAX_BYTES

_WORST_FIRST: Final = (S.FAILED, S.TIMED_OUT, S.LOST, S.UNREACHABLE, S.CANCELLED)
_MOST_ACTIVE_FIRST: Final = (S.RUNNING, S.REBOOTING, S.DISPATCHED, S.QUEUED, S.AWAITING_APPROVAL, S.SCHEDULED)

ShownState = Literal["good", "attention", "bad", "neutral"]


def may_become(current: Status, wanted: Status) -> bool:
    """Tell whether the table allows the move."""
    return Status(wanted) in MOVES[Status(current)]


def job_status(counts: Mapping[str, int]) -> Status:
    """Judge a job by its hosts: the most active open state, else the worst end."""
    present = {status for status, count in counts.items() if count}
    for status in (*_MOST_ACTIVE_FIRST, *_WORST_FIRST):
        if status in present:
            return status
    return S.SUCCEEDED


def is_over(counts: Mapping[str, int]) -> bool:
    """Tell whether every host of a job has ended."""
    return all(status in ENDED for status, count in counts.items() if count)


def shown(status: Status) -> ShownState:
    """Return which of the four state colours shows a status."""
    if status == S.SUCCEEDED:
        return "good"
    if status in {S.FAILED, S.LOST, S.TIMED_OUT, S.UNREACHABLE}:
        return "bad"
    return "attention" if status == S.AWAITING_APPROVAL else "neutral"


def exit_code(status: Status) -> int:
    """Return the result of a job as the exit code of a command: 0 ok, 1 failed, 3 unreachable or timed out."""
    if status == S.SUCCEEDED:
        return 0
    return 3 if status in {S.UNREACHABLE, S.TIMED_OUT, S.LOST} else 1


# ---------------------------------------------------------------- what a host's hello means


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What follows from a host's list of jobs.

    Attributes:
        welcome: per job that goes on, what is stored; everything else the host forgets.
        known: the rows behind ``welcome``.
        again: was never taken: queued again.
        lost: was running, and the host does not know it any more.
        cancelled: was never taken and is to be stopped anyway.
        running: the host has it, the row did not know yet.
        rebooting: the host is about to restart, or just did; the row did not know yet.
        offer: the transfer broke off: offer it again.
        stop: goes on and shall be stopped.
    """

    welcome: tuple[JobPosition, ...] = ()
    known: tuple[Standing, ...] = ()
    again: tuple[Standing, ...] = ()
    lost: tuple[Standing, ...] = ()
    cancelled: tuple[Standing, ...] = ()
    running: tuple[Standing, ...] = ()
    rebooting: tuple[Standing, ...] = ()
    offer: tuple[Standing, ...] = ()
    stop: tuple[Standing, ...] = ()


def judge_hello(rows: Iterable[Standing], announced: Iterable[JobPosition]) -> Verdicts:
    """Compare what we believe of a host's jobs with what the host says; the host knows what runs on it.

    ``rows`` are the host's job hosts that are on it as far as we know, and every announced one that is ours.
    """
    said = {position.job: position for position in announced}
    found: dict[str, list[Standing]] = {
        name: [] for name in ("known", "again", "lost", "cancelled", "running", "rebooting", "offer", "stop")
    }
    welcome = []
    for row in rows:
        position = said.get(row.uuid)
        if position is None:
            _judge_unknown(row, found)
        elif row.status in ON_HOST or (row.status == S.LOST and position.state != "receiving"):
            # What was given up before it began must not begin when nobody expects it any more.
            welcome.append(JobPosition(row.uuid, position.state, row.runner_counter, row.live_counter))
            found["known"].append(row)
            _judge_known(row, position, found)
    return Verdicts(tuple(welcome), **{name: tuple(standings) for name, standings in found.items()})


def _judge_unknown(row: Standing, found: dict[str, list[Standing]]) -> None:
    if row.status == S.DISPATCHED:
        found["cancelled" if row.stop_asked_at else "again"].append(row)
    elif row.status in {S.RUNNING, S.REBOOTING}:
        found["lost"].append(row)


def _judge_known(row: Standing, position: JobPosition, found: dict[str, list[Standing]]) -> None:
    if position.state == "receiving":
        found["offer"].append(row)
    elif position.state == "rebooting" and (position.runner, position.live) == (row.runner_counter, row.live_counter):
        found["rebooting"].append(row)
    elif row.status != S.RUNNING:
        found["running"].append(row)
    if row.stop_asked_at:
        found["stop"].append(row)


# ---------------------------------------------------------------- what events and ends mean


def fits(stored: int, first: int) -> bool:
    """Tell whether a batch continues what is stored; if not, events before it are missing."""
    return first <= stored + 1


def verdict(ended: JobEnded) -> tuple[Status, str]:
    """Return the end state and the reason for people; an unknown word counts as failed and is quoted."""
    if ended.status in HOST_VERDICTS:
        return Status(ended.status), ended.reason
    return S.FAILED, f"the agent ended the job as {ended.status!r}: {ended.reason}"


def is_complete(ended: JobEnded, runner: int, live: int) -> bool:
    """Tell whether everything the host spooled is stored, so that the end is final."""
    return runner >= ended.runner and live >= ended.live


def is_kept(events: int, size_bytes: int) -> bool:
    """Tell whether more events of a job host are stored, not only counted."""
    return events < MOST_EVENTS and size_bytes < MOST_BYTES


# ---------------------------------------------------------------- time


# ---------------------------------------------------------------- permission


def launch_permissions(playbook: str) -> tuple[str, ...]:
    """Return the permissions of which one allows to launch, stop and repeat a playbook.

    Patching and rebooting is what the operators of patching do; every other playbook is automation.
    """
    return (
        ("can_manage_patching", "can_manage_automation")
        if playbook in {"patch", "reboot", "repair", "rollback"}
        else ("can_manage_automation",)
    )
