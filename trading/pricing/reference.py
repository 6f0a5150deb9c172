"""The same quadratic program stated plainly in cvxpy: an oracle for tests and a place to try ideas.

cvxpy is a development dependency; the module is imported where it is asked for and nowhere else.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import cvxpy as _untyped_cvxpy
import numpy as np

from trading.pricing.discrete_law import masses_of_calls
from trading.pricing.least_squares import UNIT, Rows, mass_rows
from trading.pricing.quadratic_program import Solution

if TYPE_CHECKING:
    from trading.pricing.elementary import Array
    from trading.pricing.least_squares import Objective

TOLERANCE = 1e-11

cvxpy: Any = _untyped_cvxpy


def solve(nodes: Array, objective: Objective) -> Solution:
    """Minimise the objective over all expiries, masses not negative and each expiry in
    convex order above the one before.
    """
    rows, constant = mass_rows(nodes)
    unknowns = [cvxpy.Variable(nodes.size - 2) for _ in objective.quotes]
    cost = 0
    constraints = []
    for number, unknown in enumerate(unknowns):
        statement = _statement(objective, number)
        cost += cvxpy.sum_squares(statement.rows @ unknown - statement.goal)
        constraints.append(rows @ unknown + constant >= 0)
        if number:
            constraints.append(unknown >= unknowns[number - 1])
    problem = cvxpy.Problem(cvxpy.Minimize(0.5 * cost), constraints)
    problem.solve(
        solver=cvxpy.CLARABEL,
        tol_gap_abs=TOLERANCE,
        tol_gap_rel=TOLERANCE,
        tol_feas=TOLERANCE,
    )
    masses = None
    if problem.status in {cvxpy.OPTIMAL, cvxpy.OPTIMAL_INACCURATE}:
        ends = np.array([1.0 - nodes[0]]), np.zeros(1)
        calls = [np.concatenate((ends[0], u.value * UNIT, ends[1])) for u in unknowns]
        masses = [masses_of_calls(nodes, u) for u in calls]
    stats = problem.solver_stats
    return Solution(masses, str(problem.status), int(stats.num_iters), float(stats.solve_time))


def _statement(objective: Objective, number: int) -> Rows:
    """All rows of an expiry, each as heavy as the objective makes it."""
    heavy = math.sqrt(objective.roughness[number])
    quotes, rough, ridge = objective.quotes[number], objective.rough, objective.ridge
    return Rows(
        np.concatenate((quotes.rows, heavy * rough.rows, ridge.rows)),
        np.concatenate((quotes.goal, heavy * rough.goal, ridge.goal)),
    )
