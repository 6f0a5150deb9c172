"""The statement of a fit: what is minimised, as rows in the inner node prices of each expiry.

Unknown are the values u of calls on the discrete law at the inner nodes, in basis points of the
forward, so that rows in spreads are of ordinary size. An expiry contributes a row a quote (its
distance from the mid in spreads), a row between neighbouring nodes (how much the density changes
over a deviation) and a row a node (its mass, of next to no weight): together strictly convex.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trading.pricing.black_columns import time_value
from trading.pricing.discrete_law import spacing
from trading.pricing.elementary import Array, logarithm
from trading.pricing.kernel import time_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trading.pricing.quotes import UsableQuotes

UNIT = 1e-4  # of the forward
RIDGE = 1e-9
DECIMALS = 10  # of the kernel's rows: what is smaller is arithmetic, not money


class PriceRows(NamedTuple):
    """Prices of the quoted strikes as they follow from u: `base + inner · u`, in forwards; a column
    a quote. `whole` gives the same from the masses.
    """

    base: Array
    inner: Array
    whole: Array


class Shape(NamedTuple):
    """The rows of one expiry that do not depend on its quotes, and the values they should take."""

    rows: Array
    goal: Array


def price_rows(nodes: Array, quotes: UsableQuotes, kernel_variance: float) -> PriceRows:
    """The kernel of the quoted strikes, and its second differences over the nodes."""
    payoff = np.maximum(nodes[:, None] - quotes.strike[None, :], 0.0)
    whole = time_values(nodes, quotes.strike, kernel_variance) + payoff
    slopes = (whole[1:] - whole[:-1]) / (nodes[1:] - nodes[:-1])[:, None]
    inner = np.round(slopes[1:] - slopes[:-1], DECIMALS)
    base = np.round(whole[0] + (1.0 - nodes[0]) * slopes[0], DECIMALS + 2)
    return PriceRows(base, inner, whole)


def mass_rows(nodes: Array) -> tuple[Array, Array]:
    """Masses as `constant + rows · u`, a row a node, u in its unit."""
    gaps = nodes[1:] - nodes[:-1]
    count = nodes.size
    rows = np.zeros((count, count - 2))
    inner = np.arange(count - 2)
    rows[inner, inner] = UNIT / gaps[:-1]
    rows[inner + 1, inner] = -UNIT * (1.0 / gaps[:-1] + 1.0 / gaps[1:])
    rows[inner + 2, inner] = UNIT / gaps[1:]
    constant = np.zeros(count)
    first = 1.0 - nodes[0]
    constant[0], constant[1] = 1.0 - first / gaps[0], first / gaps[0]
    return rows, constant


def shape_rows(nodes: Array, deviation: float, roughness: float) -> Shape:
    """Roughness, so weighed, and ridge of an expiry whose deviation at the money is `deviation`."""
    rows, constant = mass_rows(nodes)
    scale = deviation / spacing(nodes)
    logs = logarithm(nodes)
    weight = math.sqrt(roughness) / np.sqrt((logs[1:] - logs[:-1]) / deviation)
    density, fixed = scale[:, None] * rows, scale * constant
    rough = weight[:, None] * (density[1:] - density[:-1])
    rough_goal = -weight * (fixed[1:] - fixed[:-1])
    ridge = math.sqrt(RIDGE)
    return Shape(
        np.concatenate((rough, ridge * rows)), np.concatenate((rough_goal, -ridge * constant))
    )


def quote_rows(rows: PriceRows, quotes: UsableQuotes, weights: Array) -> Shape:
    """A row a quote: the weighted distance from its mid, in spreads."""
    scale = np.sqrt(weights) / quotes.spread
    return Shape((UNIT * rows.inner * scale).T, scale * (quotes.mid - rows.base))


def gram_diagonals(shapes: Sequence[Shape]) -> Array:
    """The diagonals, from the main one up, of the sum of rows' · rows over the shapes; products are
    added in row order, shape after shape.
    """
    widths = [_bandwidth(shape.rows) for shape in shapes]
    count = shapes[0].rows.shape[1]
    diagonals = np.zeros((max(widths) + 1, count))
    for shape, width in zip(shapes, widths, strict=True):
        rows = shape.rows
        for offset in range(width + 1):
            product = rows[:, : count - offset] * rows[:, offset:]
            diagonals[offset, : count - offset] += np.add.reduce(product, axis=0)
    return diagonals


def projection(shapes: Sequence[Shape], near: Array) -> Array:
    """rows' · (goal − rows · near)."""
    rows = np.concatenate([shape.rows for shape in shapes])
    goal = np.concatenate([shape.goal for shape in shapes])
    left = goal - np.add.reduce(rows.T * near[:, None], axis=0)
    return np.asarray(np.add.reduce(rows * left[:, None], axis=0))


def expected_calls(nodes: Array, usable: Sequence[UsableQuotes], eta: float) -> list[Array]:
    """Calls at the inner nodes as the quotes' implied variances say, less the kernel's share of
    them, in the unit of the rows; an expiry each.
    """
    inner = nodes[1:-1]
    variances = [np.interp(inner, q.strike, q.deviation * q.deviation) for q in usable]
    deviations = np.sqrt((1.0 - eta) * np.array(variances))
    calls = time_value(np.ones(1), inner[None, :], deviations) + np.maximum(1.0 - inner, 0.0)
    return list(calls / UNIT)


def _bandwidth(rows: Array) -> int:
    """The furthest apart that two entries of a row are."""
    filled = rows != 0.0
    some = filled.any(axis=1)
    if not some.any():
        return 0
    first = filled.argmax(axis=1)
    last = rows.shape[1] - 1 - filled[:, ::-1].argmax(axis=1)
    return int((last - first)[some].max())
