"""Contracts and orders. One order is one contract, one side; a structure is several orders of one
trade.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Side = Literal["BUY", "SELL"]
Right = Literal["CE", "PE"]

# What a report's status says of its order.
FILLS = frozenset({"PARTIALLY_FILLED", "FILLED"})
TERMINAL = frozenset({"FILLED", "REJECTED", "CANCELLED", "EXPIRED"})

OPPOSITE: dict[Side, Side] = {"BUY": "SELL", "SELL": "BUY"}


class Contract(msgspec.Struct, frozen=True, order=True):
    """One option: `expiry` ISO date, `strike_paise` integer paise, `right` CE or PE."""

    underlying: str
    expiry: str
    strike_paise: int
    right: Right

    @property
    def label(self) -> str:
        """`NIFTY 2025-09-02 24600 CE`, for people and as a key."""
        rupees, paise = divmod(self.strike_paise, 100)
        strike = f"{rupees}.{paise:02d}" if paise else str(rupees)
        return f"{self.underlying} {self.expiry} {strike} {self.right}"


class Order(msgspec.Struct, frozen=True):
    """What `order.intended` asks for. `quantity` in units, `expected_paise` the opposite quote when
    it was decided, `limit_paise` the worst price (None at the market).
    """

    order: str
    trade: str
    contract: Contract
    side: Side
    quantity: int
    expected_paise: int | None
    limit_paise: int | None = None

    @property
    def sign(self) -> int:
        """+1 to buy, −1 to sell."""
        return 1 if self.side == "BUY" else -1

    def takes(self, price_paise: int) -> bool:
        """Whether its limit lets it be filled at a price."""
        return self.limit_paise is None or self.sign * (price_paise - self.limit_paise) <= 0
