"""Prices of a day that shows none but its closes: against a second calculation in fractions."""

from __future__ import annotations

import math
from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.execution.closing import TICK_PAISE, modelled_price, no_closes
from trading.execution.orders import OPPOSITE, Contract

if TYPE_CHECKING:
    from trading.execution.orders import Side

SIDES: tuple[Side, ...] = ("BUY", "SELL")


def priced(close_paise: int, side: Side) -> int:
    """A tick or four per mille worse, outward to the tick, never below a tick."""
    half = max(Fraction(5), Fraction(4, 1000) * close_paise)
    if side == "BUY":
        return 5 * math.ceil((close_paise + half) / 5)
    return max(5, 5 * math.floor((close_paise - half) / 5))


@given(st.integers(0, 10_000_000), st.sampled_from(SIDES))
def test_it_is_the_half_spread_outward_to_the_tick(close_paise: int, side: Side) -> None:
    assert modelled_price(close_paise, side) == priced(close_paise, side)


@pytest.mark.parametrize(
    ("close_paise", "buys", "sells"),
    [
        (0, 5, 5),
        (5, 10, 5),
        (10, 15, 5),
        (12, 20, 5),
        (1250, 1255, 1245),  # where a tick and four per mille meet
        (1255, 1265, 1245),
        (10_000, 10_040, 9_960),
        (10_001, 10_045, 9_960),
    ],
)
def test_below_at_and_above_the_tick(close_paise: int, buys: int, sells: int) -> None:
    assert modelled_price(close_paise, "BUY") == buys
    assert modelled_price(close_paise, "SELL") == sells


@given(st.integers(0, 10_000_000))
def test_neither_side_gains(close_paise: int) -> None:
    buys, sells = (modelled_price(close_paise, side) for side in SIDES)
    assert buys > close_paise
    assert sells < close_paise or sells == TICK_PAISE
    assert buys % TICK_PAISE == sells % TICK_PAISE == 0


def test_a_day_on_its_own_quotes_has_no_closes() -> None:
    assert no_closes(date(2026, 2, 26)) == {}


@pytest.mark.parametrize(
    ("strike_paise", "label"),
    [
        (2_460_000, "NIFTY 2025-09-02 24600 CE"),
        (2_460_050, "NIFTY 2025-09-02 24600.50 CE"),
        (2_460_005, "NIFTY 2025-09-02 24600.05 CE"),
        (99, "NIFTY 2025-09-02 0.99 CE"),
    ],
)
def test_a_contract_s_label_has_paise_where_there_are_some(strike_paise: int, label: str) -> None:
    assert Contract("NIFTY", "2025-09-02", strike_paise, "CE").label == label


def test_sides_are_each_other_s_opposite() -> None:
    assert {side: OPPOSITE[OPPOSITE[side]] for side in SIDES} == {"BUY": "BUY", "SELL": "SELL"}
    assert all(OPPOSITE[side] != side for side in SIDES)
