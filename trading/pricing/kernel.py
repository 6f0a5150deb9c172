"""The lognormal kernel of a surface: what an option is worth when the discrete law has landed on a
node and a lognormal of small variance is still to come.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from trading.pricing.elementary import (
    SQRT_TWO_PI,
    Array,
    exponential,
    logarithm,
    normal_cumulative,
)

Places = npt.NDArray[np.intp]

_REACH = 8.5  # deviations beyond which time value and density are zero in double precision


def time_values(nodes: Array, strikes: Array, variance: float) -> Array:
    """The time value of each strike seen from each node, a row a node: add (node − strike)⁺ for the
    call, (strike − node)⁺ for the put.
    """
    result = np.zeros((nodes.size, strikes.size))
    if variance <= 0.0:
        return result
    width = math.sqrt(variance)
    near, log_ratio = _near(nodes, strikes, width)
    row, column = near
    a, k = nodes[row], strikes[column]
    sign = np.where(a > k, -1.0, 1.0)
    d_plus = sign * (log_ratio / width + 0.5 * width)
    d_minus = sign * (log_ratio / width - 0.5 * width)
    value = sign * (a * normal_cumulative(d_plus) - k * normal_cumulative(d_minus))
    result[near] = np.maximum(value, 0.0)
    return result


def exceedance(nodes: Array, strikes: Array, variance: float) -> Array:
    """The probability, from each node, of ending above each strike."""
    result = (nodes[:, None] > strikes[None, :]).astype(np.float64)
    if variance <= 0.0:
        return result
    width = math.sqrt(variance)
    near, log_ratio = _near(nodes, strikes, width)
    result[near] = normal_cumulative(log_ratio / width - 0.5 * width)
    return result


def densities(nodes: Array, strikes: Array, variance: float) -> Array:
    """The probability density at each strike, from each node; a node without variance has none."""
    result = np.zeros((nodes.size, strikes.size))
    if variance <= 0.0:
        return result
    width = math.sqrt(variance)
    near, log_ratio = _near(nodes, strikes, width)
    d_minus = log_ratio / width - 0.5 * width
    height = exponential(-0.5 * d_minus * d_minus) / (SQRT_TWO_PI * width)
    result[near] = height / strikes[near[1]]
    return result


def weighted(weights: Array, rows: Array) -> Array:
    """The sum of rows times weights, added row after row: an order no instruction set changes."""
    return np.asarray(np.add.reduce(weights[:, None] * rows, axis=0))


def _near(nodes: Array, strikes: Array, width: float) -> tuple[tuple[Places, Places], Array]:
    """Where node and strike are close enough to matter, and the logarithm of their ratio there."""
    log_ratio = logarithm(nodes)[:, None] - logarithm(strikes)[None, :]
    row, column = np.nonzero(np.abs(log_ratio) <= _REACH * width + 0.5 * width * width)
    return (row, column), log_ratio[row, column]
