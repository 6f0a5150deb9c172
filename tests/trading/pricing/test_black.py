"""Black-76 against an independent implementation, and its inverse against itself."""

from __future__ import annotations

import math

import pytest
import QuantLib
from hypothesis import assume, given
from hypothesis import strategies as st

from trading.market.frames import ExpiryBlock
from trading.pricing.black import (
    YEAR_US,
    VolatilityStatus,
    atm_volatility,
    black_price,
    implied_volatility,
    years_between,
)

RIGHTS = {"CE": QuantLib.Option.Call, "PE": QuantLib.Option.Put}
forwards = st.floats(1e2, 1e7)
moneyness = st.floats(-0.5, 0.5)
maturities = st.floats(1 / 365 / 24, 3.0)
volatilities = st.floats(0.02, 2.0)
rights = st.sampled_from(["CE", "PE"])


@given(forwards, moneyness, maturities, volatilities, rights)
def test_prices_agree_with_quantlib(
    forward: float, distance: float, years: float, volatility: float, right: str
) -> None:
    strike = forward * math.exp(distance)
    expected = QuantLib.blackFormula(RIGHTS[right], strike, forward, volatility * math.sqrt(years))
    ours = black_price(forward, strike, years, volatility, right)
    assert ours == pytest.approx(expected, rel=1e-10, abs=1e-13 * forward)


@given(forwards, moneyness, maturities, volatilities)
def test_parity_holds(forward: float, distance: float, years: float, volatility: float) -> None:
    strike = forward * math.exp(distance)
    call = black_price(forward, strike, years, volatility, "CE")
    put = black_price(forward, strike, years, volatility, "PE")
    assert call - put == pytest.approx(forward - strike, abs=1e-10 * forward)


@given(forwards, moneyness, maturities, volatilities)
def test_the_volatility_of_a_price_is_the_one_it_was_made_with(
    forward: float, distance: float, years: float, volatility: float
) -> None:
    strike = forward * math.exp(distance)
    right = "CE" if strike >= forward else "PE"
    price = black_price(forward, strike, years, volatility, right)
    assume(price > forward * 1e-200)
    deviation = volatility * math.sqrt(years)
    assume(deviation < 4)  # beyond, the price no longer tells volatilities apart to 1e-9
    solved = implied_volatility(price, forward, strike, years, right)
    assert solved.status is VolatilityStatus.OK
    assert solved.value == pytest.approx(volatility, rel=1e-9)


@given(st.integers(100_00, 60_000_00), st.integers(-20, 20), st.integers(1, 400_000), rights)
def test_whatever_is_solved_gives_the_price_back(
    forward: int, steps: int, price: int, right: str
) -> None:
    strike = forward + steps * 50_00
    assume(strike > 0)
    solved = implied_volatility(price, forward, strike, 5 / 365, right)
    sign = 1 if right == "CE" else -1
    if price <= max(sign * (forward - strike), 0):
        assert solved == (None, VolatilityStatus.BELOW_INTRINSIC)
    elif price >= (forward if right == "CE" else strike):
        assert solved == (None, VolatilityStatus.ABOVE_BOUND)
    else:
        assert solved.value is not None
        assert black_price(forward, strike, 5 / 365, solved.value, right) == pytest.approx(
            price, rel=1e-9
        )


def test_implied_volatility_agrees_with_quantlib() -> None:
    for strike, price in ((24_000.0, 620.5), (24_575.0, 210.0), (25_500.0, 12.35)):
        deviation = QuantLib.blackFormulaImpliedStdDev(
            QuantLib.Option.Call, strike, 24_575.43, price, 1.0, 0.0, 0.02, 1e-15, 1000
        )
        solved = implied_volatility(price, 24_575.43, strike, 4 / 365, "CE")
        assert solved.value == pytest.approx(deviation / math.sqrt(4 / 365), rel=1e-9)


@pytest.mark.parametrize(
    ("price", "forward", "strike", "years", "right", "status"),
    [
        (100.0, 200.0, 100.0, 1.0, "CE", VolatilityStatus.BELOW_INTRINSIC),
        (99.0, 200.0, 100.0, 1.0, "CE", VolatilityStatus.BELOW_INTRINSIC),
        (0.0, 100.0, 100.0, 1.0, "PE", VolatilityStatus.BELOW_INTRINSIC),
        (200.0, 200.0, 100.0, 1.0, "CE", VolatilityStatus.ABOVE_BOUND),
        (100.0, 200.0, 100.0, 1.0, "PE", VolatilityStatus.ABOVE_BOUND),
        (10.0, 100.0, 100.0, 0.0, "CE", VolatilityStatus.EXPIRED),
        (10.0, 100.0, 100.0, -1.0, "CE", VolatilityStatus.EXPIRED),
        (math.nan, 100.0, 100.0, 1.0, "CE", VolatilityStatus.BAD_INPUT),
        (10.0, math.inf, 100.0, 1.0, "CE", VolatilityStatus.BAD_INPUT),
        (10.0, 100.0, 0.0, 1.0, "CE", VolatilityStatus.BAD_INPUT),
        (10.0, 100.0, 100.0, 1.0, "XX", VolatilityStatus.BAD_INPUT),
    ],
)
def test_where_there_is_no_volatility_the_reason_is_named(
    price: float, forward: float, strike: float, years: float, right: str, status: str
) -> None:
    assert implied_volatility(price, forward, strike, years, right) == (None, status)


@pytest.mark.parametrize(
    ("forward", "strike", "years", "volatility", "right"),
    [
        (0.0, 100.0, 1.0, 0.2, "CE"),
        (100.0, -1.0, 1.0, 0.2, "CE"),
        (100.0, 100.0, -1.0, 0.2, "PE"),
        (100.0, 100.0, 1.0, -0.2, "PE"),
        (100.0, 100.0, 1.0, math.nan, "PE"),
        (100.0, 100.0, 1.0, 0.2, "call"),
    ],
)
def test_a_price_of_nonsense_is_refused(
    forward: float, strike: float, years: float, volatility: float, right: str
) -> None:
    with pytest.raises(ValueError, match=r"Black-76|right"):
        black_price(forward, strike, years, volatility, right)


def test_no_time_or_no_volatility_leaves_the_intrinsic_value() -> None:
    assert black_price(120.0, 100.0, 0.0, 0.2, "CE") == 20.0
    assert black_price(120.0, 100.0, 1.0, 0.0, "PE") == 0.0


def _block(**changes: object) -> ExpiryBlock:
    columns: dict[str, object] = {
        name: (None, None, None)
        for name in ExpiryBlock.__struct_fields__
        if name.startswith(("call_", "put_"))
    }
    columns |= {
        "expiry": "2026-03-02",
        "expires_at_us": YEAR_US,
        "forward_paise": 100_00,
        "forward_pairs": 3,
        "forward_spread_paise": 0,
        "strike_paise": (90_00, 100_00, 110_00),
    }
    return ExpiryBlock(**(columns | changes))  # type: ignore[arg-type]


def _quoted(call: tuple[int, int], put: tuple[int, int], **changes: object) -> ExpiryBlock:
    return _block(
        call_bid_paise=(None, call[0], None),
        call_ask_paise=(None, call[1], None),
        put_bid_paise=(None, put[0], None),
        put_ask_paise=(None, put[1], None),
        **changes,
    )


def test_atm_volatility_is_the_average_of_call_and_put_at_the_nearest_strike() -> None:
    found = atm_volatility(_quoted((780, 800), (800, 820)), 0)
    call = implied_volatility(790, 100_00, 100_00, 1.0, "CE").value
    put = implied_volatility(810, 100_00, 100_00, 1.0, "PE").value
    assert call is not None
    assert put is not None
    assert found == ((call + put) / 2, VolatilityStatus.OK, 100_00)


def test_of_two_strikes_equally_near_the_lower_is_read() -> None:
    found = atm_volatility(_quoted((780, 800), (800, 820), forward_paise=105_00), 0)
    assert found.strike_paise == 100_00


@pytest.mark.parametrize(
    ("block", "now", "status"),
    [
        (_quoted((780, 800), (800, 820), forward_paise=None), 0, VolatilityStatus.NO_FORWARD),
        (_quoted((780, 800), (800, 820), forward_paise=90_00), 0, VolatilityStatus.NO_QUOTE),
        (_quoted((801, 800), (800, 820)), 0, VolatilityStatus.NO_QUOTE),
        (_quoted((780, 800), (800, 820)), YEAR_US, VolatilityStatus.EXPIRED),
        (
            _quoted((780, 800), (5, 10), forward_paise=104_00),
            0,
            VolatilityStatus.OK,
        ),
        (
            _quoted((5, 10), (800, 820), forward_paise=104_00),
            0,
            VolatilityStatus.BELOW_INTRINSIC,
        ),
    ],
)
def test_atm_volatility_says_why_there_is_none(block: ExpiryBlock, now: int, status: str) -> None:
    found = atm_volatility(block, now)
    assert found.status == status
    assert (found.value is None) == (status != VolatilityStatus.OK)


def test_years_are_of_365_days() -> None:
    assert years_between(0, 365 * 86_400_000_000) == 1.0
    assert years_between(86_400_000_000, 0) == -1 / 365
