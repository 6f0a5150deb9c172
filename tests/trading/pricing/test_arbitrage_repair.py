"""Fitted prices before another house's detector of static arbitrage: it finds nothing in them, and
finds what is put there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from brahmastra_site.bench.arbitrage_repair import detected
from tests.trading.pricing.chains import ssvi_chain
from tests.trading.pricing.test_determinism import noisy_chain
from tests.trading.pricing.test_oracles import heston_chain
from trading.pricing.fitting import Fit, Method, fit_surface
from trading.pricing.profiles import FAST, MARKET, Profile

if TYPE_CHECKING:
    from collections.abc import Callable

    from trading.pricing.elementary import Array
    from trading.pricing.quotes import ExpiryQuotes

TOLERANCE = 1e-10
CHAINS: dict[str, Callable[[], list[ExpiryQuotes]]] = {
    "SSVI": ssvi_chain,
    "Heston": heston_chain,
    "crossing each other": noisy_chain,
}


def at_the_quotes(fit: Fit) -> tuple[Array, Array, Array, Array]:
    """Times, strikes, fitted prices and mids of all quotes."""
    return (
        np.concatenate([np.full(f.quotes.count, f.quotes.years) for f in fit.quote_fits]),
        np.concatenate([f.quotes.strike for f in fit.quote_fits]),
        np.concatenate([f.price for f in fit.quote_fits]),
        np.concatenate([f.quotes.mid for f in fit.quote_fits]),
    )


def on_common_strikes(fit: Fit, count: int = 31) -> tuple[Array, Array, Array]:
    """Times, strikes and prices with every strike at every expiry, wings beyond quotes included."""
    assert fit.surface is not None
    strikes = np.linspace(0.75, 1.25, count)
    laws = [fit.surface.expiry(number) for number in range(len(fit.surface.expiries))]
    return (
        np.repeat(fit.surface.years, count),
        np.tile(strikes, len(laws)),
        np.concatenate([law.call(strikes) for law in laws]),
    )


@pytest.mark.parametrize("name", list(CHAINS))
@pytest.mark.parametrize(
    ("profile", "method"), [(FAST, Method.QP), (MARKET, Method.QP), (FAST, Method.LP)]
)
def test_the_detector_finds_nothing_in_fitted_prices(
    name: str, profile: Profile, method: Method
) -> None:
    fit = fit_surface(CHAINS[name](), profile=profile, method=method)
    years, strike, price, _ = at_the_quotes(fit)
    found = detected(years, strike, price, tolerance=TOLERANCE)
    assert found.rows["vertical butterfly"] > 150
    assert found.rows["calendar butterfly"] > 500
    assert sum(found.broken.values()) == 0
    found = detected(*on_common_strikes(fit), tolerance=TOLERANCE)
    assert found.rows["calendar spread"] >= 100
    assert sum(found.broken.values()) == 0


def test_it_does_find_arbitrage_in_the_quotes_themselves() -> None:
    fit = fit_surface(noisy_chain(), profile=MARKET)
    years, strike, _, mid = at_the_quotes(fit)
    broken = detected(years, strike, mid, tolerance=TOLERANCE).broken
    assert broken["vertical butterfly"] >= 5


@pytest.mark.parametrize(
    ("expiry", "change", "category"),
    [
        (0, 5e-3, "vertical butterfly"),
        (0, 2e-2, "calendar spread"),
        (3, -2e-2, "calendar spread"),
        (0, -2e-2, "vertical spread"),
    ],
)
def test_one_price_put_wrong_is_found(expiry: int, change: float, category: str) -> None:
    years, strike, price = on_common_strikes(fit_surface(ssvi_chain(), profile=FAST))
    moved = price.copy()
    moved[31 * expiry + 15] += change
    assert detected(years, strike, moved, tolerance=TOLERANCE).broken[category] > 0
