"""What fills cost beyond what their orders expected."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.execution.slippage import Slippage, slippage_paise


@pytest.mark.parametrize(
    ("side", "price", "worse"),
    [("BUY", 105, 5), ("BUY", 95, -5), ("SELL", 105, -5), ("SELL", 95, 5)],
)
def test_paying_more_and_getting_less_is_worse(side: str, price: int, worse: int) -> None:
    assert slippage_paise(side, price, 100) == worse  # type: ignore[arg-type]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["BUY", "SELL"]),
            st.integers(1, 10**4),
            st.integers(5, 10**6),
            st.none() | st.integers(5, 10**6),
        )
    )
)
def test_the_sum_is_what_was_paid_less_what_was_expected(
    fills: list[tuple[str, int, int, int | None]],
) -> None:
    slippage, paid, expected = Slippage(), 0, 0
    for side, quantity, price, hoped in fills:
        slippage.add(side, quantity, price, hoped)  # type: ignore[arg-type]
        sign = 1 if side == "BUY" else -1
        paid += 0 if hoped is None else sign * quantity * price
        expected += 0 if hoped is None else sign * quantity * hoped
    assert slippage.paise == paid - expected
    assert slippage.unpriced_fills == sum(hoped is None for *_, hoped in fills)
