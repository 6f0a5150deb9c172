"""What fills cost beyond the price their orders expected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from trading.execution.orders import Side


def slippage_paise(side: Side, price_paise: int, expected_paise: int) -> int:
    """What a unit cost more, or brought less, than was expected; negative when it went better."""
    return price_paise - expected_paise if side == "BUY" else expected_paise - price_paise


class Slippage(msgspec.Struct):
    """A running sum over fills: paise lost to prices other than expected (negative: gained), and
    how many fills' orders expected no price, of which nothing can be said.
    """

    paise: int = 0
    unpriced_fills: int = 0

    def add(self, side: Side, quantity: int, price_paise: int, expected_paise: int | None) -> None:
        """Count a fill of `quantity` units."""
        if expected_paise is None:
            self.unpriced_fills += 1
        else:
            self.paise += quantity * slippage_paise(side, price_paise, expected_paise)
