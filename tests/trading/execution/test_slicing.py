"""Orders no larger than the exchange takes, and nothing lost between them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.execution.slicing import slices


@pytest.mark.parametrize(
    ("quantity", "lot", "freeze", "expected"),
    [
        (1_755, 65, 1_800, (1_755,)),
        (1_820, 65, 1_800, (1_755, 65)),
        (3_510, 65, 1_800, (1_755, 1_755)),
        (3_250, 65, 1_800, (1_755, 1_495)),
        (600, 30, 600, (600,)),
        (630, 30, 600, (600, 30)),
        (1_793, 65, 1_800, (1_755, 38)),
        (70, 65, 1_800, (70,)),
        (0, 65, 1_800, ()),
        (0, 65, 64, ()),
        (130, 65, 64, (130,)),
        (130, 0, 1_800, (130,)),
    ],
)
def test_known_cuts(quantity: int, lot: int, freeze: int, expected: tuple[int, ...]) -> None:
    assert slices(quantity, lot_size=lot, freeze_quantity=freeze) == expected


@given(quantity=st.integers(0, 50_000), lot=st.integers(1, 200), freeze=st.integers(1, 5_000))
def test_all_of_it_leaves_in_orders_the_exchange_takes(
    quantity: int, lot: int, freeze: int
) -> None:
    found = slices(quantity, lot_size=lot, freeze_quantity=freeze)
    assert sum(found) == quantity
    assert all(each > 0 for each in found)
    if freeze < lot:
        return
    assert all(each <= freeze for each in found)
    assert all(each % lot == 0 for each in found[:-1])
    if quantity % lot == 0:
        assert all(each % lot == 0 for each in found)
    assert len(found) == -(-quantity // (freeze // lot * lot)), "no more orders than it takes"
