"""What is read from a surface, each beside an oracle: quadrature, differences, brute force, and the
QuantLib formula for what has one.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import QuantLib
from scipy import integrate, optimize, stats

from tests.trading.pricing.chains import at_the_money_variance, ssvi_chain, true_call
from trading.pricing.black import VolatilityStatus
from trading.pricing.fitting import fit_surface
from trading.pricing.profiles import FAST, MARKET
from trading.pricing.slice import Component, Slice
from trading.pricing.surface import Surface, price_at_the_money, variance_at_the_money

if TYPE_CHECKING:
    from trading.pricing.profiles import Profile

CALL, PUT = QuantLib.Option.Call, QuantLib.Option.Put
TIMES = (0.002, 4 / 365, 0.02, 32 / 365, 0.12, 60 / 365, 0.4)
STRIKES = np.array([0.85, 0.93, 0.97, 0.99, 1.0, 1.002, 1.03, 1.08, 1.2])


@pytest.fixture(scope="module")
def surface() -> Surface:
    fitted = fit_surface(ssvi_chain(), profile=FAST).surface
    assert fitted is not None
    return fitted


def lognormal(variance: float, years: float = 0.25) -> Slice:
    return Slice(years, np.array([0.5, 1.0, 2.0]), (Component(1.0, variance, np.eye(3)[1]),))


# --- prices ---------------------------------------------------------------------------------------


def test_a_single_node_is_black_as_quantlib_has_it() -> None:
    law = lognormal(0.04)
    for k, call, put in zip(STRIKES, law.call(STRIKES), law.put(STRIKES), strict=True):
        assert call == pytest.approx(QuantLib.blackFormula(CALL, k, 1.0, 0.2), abs=1e-14)
        assert put == pytest.approx(
            QuantLib.blackFormula(QuantLib.Option.Put, k, 1.0, 0.2), abs=1e-14
        )


@pytest.mark.parametrize("years", TIMES)
def test_prices_are_what_the_density_pays(surface: Surface, years: float) -> None:
    law = surface.at(years)
    for k in (0.97, 1.0, 1.03):
        width = min(math.sqrt(c.variance) for c in law.components if c.variance > 0.0)
        grid = np.arange(math.log(k), 0.9, width / 40)
        pay = (np.exp(grid) - k) * law.density(np.exp(grid)) * np.exp(grid)
        call = float(integrate.simpson(pay, x=grid)) + law.atom * max(1.0 - k, 0.0)
        assert law.call(np.array([k]))[0] == pytest.approx(call, abs=2e-9)


@pytest.mark.parametrize("years", TIMES)
def test_puts_and_calls_keep_parity_and_bounds(surface: Surface, years: float) -> None:
    law = surface.at(years)
    call, put = law.call(STRIKES), law.put(STRIKES)
    assert call - put == pytest.approx(1.0 - STRIKES, abs=1e-10)
    assert np.all(call >= np.maximum(1.0 - STRIKES, 0.0) - 1e-12)
    assert np.all(call <= 1.0)
    expected = np.where(STRIKES < 1.0, put, call)
    assert np.array_equal(law.out_of_the_money(STRIKES), expected)


@pytest.mark.parametrize("strikes", [[0.0], [-1.0], [math.nan], [math.inf], [[1.0]]])
def test_strikes_are_positive_numbers_in_a_row(surface: Surface, strikes: list[float]) -> None:
    with pytest.raises(ValueError, match="strikes are a row of positive numbers"):
        surface.at(0.1).call(np.array(strikes))


# --- implied volatilities and greeks --------------------------------------------------------------


@pytest.mark.parametrize("days", [4, 11, 32, 60])
def test_volatilities_are_near_the_truth_and_give_the_price_back(
    surface: Surface, days: int
) -> None:
    law, years = surface.at(days / 365), days / 365
    deviation = math.sqrt(at_the_money_variance(days))
    k = np.exp(np.linspace(-2.0, 2.0, 21) * deviation)
    found = law.implied_volatility(k)
    assert set(found.statuses()) == {VolatilityStatus.OK}
    for strike, volatility, price in zip(k, found.value, law.call(k), strict=True):
        total = volatility * math.sqrt(years)
        assert QuantLib.blackFormula(CALL, strike, 1.0, total) == pytest.approx(price, abs=1e-12)
        truth = float(true_call(days, np.array([strike]))[0])
        of_truth = optimize.brentq(
            lambda s, k=strike, c=truth: QuantLib.blackFormula(CALL, k, 1.0, s) - c, 1e-4, 1.0
        )
        assert volatility == pytest.approx(of_truth / math.sqrt(years), abs=4e-3)


def test_so_far_out_that_nothing_is_left_there_is_no_volatility(surface: Surface) -> None:
    found = surface.expiry(0).implied_volatility(np.array([1e-3, 1.0, 1e3]))
    assert found.statuses() == [
        VolatilityStatus.BELOW_INTRINSIC,
        VolatilityStatus.OK,
        VolatilityStatus.BELOW_INTRINSIC,
    ]
    assert np.isnan(found.value[[0, 2]]).all()


@pytest.mark.parametrize("is_call", [True, False])
def test_greeks_are_differences_of_the_quantlib_price(surface: Surface, *, is_call: bool) -> None:
    years = 32 / 365
    law, kind = surface.at(years), CALL if is_call else PUT
    k = np.array([0.97, 1.0, 1.04])
    greeks, volatility = law.greeks(k, is_call=is_call), law.implied_volatility(k).value

    def price(strike: float, sigma: float, f: float = 1.0, t: float = years) -> float:
        return float(QuantLib.blackFormula(kind, strike, f, sigma * math.sqrt(t)))

    for i, (strike, sigma) in enumerate(zip(k, volatility, strict=True)):
        h = 1e-4
        up, down = price(strike, sigma, 1 + h), price(strike, sigma, 1 - h)
        assert greeks.delta[i] == pytest.approx((up - down) / (2 * h), abs=1e-5)
        gamma = (up - 2 * price(strike, sigma) + down) / h**2
        assert greeks.gamma[i] == pytest.approx(gamma, rel=1e-3)
        vega = (price(strike, sigma + h) - price(strike, sigma - h)) / (2 * h)
        assert greeks.vega[i] == pytest.approx(vega, rel=1e-5)
        later, sooner = price(strike, sigma, t=years + h), price(strike, sigma, t=years - h)
        assert greeks.theta[i] == pytest.approx(-(later - sooner) / (2 * h), rel=1e-4)


# --- probabilities --------------------------------------------------------------------------------


@pytest.mark.parametrize("years", TIMES)
def test_the_cumulative_is_the_slope_of_calls_and_the_integral_of_the_density(
    surface: Surface, years: float
) -> None:
    law, h = surface.at(years), 1e-6
    k = np.array([0.96, 0.99, 1.02, 1.05])
    slope = (law.call(k + h) - law.call(k - h)) / (2 * h)
    assert law.exceedance(k) == pytest.approx(-slope, abs=1e-6)
    width = min(math.sqrt(c.variance) for c in law.components if c.variance > 0.0)
    grid = np.arange(math.log(k[0]), math.log(k[1]), width / 50)
    grid[-1] = math.log(k[1])
    density = law.density(np.exp(grid)) * np.exp(grid)
    between = law.cumulative(k[1:2]) - law.cumulative(k[:1])
    assert between[0] == pytest.approx(float(integrate.simpson(density, x=grid)), abs=1e-6)


@pytest.mark.parametrize("years", TIMES)
def test_quantiles_are_the_first_strikes_that_reach(surface: Surface, years: float) -> None:
    law = surface.at(years)
    p = np.array([1e-6, 1e-3, 0.05, 0.25, 0.5, 0.75, 0.95, 0.999, 1 - 1e-6])
    k = law.quantile(p)
    assert np.all(np.diff(k) >= 0.0)
    assert np.all(law.cumulative(k) >= p - 1e-12)
    assert np.all(law.cumulative(k * (1 - 1e-9)) < p + 1e-9)


def test_quantiles_of_one_node_are_lognormal() -> None:
    p = np.array([0.01, 0.3, 0.5, 0.9])
    expected = np.exp(stats.norm.ppf(p) * 0.2 - 0.02)
    assert lognormal(0.04).quantile(p) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("p", [0.0, 1.0, -0.1, 1.1, math.nan])
def test_what_is_no_probability_has_no_quantile(surface: Surface, p: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1, both excluded"):
        surface.at(0.1).quantile(np.array([0.5, p]))


# --- time -----------------------------------------------------------------------------------------


def test_at_the_money_variance_is_linear_between_expiries(surface: Surface) -> None:
    for a, b in zip((0.0, *surface.years), surface.years, strict=False):
        ends = [variance_at_the_money(surface.at(t).at_the_money()) for t in (a, b)]
        for share in (0.1, 0.5, 0.9):
            law = surface.at(a + share * (b - a))
            expected = (1 - share) * ends[0] + share * ends[1]
            assert variance_at_the_money(law.at_the_money()) == pytest.approx(expected, rel=1e-9)


def test_an_expiry_is_its_own_law_and_its_neighbours_come_close(surface: Surface) -> None:
    for number, years in enumerate(surface.years):
        law = surface.expiry(number)
        assert np.array_equal(surface.at(years).call(STRIKES), law.call(STRIKES))
        for near in (math.nextafter(years, 0.0), math.nextafter(years, 1.0)):
            assert surface.at(near).call(STRIKES) == pytest.approx(law.call(STRIKES), abs=1e-9)


def test_at_time_zero_the_forward_is_certain(surface: Surface) -> None:
    law = surface.at(0.0)
    assert np.array_equal(law.call(STRIKES), np.maximum(1.0 - STRIKES, 0.0))
    assert law.atom == 1.0
    assert np.array_equal(law.density(STRIKES), np.zeros(STRIKES.size))
    assert np.array_equal(law.quantile(np.array([0.1, 0.9])), law.quantile(np.array([0.1, 0.1])))


def test_beyond_the_last_expiry_variance_goes_on_and_nothing_can_be_arbitraged(
    surface: Surface,
) -> None:
    k, before = np.linspace(0.5, 1.8, 2001), None
    for years in (60 / 365, 0.2, 0.3, 0.5, 1.0):
        calls = surface.at(years).call(k)
        assert np.min(np.diff(calls, 2)) > -1e-10
        if before is not None:
            assert np.min(calls - before) > -1e-10
        before = calls


@pytest.mark.parametrize("years", [-1e-9, math.nan])
def test_the_past_has_no_law(surface: Surface, years: float) -> None:
    with pytest.raises(ValueError, match="a surface has no law at"):
        surface.at(years)


@pytest.mark.parametrize("variance", [1e-10, 1e-4, 0.04, 1.0, 9.0])
def test_price_and_variance_at_the_money_are_inverse(variance: float) -> None:
    price = price_at_the_money(variance)
    assert price == pytest.approx(2 * stats.norm.cdf(math.sqrt(variance) / 2) - 1, rel=1e-9)
    assert variance_at_the_money(price) == pytest.approx(variance, rel=1e-9)


# --- little to go on ------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", [FAST, MARKET], ids=["fast", "market"])
def test_three_strikes_give_a_whole_law(profile: Profile) -> None:
    quotes = ssvi_chain()[0]
    rows = np.array([26, 30, 34])
    few = replace(
        quotes, **{n: getattr(quotes, n)[rows] for n in ("strike", "is_call", "bid", "ask")}
    )
    surface = fit_surface([few], profile=profile).surface
    assert surface is not None
    law = surface.expiry(0)
    k = np.linspace(0.7, 1.4, 1001)
    assert np.min(np.diff(law.call(k), 2)) > -1e-12
    assert law.cumulative(np.array([0.3]))[0] == pytest.approx(0.0, abs=1e-9)
    assert law.exceedance(np.array([3.0]))[0] == pytest.approx(0.0, abs=1e-9)
    between = np.array([0.995, 1.005])
    truth = true_call(4, between)
    assert law.call(between) == pytest.approx(truth, abs=3e-4)


def test_wings_fall_to_nothing_without_a_kink(surface: Surface) -> None:
    law = surface.expiry(3)
    low, high = float(surface.nodes[0]), float(surface.nodes[-1])
    left = law.put(np.linspace(0.3 * low, low, 400))
    right = law.call(np.linspace(high, 3.0 * high, 400))
    assert np.all(np.diff(left) >= 0.0)
    assert np.all(np.diff(right) <= 0.0)
    assert left[0] == pytest.approx(0.0, abs=1e-12)
    assert right[-1] == pytest.approx(0.0, abs=1e-12)
    assert np.all(np.isfinite(law.density(np.array([0.1 * low, low, high, 10.0 * high]))))
