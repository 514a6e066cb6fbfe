"""Graphs as boxes and lines: each step stands one column behind the last that leads to it. Pure geometry."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from server.workflows import rules
from server.workflows.models import Graph, Node

_WIDTH: Final = 176
_HEIGHT: Final = 56
_GAP: Final = 64
_ROW_GAP: Final = 20
_EDGE: Final = 8
_LETTERS: Final = 21
#: The four colours of states, as everywhere.
SHOWN: Final[Mapping[str, str]] = {
    "succeeded": "good",
    "failed": "bad",
    "cancelled": "neutral",
    "skipped": "neutral",
    "waiting": "attention",
    "running": "accent",
    "cancelling": "attention",
    "pending": "neutral",
}


@dataclass(frozen=True, slots=True)
class Box:
    """One step: where it stands, what is written in it, where it leads."""

    x: int
    y: int
    title: str
    whole: str
    kind: str
    word: str
    look: str
    url: str


@dataclass(frozen=True, slots=True)
class Line:
    """One way: its path, and when it is taken; ``look`` is dimmed for a way that was not."""

    path: str
    when: str
    look: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """A graph with its size in pixels."""

    width: int
    height: int
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    box_width: int = _WIDTH
    box_height: int = _HEIGHT


def drawn(graph: Graph, states: Mapping[str, str] | None = None, links: Mapping[str, str] | None = None) -> Drawing:
    """Return a graph drawn, with the states of a run's steps and where they lead where there are any."""
    places = _places(graph)
    boxes = tuple(
        _box(node, *places[node.key], (states or {}).get(node.key, ""), (links or {}).get(node.key, ""))
        for node in graph.nodes
        if node.key in places
    )
    lines = tuple(
        Line(_path(places[way.origin], places[way.target]), way.when, _look(way.origin, way.when, states or {}))
        for way in graph.edges
        if way.origin in places and way.target in places
    )
    width = max((x for x, _ in places.values()), default=0) + _WIDTH + _EDGE
    height = max((y for _, y in places.values()), default=0) + _HEIGHT + _EDGE
    return Drawing(width, height, boxes, lines)


def _places(graph: Graph) -> dict[str, tuple[int, int]]:
    columns: dict[int, list[str]] = {}
    for key, level in rules.levels(graph).items():
        columns.setdefault(level, []).append(key)
    tallest = max((len(keys) for keys in columns.values()), default=1)
    found: dict[str, tuple[int, int]] = {}
    for level, keys in sorted(columns.items()):
        # Steps stand about as high as those that lead to them, so that lines cross less.
        keys.sort(key=lambda key: sum(found[way.origin][1] for way in graph.into(key)) / max(1, len(graph.into(key))))
        above = (tallest - len(keys)) * (_HEIGHT + _ROW_GAP) // 2
        for row, key in enumerate(keys):
            found[key] = (_EDGE + level * (_WIDTH + _GAP), _EDGE + above + row * (_HEIGHT + _ROW_GAP))
    return found


def _box(node: Node, x: int, y: int, state: str, url: str) -> Box:
    whole = node.shown
    title = whole if len(whole) <= _LETTERS else f"{whole[: _LETTERS - 1]}…"
    usual = {"playbook": node.task.playbook, "approval": "approval", "pause": f"{node.minutes} min"}[node.kind]
    word = state if state and state != "pending" else usual
    word = word if len(word) <= _LETTERS else f"{word[: _LETTERS - 1]}…"
    return Box(x, y, title, whole, node.kind, word, SHOWN.get(state, "neutral"), url)


def _path(origin: tuple[int, int], target: tuple[int, int]) -> str:
    x1, y1 = origin[0] + _WIDTH, origin[1] + _HEIGHT // 2
    x2, y2 = target[0], target[1] + _HEIGHT // 2
    bend = max(24, (x2 - x1) // 2)
    return f"M{x1} {y1} C{x1 + bend} {y1} {x2 - bend - 6} {y2} {x2 - 6} {y2}"


def _look(origin: str, when: str, states: Mapping[str, str]) -> str:
    state = states.get(origin, "")
    if not state:
        return ""
    taken = {"success": {"succeeded"}, "failure": {"failed"}, "always": {"succeeded", "failed"}}[when]
    over = state in {"succeeded", "failed", "skipped", "cancelled"}
    return "taken" if state in taken else "missed" if over else ""
