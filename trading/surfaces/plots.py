"""Plots as plain geometry: where everything stands in a view box, ready for a template to draw.

Knows nothing of volatilities or strikes; `page` says what is plotted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

WIDTH, HEIGHT = 560, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 26, 28, 40
_TICKS = 5


@dataclass(frozen=True, slots=True)
class Axis:
    """A span of values on a side of the plot; `show` writes a value beside a tick."""

    title: str
    low: float
    high: float
    show: Callable[[float], str]
    step: float | None = None  # between ticks; a round one is found without


@dataclass(frozen=True, slots=True)
class Tick:
    """Where a value is written."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points, in the units of the axes; what is not a number breaks nothing, it is
    left out. `tone` is a class of the stylesheet.
    """

    points: Sequence[tuple[float, float]]
    tone: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A range of y at one x, drawn from low to high, or a point where both are the same."""

    x: float
    low: float
    high: float
    tone: str
    title: str = ""


@dataclass(frozen=True, slots=True)
class DrawnLine:
    """A line in the view box."""

    points: str
    tone: str


@dataclass(frozen=True, slots=True)
class DrawnMark:
    """A mark in the view box; `is_point` when it has no height to speak of."""

    x: float
    y1: float
    y2: float
    tone: str
    title: str
    is_point: bool


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot as drawn, with the words that stand for it."""

    name: str
    title: str
    summary: str
    x_title: str
    y_title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    lines: tuple[DrawnLine, ...]
    marks: tuple[DrawnMark, ...]
    rule: float | None
    rule_text: str

    width, height = WIDTH, HEIGHT
    left, right, top, bottom = _LEFT, WIDTH - _RIGHT, _TOP, HEIGHT - _BOTTOM
    middle = (left + right) // 2


def plot(
    *,
    name: str,
    title: str,
    summary: str,
    x: Axis,
    y: Axis,
    lines: Iterable[Line] = (),
    marks: Iterable[Mark] = (),
    rule: tuple[float, str] | None = None,
) -> Plot:
    """Place lines and marks between two axes; what lies outside is cut at their ends."""
    across, up = _scale(x, _LEFT, WIDTH - _RIGHT), _scale(y, HEIGHT - _BOTTOM, _TOP)
    drawn_marks = [
        _mark(mark, across, up) for mark in marks if x.low <= mark.x <= x.high and _known(mark)
    ]
    return Plot(
        name=name,
        title=title,
        summary=summary,
        x_title=x.title,
        y_title=y.title,
        x_ticks=tuple(Tick(across(value), x.show(value)) for value in ticks(x)),
        y_ticks=tuple(Tick(up(value), y.show(value)) for value in ticks(y)),
        lines=tuple(_line(line, across, up) for line in lines),
        marks=tuple(drawn_marks),
        rule=across(rule[0]) if rule and x.low <= rule[0] <= x.high else None,
        rule_text=rule[1] if rule else "",
    )


def ticks(axis: Axis) -> list[float]:
    """Round values inside an axis, about five of them."""
    span = axis.high - axis.low
    step = axis.step or round_step(span / _TICKS)
    first = math.ceil(axis.low / step - 1e-9)
    last = math.floor(axis.high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def round_step(wanted: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is no less than what is wanted."""
    power = 10.0 ** math.floor(math.log10(wanted))
    return next(factor * power for factor in (1.0, 2.0, 5.0, 10.0) if factor * power >= wanted)


def _scale(axis: Axis, start: float, end: float) -> Callable[[float], float]:
    span = axis.high - axis.low

    def place(value: float) -> float:
        inside = min(max(value, axis.low), axis.high)
        return round(start + (end - start) * (inside - axis.low) / span, 1)

    return place


def _line(line: Line, across: Callable[[float], float], up: Callable[[float], float]) -> DrawnLine:
    points = [f"{across(px)},{up(py)}" for px, py in line.points if math.isfinite(py)]
    return DrawnLine(" ".join(points), line.tone)


def _known(mark: Mark) -> bool:
    return math.isfinite(mark.low) and math.isfinite(mark.high)


def _mark(mark: Mark, across: Callable[[float], float], up: Callable[[float], float]) -> DrawnMark:
    low, high = up(mark.low), up(mark.high)
    return DrawnMark(across(mark.x), low, high, mark.tone, mark.title, abs(low - high) < 2.0)
