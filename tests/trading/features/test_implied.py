"""The ATM implied volatility feature against numpy, and its missing values with reasons."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.market_factory import DAYS, chain_frame
from trading.features.implied import atm_implied
from trading.features.window import FloatWindow
from trading.market.calendar import session_hours

NOON = session_hours(DAYS[0]).open_us + 3_600_000_000
volatilities = st.lists(st.floats(0.05, 0.6), min_size=10, max_size=10)


def window_of(values: list[float]) -> FloatWindow:
    window = FloatWindow(len(values))
    for value in values:
        window.append(value)
    return window


@pytest.mark.parametrize("underlying", ["NIFTY", "BANKNIFTY"])
@pytest.mark.parametrize("volatility", [0.06, 0.12, 0.35])
def test_the_volatility_quoted_around_is_found(underlying: str, volatility: float) -> None:
    """Quotes are within two ticks of the model price.

    A tick is worth about 0.05 vol points here.
    """
    found = atm_implied(chain_frame(underlying, NOON, volatility), FloatWindow(5))
    assert found.atm_iv == pytest.approx(volatility, abs=1e-3)
    assert found.z_score is None
    assert found.z_score_reason == "WARMING_UP 0 of 5"


@given(volatilities)
def test_z_is_numpys(values: list[float]) -> None:
    found = atm_implied(chain_frame("NIFTY", NOON, 0.12), window_of(values))
    deviation = np.std(values, ddof=1)
    if deviation < 1e-9:
        return
    assert found.atm_iv is not None
    assert found.z_score == pytest.approx((found.atm_iv - np.mean(values)) / deviation, rel=1e-6)


def test_a_window_without_variation_has_no_z() -> None:
    found = atm_implied(chain_frame("NIFTY", NOON, 0.12), window_of([0.125] * 10))
    assert (found.z_score, found.z_score_reason) == (None, "NO_VARIATION")


def test_a_missing_quote_at_the_money_has_a_reason_and_no_value() -> None:
    hidden = chain_frame("NIFTY", NOON, 0.12, hidden_strikes=(2_530_000,))
    found = atm_implied(hidden, window_of([0.1, 0.2, 0.3]))
    assert (found.atm_iv, found.atm_iv_reason) == (None, "NO_QUOTE")
    assert (found.z_score, found.z_score_reason) == (None, "NO_ATM_IV")


def test_logged_numbers_have_twelve_significant_digits() -> None:
    found = atm_implied(chain_frame("NIFTY", NOON, 0.1234), window_of([0.1, 0.11, 0.13]))
    for value in (found.atm_iv, found.mean, found.deviation, found.z_score):
        assert value is not None
        assert value == float(f"{value:.12g}")


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=20), st.integers(1, 8))
def test_a_window_restores_bit_for_bit(values: list[float], capacity: int) -> None:
    window = FloatWindow(capacity)
    for value in values:
        window.append(value)
    again = FloatWindow.restore(window.dump())
    kept = values[-capacity:] if values else []
    assert again.dump() == window.dump()
    assert len(again) == len(kept)
    for mine, theirs in zip(again, kept, strict=True):
        assert math.copysign(1, mine) == math.copysign(1, theirs) or math.isnan(theirs)
        assert mine == theirs or (math.isnan(mine) and math.isnan(theirs))
