"""The cost of blocked margin."""

from __future__ import annotations

import pytest

from trading.costs.amounts import E18, rupees_of_exact
from trading.costs.funding import funding_e18, funding_points_e18
from trading.costs.rates import CostError


def test_seven_per_cent_of_a_margin_for_its_days() -> None:
    assert rupees_of_exact(funding_e18(36_500_000, 10)) == "700.00"  # 365,000 rupees, 7 %, 10 days
    assert rupees_of_exact(funding_e18(36_500_000, 10, 100_000_000)) == "1000.00"
    assert funding_e18(36_500_000, 0) == 0


def test_in_index_points_a_unit() -> None:
    assert funding_points_e18(36_500_000, 10, 70) == 10 * E18
    assert funding_points_e18(36_500_000, 10, 7_000) == E18 // 10


@pytest.mark.parametrize("bad", [(-1, 1, 1), (1, -1, 1), (1, 1, -1)])
def test_negative_figures_are_refused(bad: tuple[int, int, int]) -> None:
    with pytest.raises(CostError, match="negative"):
        funding_e18(*bad)


def test_no_units_are_refused() -> None:
    with pytest.raises(CostError, match="0 units"):
        funding_points_e18(36_500_000, 10, 0)
