"""Discrete local volatilities: the other way to write down a surface, free of every constraint but
that they are positive.

Between two expiries each node has one volatility: backward theta over gamma of the discrete calls,
σ² = 2·(Δu/ΔT) / (K²·q/h), h half the distance between the neighbours (Buehler and Ryskin 2017). The
way back is one implicit step of the heat equation an expiry, whose matrix has only positive
inverses: any positive field gives laws of mass and mean one in convex order.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np

from trading.pricing.discrete_law import calls_of_masses, masses_of_calls, spacing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trading.pricing.elementary import Array


def local_volatilities(nodes: Array, years: Sequence[float], masses: Array) -> Array:
    """The volatility of each inner node up to each expiry, a row an expiry, fractions a year.

    Not a number where a node has no mass (nothing says how fast it would move), zero where calls on
    it do not rise.
    """
    before = np.maximum(1.0 - nodes, 0.0)
    spaces = spacing(nodes)[1:-1]
    rows, start = [], 0.0
    for end, law in zip(years, masses, strict=True):
        calls = calls_of_masses(nodes, law)
        theta = np.maximum(calls - before, 0.0)[1:-1] / (end - start)
        gamma = nodes[1:-1] ** 2 * law[1:-1] / spaces
        held = law[1:-1] > 0.0
        ratio = 2.0 * theta / np.where(held, gamma, 1.0)
        rows.append(np.where(held, np.sqrt(ratio), math.nan))
        before, start = calls, end
    return np.array(rows)


def masses_of_local_volatilities(nodes: Array, years: Sequence[float], field: Array) -> Array:
    """The laws whose local volatilities are `field`, a row an expiry.

    Raises ValueError for a field of another shape, or with a value that is not positive and finite,
    times that do not rise from zero, or nodes that do not enclose the forward.
    """
    ends = (0.0, *years)
    if field.shape != (len(years), nodes.size - 2) or not np.all((field > 0) & np.isfinite(field)):
        msg = "local volatilities: needs a positive number for each expiry and inner node"
        raise ValueError(msg)
    if not all(a < b for a, b in itertools.pairwise(ends)):
        msg = f"local volatilities: needs times that rise from zero, got {list(years)}"
        raise ValueError(msg)
    if not (np.all(nodes[1:] > nodes[:-1]) and 0.0 < nodes[0] < 1.0 < nodes[-1]):
        msg = "local volatilities: needs rising nodes on both sides of the forward"
        raise ValueError(msg)
    gaps, spaces = nodes[1:] - nodes[:-1], spacing(nodes)[1:-1]
    calls = np.maximum(1.0 - nodes, 0.0)
    rows = []
    for (start, end), row in zip(itertools.pairwise(ends), field, strict=True):
        pace = 0.5 * row * row * nodes[1:-1] ** 2 * (end - start) / spaces
        calls = _step(calls, pace / gaps[:-1], pace / gaps[1:])
        rows.append(np.maximum(masses_of_calls(nodes, calls), 0.0))
    return np.array(rows)


def _step(calls: Array, left: Array, right: Array) -> Array:
    """The inner calls after a step, their ends held: the system −left·u₋ + (1 + left + right)·u −
    right·u₊ = calls, solved from the first to the last and back.
    """
    goal = calls[1:-1].tolist()
    below, above = left.tolist(), right.tolist()
    goal[0] += below[0] * float(calls[0])
    goal[-1] += above[-1] * float(calls[-1])
    count = len(goal)
    ratio, value = [0.0] * count, [0.0] * count
    for i in range(count):
        pivot = 1.0 + below[i] + above[i] - (below[i] * ratio[i - 1] if i else 0.0)
        ratio[i] = above[i] / pivot
        value[i] = (goal[i] + (below[i] * value[i - 1] if i else 0.0)) / pivot
    solved = calls.copy()
    following = 0.0
    for i in reversed(range(count)):
        following = value[i] + (ratio[i] * following if i + 1 < count else 0.0)
        solved[i + 1] = following
    return solved
