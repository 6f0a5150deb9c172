"""Geometry of plots: everything inside its box, ticks round, values where they belong."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.surfaces.plots import Axis, Line, Mark, Plot, plot, round_step, ticks

finite = st.floats(-1e6, 1e6, allow_nan=False)


def drawn(low: float, high: float, points: list[tuple[float, float]]) -> Plot:
    return plot(
        name="p",
        title="t",
        summary="s",
        x=Axis("x", low, high, str),
        y=Axis("y", low, high, str),
        lines=[Line(points, "line")],
        marks=[Mark(x, y, y + 1.0, "mark") for x, y in points],
        rule=(0.5 * (low + high), "middle"),
    )


@given(low=finite, span=st.floats(1e-3, 1e6), points=st.lists(st.tuples(finite, finite)))
def test_nothing_leaves_the_box(low: float, span: float, points: list[tuple[float, float]]) -> None:
    shown = drawn(low, low + span, points)
    places = [
        tuple(map(float, pair.split(","))) for line in shown.lines for pair in line.points.split()
    ]
    places += [(mark.x, y) for mark in shown.marks for y in (mark.y1, mark.y2)]
    for x, y in places:
        assert shown.left - 0.1 <= x <= shown.right + 0.1
        assert shown.top - 0.1 <= y <= shown.bottom + 0.1
    assert shown.rule == pytest.approx((shown.left + shown.right) / 2, abs=0.2)


def test_up_is_up_and_right_is_right() -> None:
    shown = drawn(0.0, 10.0, [(0.0, 0.0), (10.0, 10.0)])
    assert shown.lines[0].points == (
        f"{float(shown.left)},{float(shown.bottom)} {float(shown.right)},{float(shown.top)}"
    )


@given(low=finite, span=st.floats(1e-3, 1e6))
def test_ticks_are_few_round_and_inside(low: float, span: float) -> None:
    axis = Axis("x", low, low + span, str)
    found = ticks(axis)
    step = round_step(span / 5)
    assert 2 <= len(found) <= 6
    assert all(low - 1e-6 * step <= value <= low + span + 1e-6 * step for value in found)
    assert step / 10 ** math.floor(math.log10(step) + 1e-9) == pytest.approx(
        min((1, 2, 5), key=lambda f: abs(step / 10 ** math.floor(math.log10(step) + 1e-9) - f))
    )


def test_what_is_not_a_number_is_left_out_and_a_mark_beside_the_axis_too() -> None:
    shown = drawn(0.0, 10.0, [(1.0, math.nan), (2.0, 2.0), (11.0, 3.0)])
    assert len(shown.lines[0].points.split()) == 2
    assert [mark.x for mark in shown.marks] == [
        drawn(0.0, 10.0, [(2.0, 2.0)]).marks[0].x,
    ]


def test_a_flat_mark_is_a_point() -> None:
    axis = Axis("x", 0.0, 100.0, str)
    shown = plot(
        name="p",
        title="t",
        summary="s",
        x=axis,
        y=axis,
        marks=[Mark(1.0, 5.0, 5.1, "a"), Mark(2.0, 5.0, 50.0, "b")],
    )
    assert [mark.is_point for mark in shown.marks] == [True, False]
    assert shown.rule is None
