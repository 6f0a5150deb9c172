"""The parity forward: which strikes speak, how they are averaged, how it rounds."""

from __future__ import annotations

from fractions import Fraction
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.pricing.forward import parity_forward

Quote = tuple[int | None, int | None, int | None, int | None]


def _forward(quotes: dict[int, Quote]) -> tuple[int | None, int, int | None]:
    strikes = sorted(quotes)
    columns = [[quotes[strike][i] for strike in strikes] for i in range(4)]
    return tuple(parity_forward(strikes, *columns))  # type: ignore[return-value]


def _around(forward: int, strike: int, call_mid: int) -> Quote:
    """Quotes of width 2 whose parity forward is `forward`."""
    put_mid = call_mid - forward + strike
    return (call_mid - 1, call_mid + 1, put_mid - 1, put_mid + 1)


def test_the_median_of_the_five_strikes_nearest_the_money() -> None:
    quotes = {strike: _around(10_000, strike, 2_000) for strike in range(9_000, 11_001, 250)}
    quotes[10_000] = _around(10_300, 10_000, 2_000)  # one bad strike near the money
    assert _forward(quotes) == (10_000, 5, 300)


def test_strikes_far_from_the_money_do_not_speak() -> None:
    quotes = {strike: _around(10_000, strike, 2_000) for strike in range(9_500, 10_501, 250)}
    for strike in (8_000, 12_000, 12_500, 13_000):
        quotes[strike] = _around(11_111, strike, 4_000)
    assert _forward(quotes) == (10_000, 5, 0)


@pytest.mark.parametrize("side", range(4))
def test_a_strike_that_lacks_a_quote_does_not_speak(side: int) -> None:
    quotes = {strike: _around(10_000, strike, 2_000) for strike in (9_750, 10_000, 10_250)}
    quotes[10_050] = _around(12_000, 10_050, 2_000)
    assert _forward(quotes)[1] == 4
    lacking = list(quotes[10_050])
    lacking[side] = None
    quotes[10_050] = tuple(lacking)  # type: ignore[assignment]
    assert _forward(quotes) == (10_000, 3, 0)


def test_a_crossed_strike_does_not_speak_and_a_locked_one_does() -> None:
    quotes = {strike: _around(10_000, strike, 2_000) for strike in (9_750, 10_000, 10_250)}
    quotes[10_050] = (2_001, 2_000, 2_000, 2_002)
    assert _forward(quotes)[1] == 3
    quotes[10_050] = (2_000, 2_000, 2_000, 2_002)
    assert _forward(quotes)[1] == 4


def test_fewer_than_three_strikes_give_no_forward() -> None:
    quotes = {strike: _around(10_000, strike, 2_000) for strike in (10_000, 10_250)}
    assert _forward(quotes) == (None, 2, 0)
    assert _forward({}) == (None, 0, None)


def test_half_a_paisa_rounds_up() -> None:
    quotes: dict[int, Quote] = {
        strike: (100, 101, 100 + strike - 10_000, 100 + strike - 10_000)
        for strike in (10_000, 10_001, 10_002)
    }
    assert _forward(quotes) == (10_001, 3, 0)  # each says 10,000.5


def test_of_two_equally_near_the_lower_strike_speaks() -> None:
    quotes = {strike: _around(10_000, strike, 2_000) for strike in (9_900, 9_950, 10_000, 10_050)}
    quotes[9_800] = _around(9_900, 9_800, 2_000)  # as far from the money as the next
    quotes[10_100] = _around(10_200, 10_100, 2_000)
    assert _forward(quotes) == (10_000, 5, 100)


quotes_of_a_strike = st.tuples(*[st.one_of(st.none(), st.integers(5, 4_000))] * 4)


@given(st.dictionaries(st.integers(1, 400).map(lambda n: n * 50), quotes_of_a_strike))
def test_it_is_the_rounded_median_of_the_definition(quotes: dict[int, Quote]) -> None:
    candidates = []
    for strike, (call_bid, call_ask, put_bid, put_ask) in sorted(quotes.items()):
        if None in {call_bid, call_ask, put_bid, put_ask}:
            continue
        assert call_bid is not None and call_ask is not None  # noqa: PT018
        assert put_bid is not None and put_ask is not None  # noqa: PT018
        if call_bid <= call_ask and put_bid <= put_ask:
            difference = Fraction(call_bid + call_ask - put_bid - put_ask, 2)
            candidates.append((abs(difference), strike, strike + difference))
    values = [value for _, _, value in sorted(candidates)[:5]]
    forward, pairs, _ = _forward(quotes)
    assert pairs == len(values)
    if len(values) < 3:
        assert forward is None
    else:
        assert forward is not None
        assert Fraction(-1, 2) < forward - median(values) <= Fraction(1, 2)
