"""Surfaces of recorded chains: how much of bid and ask an arbitrage-free surface can meet.

The suite fits a spread of each day's snapshots, `make soak` every one of them
(`BRAHMASTRA_SOAK=1`). The bars are those of the whole day.
"""

from __future__ import annotations

import csv
import gzip
import os
import re
from dataclasses import replace
from datetime import date, datetime
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest

from trading.market.chain_at import chain_frame_at, chain_moments
from trading.market.services import market_import
from trading.market.store import MarketStore
from trading.pricing.arbitrage import arbitrage_check
from trading.pricing.chain_quotes import LEAST_A_SIDE, LEAST_QUOTES, TICK_PAISE, chain_expiries
from trading.pricing.fitting import Fit, QuoteFit, Rung, fit_surface
from trading.pricing.parity_fit import Pair, parity_fit
from trading.pricing.quotes import ExpiryQuotes, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from trading.pricing.chain_quotes import ChainExpiry

pytestmark = pytest.mark.slow

STEP = 1 if os.environ.get("BRAHMASTRA_SOAK") == "1" else 24
CALM, COUNT = date(2025, 8, 29), date(2019, 5, 23)


class Day(NamedTuple):
    """The chains of a day, in order, and what became of them."""

    chains: list[list[ChainExpiry]]
    fits: list[Fit]

    @property
    def quote_fits(self) -> Iterator[QuoteFit]:
        return (each for fit in self.fits for each in fit.quote_fits)


@pytest.fixture(scope="module")
def recorded(sample_data: Path, tmp_path_factory: pytest.TempPathFactory) -> MarketStore:
    root = tmp_path_factory.mktemp("recorded") / "market"
    folders = [
        sample_data / name for name in ("nse_chain_2025-08-29", "nse_chain_election_2019-05-23")
    ]
    for folder in folders:
        if not folder.is_dir():
            pytest.skip(f"no recorded data in {folder}")
    market_import(root=root, paths=folders)
    return MarketStore(root)


def fitted_day(
    store: MarketStore, underlying: str, day: date, expiries: int, *, until_us: int | None = None
) -> Day:
    chains, fits = [], []
    for moment in chain_moments(store, underlying, day)[::STEP]:
        frame = chain_frame_at(store, underlying, moment)
        assert frame is not None
        if until_us is not None and frame.as_of > until_us:
            continue
        chain = chain_expiries(frame, limit=expiries)
        chains.append(chain)
        fits.append(fitted([expiry.quotes for expiry in chain]))
    return Day(chains, fits)


def fitted(quotes: Sequence[ExpiryQuotes]) -> Fit:
    return fit_surface(quotes, least_quotes=LEAST_QUOTES, least_a_side=LEAST_A_SIDE)


@pytest.fixture(scope="module")
def nifty(recorded: MarketStore) -> Day:
    return fitted_day(recorded, "NIFTY", CALM, 4)


@pytest.fixture(scope="module")
def banknifty(recorded: MarketStore) -> Day:
    return fitted_day(recorded, "BANKNIFTY", CALM, 2)


def tolerated(fits: Iterator[QuoteFit], deviations: float = np.inf) -> float:
    """The share of quotes met within their tolerance, of those so near the money."""
    met = [
        fit.inside(fit.quotes.tolerance)[
            np.abs(np.log(fit.quotes.strike)) <= deviations * fit.quotes.variance**0.5
        ]
        for fit in fits
    ]
    return float(np.concatenate(met).mean())


def p95_error(fits: Iterator[QuoteFit]) -> float:
    """The 95th percentile of the distance from the mid, in raw spreads."""
    errors = [
        np.abs(f.price - f.quotes.mid) / np.maximum(f.quotes.ask - f.quotes.bid, 1e-9) for f in fits
    ]
    return float(np.percentile(np.concatenate(errors), 95))


def eligible(quotes: ExpiryQuotes) -> bool:
    """Enough quotes out of the money with both sides, on each side of a forward."""
    if not quotes.forward > 0.0:
        return False
    out = np.where(quotes.is_call, quotes.strike >= quotes.forward, quotes.strike < quotes.forward)
    good = out & (quotes.bid <= quotes.ask)
    if quotes.traded is not None:
        good &= quotes.traded
    puts = int(np.count_nonzero(good & ~quotes.is_call))
    calls = int(np.count_nonzero(good & quotes.is_call))
    return puts + calls >= LEAST_QUOTES and min(puts, calls) >= LEAST_A_SIDE


def test_every_eligible_expiry_is_fitted_and_the_others_refused_with_a_reason(
    recorded: MarketStore,
) -> None:
    for underlying in ("NIFTY", "BANKNIFTY"):
        for moment in chain_moments(recorded, underlying, CALM)[:: 2 * STEP]:
            frame = chain_frame_at(recorded, underlying, moment)
            assert frame is not None
            chain = [expiry.quotes for expiry in chain_expiries(frame)]
            fit = fitted(chain)
            assert fit.surface is not None
            assert fit.rung is Rung.FIRST
            for quotes in chain:
                if quotes.expiry in fit.refused:
                    reason = fit.refused[quotes.expiry]
                    # Quotes of the far wings may be enough to be eligible and are not used.
                    assert not eligible(quotes) or reason is Refusal.TOO_FEW_QUOTES
                else:
                    assert eligible(quotes)


def test_nifty_weeklies_are_met(nifty: Day) -> None:
    assert all(fit.surface is not None and not fit.refused for fit in nifty.fits)
    assert tolerated(nifty.quote_fits) >= 0.96
    assert tolerated(nifty.quote_fits, 1.5) >= 0.995
    assert p95_error(nifty.quote_fits) <= 1.6


def test_banknifty_is_met(banknifty: Day) -> None:
    assert all(fit.surface is not None for fit in banknifty.fits)
    assert tolerated(banknifty.quote_fits) >= 0.93
    assert tolerated(banknifty.quote_fits, 1.5) >= 0.995
    assert p95_error(banknifty.quote_fits) <= 2.1


def test_expiry_day_is_met_until_the_last_half_hour(recorded: MarketStore) -> None:
    until = int(datetime.fromisoformat("2019-05-23T14:59:59+05:30").timestamp() * 1e6)
    day = fitted_day(recorded, "NIFTY", COUNT, 1, until_us=until)
    inside = [f.inside(TICK_PAISE / (f.quotes.discount * f.quotes.forward)) for f in day.quote_fits]
    assert len(inside) >= 0.85 * len(day.fits)
    for fit in day.fits:
        assert fit.surface is not None or set(fit.refused.values()) <= {
            Refusal.TOO_FEW_QUOTES,
            Refusal.ONE_SIDED_CHAIN,
        }
    assert float(np.concatenate(inside).mean()) >= 0.85


def test_no_recorded_surface_can_be_arbitraged(nifty: Day, banknifty: Day) -> None:
    for fit in (*nifty.fits[::8], *banknifty.fits[::8]):
        assert fit.surface is not None
        assert arbitrage_check(fit.surface, strikes=1001, between=2).violations == 0


def test_even_strikes_predict_odd_ones_about_as_pchip_does(nifty: Day) -> None:
    """In implied volatility, of the strikes held out, no more than 2 points worse on average."""
    from scipy.interpolate import PchipInterpolator

    ours, theirs = [], []
    for chain, whole in zip(nifty.chains[::2], nifty.fits[::2], strict=True):
        half = [_without_odd_strikes(expiry.quotes) for expiry in chain]
        fit = fitted(half)
        assert fit.surface is not None
        for f in whole.quote_fits:
            if f.quotes.expiry not in fit.surface.expiries:
                continue
            number = fit.surface.expiries.index(f.quotes.expiry)
            known = _is_even(f.quotes.strike * f.quotes.forward)
            k, root = f.quotes.strike, f.quotes.years**0.5
            inner = ~known & (k > k[known].min()) & (k < k[known].max())
            truth = f.quotes.deviation[inner] / root
            smile = PchipInterpolator(np.log(k[known]), f.quotes.deviation[known] / root)
            model = fit.surface.expiry(number).implied_volatility(k[inner]).value
            ours.append(np.abs(model - truth))
            theirs.append(np.abs(smile(np.log(k[inner])) - truth))
    assert np.sqrt(np.mean(np.concatenate(ours) ** 2)) <= (
        np.sqrt(np.mean(np.concatenate(theirs) ** 2)) + 0.02
    )


def _is_even(strike: np.ndarray) -> np.ndarray:
    return np.rint(strike / 5000.0).astype(int) % 2 == 0


def _without_odd_strikes(quotes: ExpiryQuotes) -> ExpiryQuotes:
    hidden = ~_is_even(quotes.strike)
    nothing = np.where(hidden, np.nan, 0.0)
    return replace(quotes, bid=quotes.bid + nothing, ask=quotes.ask + nothing)


SPX = {
    "spx_quotedata_2022-02-05.csv.gz": "2022-02-04T16:00-05:00",
    "spx_quotedata_2022-06-11.csv.gz": "2022-06-10T16:00-04:00",
    "spx_quotedata_2023-09-14.csv.gz": "2023-09-14T16:00-04:00",
}


@pytest.mark.parametrize("settled", [("16:00",), ("09:30",), ("16:00", "09:30")], ids="+".join)
@pytest.mark.parametrize("name", list(SPX))
def test_spx_is_met_inside_raw_bid_and_ask(
    name: str, settled: tuple[str, ...], sample_data: Path
) -> None:
    """The nearest eight expiries settled at the close, at the opening, and all sixteen on one
    surface.
    """
    path = sample_data / "spx_chains" / name
    if not path.is_file():
        pytest.skip(f"no recorded data in {path}")
    now = datetime.fromisoformat(SPX[name])
    fit = fitted([quotes for at in settled for quotes in _spx(path, now, at)[:8]])
    assert fit.surface is not None
    assert not fit.refused
    assert len(fit.surface.expiries) == 8 * len(settled)
    inside = np.concatenate([f.inside() for f in fit.quote_fits])
    assert inside.size > 500
    assert inside.mean() >= 0.995


def _spx(path: Path, now: datetime, settled: str) -> list[ExpiryQuotes]:
    """The expiries of a vendor's file that are settled at the close (weeklies, root SPXW) or at the
    opening (SPX), nearest first, forwards by parity.
    """
    with gzip.open(path, "rt") as file:
        lines = file.read().splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("Expiration Date"))
    weekly = settled == "16:00"
    rows = [
        row
        for row in csv.reader(lines[head + 1 :])
        if len(row) > 20 and ("SPXW" in row[1]) == weekly
    ]
    found = []
    for label in dict.fromkeys(row[0] for row in rows):
        end = datetime.strptime(f"{label} {settled}", "%a %b %d %Y %H:%M").replace(
            tzinfo=now.tzinfo
        )
        years = (end - now).total_seconds() / (365 * 86_400)
        own = [row for row in rows if row[0] == label]
        quotes = years > 0 and _spx_expiry(f"{end.date()} {settled}", years, own)
        if quotes:
            found.append(quotes)
    return sorted(found, key=lambda quotes: quotes.years)


def _spx_expiry(expiry: str, years: float, rows: list[list[str]]) -> ExpiryQuotes | None:
    """Puts and calls share a row; a bid of nothing is none."""
    strike = np.array([float(re.sub(",", "", row[11])) for row in rows])
    call_bid, call_ask, put_bid, put_ask = (
        np.array([float(row[column]) or np.nan for row in rows]) for column in (4, 5, 15, 16)
    )
    whole = (call_bid <= call_ask) & (put_bid <= put_ask)
    columns = [c[whole].tolist() for c in (strike, call_bid, call_ask, put_bid, put_ask)]
    parity = parity_fit([Pair(*values) for values in zip(*columns, strict=True)], years)
    if parity is None:
        return None
    return ExpiryQuotes(
        expiry=expiry,
        years=years,
        forward=parity.forward,
        discount=parity.discount,
        tick=0.05,
        strike=np.concatenate((strike, strike)),
        is_call=np.repeat([True, False], strike.size),
        bid=np.concatenate((call_bid, put_bid)),
        ask=np.concatenate((call_ask, put_ask)),
    )
