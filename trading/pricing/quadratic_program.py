"""The strictly convex quadratic program of a surface, solved by Clarabel: one optimum, cold, with
every setting that could change its path pinned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import clarabel
import numpy as np
from scipy.sparse import csc_matrix

from trading.pricing.discrete_law import masses_of_calls
from trading.pricing.least_squares import UNIT, descents, hessian_columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trading.pricing.elementary import Array
    from trading.pricing.least_squares import Objective

TOLERANCE = 1e-9
LOOSE_TOLERANCE = 1e-7
_GAP = 1e3  # times the tolerance, in squared spreads over all quotes: less is nobody's money
SETTINGS: dict[str, str | int | float | bool] = {
    "direct_solve_method": "qdldl",
    "max_threads": 1,
    "max_iter": 100,
    "presolve_enable": False,
    "verbose": False,
    # The rows are of one size as they come; scaling and refining them again costs half the time.
    "equilibrate_enable": False,
    "iterative_refinement_enable": False,
}
# For what those settings cannot solve.
CAREFUL_SETTINGS = SETTINGS | {"equilibrate_enable": True, "iterative_refinement_enable": True}


class Solution(NamedTuple):
    """Masses by expiry, or None when the solver gave up; its word for how it ended, its iterations
    and the seconds it says it took (for reports: nothing is decided by them).
    """

    masses: list[Array] | None
    status: str
    iterations: int
    seconds: float


def solve(
    nodes: Array,
    objective: Objective,
    near: Sequence[Array],
    *,
    careful: bool = False,
) -> Solution:
    """Minimise the objective over all expiries, masses not negative and each expiry in
    convex order above the one before.

    The solver looks for the distance from `near`, calls at the inner nodes roughly as they will be:
    its tolerance is relative to the cost, and the cost of nothing at all would drown the rest.
    `careful` takes the solver's own scaling and refinement, and a looser tolerance.
    """
    hessian, linear = _objective(objective, near)
    constraints, bounds = _constraints(nodes, len(near))
    bounds = bounds - constraints @ np.concatenate(near)
    settings = clarabel.DefaultSettings()
    for name, value in (CAREFUL_SETTINGS if careful else SETTINGS).items():
        setattr(settings, name, value)
    tolerance = LOOSE_TOLERANCE if careful else TOLERANCE
    settings.tol_gap_rel = settings.tol_feas = tolerance
    settings.tol_gap_abs = _GAP * tolerance
    cones = [clarabel.NonnegativeConeT(bounds.size)]
    found = clarabel.DefaultSolver(hessian, linear, constraints, bounds, cones, settings).solve()
    status = str(found.status)
    usable = status in {"Solved", "AlmostSolved"}
    masses = None
    if usable:
        masses = _masses(nodes, np.concatenate(near) + np.array(found.x), len(near))
    return Solution(masses, status, int(found.iterations), float(found.solve_time))


def _masses(nodes: Array, unknown: Array, expiries: int) -> list[Array]:
    inner = unknown.reshape(expiries, nodes.size - 2) * UNIT
    ends = np.full((expiries, 1), 1.0 - nodes[0]), np.zeros((expiries, 1))
    return [masses_of_calls(nodes, u) for u in np.concatenate((ends[0], inner, ends[1]), axis=1)]


def _objective(objective: Objective, near: Sequence[Array]) -> tuple[csc_matrix, Array]:
    """Upper triangle of the block-diagonal Hessian, and the linear term."""
    data, rows, counts = [], [], []
    for number, columns in enumerate(hessian_columns(objective)):
        size, height = columns.shape
        row = np.arange(size)[:, None] + np.arange(1 - height, 1)[None, :]
        inside = row >= 0
        data.append(columns[inside])
        rows.append(row[inside] + number * size)
        counts.append(np.minimum(np.arange(1, size + 1), height))
    starts = np.concatenate(([0], np.add.accumulate(np.concatenate(counts))))
    total = starts.size - 1
    matrix = csc_matrix((np.concatenate(data), np.concatenate(rows), starts), shape=(total, total))
    return matrix, -np.concatenate(descents(objective, near))


def _constraints(nodes: Array, expiries: int) -> tuple[csc_matrix, Array]:
    """Rows whose product with u may not exceed the bounds: masses first, as chords (no call above
    the line between its neighbours', which is the mass over a factor), then the order in time.
    """
    count, inner = nodes.size, nodes.size - 2
    gaps = nodes[1:] - nodes[:-1]
    between = gaps[:-1] * gaps[1:] / (gaps[:-1] + gaps[1:])
    chord = np.concatenate((gaps[:1], between, gaps[-1:])) / UNIT
    left, right = UNIT / gaps[:-1], UNIT / gaps[1:]
    expiry = np.repeat(np.arange(expiries), inner)
    node = np.tile(np.arange(inner), expiries)
    order = expiries * count + (expiry - 1) * inner + node
    row = np.stack(
        (*(expiry * count + node + shift for shift in range(3)), order, order + inner), axis=1
    )
    value = np.stack(
        (
            (-left * chord[:-2])[node],
            np.ones(node.size),
            (-right * chord[2:])[node],
            np.full(node.size, -1.0),
            np.full(node.size, 1.0),
        ),
        axis=1,
    )
    kept = np.ones(row.shape, dtype=bool)
    kept[:, 3], kept[:, 4] = expiry > 0, expiry < expiries - 1
    starts = np.concatenate(([0], np.add.accumulate(kept.sum(axis=1))))
    height = expiries * count + (expiries - 1) * inner
    matrix = csc_matrix((value[kept], row[kept], starts), shape=(height, expiry.size))
    first = 1.0 - nodes[0]
    bounds = np.zeros(height)
    bounds[np.arange(expiries) * count] = (1.0 - first / gaps[0]) * chord[0]
    bounds[np.arange(expiries) * count + 1] = first / gaps[0] * chord[1]
    return matrix, bounds
