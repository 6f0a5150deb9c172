"""Surfaces judged from elsewhere: a Heston model's prices, random positive local volatilities."""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.trading.pricing.chains import DAYS, RATE, SPOT, quoted
from trading.pricing.discrete_law import masses_of_calls
from trading.pricing.fitting import fit_surface
from trading.pricing.profiles import FAST, MARKET, Profile
from trading.pricing.surface import surface_of

if TYPE_CHECKING:
    from trading.pricing.elementary import Array
    from trading.pricing.quotes import ExpiryQuotes


@functools.cache
def heston_prices() -> tuple[tuple[int, float, Array, Array], ...]:
    """Days, forward, strikes and undiscounted out-of-the-money prices of a Heston model, by
    QuantLib's analytic engine, an expiry each.
    """
    import QuantLib as ql  # noqa: N813

    today = ql.Date(2, 2, 2026)
    ql.Settings.instance().evaluationDate = today
    day_count = ql.Actual365Fixed()
    flat = ql.YieldTermStructureHandle(ql.FlatForward(today, RATE, day_count))
    none = ql.YieldTermStructureHandle(ql.FlatForward(today, 0.0, day_count))
    spot = ql.QuoteHandle(ql.SimpleQuote(SPOT))
    process = ql.HestonProcess(flat, none, spot, 0.0144, 3.0, 0.0196, 0.6, -0.6)
    engine = ql.AnalyticHestonEngine(ql.HestonModel(process), 1e-10, 100_000)
    found = []
    for days in DAYS:
        years, step = days / 365.0, 50.0 if days < 60 else 100.0
        forward = SPOT * math.exp(RATE * years)
        strike = SPOT + step * (np.arange(61) - 30)
        price = []
        for k in strike.tolist():
            right = ql.Option.Call if k >= forward else ql.Option.Put
            option = ql.VanillaOption(
                ql.PlainVanillaPayoff(right, k), ql.EuropeanExercise(today + days)
            )
            option.setPricingEngine(engine)
            price.append(max(option.NPV(), 0.0) * math.exp(RATE * years))
        found.append((days, forward, strike, np.array(price)))
    return tuple(found)


def heston_chain(seed: int = 3) -> list[ExpiryQuotes]:
    """Quotes around QuantLib's prices of a Heston model."""
    random = np.random.default_rng(seed)
    return [
        quoted(f"day {days:03}", days / 365.0, forward, strike, price, random)
        for days, forward, strike, price in heston_prices()
    ]


@pytest.mark.parametrize("seed", [3, 4, 5])
@pytest.mark.parametrize("profile", [FAST, MARKET], ids=["fast", "market"])
def test_heston_quotes_are_all_met_and_the_truth_is_near(profile: Profile, seed: int) -> None:
    fit = fit_surface(heston_chain(seed), profile=profile)
    assert fit.surface is not None
    assert (fit.misses, fit.halvings, fit.refused) == (0.0, 0, {})
    assert all(f.inside().all() for f in fit.quote_fits)
    for f, (_, forward, strike, price) in zip(fit.quote_fits, heston_prices(), strict=True):
        call = np.where(strike >= forward, price, price + forward - strike) / forward
        truth = call[np.isin(np.round(strike / forward, 12), f.quotes.strike)]
        off = (f.price - truth) / f.quotes.spread
        assert np.sqrt(np.mean(off * off)) <= 0.2


@pytest.mark.parametrize("profile", [FAST, MARKET], ids=["fast", "market"])
def test_even_strikes_of_a_heston_model_predict_odd_ones_within_a_spread(profile: Profile) -> None:
    chain = heston_chain()
    half = [replace(q, bid=np.where(np.arange(61) % 2, np.nan, q.bid)) for q in chain]
    fit = fit_surface(half, profile=profile)
    assert fit.surface is not None
    for number, f in enumerate(fit_surface(chain, profile=profile).quote_fits):
        price = fit.surface.expiry(number).call(f.quotes.strike)
        assert np.max(np.abs(price - f.quotes.mid) / f.quotes.spread) <= 1.0


@pytest.mark.parametrize("seed", range(5))
def test_random_positive_local_volatilities_give_no_arbitrage(seed: int) -> None:
    """A hundred fields each: implicit Euler steps of the forward equation, then a kernel."""
    random = np.random.default_rng(seed)
    nodes = np.round(np.exp(np.linspace(-0.9, 0.7, 60)), 9)
    gaps = np.diff(nodes)
    half = 0.5 * (gaps[1:] + gaps[:-1])
    years = (0.02, 0.06, 0.15, 0.3)
    strikes = np.linspace(0.45, 1.9, 801)
    for _ in range(100):
        calls = np.maximum(1.0 - nodes, 0.0)
        laws = []
        for step in np.diff((0.0, *years)):
            volatility = 0.2 * np.exp(1.5 * random.normal(size=nodes.size - 2))
            a = 0.5 * volatility**2 * nodes[1:-1] ** 2 * step / half
            matrix = np.diag(1.0 + a / gaps[:-1] + a / gaps[1:])
            matrix -= np.diag((a / gaps[:-1])[1:], -1) + np.diag((a / gaps[1:])[:-1], 1)
            right = calls[1:-1].copy()
            right[0] += (a / gaps[:-1])[0] * calls[0]
            calls = np.concatenate((calls[:1], np.linalg.solve(matrix, right), calls[-1:]))
            masses = masses_of_calls(nodes, calls)
            assert masses.min() >= -1e-12
            laws.append(np.maximum(masses, 0.0))
        surface = surface_of(
            [str(t) for t in years], years, 0.25, [0.01 * t for t in years], nodes, np.array(laws)
        )
        before = np.maximum(1.0 - strikes, 0.0)
        for number in range(len(years)):
            now = surface.expiry(number).call(strikes)
            assert np.min(np.diff(now, 2)) >= -1e-10
            assert np.min(now - before) >= -1e-10
            before = now
