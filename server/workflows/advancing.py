"""The machinery of runs: follows their jobs and takes one step after the other, each in one transaction.

Several processes may try at once: whoever holds a run's row takes its steps. A step is bound to its job in the
transaction that launches it, so whatever dies in between, no step runs twice.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from server.audit import service as audit
from server.audit.models import Subject
from server.automation import service as automation
from server.core.bus import announce
from server.core.call import Call
from server.core.db import Tx
from server.core.errors import Problem
from server.core.log import get_log
from server.workflows import ordering, rules
from server.workflows.events import (
    WorkflowAwaitsApproval,
    WorkflowCancelled,
    WorkflowEvent,
    WorkflowFailed,
    WorkflowRunChanged,
    WorkflowsChanged,
    WorkflowSucceeded,
)
from server.workflows.models import Node, NodeState, Run, RunState, Standing
from server.workflows.queries import runs as rows

log = get_log(__name__)

N = NodeState
_SAID: Final[Mapping[RunState, type[WorkflowEvent]]] = {
    RunState.SUCCEEDED: WorkflowSucceeded,
    RunState.FAILED: WorkflowFailed,
    RunState.CANCELLED: WorkflowCancelled,
}
_TOO_LATE: Final = "nobody approved it in time"
#: A run takes no more rounds than it has steps; more would be a mistake that must not hold its row for ever.
_MOST_ROUNDS: Final = rules.MOST_NODES + 2


async def advance_all(call: Call) -> int:
    """Let every run take the steps that are due; return how many moved."""
    moved = 0
    for run in await rows.list_open(call.db):
        moved += await advance(call, run)
    return moved


async def advance(call: Call, run_id: str) -> bool:
    """Let one run take the steps that are due, unless somebody else is at it; tell whether it moved."""
    async with call.transaction() as tx:
        run = await rows.try_run(tx, run_id)
        return run is not None and await advance_in(tx, call, run)


async def advance_in(tx: Tx, call: Call, run: Run) -> bool:
    """Do the same within another transaction that holds the run (step)."""
    moved = False
    for _ in range(_MOST_ROUNDS):
        standings = await rows.list_standings(tx, run.id)
        if not (await _settle(tx, call, run, standings) or await _begin(tx, call, run, standings)):
            break
        moved = True
    states = {one.key: one.state for one in await rows.list_standings(tx, run.id)}
    status = rules.verdict(run.graph, states, run.status)
    if moved or status != run.status:
        over = status in rules.OVER
        await rows.move_run(tx, run.id, status, call.now if over else None)
        tx.after_commit(announce(WorkflowRunChanged(run.id)))
        tx.after_commit(announce(WorkflowsChanged()))
        if over:
            await _say_end(tx, call, run, status)
    return moved


async def _say_end(tx: Tx, call: Call, run: Run, status: RunState) -> None:
    failed = [one for one in await rows.list_standings(tx, run.id) if one.state == N.FAILED]
    reason = "; ".join(f"{run.graph.node(one.key).shown}: {one.reason or 'failed'}" for one in failed[:5])
    tx.after_commit(announce(_SAID[status](run.id, run.name, reason=reason if status == RunState.FAILED else "")))
    if status == RunState.FAILED and reason:
        await rows.move_run(tx, run.id, status, call.now, reason)
    await audit.record(
        tx, call, f"workflows.run_{status}", Subject("workflow_run", run.id, run.name), {"reason": reason}
    )
    log.info("workflows: run over", run=run.id, status=status)


# ---------------------------------------------------------------- ends


async def _settle(tx: Tx, call: Call, run: Run, standings: Sequence[Standing]) -> bool:
    """Write down what has ended since; tell whether anything has."""
    settled = False
    for one in standings:
        state, reason = _ended(call, run, one)
        if state is not None and rules.may_become(one.state, state):
            await rows.move_node(tx, run.id, one.key, state, call.now, reason=reason)
            settled = True
    return settled


def _ended(call: Call, run: Run, one: Standing) -> tuple[NodeState | None, str]:
    cancelling = run.status == RunState.CANCELLING
    if one.state == N.RUNNING and one.job_status:
        state = rules.job_end(one.job_status)
        return state, {N.SUCCEEDED: "", N.CANCELLED: "its job was stopped"}.get(state, one.why or "its job failed")
    if one.state in {N.PENDING, N.WAITING} and cancelling:
        return N.CANCELLED, ""
    if one.state == N.WAITING and one.due_at is not None and one.due_at <= call.now:
        if run.graph.node(one.key).kind == "pause":
            return N.SUCCEEDED, ""
        return N.FAILED, _TOO_LATE
    return None, ""


# ---------------------------------------------------------------- begins


async def _begin(tx: Tx, call: Call, run: Run, standings: Sequence[Standing]) -> bool:
    """Begin what is ready and skip what never will be; tell whether there was anything."""
    if run.status == RunState.CANCELLING:
        return False
    begin, skip = rules.ready(run.graph, {one.key: one.state for one in standings})
    for key in skip:
        await rows.move_node(tx, run.id, key, N.SKIPPED, call.now)
    for key in begin:
        node = run.graph.node(key)
        if node.kind == "playbook":
            await _launch(tx, call, run, node)
        else:
            due_at = call.now + timedelta(minutes=node.minutes) if node.minutes else None
            await rows.move_node(tx, run.id, key, N.WAITING, call.now, due_at=due_at)
        if node.kind == "approval":
            tx.after_commit(announce(WorkflowAwaitsApproval(run.id, run.name, node.shown)))
    return bool(begin or skip)


async def _launch(tx: Tx, call: Call, run: Run, node: Node) -> None:
    secrets = ordering.opened(call, run.secrets_sealed).get(node.key, {})
    try:
        theirs = await ordering.acting(call, run.starter, f"workflow {run.name}")
        order = ordering.order_of(node.task, secrets, title=f"{run.name}: {node.shown}"[:200])
        job = await automation.launch_in(tx, theirs, order)
    except Problem as refused:
        # It is refused before anything is written, so the run can say so and go its way of failure.
        await rows.move_node(tx, run.id, node.key, N.FAILED, call.now, reason=ordering.told(refused))
        return
    await rows.move_node(tx, run.id, node.key, N.RUNNING, call.now, job=job)
