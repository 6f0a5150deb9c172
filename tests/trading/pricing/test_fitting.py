"""Surfaces fitted to clean quotes: inside bid and ask, near the truth, without arbitrage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.trading.pricing.chains import DAYS, ssvi_chain, true_call
from trading.pricing.black_columns import time_value, values
from trading.pricing.fitting import FitRefusal, Method, fit_surface
from trading.pricing.profiles import FAST, MARKET, Profile
from trading.pricing.quotes import ExpiryQuotes, Omission, Refusal
from trading.pricing.surface import Surface, surface_of


@pytest.fixture(scope="module")
def fast() -> Surface:
    surface = fit_surface(ssvi_chain(), profile=FAST).surface
    assert surface is not None
    return surface


def _kept(quotes: ExpiryQuotes, rows: np.ndarray) -> ExpiryQuotes:
    names = ("strike", "is_call", "bid", "ask")
    return replace(quotes, **{name: getattr(quotes, name)[rows] for name in names})


@pytest.mark.parametrize("profile", [FAST, MARKET], ids=["fast", "market"])
def test_clean_quotes_are_all_met_and_the_truth_is_near(profile: object) -> None:
    fit = fit_surface(ssvi_chain(), profile=profile)  # type: ignore[arg-type]
    assert all(f.inside().all() for f in fit.quote_fits)
    assert (fit.misses, fit.halvings, fit.refused) == (0.0, 0, {})
    for f, days in zip(fit.quote_fits, DAYS, strict=True):
        off = (f.price - true_call(days, f.quotes.strike)) / f.quotes.spread
        assert np.sqrt(np.mean(off * off)) <= 0.2


@pytest.mark.parametrize("profile", [FAST, MARKET], ids=["fast", "market"])
def test_even_strikes_predict_odd_ones_within_a_spread(profile: Profile) -> None:
    chain = ssvi_chain()
    fit = fit_surface([_kept(q, np.arange(0, 61, 2)) for q in chain], profile=profile)
    assert fit.surface is not None
    whole = fit_surface(chain, profile=profile)
    for number, f in enumerate(whole.quote_fits):
        price = fit.surface.expiry(number).call(f.quotes.strike)
        assert np.max(np.abs(price - f.quotes.mid) / f.quotes.spread) <= 1.0


@pytest.mark.parametrize("profile", [FAST, MARKET], ids=["fast", "market"])
def test_there_is_no_arbitrage_on_4001_strikes_and_200_dates(profile: Profile) -> None:
    surface = fit_surface(ssvi_chain(), profile=profile).surface
    assert surface is not None
    strikes = np.linspace(0.6, 1.5, 4001)
    before = np.maximum(1.0 - strikes, 0.0)
    for years in np.linspace(1e-4, 90 / 365, 200):
        now = surface.at(float(years)).call(strikes)
        assert np.min(np.diff(now, 2)) >= -1e-10
        assert np.min(now - before) >= -1e-10
        assert np.all(now >= np.maximum(1.0 - strikes, 0.0) - 1e-10)
        assert np.all(np.diff(now) <= 1e-10)
        before = now


def test_mass_and_mean_are_one(fast: Surface) -> None:
    for masses in fast.masses:
        assert masses.sum() == pytest.approx(1.0, abs=1e-8)
        assert (masses * fast.nodes).sum() == pytest.approx(1.0, abs=1e-8)
        assert masses.min() >= 0.0


def test_the_program_finds_what_the_plain_statement_finds() -> None:
    ours = fit_surface(ssvi_chain(), profile=FAST)
    oracle = fit_surface(ssvi_chain(), profile=FAST, method=Method.REFERENCE)
    for f, g in zip(ours.quote_fits, oracle.quote_fits, strict=True):
        assert np.max(np.abs(f.error - g.error)) < 1e-3


def test_the_linear_program_meets_every_quote_too() -> None:
    fit = fit_surface(ssvi_chain(), profile=FAST, method=Method.LP)
    assert all(f.inside(1e-9).all() for f in fit.quote_fits)
    again = fit_surface(ssvi_chain(), profile=FAST, method=Method.LP)
    assert fit.surface is not None
    assert again.surface is not None
    assert fit.surface.digest == again.surface.digest


def test_a_chain_of_three_strikes_is_fitted() -> None:
    quotes = _kept(ssvi_chain()[0], np.array([26, 30, 34]))
    fit = fit_surface([quotes], profile=FAST)
    assert fit.quote_fits[0].quotes.count == 3
    assert fit.quote_fits[0].inside().all()


def test_missing_strikes_are_bridged() -> None:
    chain = ssvi_chain()
    rows = np.array([i for i in range(61) if not 20 <= i < 27])
    fit = fit_surface([_kept(chain[0], rows), *chain[1:]], profile=FAST)
    assert fit.surface is not None
    gone = chain[0].strike[20:27] / chain[0].forward
    off = fit.surface.expiry(0).call(gone) - true_call(4, gone)
    assert np.max(np.abs(off)) < 1.5e-5


def test_one_sided_and_crossed_and_repeated_quotes_are_left_out_and_counted() -> None:
    quotes = ssvi_chain()[1]
    bid, ask = quotes.bid.copy(), quotes.ask.copy()
    bid[20] = np.nan
    bid[21] = ask[21] = np.nan
    bid[22], ask[22] = ask[22], bid[22]
    rows = np.append(np.arange(15, 46), 30)
    fit = fit_surface([_kept(replace(quotes, bid=bid, ask=ask), rows)], profile=FAST)
    assert fit.quote_fits[0].quotes.omitted == {
        Omission.CROSSED: 1,
        Omission.DUPLICATE: 1,
        Omission.MISSING: 1,
        Omission.ONE_SIDED: 1,
    }
    assert fit.quote_fits[0].inside().all()


def test_an_expired_expiry_is_refused_and_the_others_fitted() -> None:
    chain = ssvi_chain()
    fit = fit_surface([replace(chain[0], years=0.0), *chain[1:]], profile=FAST)
    assert fit.refused == {chain[0].expiry: Refusal.EXPIRED}
    assert fit.surface is not None
    assert len(fit.surface.expiries) == 3


def test_minutes_before_expiry_are_fitted() -> None:
    strike = 25_000.0 + 10.0 * np.arange(-6.0, 7.0)
    years, forward = 10 / 365 / 24 / 60, np.array([25_000.0])
    price = time_value(forward, strike, np.array([0.15 * years**0.5]))
    bid = np.where(price > 1.05, price - 1.0, np.nan)
    quotes = ExpiryQuotes(
        "today", years, 25_000.0, 1.0, 0.05, strike, strike >= 25_000.0, bid, price + 1.0
    )
    fit = fit_surface([quotes])
    assert fit.surface is not None
    assert fit.misses == 0.0


@pytest.mark.parametrize(
    ("rows", "refusal"),
    [
        (np.array([30, 31]), Refusal.TOO_FEW_QUOTES),
        (np.arange(40, 61), Refusal.ONE_SIDED_CHAIN),
    ],
)
def test_a_chain_that_says_too_little_is_refused(rows: np.ndarray, refusal: Refusal) -> None:
    quotes = _kept(ssvi_chain()[2], rows)
    fit = fit_surface([quotes], profile=FAST)
    assert fit.surface is None
    assert fit.refusal is FitRefusal.NO_EXPIRY
    assert fit.refused == {quotes.expiry: refusal}


def test_no_quotes_at_all_are_refused() -> None:
    assert fit_surface([]).refusal is FitRefusal.NO_EXPIRY


def test_a_kernel_too_wide_for_the_quotes_is_halved_and_recorded() -> None:
    fit = fit_surface(ssvi_chain(), profile=replace(FAST, eta=0.8))
    assert fit.surface is not None
    assert fit.halvings >= 1
    assert fit.surface.eta == 0.8 / 2**fit.halvings
    assert fit.misses <= 0.01


def test_without_a_kernel_calls_are_interpolated_on_straight_lines() -> None:
    nodes = np.array([0.5, 0.9, 1.0, 1.1, 2.0])
    calls = np.array([0.5, 0.12, 0.05, 0.015, 0.0])
    slopes = np.diff(calls) / np.diff(nodes)
    masses = np.diff(np.concatenate(([-1.0], slopes, [0.0])))
    surface = surface_of(["a"], [0.1], 0.0, [0.01], nodes, masses[None, :])
    k = np.linspace(0.5, 2.0, 301)
    assert surface.expiry(0).call(k) == pytest.approx(np.interp(k, nodes, calls), abs=1e-11)
    nearly = surface_of(["a"], [0.1], 1e-6, [0.01], nodes, masses[None, :])
    assert nearly.expiry(0).call(k) == pytest.approx(np.interp(k, nodes, calls), abs=1e-4)


def axel_vogts_calls(x: np.ndarray) -> np.ndarray:
    """Calls of an SVI slice with a butterfly that costs less than nothing, at logarithms of
    strikes.
    """
    a, b, m, rho, sigma = -0.0410, 0.1331, 0.3586, 0.3060, 0.4153
    variance = a + b * (rho * (x - m) + np.sqrt((x - m) ** 2 + sigma**2))
    return values(np.ones(1), np.exp(x), np.ones(1), np.sqrt(variance), np.array([True]))


def least_miss(strike: np.ndarray, call: np.ndarray) -> float:
    """How far any convex curve must be from calls somewhere: half of what they rise above the
    greatest convex curve below them (their lower hull, by Andrew's chain).
    """
    chain: list[tuple[float, float]] = []
    for point in zip(strike.tolist(), call.tolist(), strict=True):
        while len(chain) > 1:
            (k0, c0), (k1, c1) = chain[-2:]
            if (c1 - c0) * (point[0] - k0) < (point[1] - c0) * (k1 - k0):
                break
            chain.pop()
        chain.append(point)
    hull = np.array(chain)
    return float(np.max(call - np.interp(strike, hull[:, 0], hull[:, 1]))) / 2.0


@pytest.mark.parametrize(
    ("method", "half_spread", "expected"),
    # Least squares share the miss out; the linear program goes to the quotes' edge and no further.
    [(Method.QP, 1e-6, 1.30e-5), (Method.LP, 1e-5, 1.00e-5)],
)
def test_axel_vogts_slice_has_arbitrage_and_is_therefore_missed(
    method: Method, half_spread: float, expected: float
) -> None:
    """By what it must be, not more: the hull leaves calls between logarithms 0.50 and 1.99, and
    quotes reach past both.
    """
    x = np.linspace(-1.5, 3.0, 181)
    k, call = np.exp(x), axel_vogts_calls(x)
    assert np.min(np.diff(np.diff(call) / np.diff(k))) < 0.0
    least = least_miss(k, call)
    assert least == pytest.approx(9.82e-6, rel=0.001)
    price = np.where(k >= 1.0, call, call - 1.0 + k)
    quotes = ExpiryQuotes(
        "1y", 1.0, 1.0, 1.0, half_spread, k, k >= 1.0, price - half_spread, price + half_spread
    )
    profile = replace(FAST, eta=0.1, halvings=0, quote_deviations=30.0)
    fit = fit_surface([quotes], profile=profile, method=method)
    assert fit.surface is not None
    assert fit.surface.masses.min() >= 0.0
    missed = float(np.max(np.abs(fit.quote_fits[0].price - fit.quote_fits[0].quotes.mid)))
    assert missed >= least
    assert missed == pytest.approx(expected, rel=0.02)
