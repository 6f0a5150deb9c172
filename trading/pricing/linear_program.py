"""The surface as a linear program, solved by HiGHS with everything that could change its path
pinned: least distance outside bid and ask, then, weighing a thousandth, from the mid.

Its optimum need not be unique: a wing no quote reaches is whatever vertex the simplex ends in. The
same input gives the same vertex; another release of the solver may give another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import highspy
import numpy as np
from highspy._core import _Highs
from scipy.sparse import bmat, csc_matrix, eye, vstack

from trading.pricing.discrete_law import masses_of_calls
from trading.pricing.least_squares import UNIT, mass_rows
from trading.pricing.quadratic_program import Solution

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trading.pricing.elementary import Array
    from trading.pricing.least_squares import PriceRows
    from trading.pricing.quotes import UsableQuotes

MID_WEIGHT = 1e-3
# Presolve bails out by the clock, and a solver used twice remembers.
SETTINGS: dict[str, str | int | bool] = {
    "output_flag": False,  # first, or the setting of the others is reported
    "threads": 1,
    "parallel": "off",
    "solver": "simplex",
    "simplex_strategy": 1,
    "random_seed": 0,
    "presolve": "off",
}


def solve(nodes: Array, usable: Sequence[UsableQuotes], rows: Sequence[PriceRows]) -> Solution:
    """The laws with the least weighted distance from the quotes."""
    matrix, low, high, cost, upper, unknowns = _statement(nodes, usable, rows)
    free = np.arange(cost.size) < unknowns
    program = highspy.HighsLp()
    program.num_row_, program.num_col_ = matrix.shape
    program.col_cost_ = cost
    program.col_lower_ = np.where(free, -highspy.kHighsInf, 0.0)
    program.col_upper_ = upper
    program.row_lower_, program.row_upper_ = low, high
    program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    program.a_matrix_.start_ = matrix.indptr
    program.a_matrix_.index_ = matrix.indices
    program.a_matrix_.value_ = matrix.data
    # The bare solver: the wrapper's constructor prints a banner before an option can be set.
    solver: Any = _Highs()
    for name, value in SETTINGS.items():
        solver.setOptionValue(name, value)
    solver.passModel(program)
    solver.run()
    status = solver.getModelStatus()
    masses = None
    if status == highspy.HighsModelStatus.kOptimal:
        unknown = np.array(solver.getSolution().col_value)[: len(usable) * (nodes.size - 2)]
        inner = unknown.reshape(len(usable), nodes.size - 2) * UNIT
        masses = [
            masses_of_calls(nodes, np.concatenate(([1.0 - nodes[0]], u, [0.0]))) for u in inner
        ]
    iterations = int(solver.getInfo().simplex_iteration_count)
    return Solution(masses, solver.modelStatusToString(status), iterations, solver.getRunTime())


class _Statement(NamedTuple):
    matrix: csc_matrix
    low: Array
    high: Array
    cost: Array
    upper: Array
    unknowns: int


def _statement(
    nodes: Array, usable: Sequence[UsableQuotes], rows: Sequence[PriceRows]
) -> _Statement:
    """Rows: a quote in spreads, with slack up and down inside the half-spread and outside it;
    masses that are not negative; calls at the nodes that never fall from an expiry to the next.
    """
    inner = nodes.size - 2
    price_blocks, goals, half = [], [], []
    for number, (quotes, row) in enumerate(zip(usable, rows, strict=True)):
        block = [None] * len(usable)
        block[number] = csc_matrix((UNIT * row.inner / quotes.spread).T)
        price_blocks.append(block)
        goals.append((quotes.mid - row.base) / quotes.spread)
        half.append(0.5 * (quotes.ask - quotes.bid) / quotes.spread)
    mass, constant = mass_rows(nodes)
    goal, inside = np.concatenate(goals), np.concatenate(half)
    count, size = goal.size, len(usable) * inner
    one = eye(count, format="csc")
    prices = bmat([[bmat(price_blocks), one, -one, one, -one]])
    masses = bmat(
        [
            [csc_matrix(mass) if i == j else None for j in range(len(usable))]
            for i in range(len(usable))
        ]
    )
    parts = [masses]
    if len(usable) > 1:
        step = eye(size - inner, format="csc")
        nothing = csc_matrix((size - inner, inner))
        parts.append(bmat([[nothing, step]]) - bmat([[step, nothing]]))
    orders = vstack(parts)
    slack = csc_matrix((orders.shape[0], 4 * count))
    matrix = csc_matrix(vstack([prices, bmat([[orders, slack]])]))
    matrix.sort_indices()
    floor = np.zeros(orders.shape[0])
    floor[: len(usable) * nodes.size] = np.tile(-constant, len(usable))
    infinite = highspy.kHighsInf
    low = np.concatenate((goal, floor))
    high = np.concatenate((goal, np.full(floor.size, infinite)))
    cost = np.concatenate((np.zeros(size), np.full(2 * count, MID_WEIGHT), np.full(2 * count, 1.0)))
    upper = np.concatenate((np.full(size, infinite), inside, inside, np.full(2 * count, infinite)))
    return _Statement(matrix, low, high, cost, upper, size)
