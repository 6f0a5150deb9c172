"""The book against what the broker says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.execution.broker import Holding

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trading.execution.orders import Contract
    from trading.execution.positions import Trade


def book_holdings(trades: Iterable[Trade]) -> list[Holding]:
    """What the trades hold, by contract, in ascending order."""
    units: dict[Contract, int] = {}
    for trade in trades:
        for leg in trade.legs:
            units[leg.contract] = units.get(leg.contract, 0) + leg.sign * leg.open_quantity
    return [Holding(contract, units[contract]) for contract in sorted(units) if units[contract]]
