"""Fitting a surface to the quotes of all expiries at once: passes, the width of the kernel, and
what is tried when a solver gives up.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trading.pricing import linear_program, quadratic_program
from trading.pricing.discrete_law import repaired
from trading.pricing.elementary import Array, logarithm
from trading.pricing.grid import node_strikes
from trading.pricing.kernel import weighted
from trading.pricing.least_squares import (
    UNIT,
    Objective,
    PriceRows,
    expected_calls,
    price_rows,
    quote_rows,
    ridge_rows,
    rough_rows,
)
from trading.pricing.profiles import MARKET, Profile
from trading.pricing.quotes import ExpiryQuotes, Refusal, UsableQuotes, usable_quotes
from trading.pricing.surface import Surface, surface_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trading.pricing.black_columns import Booleans

MISSES_ALLOWED = 0.01  # share of quotes outside their tolerance before a narrower kernel is tried
_WORTH_HALVING = 0.75  # misses must fall to this share of what they were


class Method(StrEnum):
    """How the discrete laws are found."""

    QP = "qp"  # least squares and little roughness: unique
    LP = "lp"  # distance from bid and ask first, from the mid second: one of several optima
    REFERENCE = "reference"  # the statement of "qp" in cvxpy: an oracle, slow


class Rung(StrEnum):
    """What gave the surface: the first that works."""

    FIRST = "FIRST"
    LOOSE = "LOOSE"  # the same with a looser tolerance, every step refined
    LINEAR = "LINEAR"  # the linear program in place of the quadratic one


class FitRefusal(StrEnum):
    """Why there is no surface at all."""

    NO_EXPIRY = "NO_EXPIRY"  # every expiry was refused
    SOLVER_FAILED = "SOLVER_FAILED"  # every rung of the ladder gave up


class QuoteFit(NamedTuple):
    """How an expiry was met: its quotes and, beside each, the surface's price of the call."""

    quotes: UsableQuotes
    price: Array

    @property
    def error(self) -> Array:
        """Distance from the mid in (floored) spreads, positive above it."""
        return (self.price - self.quotes.mid) / self.quotes.spread

    @property
    def missed(self) -> int:
        """How many prices lie outside their quote's tolerance."""
        return self.quotes.count - int(np.count_nonzero(self.inside(self.quotes.tolerance)))

    def inside(self, margin: Array | float = 0.0) -> Booleans:
        """Whether each price lies inside bid and ask, widened by a margin per unit of forward."""
        low, high = self.quotes.bid - margin, self.quotes.ask + margin
        return (self.price >= low) & (self.price <= high)


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A surface with how it came about, or the reason there is none."""

    surface: Surface | None
    refusal: FitRefusal | None
    refused: dict[str, Refusal]
    quote_fits: tuple[QuoteFit, ...]
    profile: Profile
    method: Method
    rung: Rung | None
    halvings: int
    iterations: int
    solver_seconds: float
    solver_status: str

    @property
    def misses(self) -> float:
        """The share of quotes priced outside their tolerance."""
        return sum(f.missed for f in self.quote_fits) / max(
            sum(f.quotes.count for f in self.quote_fits), 1
        )


class _Attempt(NamedTuple):
    surface: Surface
    fits: tuple[QuoteFit, ...]
    rung: Rung
    iterations: int
    seconds: float
    status: str

    @property
    def misses(self) -> int:
        return sum(f.missed for f in self.fits)


def fit_surface(
    expiries: Sequence[ExpiryQuotes],
    *,
    profile: Profile = MARKET,
    method: Method = Method.QP,
    least_quotes: int = 3,
    least_a_side: int = 1,
) -> Fit:
    """Fit one surface to all expiries, in any order.

    An expiry that cannot be fitted is refused with a reason and the others are fitted without it;
    bad quotes never raise. `least_quotes` and `least_a_side` are what an expiry must offer.
    """
    usable, refused = _usable(expiries, profile, least_quotes, least_a_side)
    if not usable:
        return _no_fit(FitRefusal.NO_EXPIRY, refused, profile, method, "")
    count = sum(quotes.count for quotes in usable)
    eta, halvings = profile.eta, 0
    best, status = _attempt(usable, eta, profile, method)
    while best is not None and halvings < profile.halvings and best.misses > MISSES_ALLOWED * count:
        narrower, _ = _attempt(usable, eta / 2.0, profile, method)
        if narrower is None or narrower.misses > _WORTH_HALVING * best.misses:
            break
        eta, halvings, best = eta / 2.0, halvings + 1, narrower
    if best is None:
        return _no_fit(FitRefusal.SOLVER_FAILED, refused, profile, method, status)
    return Fit(
        surface=best.surface,
        refusal=None,
        refused=refused,
        quote_fits=best.fits,
        profile=profile,
        method=method,
        rung=best.rung,
        halvings=halvings,
        iterations=best.iterations,
        solver_seconds=best.seconds,
        solver_status=best.status,
    )


def _no_fit(
    refusal: FitRefusal, refused: dict[str, Refusal], profile: Profile, method: Method, status: str
) -> Fit:
    return Fit(None, refusal, refused, (), profile, method, None, 0, 0, 0.0, status)


def _usable(
    expiries: Sequence[ExpiryQuotes], profile: Profile, least_quotes: int, least_a_side: int
) -> tuple[list[UsableQuotes], dict[str, Refusal]]:
    found: list[UsableQuotes] = []
    refused: dict[str, Refusal] = {}
    ordered = sorted(expiries, key=lambda e: (e.years, e.expiry))
    answers = usable_quotes(
        ordered,
        spread_floor_ticks=profile.spread_floor_ticks,
        quote_deviations=profile.quote_deviations,
        least_quotes=least_quotes,
        least_a_side=least_a_side,
    )
    for quotes, usable in zip(ordered, answers, strict=True):
        if isinstance(usable, Refusal):
            refused[quotes.expiry] = usable
        elif found and found[-1].years == usable.years:
            loser = min(found[-1], usable, key=lambda u: u.count)
            refused[loser.expiry] = Refusal.SAME_TIME
            found[-1] = usable if loser is found[-1] else found[-1]
        else:
            found.append(usable)
    return found, refused


def _attempt(
    usable: Sequence[UsableQuotes], eta: float, profile: Profile, method: Method
) -> tuple[_Attempt | None, str]:
    """All passes at one width of the kernel; without a result the solver's word for it."""
    variances = list(itertools.accumulate((quotes.variance for quotes in usable), max))
    outermost = [quotes.strike[end] for quotes in usable for end in (0, -1)]
    lowest, highest = logarithm(np.array([min(outermost), max(outermost)])).tolist()
    nodes = node_strikes(variances, eta, profile, lowest, highest)
    rows = [price_rows(nodes, q, eta * v) for q, v in zip(usable, variances, strict=True)]
    weights = [np.ones(quotes.count) for quotes in usable]
    near = expected_calls(nodes, usable, eta)
    result, iterations, seconds, status = None, 0, 0.0, ""
    for _ in range(profile.passes if method is Method.QP else 1):
        solution, rung = _climb(nodes, usable, variances, rows, weights, near, profile, method)
        iterations += solution.iterations
        seconds += solution.seconds
        status = solution.status
        if solution.masses is None:
            break
        surface = surface_of(
            [q.expiry for q in usable],
            [q.years for q in usable],
            eta,
            variances,
            nodes,
            np.array(repaired(nodes, solution.masses)),
        )
        fits = tuple(
            QuoteFit(quotes, weighted(masses, row.whole))
            for quotes, masses, row in zip(usable, surface.masses, rows, strict=True)
        )
        result = _Attempt(surface, fits, rung, iterations, seconds, status)
        weights = [1.0 / np.maximum(1.0, 2.0 * np.abs(fit.error)) for fit in fits]
        near = [calls[1:-1] / UNIT for calls in surface.calls()]
    return result, status


def _climb(
    nodes: Array,
    usable: Sequence[UsableQuotes],
    variances: Sequence[float],
    rows: Sequence[PriceRows],
    weights: Sequence[Array],
    near: Sequence[Array],
    profile: Profile,
    method: Method,
) -> tuple[quadratic_program.Solution, Rung]:
    """The first rung of the ladder that gives a solution, else the last one's failure."""
    if method is Method.LP:
        return linear_program.solve(nodes, usable, rows), Rung.FIRST
    objective = Objective(
        [quote_rows(*each) for each in zip(rows, usable, weights, strict=True)],
        [profile.roughness * variance * math.sqrt(variance) for variance in variances],
        rough_rows(nodes),
        ridge_rows(nodes),
    )
    if method is Method.REFERENCE:
        from trading.pricing import reference  # cvxpy is an oracle's dependency, not the engine's

        return reference.solve(nodes, objective), Rung.FIRST
    solution = quadratic_program.solve(nodes, objective, near)
    if solution.masses is not None:
        return solution, Rung.FIRST
    solution = quadratic_program.solve(nodes, objective, near, careful=True)
    if solution.masses is not None:
        return solution, Rung.LOOSE
    return linear_program.solve(nodes, usable, rows), Rung.LINEAR
