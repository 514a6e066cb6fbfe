"""Making, launching, approving, cancelling and reading workflows; what other rooms and the doors call."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from server.audit import service as audit
from server.audit.models import Subject
from server.automation import service as automation
from server.automation.errors import JobFinished, MayNotLaunch
from server.automation.models import Variables
from server.core.bus import announce
from server.core.call import Call
from server.core.db import Tx
from server.core.ids import is_uuid
from server.core.paging import Page, Window
from server.settings import service as settings
from server.workflows import advancing, ordering, rules
from server.workflows.errors import (
    BadWorkflow,
    NothingFailed,
    NotWaiting,
    RunMissing,
    RunNotOver,
    RunOver,
    WholeFleetWorkflows,
    WorkflowMissing,
)
from server.workflows.events import WorkflowRunChanged, WorkflowsChanged, WorkflowStarted
from server.workflows.models import Graph, Node, NodeState, Row, Run, RunState, Workflow
from server.workflows.queries import runs as run_rows
from server.workflows.queries import workflows as rows

_APPROVED: Final = "approved by {name}"
_REJECTED: Final = "rejected by {name}"


# ---------------------------------------------------------------- keeping


async def page(
    call: Call, window: Window, *, search: str = "", sort: str = "name", descending: bool = False
) -> Page[Row]:
    """Return workflows with their last run."""
    found = await rows.list_workflows(
        call.db, search=search, sort=sort, descending=descending, limit=window.size, offset=window.offset
    )
    return Page([_told(call, row) for row in found], await rows.count_workflows(call.db, search=search), window)


async def fetch(call: Call, workflow: str) -> Row:
    """Return one workflow; ``graph`` is a ``Graph`` whose secrets are only named."""
    found = await rows.find_workflow(call.db, workflow) if is_uuid(workflow) else None
    if found is None:
        raise WorkflowMissing
    return _told(call, found)


def _told(call: Call, row: Row) -> Row:
    graph = rows.graph_of(row["graph"])
    if call.actor.scope is not None:
        # Whoever is limited to host groups does not learn which hosts and groups there are beyond them.
        graph = replace(graph, nodes=tuple(_without_hosts(node) for node in graph.nodes))
    return {**row, "graph": graph}


def _without_hosts(node: Node) -> Node:
    return replace(node, task=replace(node.task, hosts=(), groups=()))


async def create(call: Call, wanted: Workflow) -> Row:
    """Make a workflow. Raises ``BadWorkflow``."""
    checked, secrets = await _checked(call, wanted, {})
    async with call.transaction() as tx:
        by = call.actor.name or call.actor.id
        made = await rows.insert_workflow(tx, checked, ordering.sealed(call, secrets), by, call.now)
        if made is None:
            raise BadWorkflow({"name": "Another workflow has this name"})
        await _record(tx, call, "workflows.created", made, checked)
    return await fetch(call, made)


async def change(call: Call, workflow: str, wanted: Workflow) -> Row:
    """Change a workflow; runs under way go on as they began. Raises ``BadWorkflow``."""
    before = await fetch(call, workflow)
    checked, secrets = await _checked(call, wanted, ordering.opened(call, before["secrets_sealed"]))
    async with call.transaction() as tx:
        if await rows.is_name_taken(tx, checked.name, workflow):
            raise BadWorkflow({"name": "Another workflow has this name"})
        if not await rows.update_workflow(tx, workflow, checked, ordering.sealed(call, secrets), call.now):
            raise WorkflowMissing
        await _record(tx, call, "workflows.changed", workflow, checked)
    return await fetch(call, workflow)


async def delete(call: Call, workflow: str) -> None:
    """Remove a workflow and its schedules; its runs stay."""
    _demand_whole_fleet(call)
    async with call.transaction() as tx:
        name = await rows.delete_workflow(tx, workflow) if is_uuid(workflow) else None
        if name is None:
            raise WorkflowMissing
        await audit.record(tx, call, "workflows.deleted", Subject("workflow", workflow, name))
        tx.after_commit(announce(WorkflowsChanged()))


def _demand_whole_fleet(call: Call) -> None:
    if call.actor.scope is not None:
        raise WholeFleetWorkflows


async def _record(tx: Tx, call: Call, action: str, workflow: str, told: Workflow) -> None:
    detail = {"steps": [f"{node.key}: {node.shown}" for node in told.graph.nodes]}
    await audit.record(tx, call, action, Subject("workflow", workflow, told.name), detail)
    tx.after_commit(announce(WorkflowsChanged()))


async def _checked(call: Call, wanted: Workflow, kept: dict[str, Variables]) -> tuple[Workflow, dict[str, Variables]]:
    _demand_whole_fleet(call)
    wrong = rules.complaints_of(wanted.name, wanted.graph)
    nodes, secrets = [], {}
    for node in wanted.graph.nodes:
        if node.kind != "playbook" or not node.task.playbook:
            nodes.append(node)
            continue
        task, apart, complaints = await ordering.checked(call, node.task, kept.get(node.key, {}))
        nodes.append(replace(node, task=task))
        secrets[node.key] = apart
        wrong |= {f"nodes.{node.key}.{name}": text for name, text in complaints.items()}
    if wrong:
        raise BadWorkflow(wrong)
    return replace(wanted, graph=replace(wanted.graph, nodes=tuple(nodes))), secrets


# ---------------------------------------------------------------- launching


async def launch(call: Call, workflow: str, key: str = "") -> tuple[Row, bool]:
    """Start a workflow and return its run, and whether an equal order under this key had started it before."""
    found = await fetch(call, workflow)
    async with call.transaction() as tx:
        if key and (earlier := await automation.earlier_in(tx, call, "workflows", key, str(found["id"]))) is not None:
            return await fetch_run(call, str(earlier)), True
        run = await launch_in(tx, call, str(found["id"]))
        if key:
            await automation.answered_in(tx, call, key, run)
    return await fetch_run(call, run), False


async def launch_in(tx: Tx, call: Call, workflow: str, cause: str = "") -> str:
    """Start a workflow within another transaction, in the name of whoever calls; return the run's id (step)."""
    row = await rows.find_workflow(tx, workflow)
    if row is None:
        raise WorkflowMissing
    return await _start(tx, call, row, rows.graph_of(row["graph"]), cause=cause)


async def relaunch(call: Call, run: str) -> Row:
    """Start again where a run failed: what succeeded, and everything before it too, stays as it was."""
    async with call.transaction() as tx:
        before = await _locked(tx, call, run)
        if before.status not in rules.OVER:
            raise RunNotOver
        states = {one.key: one.state for one in await run_rows.list_standings(tx, run)}
        kept = rules.kept(before.graph, states)
        if before.status == RunState.SUCCEEDED or len(kept) == len(states):
            raise NothingFailed
        row = {"id": before.workflow_id, "name": before.name, "secrets_sealed": before.secrets_sealed}
        made = await _start(tx, call, row, before.graph, cause="relaunch", of=run, kept=sorted(kept))
    return await fetch_run(call, made)


async def _start(
    tx: Tx, call: Call, row: Row, graph: Graph, *, cause: str, of: str | None = None, kept: Sequence[str] = ()
) -> str:
    await _demand_all(call, graph)
    made = await run_rows.insert_run(
        tx, workflow_id=row["id"], name=row["name"], graph=graph, secrets_sealed=row["secrets_sealed"],
        starter=ordering.starter_of(call), groups=call.actor.scope, cause=cause, relaunch_of=of, now=call.now,
    )  # fmt: skip
    await run_rows.insert_nodes(tx, made, graph.nodes, of, kept)
    await audit.record(
        tx,
        call,
        "workflows.launched",
        Subject("workflow_run", made, row["name"]),
        {"workflow": row["id"], "cause": cause},
    )
    tx.after_commit(announce(WorkflowStarted(made, row["name"])))
    tx.after_commit(announce(WorkflowsChanged()))
    await advancing.advance_in(tx, call, await _locked(tx, call, made))
    return made


async def _demand_all(call: Call, graph: Graph) -> None:
    for playbook in sorted({node.task.playbook for node in graph.nodes if node.kind == "playbook"}):
        await automation.demand_launch(call, playbook)


async def may_launch(call: Call, graph: Graph) -> bool:
    """Tell whether the actor may launch every playbook of a workflow, and so decide about its runs."""
    try:
        await _demand_all(call, graph)
    except MayNotLaunch:
        return False
    return True


async def _locked(tx: Tx, call: Call, run: str) -> Run:
    found = await run_rows.lock_run(tx, call.actor.scope, run) if is_uuid(run) else None
    if found is None:
        raise RunMissing
    return found


# ---------------------------------------------------------------- deciding


async def decide(call: Call, run: str, key: str, *, approve: bool) -> Row:
    """Let a step that waits for somebody succeed or fail; a pause is ended early by an approval."""
    async with call.transaction() as tx:
        found = await _locked(tx, call, run)
        await _demand_all(call, found.graph)
        standing = next((one for one in await run_rows.list_standings(tx, run) if one.key == key), None)
        if standing is None or standing.state != NodeState.WAITING:
            raise NotWaiting
        by = call.actor.name or call.actor.id
        state = NodeState.SUCCEEDED if approve else NodeState.FAILED
        reason = (_APPROVED if approve else _REJECTED).format(name=by)
        await run_rows.move_node(tx, run, key, state, call.now, reason=reason, by=by)
        subject = Subject("workflow_run", run, found.name)
        await audit.record(tx, call, f"workflows.step_{'approved' if approve else 'rejected'}", subject, {"step": key})
        await advancing.advance_in(tx, call, found)
        # The step has moved even if nothing follows from it yet.
        tx.after_commit(announce(WorkflowRunChanged(run)))
    return await fetch_run(call, run)


async def cancel(call: Call, run: str) -> Row:
    """End a run: nothing more begins, and jobs under way are stopped."""
    async with call.transaction() as tx:
        found = await _locked(tx, call, run)
        await _demand_all(call, found.graph)
        if found.status in rules.OVER:
            raise RunOver
        by = call.actor.name or call.actor.id
        await run_rows.move_run(tx, run, RunState.CANCELLING, None, f"cancelled by {by}")
        await audit.record(tx, call, "workflows.run_cancel_asked", Subject("workflow_run", run, found.name))
        await advancing.advance_in(tx, call, replace(found, status=RunState.CANCELLING))
        jobs = [one.job for one in await run_rows.list_standings(tx, run) if one.state == NodeState.RUNNING and one.job]
        tx.after_commit(announce(WorkflowRunChanged(run)))
    for job in jobs:
        try:
            await automation.stop(call, job)
        except JobFinished:
            continue
    await advancing.advance(call, run)
    return await fetch_run(call, run)


# ---------------------------------------------------------------- reading


async def page_of_runs(
    call: Call, window: Window, *, workflow: str = "", status: str = "", search: str = ""
) -> Page[Row]:
    """Return runs, newest first; ``status`` is a state or ``active``."""
    asked: dict[str, Any] = {"workflow": workflow, "status": status, "search": search}
    found = await run_rows.list_runs(call.db, call.actor.scope, limit=window.size, offset=window.offset, **asked)
    return Page(found, await run_rows.count_runs(call.db, call.actor.scope, **asked), window)


async def fetch_run(call: Call, run: str) -> Row:
    """Return one run with its steps (``nodes``: rows in the order they are drawn); ``graph`` is a ``Graph``."""
    found = await run_rows.find_run(call.db, call.actor.scope, run) if is_uuid(run) else None
    if found is None:
        raise RunMissing
    graph = rows.graph_of(found["graph"])
    states = {row["key"]: row for row in await run_rows.list_nodes(call.db, run)}
    nodes = [
        {**states[key], "title": graph.node(key).shown, "kind": graph.node(key).kind} for key in rules.ordered(graph)
    ]
    return {**found, "graph": graph, "nodes": nodes}


async def forget(call: Call) -> int:
    """Let go of runs as old as the jobs that are forgotten."""
    days = (await settings.effective(call)).job_days
    return await run_rows.delete_old(call.db, call.now - timedelta(days=days)) if days else 0
