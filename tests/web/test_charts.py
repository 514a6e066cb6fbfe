"""Numbers become lengths: nothing leaves its frame, nothing is lost, and no number breaks a chart."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from server.web import charts

NUMBERS = some.integers(0, 10**9)


@given(some.integers(0, 10**12))
def test_an_axis_ends_at_or_above_its_highest_number_in_whole_steps(value: int) -> None:
    top = charts.ceiling(value)
    assert top >= value
    assert top % 4 == 0
    assert value < 5 or top <= 2.5 * value


@pytest.mark.parametrize(("value", "top"), [(0, 4), (3, 4), (5, 8), (10, 20), (39, 40), (620, 800), (1001, 2000)])
def test_an_axis_ends_at_a_round_number(value: int, top: int) -> None:
    assert charts.ceiling(value) == top


@given(some.lists(some.none() | NUMBERS, min_size=1, max_size=90))
def test_a_line_stays_in_its_plot_and_has_a_gap_where_nothing_is_known(values: list[int | None]) -> None:
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(len(values))]
    found = charts.trend(days, [charts.Series("Updates", tuple(values))])
    line = found.curves[0].line
    places = [tuple(map(float, pair.split())) for run in line.split("M") if run for pair in run.split(" L")]
    assert len(places) == sum(value is not None for value in values)
    assert all(0 <= x <= charts.WIDTH and 0 <= y <= charts.HEIGHT for x, y in places)
    assert len(found.stops) == len(values)
    assert sum(stop.width for stop in found.stops) <= charts.WIDTH + 1


@given(some.lists(NUMBERS, max_size=12))
def test_parts_of_a_ring_are_the_whole_ring(values: list[int]) -> None:
    ring = charts.donut([(str(number), value, "", "good") for number, value in enumerate(values)])
    assert ring.total == sum(values)
    assert sum(part.length for part in ring.slices) == pytest.approx(100 if sum(values) else 0, abs=0.1)


def test_bars_are_as_long_as_their_numbers_say() -> None:
    bars = charts.bars([("a", 30, "/a"), ("b", 60, ""), ("c", 0, "")])
    assert [(bar.percent, bar.share) for bar in bars] == [(50.0, 33.3), (100.0, 66.7), (0.0, 0.0)]
    assert charts.bars([]) == ()


@given(some.lists(NUMBERS, max_size=40))
def test_a_small_line_stays_small(values: list[int]) -> None:
    points = [tuple(map(float, pair.split(","))) for pair in charts.spark(values).points.split()]
    assert all(0 <= x <= charts.SPARK_WIDTH and 0 <= y <= charts.SPARK_HEIGHT for x, y in points)
