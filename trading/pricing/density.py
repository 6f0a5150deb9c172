"""What the law of one time says: moments, the variance and the skew that options price, tails, and
whether it can be trusted that far out.

All of it is of X, the underlying over its forward, under the measure in which the forward is a fair
price; R = ln X. Nothing is annualised unless it says so. Sums are rounded once (`fsum`), so that
their order cannot matter.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import numpy as np

from trading.pricing.elementary import Array, exponential, logarithm
from trading.pricing.kernel import densities

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trading.pricing.quotes import UsableQuotes
    from trading.pricing.slice import Component, Slice

    Weighed = Callable[[Array, Array, Array], Array]  # of ln k, price and k

# Integrals over strikes are tradeable only where quotes reach this far and are this many.
COVERAGE_DEVIATIONS = 2.5
COVERAGE_STRIKES = 8

_REACH = 9.0  # kernel deviations beyond the outermost nodes, where nothing is left
_STEPS_A_DEVIATION = 4  # of the kernel; the trapezoid rule is exact to the last digits from 3 on
_PANELS_A_DEVIATION = 2
_INNER, _OUTER = (math.sqrt(5.0 - s * math.sqrt(40.0 / 7.0)) / 3.0 for s in (1.0, -1.0))
_GAUSS_POINTS = (-_OUTER, -_INNER, 0.0, _INNER, _OUTER)
_HEAVY, _LIGHT = ((322.0 + s * 13.0 * math.sqrt(70.0)) / 900.0 for s in (1.0, -1.0))
_GAUSS_WEIGHTS = (_LIGHT, _HEAVY, 128.0 / 225.0, _HEAVY, _LIGHT)


class Moments(NamedTuple):
    """Mean, variance, skewness and kurtosis (3 for a normal law)."""

    mean: float
    variance: float
    skewness: float
    kurtosis: float


class MassCheck(msgspec.Struct, frozen=True):
    """How far the density, integrated numerically, is from mass and mean of one."""

    mass_error: float
    mean_error: float


class Coverage(msgspec.Struct, frozen=True):
    """How far the quotes of an expiry reach, in total standard deviations at the money, and how
    many strikes they are on each side. `truncated`: not far or not many enough to trade on an
    integral over strikes.
    """

    low_strike: float
    high_strike: float
    deviations_below: float
    deviations_above: float
    strikes_below: int
    strikes_above: int

    @property
    def truncated(self) -> bool:
        """Whether either side reaches less than 2.5 deviations or has fewer than 8 strikes."""
        reach = min(self.deviations_below, self.deviations_above)
        strikes = min(self.strikes_below, self.strikes_above)
        return reach < COVERAGE_DEVIATIONS or strikes < COVERAGE_STRIKES


class Shortfall(NamedTuple):
    """A quantile of X and the mean of X beyond it, on the side asked for."""

    quantile: float
    mean_beyond: float


class VarianceContracts(NamedTuple):
    """The prices of R², R³ and R⁴ as strips of options, undiscounted and over the forward; mean,
    skewness and kurtosis of R follow from them as in Bakshi, Kapadia and Madan (2003).
    """

    square: float
    cube: float
    fourth: float

    @property
    def mean(self) -> float:
        """The mean of R, from 1 = E[e^R] to the fourth order (without a rate)."""
        return -self.square / 2.0 - self.cube / 6.0 - self.fourth / 24.0

    @property
    def skewness(self) -> float:
        """The skewness of R."""
        mu, variance = self.mean, self.square - self.mean**2
        return (self.cube - 3.0 * mu * self.square + 2.0 * mu**3) / (variance * math.sqrt(variance))

    @property
    def kurtosis(self) -> float:
        """The kurtosis of R."""
        mu, variance = self.mean, self.square - self.mean**2
        raised = self.fourth - 4.0 * mu * self.cube + 6.0 * mu**2 * self.square - 3.0 * mu**4
        return raised / (variance * variance)


def price_moments(law: Slice) -> Moments:
    """The moments of X, in closed form."""
    raw = [
        math.fsum(
            weight * exponent
            for weight, variance, nodes, masses in _parts(law)
            for exponent in (
                masses * nodes**order * math.exp(0.5 * order * (order - 1) * variance)
            ).tolist()
        )
        for order in range(1, 5)
    ]
    return _central(raw)


def log_moments(law: Slice) -> Moments:
    """The moments of R, in closed form."""
    totals: list[list[float]] = [[], [], [], []]
    for weight, variance, nodes, masses in _parts(law):
        m, v = logarithm(nodes) - 0.5 * variance, variance
        raised = (m, m**2 + v, m**3 + 3.0 * m * v, m**4 + 6.0 * m**2 * v + 3.0 * v * v)
        for total, values in zip(totals, raised, strict=True):
            total += (weight * masses * values).tolist()
    return _central([math.fsum(total) for total in totals])


def model_free_variance(law: Slice) -> float:
    """−2 E[ln X]: the total variance a strip of all strikes replicates (2∫ price/k² dk)."""
    return -2.0 * math.fsum(
        value
        for weight, variance, nodes, masses in _parts(law)
        for value in (weight * masses * (logarithm(nodes) - 0.5 * variance)).tolist()
    )


def variance_strip(law: Slice, low: float, high: float) -> float:
    """What of the model-free variance lies between two strikes: 2∫ price/k² dk over them."""
    return _strips(law, low, high, lambda _x, price, k: 2.0 * price / k)[0]


def variance_contracts(law: Slice, low: float, high: float) -> VarianceContracts:
    """The three contracts from the options between two strikes."""
    return VarianceContracts(
        *_strips(
            law,
            low,
            high,
            lambda x, price, k: 2.0 * (1.0 - x) * price / k,
            lambda x, price, k: (6.0 * x - 3.0 * x * x) * price / k,
            lambda x, price, k: (12.0 * x * x - 4.0 * x * x * x) * price / k,
        )
    )


def lower_shortfall(law: Slice, probability: float) -> Shortfall:
    """The quantile of a small probability and the mean of X below it."""
    strike = law.quantile(np.array([probability]))
    reached = float(law.cumulative(strike)[0])
    lost = float(law.put(strike)[0])
    return Shortfall(float(strike[0]), float(strike[0]) - lost / reached)


def upper_shortfall(law: Slice, probability: float) -> Shortfall:
    """The quantile that is exceeded with a small probability and the mean of X above it."""
    strike = law.quantile(np.array([1.0 - probability]))
    reached = float(law.exceedance(strike)[0])
    won = float(law.call(strike)[0])
    return Shortfall(float(strike[0]), float(strike[0]) + won / reached)


def mass_check(law: Slice) -> MassCheck:
    """Integrate the density and its mean over all that is not an atom, and add the atoms."""
    mass, mean = [], []
    for weight, variance, nodes, masses in _parts(law):
        if variance <= 0.0:
            mass += (weight * masses).tolist()
            mean += (weight * masses * nodes).tolist()
            continue
        step = math.sqrt(variance) / _STEPS_A_DEVIATION
        margin = _REACH * math.sqrt(variance) + 0.5 * variance
        log_nodes = logarithm(nodes)
        count = math.ceil((float(log_nodes[-1] - log_nodes[0]) + 2.0 * margin) / step) + 1
        k = exponential(float(log_nodes[0]) - margin + step * np.arange(count, dtype=np.float64))
        rows = densities(nodes, k, variance) * (step * k)
        density = weight * np.add.reduce(masses[:, None] * rows, axis=0)
        mass += density.tolist()
        mean += (density * k).tolist()
    return MassCheck(math.fsum(mass) - 1.0, math.fsum(mean) - 1.0)


def coverage(quotes: UsableQuotes) -> Coverage:
    """How far the quotes used of an expiry reach."""
    deviation = math.sqrt(quotes.variance)
    logs = logarithm(quotes.strike[[0, -1]]).tolist()
    below = int(np.count_nonzero(quotes.strike < 1.0))
    return Coverage(
        low_strike=float(quotes.strike[0]),
        high_strike=float(quotes.strike[-1]),
        deviations_below=max(-logs[0] / deviation, 0.0),
        deviations_above=max(logs[1] / deviation, 0.0),
        strikes_below=below,
        strikes_above=quotes.count - below,
    )


def _parts(law: Slice) -> Iterator[tuple[float, float, Array, Array]]:
    """Weight, kernel variance, nodes and masses of each component."""
    for component in law.components:
        nodes, masses = _law_of(law, component)
        yield component.weight, max(component.variance, 0.0), nodes, masses


def _law_of(law: Slice, component: Component) -> tuple[Array, Array]:
    if component.masses is None:
        return np.ones(1), np.ones(1)
    return law.nodes, component.masses


def _central(raw: list[float]) -> Moments:
    """Central moments of raw ones."""
    mean, second, third, fourth = raw
    variance = second - mean * mean
    if variance <= 0.0:
        return Moments(mean, 0.0, math.nan, math.nan)
    skewness = (third - 3.0 * mean * second + 2.0 * mean**3) / variance**1.5
    raised = fourth - 4.0 * mean * third + 6.0 * mean**2 * second - 3.0 * mean**4
    return Moments(mean, variance, skewness, raised / variance**2)


def _strips(law: Slice, low: float, high: float, *weighed: Weighed) -> list[float]:
    """The integrals over ln k of several integrands between two strikes, split at the forward,
    where prices have a kink.

    Raises ValueError unless 0 < low < high.
    """
    if not 0.0 < low < high < math.inf:
        msg = f"a strip needs 0 < low < high, got {low} and {high}"
        raise ValueError(msg)
    ends = sorted({low, min(max(1.0, low), high), high})
    widths = [math.sqrt(c.variance) for c in law.components if c.variance > 0.0]
    panel = min(widths, default=math.log(high / low)) / _PANELS_A_DEVIATION
    totals: list[list[float]] = [[] for _ in weighed]
    for start, end in itertools.pairwise(ends):
        x, weights = _panels(math.log(start), math.log(end), panel)
        k = exponential(x)
        # Below the forward it is the put, also at the very strike where both meet.
        price = law.put(k) if end <= 1.0 else law.call(k)
        for total, each in zip(totals, weighed, strict=True):
            total += (weights * each(x, price, k)).tolist()
    return [math.fsum(total) for total in totals]


def _panels(start: float, end: float, widest: float) -> tuple[Array, Array]:
    """Points and weights of Gauss and Legendre's five-point rule on panels of equal width."""
    count = max(math.ceil((end - start) / widest), 1)
    half = 0.5 * (end - start) / count
    middles = start + half * (2.0 * np.arange(count, dtype=np.float64) + 1.0)
    points = middles[:, None] + half * np.array(_GAUSS_POINTS)[None, :]
    return points.ravel(), np.tile(half * np.array(_GAUSS_WEIGHTS), count)
