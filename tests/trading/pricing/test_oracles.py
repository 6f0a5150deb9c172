"""Surfaces judged from elsewhere: a Heston model's prices, random positive local volatilities."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.trading.pricing.chains import DAYS, RATE, SPOT, quoted
from trading.pricing.discrete_law import masses_of_calls
from trading.pricing.fitting import fit_surface
from trading.pricing.profiles import FAST
from trading.pricing.surface import surface_of

if TYPE_CHECKING:
    from trading.pricing.quotes import ExpiryQuotes


def heston_chain() -> list[ExpiryQuotes]:
    """Quotes around QuantLib's prices of a Heston model."""
    import QuantLib as ql  # noqa: N813

    today = ql.Date(2, 2, 2026)
    ql.Settings.instance().evaluationDate = today
    day_count = ql.Actual365Fixed()
    flat = ql.YieldTermStructureHandle(ql.FlatForward(today, RATE, day_count))
    none = ql.YieldTermStructureHandle(ql.FlatForward(today, 0.0, day_count))
    spot = ql.QuoteHandle(ql.SimpleQuote(SPOT))
    process = ql.HestonProcess(flat, none, spot, 0.0144, 3.0, 0.0196, 0.6, -0.6)
    engine = ql.AnalyticHestonEngine(ql.HestonModel(process), 1e-10, 100_000)
    random = np.random.default_rng(3)
    chain = []
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
        chain.append(quoted(f"day {days:03}", years, forward, strike, np.array(price), random))
    return chain


def test_heston_quotes_are_met() -> None:
    fit = fit_surface(heston_chain(), profile=FAST)
    assert fit.surface is not None
    assert fit.misses == 0.0
    outside = np.concatenate(
        [
            np.maximum(f.quotes.bid - f.price, f.price - f.quotes.ask) / f.quotes.spread
            for f in fit.quote_fits
        ]
    )
    # Least squares leaves a quote outside by a sliver where that pays elsewhere.
    assert np.count_nonzero(outside > 0.0) <= 1
    assert outside.max() <= 0.05


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
