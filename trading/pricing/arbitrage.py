"""Looking for arbitrage on a surface, between its nodes and its expiries as well as on them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
import numpy as np

if TYPE_CHECKING:
    from trading.pricing.surface import Surface

TOLERANCE = 1e-10  # of the forward


class ArbitrageCheck(msgspec.Struct, frozen=True):
    """What was looked at and the worst that was found, in forwards: the lowest second difference of
    calls between neighbouring strikes (a butterfly), the lowest rise of a call from one date to the
    next (a calendar spread), the lowest fall of a call from one strike to the next (a vertical).

    `violations` counts those below −1e-10.
    """

    strikes: int
    dates: int
    butterfly: float
    calendar: float
    vertical: float
    violations: int


def arbitrage_check(surface: Surface, *, strikes: int = 401, between: int = 1) -> ArbitrageCheck:
    """Check evenly spaced strikes across the nodes at every expiry, and `between` dates before each
    of them.
    """
    grid = np.linspace(float(surface.nodes[0]), float(surface.nodes[-1]), strikes)
    starts = (0.0, *surface.years[:-1])
    dates = [
        start + (end - start) * step / (between + 1)
        for start, end in zip(starts, surface.years, strict=True)
        for step in range(1, between + 1)
    ]
    before = np.maximum(1.0 - grid, 0.0)
    butterfly = calendar = vertical = math.inf
    violations = 0
    for years in sorted((*dates, *surface.years)):
        calls = surface.at(years).call(grid)
        found = (np.diff(calls, 2), calls - before, -np.diff(calls))
        violations += sum(int(np.count_nonzero(each < -TOLERANCE)) for each in found)
        lowest = [float(each.min()) + 0.0 for each in found]  # no negative zeros
        butterfly, calendar = min(butterfly, lowest[0]), min(calendar, lowest[1])
        vertical = min(vertical, lowest[2])
        before = calls
    count = len(dates) + len(surface.years)
    return ArbitrageCheck(strikes, count, butterfly, calendar, vertical, violations)
