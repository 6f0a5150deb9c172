"""Brokers that are not known and rates they do not have."""

from __future__ import annotations

from datetime import date

import pytest

from trading.costs.brokers import broker_named, broker_names
from trading.costs.rates import CostError

DAY = date(2026, 2, 26)


def test_a_name_nobody_has_is_refused_with_those_there_are() -> None:
    with pytest.raises(CostError, match=r"no broker 'NOBODY', expected one of .*ZERODHA"):
        broker_named("NOBODY")


@pytest.mark.parametrize("name", broker_names())
def test_a_rate_it_does_not_have_is_no_rate(name: str) -> None:
    with pytest.raises(CostError, match=f"no brokerage of {name} for SPOT BUY"):
        broker_named(name).brokerage("SPOT", "BUY", DAY)
