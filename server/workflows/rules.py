"""Pure decisions about workflows: which graphs are good, which steps follow, and when schedules are due."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from server.automation.models import Status
from server.workflows.models import Graph, Node, NodeState, RunState, When

N = NodeState
ENDED: Final = frozenset({N.SUCCEEDED, N.FAILED, N.SKIPPED, N.CANCELLED})
UNDER_WAY: Final = frozenset({N.RUNNING, N.WAITING})
OVER: Final = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED})

#: The whole life of a step. What has ended stays as it is.
MOVES: Final[Mapping[NodeState, frozenset[NodeState]]] = {
    N.PENDING: frozenset({N.RUNNING, N.WAITING, N.SKIPPED, N.CANCELLED, N.FAILED}),
    N.RUNNING: frozenset({N.SUCCEEDED, N.FAILED, N.CANCELLED}),
    N.WAITING: frozenset({N.SUCCEEDED, N.FAILED, N.CANCELLED}),
    **{ended: frozenset() for ended in ENDED},
}
#: After which ends of a step a way is taken.
TAKEN: Final[Mapping[When, frozenset[NodeState]]] = {
    "success": frozenset({N.SUCCEEDED}),
    "failure": frozenset({N.FAILED}),
    "always": frozenset({N.SUCCEEDED, N.FAILED}),
}

MOST_NODES: Final = 50
MOST_EDGES: Final = 200
_MOST_MINUTES: Final = 30 * 24 * 60
_KEY: Final = re.compile(r"^[a-z][a-z0-9_-]{0,39}$")
_NAME_MOST: Final = 200
#: A schedule that is looked at later than this after its time has missed it.
LATE: Final = timedelta(minutes=10)


def may_become(current: NodeState, wanted: NodeState) -> bool:
    """Tell whether the table allows the move."""
    return wanted in MOVES[current]


def ready(graph: Graph, states: Mapping[str, NodeState]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return which pending steps begin now, and which never will because no way leads to them any more.

    A step waits until everything before it has ended. What is skipped leads nowhere, and what
    stands behind it only may be skipped in turn.
    """
    known = dict(states)
    begin: list[str] = []
    skipped: list[str] = []
    for key in ordered(graph):
        if known[key] != N.PENDING:
            continue
        ways = graph.into(key)
        if not all(known[way.origin] in ENDED for way in ways):
            continue
        taken = [known[way.origin] in TAKEN[way.when] for way in ways]
        if not ways or (all(taken) if graph.node(key).join == "all" else any(taken)):
            begin.append(key)
        else:
            skipped.append(key)
            known[key] = N.SKIPPED
    return tuple(begin), tuple(skipped)


def verdict(graph: Graph, states: Mapping[str, NodeState], status: RunState) -> RunState:
    """Return where a run is: over when every step has ended, waiting when only people and clocks can move it."""
    if all(state in ENDED for state in states.values()):
        if status == RunState.CANCELLING:
            return RunState.CANCELLED
        return RunState.FAILED if _unhandled(graph, states) else RunState.SUCCEEDED
    if status == RunState.CANCELLING:
        return status
    moving = any(state == N.RUNNING for state in states.values())
    waiting = any(state == N.WAITING for state in states.values())
    return RunState.WAITING if waiting and not moving else RunState.RUNNING


def _unhandled(graph: Graph, states: Mapping[str, NodeState]) -> bool:
    """Tell whether a step failed that nothing was provided for."""
    if any(state == N.CANCELLED for state in states.values()):
        return True
    failed = [key for key, state in states.items() if state == N.FAILED]
    return any(all(way.when == "success" for way in graph.out_of(key)) for key in failed)


def job_end(status: str) -> NodeState:
    """Return what the end of a step's job means for the step."""
    if status == Status.SUCCEEDED:
        return N.SUCCEEDED
    return N.CANCELLED if status == Status.CANCELLED else N.FAILED


def kept(graph: Graph, states: Mapping[str, NodeState]) -> frozenset[str]:
    """Return which steps need not run again: they succeeded, and so did everything before them."""
    good: set[str] = set()
    for key in ordered(graph):
        if states.get(key) == N.SUCCEEDED and all(way.origin in good for way in graph.into(key)):
            good.add(key)
    return frozenset(good)


def ordered(graph: Graph) -> list[str]:
    """Return the steps so that each stands behind everything that leads to it; those on a circle are left out."""
    left = {node.key: {way.origin for way in graph.into(node.key)} for node in graph.nodes}
    found: list[str] = []
    while free := [key for key, before in left.items() if before <= set(found)]:
        found += free
        left = {key: before for key, before in left.items() if key not in free}
    return found


def levels(graph: Graph) -> dict[str, int]:
    """Return in which column each step is drawn: one behind the last that leads to it."""
    found: dict[str, int] = {}
    for key in ordered(graph):
        found[key] = max((found[way.origin] + 1 for way in graph.into(key)), default=0)
    return found


def complaints_of(name: str, graph: Graph) -> dict[str, str]:
    """Return what is wrong with a workflow, field by field; steps are named ``nodes.KEY``."""
    wrong: dict[str, str] = {}
    if not 1 <= len(name.strip()) <= _NAME_MOST or not name.isprintable():
        wrong["name"] = f"must have 1 to {_NAME_MOST} characters"
    if not graph.nodes:
        wrong["nodes"] = "A workflow has at least one step"
    if len(graph.nodes) > MOST_NODES or len(graph.edges) > MOST_EDGES:
        wrong["nodes"] = f"More than {MOST_NODES} steps or {MOST_EDGES} ways"
    keys = [node.key for node in graph.nodes]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        wrong["nodes"] = f"Two steps are called {twice[0]}"
    for node in graph.nodes:
        if complaint := _node_complaint(node):
            wrong[f"nodes.{node.key}"] = complaint
    if wrong:
        return wrong
    return _complaints_of_ways(graph, keys)


def _node_complaint(node: Node) -> str:
    if not _KEY.fullmatch(node.key):
        return "A step's key is a lower case letter, then letters, digits, - and _"
    if node.kind == "playbook" and not node.task.playbook:
        return "Choose a playbook"
    if node.kind == "pause" and not 1 <= node.minutes <= _MOST_MINUTES:
        return f"A pause takes 1 to {_MOST_MINUTES} minutes"
    if not 0 <= node.minutes <= _MOST_MINUTES:
        return f"At most {_MOST_MINUTES} minutes"
    return ""


def _complaints_of_ways(graph: Graph, keys: Sequence[str]) -> dict[str, str]:
    for way in graph.edges:
        if way.origin not in keys or way.target not in keys:
            return {"edges": f"There is no step {way.origin if way.origin not in keys else way.target}"}
    pairs = [(way.origin, way.target) for way in graph.edges]
    if len(set(pairs)) < len(pairs):
        return {"edges": "Two ways lead from one step to the same next one: take “always” instead"}
    if circle := sorted(set(keys) - set(ordered(graph))):
        return {"edges": f"These steps wait for each other: {', '.join(circle[:5])}"}
    return {}


def due(moments: Sequence[datetime], now: datetime, missed: str) -> tuple[datetime | None, tuple[datetime, ...]]:
    """Return the moment a schedule starts for now, if any, and those it missed.

    What is late because no server ran is made up for once, with its last time, or only recorded.
    """
    if not moments:
        return None, ()
    last = moments[-1]
    if now - last <= LATE or missed == "once":
        return last, tuple(moments[:-1])
    return None, tuple(moments)
