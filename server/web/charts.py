"""Charts as geometry: numbers become places and lengths, which templates/parts/chart.html draws as SVG.

Nothing here needs a script or a style: pages allow neither inline. Every chart carries its numbers: the template
shows them as a table too.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain, repeat
from typing import Final, Literal

#: A colour; a word or a pattern is always with it.
Tone = Literal["accent", "good", "attention", "bad", "neutral", "second", "third"]

#: The plot's own measures; it is stretched to the room there is.
WIDTH: Final = 600
HEIGHT: Final = 160
SPARK_WIDTH: Final = 96
SPARK_HEIGHT: Final = 24
_TICKS: Final = 4
_LABELS: Final = 4
_WHOLE: Final = 100


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: ``percent`` is its length beside the longest one, ``share`` its part of all."""

    label: str
    value: int
    url: str
    tone: Tone
    percent: float
    share: float


@dataclass(frozen=True, slots=True)
class Slice:
    """One part of a ring: where it begins and how long it is, in hundredths of the whole."""

    label: str
    value: int
    url: str
    tone: Tone
    start: float
    length: float


@dataclass(frozen=True, slots=True)
class Donut:
    """A ring of parts and their sum."""

    slices: tuple[Slice, ...]
    total: int


@dataclass(frozen=True, slots=True)
class Series:
    """A named row of numbers; ``None`` where nothing is known."""

    name: str
    values: tuple[int | None, ...]
    tone: Tone = "accent"


@dataclass(frozen=True, slots=True)
class Curve:
    """A series as drawn: the path of its line, and of the area under it."""

    series: Series
    line: str
    area: str


@dataclass(frozen=True, slots=True)
class Stop:
    """One day: the strip under the pointer that tells its numbers."""

    label: str
    x: float
    width: float
    values: tuple[tuple[str, int | None], ...]


@dataclass(frozen=True, slots=True)
class Trend:
    """Lines over days.

    Attributes:
        ticks: (number, place from the top in hundredths), from the highest down.
        labels: (word, place from the left in hundredths).
    """

    curves: tuple[Curve, ...]
    stops: tuple[Stop, ...]
    ticks: tuple[tuple[int, float], ...]
    labels: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Spark:
    """A line as small as a word, from the first number to the last."""

    points: str
    first: int
    last: int


def bars(items: Sequence[tuple[str, int, str]], *tones: Tone) -> tuple[Bar, ...]:
    """Return bars of (label, number, address) in the order given: each in its own tone, or all in the last one."""
    longest = max((value for _, value, _ in items), default=0) or 1
    total = sum(value for _, value, _ in items) or 1
    worn = chain(tones[:-1], repeat(tones[-1] if tones else "accent"))
    return tuple(
        Bar(label, value, url, tone, round(_WHOLE * value / longest, 2), round(_WHOLE * value / total, 1))
        for (label, value, url), tone in zip(items, worn, strict=False)
    )


def donut(items: Sequence[tuple[str, int, str, Tone]]) -> Donut:
    """Return a ring of (label, number, address, tone); parts of nothing have no length."""
    total = sum(value for _, value, _, _ in items)
    slices: list[Slice] = []
    start = 0.0
    for label, value, url, tone in items:
        length = _WHOLE * value / total if total else 0.0
        slices.append(Slice(label, value, url, tone, round(start, 3), round(length, 3)))
        start += length
    return Donut(tuple(slices), total)


def trend(days: Sequence[date], series: Sequence[Series]) -> Trend:
    """Return lines over these days; every series has a value for each of them."""
    most = max((value for one in series for value in one.values if value is not None), default=0)
    top = ceiling(most)
    step = WIDTH / max(1, len(days) - 1)
    places = [round(index * step, 2) for index in range(len(days))]
    stops = tuple(
        Stop(
            day.isoformat(),
            round(max(0.0, place - step / 2), 2),
            round(min(WIDTH, place + step / 2) - max(0.0, place - step / 2), 2),
            tuple((one.name, one.values[index]) for one in series),
        )
        for index, (day, place) in enumerate(zip(days, places, strict=True))
    )
    ticks = tuple((top * (_TICKS - n) // _TICKS, round(_WHOLE * n / _TICKS, 2)) for n in range(_TICKS + 1))
    return Trend(tuple(_curve(one, places, top) for one in series), stops, ticks, tuple(_labels(days)))


def spark(values: Sequence[int]) -> Spark:
    """Return a small line; of a single number a flat one."""
    known = list(values) or [0]
    low, high = min(known), max(known)
    span = (high - low) or 1
    step = SPARK_WIDTH / max(1, len(known) - 1)
    room = SPARK_HEIGHT - 4
    points = " ".join(
        f"{index * step:.1f},{2 + room - room * (value - low) / span:.1f}" for index, value in enumerate(known)
    )
    return Spark(points, known[0], known[-1])


def ceiling(value: int) -> int:
    """Return the top of an axis for this number: round, not far above it, and divisible by its ticks."""
    if value <= _TICKS:
        return _TICKS
    size = int(10 ** int(math.log10(value)))
    for factor in (1, 2, 4, 6, 8, 10, 20):
        top = size * factor
        if top >= value and top % _TICKS == 0:
            return top
    return _TICKS * math.ceil(value / _TICKS)


def _curve(series: Series, places: Sequence[float], top: int) -> Curve:
    line: list[str] = []
    area: list[str] = []
    run: list[tuple[float, float]] = []
    for place, value in [*zip(places, series.values, strict=True), (0.0, None)]:
        if value is not None:
            run.append((place, round(HEIGHT - HEIGHT * value / top, 2)))
            continue
        if run:
            drawn = " L".join(f"{x} {y}" for x, y in run)
            line.append(f"M{drawn}")
            area.append(f"M{run[0][0]} {HEIGHT} L{drawn} L{run[-1][0]} {HEIGHT} Z")
        run = []
    return Curve(series, " ".join(line), " ".join(area))


def _labels(days: Sequence[date]) -> list[tuple[str, float]]:
    last = len(days) - 1
    if last < 1:
        return [(_short(day), 0.0) for day in days]
    chosen = sorted({round(last * n / (_LABELS - 1)) for n in range(_LABELS)})
    return [(_short(days[index]), round(_WHOLE * index / last, 2)) for index in chosen]


def _short(day: date) -> str:
    return f"{day.day} {day:%b}"
