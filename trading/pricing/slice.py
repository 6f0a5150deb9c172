"""One time of a surface: a mixture of discrete laws, each followed by its lognormal kernel.

Strikes are over the forward, prices undiscounted over the forward. All of it is closed form.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trading.pricing.black_columns import Greeks, greeks
from trading.pricing.elementary import Array, exponential
from trading.pricing.implied_columns import ImpliedVolatilities, implied_volatilities
from trading.pricing.kernel import densities, exceedance, time_values, weighted

if TYPE_CHECKING:
    from collections.abc import Callable

_BISECTIONS = 200


class Component(NamedTuple):
    """A law with its weight in the mixture: masses on the nodes (None: all of it at the forward)
    and the kernel's total variance.
    """

    weight: float
    variance: float
    masses: Array | None


@dataclass(frozen=True, slots=True, eq=False)
class Slice:
    """The law of the underlying over its forward, `years` from now."""

    years: float
    nodes: Array
    components: tuple[Component, ...]

    def call(self, strikes: Array) -> Array:
        """Undiscounted calls."""
        return self._sum(_calls, strikes)

    def put(self, strikes: Array) -> Array:
        """Undiscounted puts, from the same law and not by parity: small ones keep their digits."""
        return self._sum(_puts, strikes)

    def out_of_the_money(self, strikes: Array) -> Array:
        """The put below the forward, the call from it on."""
        strikes = _checked(strikes)
        result = np.empty(strikes.size)
        below = strikes < 1.0
        if below.any():
            result[below] = self.put(strikes[below])
        if not below.all():
            result[~below] = self.call(strikes[~below])
        return result

    def at_the_money(self) -> float:
        """The undiscounted call struck at the forward."""
        return float(self.call(np.ones(1))[0])

    def density(self, strikes: Array) -> Array:
        """The probability density; what mass has no kernel yet (`atom`) is not in it."""
        return self._sum(densities, strikes)

    def exceedance(self, strikes: Array) -> Array:
        """The probability of ending above each strike."""
        return self._sum(exceedance, strikes)

    def cumulative(self, strikes: Array) -> Array:
        """The probability of ending at or below each strike."""
        return 1.0 - self.exceedance(strikes)

    @property
    def atom(self) -> float:
        """The probability that still sits on single points: only before the first expiry."""
        return math.fsum(c.weight for c in self.components if c.variance <= 0.0)

    def quantile(self, probabilities: Array) -> Array:
        """The lowest strikes at which `cumulative` reaches each probability, 0 < p < 1.

        Raises ValueError for others.
        """
        p = np.asarray(probabilities, dtype=np.float64)
        if not (np.all(p > 0.0) and np.all(p < 1.0)):
            msg = "quantiles are of probabilities between 0 and 1, both excluded"
            raise ValueError(msg)
        low = np.full(p.shape, math.log(float(self.nodes[0])) - 4.0)
        high = np.full(p.shape, math.log(float(self.nodes[-1])) + 4.0)
        for _ in range(_BISECTIONS):
            middle = 0.5 * (low + high)
            reached = self.cumulative(exponential(middle)) >= p
            settled = (middle <= low) | (middle >= high)
            low, high = np.where(reached, low, middle), np.where(reached, middle, high)
            if settled.all():
                break
        return np.asarray(exponential(high))

    def implied_volatility(self, strikes: Array) -> ImpliedVolatilities:
        """Black-76 volatilities of the out-of-the-money options."""
        strikes = _checked(strikes)
        price, years = self.out_of_the_money(strikes), np.array([self.years])
        return implied_volatilities(price, np.ones(1), strikes, years, strikes >= 1.0)

    def greeks(self, strikes: Array, *, is_call: bool) -> Greeks:
        """Black-76 derivatives at the surface's own volatilities, per unit of forward.

        Raises ValueError where a strike is so far out that it has none.
        """
        volatility = self.implied_volatility(strikes).value
        right = np.full(volatility.shape, is_call)
        return greeks(np.ones(1), strikes, np.array([self.years]), volatility, right)

    def _sum(self, rows_of: Callable[[Array, Array, float], Array], strikes: Array) -> Array:
        strikes = _checked(strikes)
        total = np.zeros(strikes.size)
        for weight, variance, masses in self.components:
            if masses is None:
                total += weight * rows_of(np.ones(1), strikes, variance)[0]
            else:
                total += weight * weighted(masses, rows_of(self.nodes, strikes, variance))
        return total


def _calls(nodes: Array, strikes: Array, variance: float) -> Array:
    payoff = np.maximum(nodes[:, None] - strikes[None, :], 0.0)
    return time_values(nodes, strikes, variance) + payoff


def _puts(nodes: Array, strikes: Array, variance: float) -> Array:
    payoff = np.maximum(strikes[None, :] - nodes[:, None], 0.0)
    return time_values(nodes, strikes, variance) + payoff


def _checked(strikes: Array) -> Array:
    strikes = np.asarray(strikes, dtype=np.float64)
    if strikes.ndim != 1 or not np.all((strikes > 0.0) & np.isfinite(strikes)):
        msg = "strikes are a row of positive numbers"
        raise ValueError(msg)
    return strikes
