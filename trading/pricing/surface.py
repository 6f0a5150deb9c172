"""A fitted option surface: the state, and everything that can be read from it at any time and
strike.

Strikes are over the forward of their time and prices over discounted forward, so that a surface
knows neither money nor a rate: one law of unit mean a time, each in convex order above the ones
before. No butterfly and no calendar spread can be bought for less than nothing anywhere on it.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trading.pricing.discrete_law import calls_of_masses
from trading.pricing.elementary import SQRT_HALF, Array, exponential, scaled_erfc
from trading.pricing.slice import Component, Slice

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMAT = "brahmastra-surface-1"
MASS_DECIMALS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Surface:
    """The laws of several expiries on common nodes.

    `years` rise strictly; `variances` are the total variances at the money the kernel is scaled by,
    never decreasing, and `eta` its share of them; `masses` has a row an expiry.
    """

    expiries: tuple[str, ...]
    years: tuple[float, ...]
    eta: float
    variances: tuple[float, ...]
    nodes: Array
    masses: Array

    def at(self, years: float) -> Slice:
        """The law at a time. Between expiries it is the mixture whose variance at the money is
        linear in time, before the first one with certainty of the forward at time zero; after the
        last the kernel goes on growing at the last pace. Raises ValueError for a negative time.
        """
        if not years >= 0.0:
            msg = f"a surface has no law at {years} years"
            raise ValueError(msg)
        if years >= self.years[-1]:
            return self._beyond(years)
        later = next(i for i, t in enumerate(self.years) if t > years)
        if later and years == self.years[later - 1]:
            return self.expiry(later - 1)
        return self._between(later, years)

    def expiry(self, number: int) -> Slice:
        """The law of an expiry, counted from 0."""
        return Slice(self.years[number], self.nodes, (self._component(number, 1.0),))

    def _component(self, number: int, weight: float) -> Component:
        return Component(weight, self.eta * self.variances[number], self.masses[number])

    def _between(self, later: int, years: float) -> Slice:
        high = self.expiry(later)
        low = self.expiry(later - 1) if later else _certain(self.nodes)
        share = (years - low.years) / (high.years - low.years)
        low_price, high_price = low.at_the_money(), high.at_the_money()
        variance = (1.0 - share) * variance_at_the_money(low_price)
        variance += share * variance_at_the_money(high_price)
        gap = high_price - low_price
        weight = (price_at_the_money(variance) - low_price) / gap if gap > 0.0 else share
        weight = min(max(weight, 0.0), 1.0)
        components = [
            Component((1.0 - weight) * c.weight, c.variance, c.masses) for c in low.components
        ]
        components += [Component(weight * c.weight, c.variance, c.masses) for c in high.components]
        return Slice(years, self.nodes, tuple(components))

    def _beyond(self, years: float) -> Slice:
        last = len(self.years) - 1
        now = variance_at_the_money(self.expiry(last).at_the_money())
        before, start = 0.0, 0.0
        if last:
            before = variance_at_the_money(self.expiry(last - 1).at_the_money())
            start = self.years[last - 1]
        pace = max(now - before, 0.0) / (self.years[last] - start)
        variance = self.eta * self.variances[last] + pace * (years - self.years[last])
        return Slice(years, self.nodes, (Component(1.0, variance, self.masses[last]),))

    def calls(self) -> Array:
        """Calls on the discrete laws struck at the nodes, a row an expiry."""
        return np.array([calls_of_masses(self.nodes, masses) for masses in self.masses])

    def to_data(self) -> dict[str, Any]:
        """The surface as plain JSON values."""
        return {
            "format": FORMAT,
            "expiries": list(self.expiries),
            "years": list(self.years),
            "eta": self.eta,
            "variances": list(self.variances),
            "nodes": self.nodes.tolist(),
            "masses": self.masses.tolist(),
        }

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Surface:
        """The surface of `to_data`. Raises ValueError for another format or broken shapes."""
        if data.get("format") != FORMAT:
            msg = f"surface: format is {data.get('format')!r}, expected {FORMAT!r}"
            raise ValueError(msg)
        return surface_of(
            data["expiries"],
            [float(years) for years in data["years"]],
            float(data["eta"]),
            [float(variance) for variance in data["variances"]],
            np.array(data["nodes"], dtype=np.float64),
            np.array(data["masses"], dtype=np.float64),
        )

    @property
    def digest(self) -> str:
        """SHA-256 of the surface's JSON: equal digests, equal prices."""
        text = json.dumps(self.to_data(), separators=(",", ":"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def surface_of(
    expiries: Sequence[str],
    years: Sequence[float],
    eta: float,
    variances: Sequence[float],
    nodes: Array,
    masses: Array,
) -> Surface:
    """A surface whose parts fit together, its masses rounded as they are kept.

    Raises ValueError where they do not.
    """
    count = len(expiries)
    rising = all(a < b for a, b in itertools.pairwise(years))
    growing = all(a <= b for a, b in itertools.pairwise(variances))
    shaped = len(years) == len(variances) == count and masses.shape == (count, nodes.size)
    if not (count and rising and years[0] > 0.0 and growing and shaped and 0.0 <= eta < 1.0):
        msg = "surface: needs rising times, variances that never decrease and a row of masses each"
        raise ValueError(msg)
    if not (np.all(nodes[1:] > nodes[:-1]) and nodes[0] > 0.0 and np.all(masses >= 0.0)):
        msg = "surface: needs rising positive nodes and masses that are not negative"
        raise ValueError(msg)
    rounded = np.round(masses, MASS_DECIMALS)
    return Surface(tuple(expiries), tuple(years), eta, tuple(variances), nodes, rounded)


def _certain(nodes: Array) -> Slice:
    """Time zero: the forward, and nothing else."""
    return Slice(0.0, nodes, (Component(1.0, 0.0, None),))


def price_at_the_money(variance: float) -> float:
    """The undiscounted at-the-money option per unit of forward, of a total variance."""
    y = np.array([0.5 * math.sqrt(variance) * SQRT_HALF])
    return float(1.0 - (exponential(-y * y) * scaled_erfc(y))[0])


def variance_at_the_money(price: float) -> float:
    """The total variance of an at-the-money price per unit of forward."""
    from trading.pricing.implied_columns import implied_deviations

    if price <= 0.0:
        return 0.0
    deviation = float(implied_deviations(np.array([price]), np.zeros(1))[0])
    return deviation * deviation
