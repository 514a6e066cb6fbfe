"""What a bar measured, round by round, and the table of all of them."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Limit:
    """What must hold: at least or at most a number."""

    number: float
    most: bool = False

    def holds(self, value: float) -> bool:
        return value <= self.number if self.most else value >= self.number

    @classmethod
    def parse(cls, text: str) -> "Limit":
        return cls(float(text[2:].replace(",", "")), most=text.startswith("≤"))

    def __str__(self) -> str:
        return f"{'≤' if self.most else '≥'} {shown(self.number)}"


def least(number: float) -> Limit:
    return Limit(number)


def most(number: float) -> Limit:
    return Limit(number, most=True)


@dataclass
class Outcome:
    """One line of the table.

    Attributes:
        bar: number of the bar, with a letter when it has several parts.
        what: what was compared.
        unit: of the compared values: "×" for a ratio of the two arms, else what arm A alone measured.
        values: the compared value of each round.
        arm_a, arm_b: what each arm measured in each round, in ``arm_unit``.
        note: what a reader of the number must know.
    """

    bar: str
    what: str
    unit: str
    hold: Limit
    stretch: Limit | None
    values: list[float] = field(default_factory=list)
    arm_unit: str = ""
    arm_a: list[float] = field(default_factory=list)
    arm_b: list[float] = field(default_factory=list)
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def held(self) -> bool:
        return bool(self.values) and self.hold.holds(self.median)

    @property
    def verdict(self) -> str:
        if not self.values:
            return "not measured"
        if self.stretch is not None and self.stretch.holds(self.median):
            return "yes +"
        return "yes" if self.held else "NO"

    def ratio(self, arm_a: float, arm_b: float, *, faster: bool = True) -> None:
        """Add a round; ``faster``: the arms are rates or inverse times, so more of A is better (A / B), else B / A."""
        self.arm_a.append(arm_a)
        self.arm_b.append(arm_b)
        self.values.append(arm_a / arm_b if faster else arm_b / arm_a)

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> "Outcome":
        """Return what ``as_json`` wrote."""
        stretch = Limit.parse(body["stretch"]) if body["stretch"] else None
        names = ("bar", "what", "unit", "values", "arm_unit", "arm_a", "arm_b", "note")
        return cls(hold=Limit.parse(body["hold"]), stretch=stretch, **{name: body[name] for name in names})

    def as_json(self) -> dict[str, Any]:
        return {
            "bar": self.bar,
            "what": self.what,
            "unit": self.unit,
            "hold": str(self.hold),
            "stretch": str(self.stretch) if self.stretch else None,
            "held": self.held,
            "median": self.median if self.values else None,
            "values": self.values,
            "arm_unit": self.arm_unit,
            "arm_a": self.arm_a,
            "arm_b": self.arm_b,
            "note": self.note,
        }


def shown(value: float) -> str:
    """Return a number with three digits that mean something."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def ranged(values: Sequence[float]) -> str:
    """Return median and range."""
    if not values:
        return "–"
    if len(values) == 1:
        return shown(values[0])
    return f"{shown(statistics.median(values))} ({shown(min(values))}–{shown(max(values))})"


_HEADS = ("bar", "what", "measured", "hold", "stretch", "held", "arm A", "arm B")


def rows(outcomes: Iterable[Outcome]) -> list[tuple[str, ...]]:
    return [
        (
            one.bar,
            one.what,
            f"{ranged(one.values)} {one.unit}".strip(),
            str(one.hold),
            str(one.stretch) if one.stretch else "",
            one.verdict,
            f"{ranged(one.arm_a)} {one.arm_unit}".strip() if one.arm_a else "",
            f"{ranged(one.arm_b)} {one.arm_unit}".strip() if one.arm_b else "",
        )
        for one in outcomes
    ]


def table(outcomes: Iterable[Outcome]) -> str:
    """Return the table for a terminal."""
    lines = [_HEADS, *rows(outcomes)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADS))]
    texts = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([texts[0], "─" * max(map(len, texts)), *texts[1:]])


def markdown(outcomes: Iterable[Outcome]) -> str:
    """Return the table for a document."""
    lines = [_HEADS, ("---",) * len(_HEADS), *rows(outcomes)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
