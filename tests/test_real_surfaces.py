"""Surfaces of recorded chains, from the exchange's snapshots to the bars they must reach.

NSE's quotes are not of one instant, so no surface can sit inside all of them: a price counts as met
inside bid and ask widened by a tick, or by 0.10 volatility points where that is more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

from trading.market.chain_at import chain_frame_at, chain_moments
from trading.market.ist import instant_us
from trading.market.services import market_import
from trading.market.store import MarketStore
from trading.pricing.arbitrage import arbitrage_check
from trading.pricing.black_columns import time_value
from trading.pricing.chain_quotes import LEAST_A_SIDE, LEAST_QUOTES, chain_expiries
from trading.pricing.fitting import Fit, fit_surface

if TYPE_CHECKING:
    from pathlib import Path

    from trading.pricing.quotes import ExpiryQuotes

pytestmark = pytest.mark.slow

DAY = date(2025, 8, 29)
SAMPLE = 24  # snapshots of a day; all of them give the same figures within half a point


@dataclass(frozen=True)
class Met:
    """What fits of several snapshots add up to."""

    count: int
    tolerated: float
    near: float  # of those within 1.5 deviations
    a_tick: float
    p95_error: float
    violations: int


def fit_of(quotes: list[ExpiryQuotes]) -> Fit:
    return fit_surface(quotes, least_quotes=LEAST_QUOTES, least_a_side=LEAST_A_SIDE)


def met(fits: list[Fit]) -> Met:
    parts = [f for fit in fits for f in fit.quote_fits]
    inside = np.concatenate([f.inside(f.quotes.tolerance) for f in parts])
    tick = np.concatenate([f.inside(5.0 / (f.quotes.discount * f.quotes.forward)) for f in parts])
    near = np.concatenate(
        [np.abs(np.log(f.quotes.strike)) <= 1.5 * f.quotes.variance**0.5 for f in parts]
    )
    errors = np.abs(np.concatenate([f.error for f in parts]))
    checks = [arbitrage_check(fit.surface) for fit in fits if fit.surface is not None]
    return Met(
        count=inside.size,
        tolerated=float(inside.mean()),
        near=float(inside[near].mean()),
        a_tick=float(tick.mean()),
        p95_error=float(np.percentile(errors, 95)),
        violations=sum(check.violations for check in checks),
    )


def store_of(sample_data: Path, root: Path, folder: str) -> MarketStore:
    if not (sample_data / folder).is_dir():
        pytest.skip(f"no recorded data in {sample_data / folder}")
    market_import(root=root, paths=[sample_data / folder])
    return MarketStore(root)


def chains(
    store: MarketStore, underlying: str, day: date, until: time = time(15, 30)
) -> list[list[ExpiryQuotes]]:
    """The quotes of the four nearest expiries of evenly spaced snapshots of a day."""
    moments = [at for at in chain_moments(store, underlying, day) if at < instant_us(day, until)]
    chosen = [moments[i] for i in np.linspace(0, len(moments) - 1, SAMPLE).astype(int)]
    frames = [chain_frame_at(store, underlying, at) for at in chosen]
    return [[e.quotes for e in chain_expiries(frame, limit=4)] for frame in frames if frame]


@pytest.fixture(scope="module")
def store(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> MarketStore:
    return store_of(sample_data, tmp_path_factory.mktemp("market"), "nse_chain_2025-08-29")


def test_nifty_weeklies(store: MarketStore) -> None:
    fits = [fit_of(quotes) for quotes in chains(store, "NIFTY", DAY)]
    assert len(fits) == SAMPLE
    assert all(fit.surface is not None and not fit.refused for fit in fits)
    found = met(fits)
    assert found.tolerated >= 0.96, found
    assert found.near >= 0.995, found
    assert found.p95_error <= 1.6, found
    assert found.violations == 0


def test_banknifty_monthlies(store: MarketStore) -> None:
    fits = [fit_of(quotes) for quotes in chains(store, "BANKNIFTY", DAY)]
    assert all(fit.surface is not None for fit in fits)
    assert {str(reason) for fit in fits for reason in fit.refused.values()} <= {
        "NO_FORWARD",
        "TOO_FEW_QUOTES",
    }
    found = met(fits)
    assert found.tolerated >= 0.93, found
    assert found.near >= 0.995, found
    assert found.p95_error <= 2.1, found
    assert found.violations == 0


def test_the_day_options_expire(sample_data: Path, tmp_path: Path) -> None:
    day = date(2019, 5, 23)
    expiring = store_of(sample_data, tmp_path, "nse_chain_election_2019-05-23")
    fits = [fit_of(quotes) for quotes in chains(expiring, "NIFTY", day, until=time(14, 59))]
    done = [fit for fit in fits if fit.surface is not None]
    for fit in fits:
        assert fit.surface is not None or fit.refused
    assert len(done) >= 0.8 * len(fits)
    found = met(done)
    assert found.a_tick >= 0.85, found
    assert found.violations == 0


def test_strikes_left_out_are_predicted_no_worse_than_by_pchip(store: MarketStore) -> None:
    """Every other strike is hidden; the peer is PCHIP through the volatilities of the rest."""
    ours, peer = [], []
    for quotes in chains(store, "NIFTY", DAY)[::3]:
        whole = fit_of(quotes)
        shown = {f.quotes.expiry: set(f.quotes.strike[::2].tolist()) for f in whole.quote_fits}
        fit = fit_of([_hidden(q, shown.get(q.expiry, set())) for q in quotes])
        assert fit.surface is not None
        for f in whole.quote_fits:
            if f.quotes.expiry not in fit.surface.expiries:
                continue
            k, law = (
                f.quotes.strike,
                fit.surface.expiry(fit.surface.expiries.index(f.quotes.expiry)),
            )
            odd = np.arange(1, k.size - 1, 2)
            curve = PchipInterpolator(np.log(k[::2]), f.quotes.deviation[::2])(np.log(k[odd]))
            theirs = time_value(np.ones(1), k[odd], curve) + np.maximum(1.0 - k[odd], 0.0)
            for found, price in ((ours, law.call(k[odd])), (peer, theirs)):
                low = f.quotes.bid[odd] - f.quotes.tolerance[odd]
                high = f.quotes.ask[odd] + f.quotes.tolerance[odd]
                found += ((price >= low) & (price <= high)).tolist()
    assert len(ours) > 300
    assert np.mean(ours) >= np.mean(peer) - 0.02, (np.mean(ours), np.mean(peer))


def _hidden(quotes: ExpiryQuotes, shown: set[float]) -> ExpiryQuotes:
    k = np.round(quotes.strike / quotes.forward, 12)
    kept = np.isin(k, list(shown))
    return replace(
        quotes,
        bid=np.where(kept, quotes.bid, np.nan),
        ask=np.where(kept, quotes.ask, np.nan),
    )
