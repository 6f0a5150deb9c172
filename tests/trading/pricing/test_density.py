"""Moments, priced variance and skew, tails, mass: against closed forms of the lognormal law and
against a numerical integration that shares no code with ours.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from tests.trading.pricing.chains import ssvi_chain
from trading.pricing.density import (
    Coverage,
    VarianceContracts,
    coverage,
    log_moments,
    lower_shortfall,
    mass_check,
    model_free_variance,
    price_moments,
    upper_shortfall,
    variance_contracts,
    variance_strip,
)
from trading.pricing.fitting import fit_surface
from trading.pricing.profiles import FAST
from trading.pricing.quotes import UsableQuotes, usable_quotes
from trading.pricing.slice import Component, Slice

if TYPE_CHECKING:
    from collections.abc import Callable

    from trading.pricing.surface import Surface

NODES = np.array([0.7, 0.85, 0.95, 1.0, 1.05, 1.2, 1.5])


def lognormal(variance: float, years: float = 0.1) -> Slice:
    masses = np.array([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])
    return Slice(years, NODES, (Component(1.0, variance, masses),))


def mixture() -> Slice:
    """Skewed, of mean one: what is left of the mean sits on the forward's node."""
    masses = np.array([0.02, 0.08, 0.15, 0.0, 0.35, 0.03, 0.0])
    masses[3] = 1.0 - masses.sum()
    masses[4] += (1.0 - float(masses @ NODES)) / (NODES[4] - NODES[3])
    masses[3] = 1.0 - float(np.delete(masses, 3).sum())
    assert float(masses @ NODES) == pytest.approx(1.0, abs=1e-12)
    return Slice(0.1, NODES, (Component(1.0, 0.004, masses),))


def expected(law: Slice, value: Callable[[float], float], low: float, high: float) -> float:
    """∫ value(x) f(x) dx by adaptive quadrature over a density written down again."""
    ((_, variance, masses),) = law.components
    assert masses is not None
    scale = math.sqrt(variance)

    def integrand(y: float) -> float:
        density = stats.norm.pdf(y, loc=np.log(law.nodes) - 0.5 * variance, scale=scale)
        return value(math.exp(y)) * float(np.dot(masses, density))

    breaks = np.clip(np.log(law.nodes), math.log(low), math.log(high))
    found, _ = integrate.quad(
        integrand, math.log(low), math.log(high), points=breaks, limit=400, epsabs=1e-13
    )
    return float(found)


@given(variance=st.floats(1e-4, 0.2))
def test_the_lognormal_law_has_its_moments(variance: float) -> None:
    law = lognormal(variance)
    prices, logs = price_moments(law), log_moments(law)
    growth = math.exp(variance)
    assert prices.mean == pytest.approx(1.0, abs=1e-14)
    assert prices.variance == pytest.approx(growth - 1.0, rel=1e-9)
    # Central moments are differences of raw ones: what a tiny variance leaves of their digits.
    lost = 1e-14 / variance**2
    assert prices.skewness == pytest.approx((growth + 2) * math.sqrt(growth - 1), abs=1e-6 + lost)
    assert logs.mean == pytest.approx(-variance / 2, rel=1e-12)
    assert logs.variance == pytest.approx(variance, rel=1e-9)
    assert logs.skewness == pytest.approx(0.0, abs=1e-6)
    assert logs.kurtosis == pytest.approx(3.0, abs=1e-5)
    assert model_free_variance(law) == pytest.approx(variance, rel=1e-12)


def test_the_moments_of_a_mixture_are_those_of_quadrature() -> None:
    law = mixture()
    raw = [expected(law, lambda x, n=n: x**n, 0.2, 4.0) for n in range(1, 5)]  # type: ignore[misc]
    logs = [expected(law, lambda x, n=n: math.log(x) ** n, 0.2, 4.0) for n in range(1, 5)]  # type: ignore[misc]
    for found, (first, second, third, fourth) in (
        (price_moments(law), raw),
        (log_moments(law), logs),
    ):
        variance = second - first**2
        assert found.mean == pytest.approx(first, abs=1e-10)
        assert found.variance == pytest.approx(variance, rel=1e-9)
        skewness = (third - 3 * first * second + 2 * first**3) / variance**1.5
        assert found.skewness == pytest.approx(skewness, rel=1e-7)
        raised = fourth - 4 * first * third + 6 * first**2 * second - 3 * first**4
        assert found.kurtosis == pytest.approx(raised / variance**2, rel=1e-7)
    assert log_moments(law).skewness < 0.0


@pytest.mark.parametrize("law", [lognormal(0.01), mixture()], ids=["lognormal", "mixture"])
def test_a_strip_of_all_strikes_is_the_model_free_variance(law: Slice) -> None:
    whole = model_free_variance(law)
    assert variance_strip(law, 0.05, 20.0) == pytest.approx(whole, rel=1e-8)
    assert whole == pytest.approx(-2.0 * expected(law, math.log, 0.05, 20.0), rel=1e-9)
    inside = variance_strip(law, 0.95, 1.08)
    left, right = variance_strip(law, 0.05, 0.95), variance_strip(law, 1.08, 20.0)
    assert left + inside + right == pytest.approx(whole, rel=1e-8)
    assert min(left, inside, right) > 0.0


def test_a_strip_that_stops_at_six_percent_reads_too_little() -> None:
    """The measured case of the definition of `truncated`: 30 days at 15 %."""
    variance = 0.15**2 * 30 / 365
    short = variance_strip(lognormal(variance), 0.94, 1.06) / variance
    assert 1.0 - short == pytest.approx(0.056, abs=0.004)
    reach = 0.06 / math.sqrt(variance)
    assert Coverage(0.94, 1.06, reach, reach, 30, 30).truncated


@pytest.mark.parametrize("law", [lognormal(0.01), mixture()], ids=["lognormal", "mixture"])
def test_the_contracts_are_the_moments_they_replicate(law: Slice) -> None:
    contracts = variance_contracts(law, 0.05, 20.0)
    powers = [expected(law, lambda x, n=n: math.log(x) ** n, 0.05, 20.0) for n in (2, 3, 4)]  # type: ignore[misc]
    assert contracts == pytest.approx(powers, rel=1e-7, abs=1e-11)
    logs = log_moments(law)
    assert contracts.mean == pytest.approx(logs.mean, rel=2e-3)
    assert contracts.skewness == pytest.approx(logs.skewness, abs=2e-3)
    assert contracts.kurtosis == pytest.approx(logs.kurtosis, rel=2e-3)


def test_the_contracts_sum_up_as_published() -> None:
    """Skewness and kurtosis are those of any law of R with these three moments and that mean."""
    contracts = VarianceContracts(0.02, -0.002, 0.0015)
    mean = -0.01 + 0.002 / 6 - 0.0015 / 24
    spread = 0.02 - mean**2
    assert contracts.mean == pytest.approx(mean)
    assert contracts.skewness == pytest.approx((-0.002 - 0.06 * mean + 2 * mean**3) / spread**1.5)
    raised = 0.0015 + 4 * mean * 0.002 + 6 * 0.02 * mean**2 - 3 * mean**4
    assert contracts.kurtosis == pytest.approx(raised / spread**2)


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (1.1, 0.9), (1.0, math.inf), (1.0, 1.0)])
def test_a_strip_without_strikes_is_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="a strip needs 0 < low < high"):
        variance_strip(lognormal(0.01), low, high)


def test_a_strip_beside_the_forward_has_no_kink_in_it() -> None:
    law = mixture()
    for low, high in ((1.0, 1.2), (0.8, 1.0), (1.05, 1.2), (0.8, 0.95)):

        def price(x: float, law: Slice = law) -> float:
            return float(law.out_of_the_money(np.array([x]))[0]) * 2 / x**2

        oracle, _ = integrate.quad(price, low, high, epsabs=1e-13, limit=200)
        assert variance_strip(law, low, high) == pytest.approx(oracle, rel=1e-7)


@pytest.mark.parametrize("probability", [1e-6, 0.01, 0.05, 0.5, 0.95])
def test_shortfalls_of_the_lognormal_law(probability: float) -> None:
    variance = 0.02
    width, law = math.sqrt(variance), lognormal(0.02)
    z = stats.norm.ppf(probability)
    low = lower_shortfall(law, probability)
    assert low.quantile == pytest.approx(math.exp(z * width - variance / 2), rel=1e-9)
    mean = float(stats.norm.cdf(z - width)) / probability
    assert low.mean_beyond == pytest.approx(mean, rel=1e-8)
    high = upper_shortfall(law, probability)
    assert high.quantile == pytest.approx(math.exp(-z * width - variance / 2), rel=1e-9)
    mean = float(stats.norm.cdf(z + width)) / probability
    assert high.mean_beyond == pytest.approx(mean, rel=1e-8)


def test_both_tails_and_the_middle_make_up_the_mean() -> None:
    law = mixture()
    low, high = lower_shortfall(law, 0.05), upper_shortfall(law, 0.05)
    middle = expected(law, lambda x: x, low.quantile, high.quantile)
    total = 0.05 * low.mean_beyond + middle + 0.05 * high.mean_beyond
    assert total == pytest.approx(1.0, abs=1e-9)
    assert low.mean_beyond < low.quantile < 1.0 < high.quantile < high.mean_beyond


@pytest.fixture(scope="module")
def fitted() -> Surface:
    surface = fit_surface(ssvi_chain(), profile=FAST).surface
    assert surface is not None
    return surface


@pytest.mark.parametrize("years", [0.001, 4 / 365, 0.02, 32 / 365, 0.13, 60 / 365, 0.5])
def test_mass_and_mean_of_a_surface_are_one_at_every_time(fitted: Surface, years: float) -> None:
    check = mass_check(fitted.at(years))
    assert abs(check.mass_error) < 1e-8
    assert abs(check.mean_error) < 1e-8


def test_a_lost_mass_is_found(fitted: Surface) -> None:
    masses = fitted.masses.copy()
    masses[1, masses[1].argmax()] -= 1e-6
    check = mass_check(replace(fitted, masses=masses).expiry(1))
    assert check.mass_error == pytest.approx(-1e-6, rel=1e-4)


def test_what_a_fit_says_of_the_variance_is_near_the_truth(fitted: Surface) -> None:
    """SSVI's own model-free variance, from its prices by quadrature over what is quoted."""
    from tests.trading.pricing.chains import true_call

    law = fitted.expiry(2)

    def truth(x: float) -> float:
        call = float(true_call(32, np.array([x]))[0])
        return 2.0 * (call if x >= 1.0 else call - 1.0 + x) / x**2

    low, high = 0.94, 1.055
    oracle, _ = integrate.quad(truth, low, high, points=[1.0], limit=200)
    assert variance_strip(law, low, high) == pytest.approx(oracle, rel=5e-3)


def _quotes(k: np.ndarray, variance: float) -> UsableQuotes:
    some = usable_quotes(ssvi_chain()[:1], spread_floor_ticks=1.0, quote_deviations=8.0)[0]
    assert isinstance(some, UsableQuotes)
    return replace(some, strike=k, variance=variance)


@pytest.mark.parametrize(
    ("low", "high", "below", "above", "truncated"),
    [
        (-2.5, 2.5, 8, 8, False),
        (-2.49, 2.5, 8, 8, True),
        (-2.5, 2.49, 8, 8, True),
        (-3.0, 3.0, 7, 20, True),
        (-3.0, 3.0, 20, 7, True),
        (-6.0, 4.0, 30, 20, False),
    ],
)
def test_coverage_needs_reach_and_strikes_on_both_sides(
    low: float, high: float, below: int, above: int, *, truncated: bool
) -> None:
    left = np.exp(0.05 * np.linspace(low - 1e-9, -0.1, below))
    right = np.exp(0.05 * np.linspace(0.1, high + 1e-9, above))
    reach = coverage(_quotes(np.concatenate((left, right)), 0.0025))
    assert (reach.strikes_below, reach.strikes_above) == (below, above)
    assert reach.deviations_below == pytest.approx(-low, abs=1e-6)
    assert reach.truncated is truncated


def test_quotes_on_one_side_reach_nowhere_on_the_other() -> None:
    reach = coverage(_quotes(np.linspace(1.01, 1.2, 20), 0.0025))
    assert (reach.deviations_below, reach.strikes_below) == (0.0, 0)
    assert reach.truncated
