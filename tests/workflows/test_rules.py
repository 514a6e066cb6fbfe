"""Pure decisions about workflows, over graphs nobody thought of."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.workflows import rules
from server.workflows.models import Edge, Graph, Node, NodeState, RunState, Task, When

N = NodeState
WHEN: st.SearchStrategy[When] = st.sampled_from(["success", "failure", "always"])


def graph_of(*ways: str) -> Graph:
    """``"a>b"`` on success, ``"a!b"`` on failure, ``"a*b"`` always."""
    edges = []
    for way in ways:
        for mark, when in ((">", "success"), ("!", "failure"), ("*", "always")):
            if mark in way:
                origin, target = way.split(mark)
                edges.append(Edge(origin, target, when))  # type: ignore[arg-type]
    keys = dict.fromkeys(key for edge in edges for key in (edge.origin, edge.target))
    return Graph(tuple(Node(key, task=Task("ping")) for key in keys or {"a": None}), tuple(edges))


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    size = draw(st.integers(1, 9))
    keys = [f"n{number}" for number in range(size)]
    nodes = tuple(Node(key, join=draw(st.sampled_from(["any", "all"])), task=Task("ping")) for key in keys)
    pairs = [(a, b) for place, a in enumerate(keys) for b in keys[place + 1 :]]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    shuffled = draw(st.permutations(nodes))
    return Graph(tuple(shuffled), tuple(Edge(a, b, draw(WHEN)) for a, b in chosen))


@given(graphs(), st.data())
def test_every_run_ends_and_no_step_begins_twice(graph: Graph, data: st.DataObject) -> None:
    assert rules.complaints_of("anything", graph) == {}
    states = {node.key: N.PENDING for node in graph.nodes}
    begun: Counter[str] = Counter()
    status = RunState.RUNNING

    def move(key: str, state: NodeState) -> None:
        assert rules.may_become(states[key], state)
        states[key] = state

    for _ in range(3 * len(graph.nodes) + 3):
        begin, skip = ((), ()) if status == RunState.CANCELLING else rules.ready(graph, states)
        for key in skip:
            move(key, N.SKIPPED)
        for key in begin:
            begun[key] += 1
            # Everything that leads here is over, and at least one way was taken.
            ways = graph.into(key)
            assert all(states[way.origin] in rules.ENDED for way in ways)
            assert not ways or any(states[way.origin] in rules.TAKEN[way.when] for way in ways)
            move(key, data.draw(st.sampled_from([N.RUNNING, N.WAITING, N.FAILED])))
        status = rules.verdict(graph, states, status)
        if status in rules.OVER:
            break
        under_way = [key for key, state in states.items() if state in rules.UNDER_WAY]
        assert under_way or status == RunState.CANCELLING or begin or skip
        if under_way:
            ending = data.draw(st.sampled_from(under_way))
            move(ending, data.draw(st.sampled_from([N.SUCCEEDED, N.FAILED, N.CANCELLED])))
        if status != RunState.CANCELLING and data.draw(st.booleans()) and data.draw(st.booleans()):
            status = RunState.CANCELLING
        if status == RunState.CANCELLING:
            for key in [key for key, state in states.items() if state in {N.PENDING, N.WAITING}]:
                move(key, N.CANCELLED)
    assert rules.verdict(graph, states, status) in rules.OVER
    assert all(state in rules.ENDED for state in states.values())
    assert max(begun.values(), default=1) == 1
    again = rules.kept(graph, states)
    assert all(states[key] == N.SUCCEEDED and all(way.origin in again for way in graph.into(key)) for key in again)


def ended(graph: Graph, outcomes: dict[str, NodeState]) -> tuple[dict[str, NodeState], RunState]:
    states = {node.key: N.PENDING for node in graph.nodes}
    while True:
        begin, skip = rules.ready(graph, states)
        if not begin and not skip:
            return states, rules.verdict(graph, states, RunState.RUNNING)
        states |= dict.fromkeys(skip, N.SKIPPED)
        states |= {key: outcomes.get(key, N.SUCCEEDED) for key in begin}


@pytest.mark.parametrize(
    ("ways", "failing", "ran", "status"),
    [
        (("a>b", "b>c"), "", "abc", RunState.SUCCEEDED),
        (("a>b", "b>c"), "b", "ab", RunState.FAILED),
        (("a>b", "a!c"), "a", "ac", RunState.SUCCEEDED),
        (("a>b", "a!c"), "", "ab", RunState.SUCCEEDED),
        (("a>b", "b*d", "a!c", "c*d"), "a", "acd", RunState.SUCCEEDED),
        (("a>b", "a!c"), "ac", "ac", RunState.FAILED),
        (("a>c", "b>c"), "a", "abc", RunState.FAILED),
    ],
)
def test_ways_of_success_and_of_failure(ways: tuple[str, ...], failing: str, ran: str, status: RunState) -> None:
    states, over = ended(graph_of(*ways), dict.fromkeys(failing, N.FAILED))
    assert ("".join(sorted(key for key, state in states.items() if state != N.SKIPPED)), over) == (ran, status)


def test_graphs_that_make_no_sense_are_refused() -> None:
    assert "wait for each other" in rules.complaints_of("x", graph_of("a>b", "b>c", "c>b"))["edges"]
    assert "no step" in rules.complaints_of("x", Graph((Node("a", task=Task("ping")),), (Edge("a", "z"),)))["edges"]
    twice = Graph((Node("a", task=Task("ping")), Node("a", "approval")))
    assert rules.complaints_of("x", twice)["nodes"] == "Two steps are called a"
    both = Graph((Node("a", "approval"), Node("b", "approval")), (Edge("a", "b"), Edge("a", "b", "failure")))
    assert "always" in rules.complaints_of("x", both)["edges"]
    wrong = rules.complaints_of("", Graph((Node("a"), Node("b", "pause"), Node("A B", "approval"))))
    assert set(wrong) == {"name", "nodes.a", "nodes.b", "nodes.A B"}


def test_what_was_missed_is_made_up_for_once_or_recorded() -> None:
    now = datetime(2026, 3, 1, 12, tzinfo=UTC)
    nights = [now - timedelta(days=days) for days in (3, 2, 1)]
    assert rules.due(nights, now, "once") == (nights[-1], tuple(nights[:-1]))
    assert rules.due(nights, now, "record") == (None, tuple(nights))
    soon = now - timedelta(minutes=1)
    assert rules.due([*nights, soon], now, "record") == (soon, tuple(nights))
    assert rules.due([], now, "once") == (None, ())
