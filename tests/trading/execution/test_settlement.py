"""What a unit pays at its expiry."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.market_factory import DAYS
from trading.execution.orders import Contract
from trading.execution.settlement import intrinsic_paise, no_settlements

PAISE = st.integers(1, 10_000_000)


@given(strike=PAISE, price=PAISE)
def test_a_call_less_its_put_pays_the_distance_from_the_strike(strike: int, price: int) -> None:
    call, put = (
        intrinsic_paise(Contract("NIFTY", "2026-03-02", strike, right), price)
        for right in ("CE", "PE")
    )
    assert call - put == price - strike
    assert min(call, put) == 0


def test_nothing_is_known_unless_it_is_on_record() -> None:
    assert no_settlements(DAYS[0]) == {}
