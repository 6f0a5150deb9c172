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

from trading.pricing.black_columns import normalised_value
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


class Rows(NamedTuple):
    """Rows in u, and the values they should take."""

    rows: Array
    goal: Array


class Objective(NamedTuple):
    """What is minimised: the squares of what each expiry's u leaves of the rows of its `quotes`,
    `roughness` times those of `rough`, and those of `ridge`; the last two are of every expiry.
    """

    quotes: Sequence[Rows]
    roughness: Sequence[float]
    rough: Rows
    ridge: Rows


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


def rough_rows(nodes: Array) -> Rows:
    """How much the density changes from node to node, each over the root of their distance in the
    logarithm; times the third power of a deviation, changes over a deviation of a density in
    deviations.
    """
    rows, constant = mass_rows(nodes)
    width = spacing(nodes)
    density, fixed = rows / width[:, None], constant / width
    logs = logarithm(nodes)
    weight = 1.0 / np.sqrt(logs[1:] - logs[:-1])
    return Rows(weight[:, None] * (density[1:] - density[:-1]), -weight * (fixed[1:] - fixed[:-1]))


def ridge_rows(nodes: Array) -> Rows:
    """The masses, of next to no weight."""
    rows, constant = mass_rows(nodes)
    ridge = math.sqrt(RIDGE)
    return Rows(ridge * rows, -ridge * constant)


def quote_rows(rows: PriceRows, quotes: UsableQuotes, weights: Array) -> Rows:
    """A row a quote: the weighted distance from its mid, in spreads."""
    scale = np.sqrt(weights) / quotes.spread
    return Rows((UNIT * rows.inner * scale).T, scale * (quotes.mid - rows.base))


def hessian_columns(objective: Objective) -> list[Array]:
    """Of each expiry the columns of its Hessian, as `gram_columns` gives them."""
    rough, ridge = gram_columns(objective.rough.rows), gram_columns(objective.ridge.rows)
    found = []
    for quotes, weight in zip(objective.quotes, objective.roughness, strict=True):
        columns = gram_columns(quotes.rows, least_height=rough.shape[1])
        columns[:, -rough.shape[1] :] += weight * rough
        columns[:, -ridge.shape[1] :] += ridge
        found.append(columns)
    return found


def descents(objective: Objective, near: Sequence[Array]) -> list[Array]:
    """Of each expiry where its squares fall the fastest from u = `near`, and how fast."""
    return [
        _descent(quotes, calls)
        + weight * _descent(objective.rough, calls)
        + _descent(objective.ridge, calls)
        for quotes, weight, calls in zip(objective.quotes, objective.roughness, near, strict=True)
    ]


def _descent(part: Rows, near: Array) -> Array:
    """rows' · (goal − rows · near)."""
    left = part.goal - np.add.reduce(part.rows.T * near[:, None], axis=0)
    return np.asarray(np.add.reduce(part.rows * left[:, None], axis=0))


def gram_columns(rows: Array, *, least_height: int = 1) -> Array:
    """The columns of rows' · rows down to the main diagonal, a row each, from the furthest above it
    that any has an entry; products are added in one order whatever the machine (NumPy's pairwise
    sum where the rows lie column by column).
    """
    band = _band(rows)
    last = max(band.width + 1, least_height) - 1
    columns = np.zeros((rows.shape[1], last + 1))
    filled = rows[:, band.first : band.last + 1]
    length = filled.shape[1]
    for offset in range(band.width + 1):
        product = filled[:, : length - offset] * filled[:, offset:]
        into = columns[band.first + offset : band.last + 1, last - offset]
        np.add.reduce(product, axis=0, out=into)
    return columns


def expected_calls(nodes: Array, usable: Sequence[UsableQuotes], eta: float) -> list[Array]:
    """Calls at the inner nodes as the quotes' implied variances say, less the kernel's share of
    them, in the unit of the rows; an expiry each.
    """
    inner = nodes[1:-1]
    variances = [np.interp(inner, q.strike, q.deviation * q.deviation) for q in usable]
    deviations = np.sqrt((1.0 - eta) * np.array(variances))
    values = np.sqrt(inner) * normalised_value(np.abs(logarithm(inner)), deviations)
    return list((values + np.maximum(1.0 - inner, 0.0)) / UNIT)


class _Band(NamedTuple):
    """The first and last column with an entry; the furthest apart that two entries of a row are."""

    first: int
    last: int
    width: int


def _band(rows: Array) -> _Band:
    filled = rows != 0.0
    some = filled.any(axis=1)
    if not some.any():
        return _Band(0, 0, 0)
    first = filled.argmax(axis=1)[some]
    last = rows.shape[1] - 1 - filled[:, ::-1].argmax(axis=1)[some]
    return _Band(int(first.min()), int(last.max()), int((last - first).max()))
