"""The discrete law of an expiry on the nodes, in its two forms: masses `q`, and `u`, the value of
calls on it struck at the nodes. `u` is piecewise linear and convex, `q` its second differences.

`u` is fixed at both ends: one minus the first node, and zero at the last. Then mass and mean are
one whatever lies between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from trading.pricing.elementary import Array

_DUST = 1e-11  # mass that may be missing at a node before the curve is bent back


def masses_of_calls(nodes: Array, calls: Array) -> Array:
    """The masses whose calls struck at the nodes are `calls`."""
    slopes = (calls[1:] - calls[:-1]) / (nodes[1:] - nodes[:-1])
    masses = np.empty(nodes.size)
    masses[0] = 1.0 + slopes[0]
    masses[1:-1] = slopes[1:] - slopes[:-1]
    masses[-1] = -slopes[-1]
    return masses


def calls_of_masses(nodes: Array, masses: Array) -> Array:
    """The calls struck at the nodes, from the last node down."""
    above = np.add.accumulate(masses[:0:-1])[::-1]  # mass beyond each node but the last
    parts = above * (nodes[1:] - nodes[:-1])
    calls = np.zeros(nodes.size)
    calls[:-1] = np.add.accumulate(parts[::-1])[::-1]
    return calls


def repaired(nodes: Array, laws: list[Array]) -> list[Array]:
    """The laws with the dust of a solver removed: masses not negative, each in convex order above
    the one before, mass and mean one.

    A maximum of convex calls with the same ends is convex with the same ends.
    """
    floor = np.maximum(1.0 - nodes, 0.0)
    previous = floor
    result = []
    for masses in laws:
        calls = calls_of_masses(nodes, np.maximum(masses, 0.0))
        calls[0], calls[-1] = 1.0 - nodes[0], 0.0
        previous = np.maximum(np.maximum(calls, previous), floor)
        masses = masses_of_calls(nodes, previous)
        if masses.min() < -_DUST:
            # The ends were held, and where nodes are close that bends the curve beside them.
            previous = _convex_below(nodes, previous)
            masses = masses_of_calls(nodes, previous)
        result.append(np.maximum(masses, 0.0))
    return result


def _convex_below(nodes: Array, calls: Array) -> Array:
    """The greatest convex curve that is nowhere above the calls, with the same ends; it stays above
    whatever convex curve with these ends they were above.
    """
    corners: list[tuple[float, float]] = []
    for x, y in zip(nodes.tolist(), calls.tolist(), strict=True):
        while len(corners) > 1:
            (x0, y0), (x1, y1) = corners[-2:]
            if (y1 - y0) * (x - x1) < (y - y1) * (x1 - x0):
                break
            corners.pop()
        corners.append((x, y))
    return np.asarray(np.interp(nodes, *np.array(corners).T))


def spacing(nodes: Array) -> Array:
    """Half the distance between the neighbours of each node; at the ends, to the only one."""
    gaps = nodes[1:] - nodes[:-1]
    widths = np.empty(nodes.size)
    widths[0], widths[-1] = 0.5 * gaps[0], 0.5 * gaps[-1]
    widths[1:-1] = 0.5 * (gaps[1:] + gaps[:-1])
    return widths
