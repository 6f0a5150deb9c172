"""A trade and its legs from the first working order to the flat, immutable archive.

States: OPEN (entry working or partly filled), HOLD (filled), EXIT (exit working), ARCHIVE (flat,
never changes again). Edges are those of `EDGES`; anything else raises.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from trading.costs.fees import Fees
from trading.execution.orders import OPPOSITE, Contract, Side
from trading.execution.slippage import Slippage


class State(StrEnum):
    """Where a trade stands."""

    OPEN = "OPEN"
    HOLD = "HOLD"
    EXIT = "EXIT"
    ARCHIVE = "ARCHIVE"


EDGES: frozenset[tuple[State | None, State]] = frozenset(
    {
        (None, State.OPEN),
        (State.OPEN, State.HOLD),
        (State.HOLD, State.EXIT),
        (State.EXIT, State.ARCHIVE),
        (State.OPEN, State.ARCHIVE),  # cancelled with nothing filled
        (State.OPEN, State.EXIT),  # partly filled, then given up
        (State.EXIT, State.HOLD),  # the exit was rejected or cancelled
    }
)


class IllegalTransitionError(Exception):
    """A trade was asked to move along an edge that does not exist."""


class Leg(msgspec.Struct):
    """One contract of a trade.

    Quantities in units; values are sums of quantity × price in paise.
    """

    contract: Contract
    side: Side
    quantity: int
    lot_size: int
    entry_order: str
    exit_order: str | None = None
    entry_quantity: int = 0
    entry_value_paise: int = 0
    exit_quantity: int = 0
    exit_value_paise: int = 0
    entry_over: bool = False  # the entry order can fill no more
    exit_over: bool = False

    @property
    def open_quantity(self) -> int:
        """Units still held (positive for either side)."""
        return self.entry_quantity - self.exit_quantity

    @property
    def sign(self) -> int:
        """+1 when the leg was bought, −1 when it was sold."""
        return 1 if self.side == "BUY" else -1

    def side_of(self, order: str) -> Side:
        """The side of its entry order or its exit order."""
        return self.side if order == self.entry_order else OPPOSITE[self.side]

    def gross_paise(self) -> int:
        """Realised profit of the closed part, before costs; entry value counts in proportion."""
        if not self.exit_quantity:
            return 0
        entry_part = self.entry_value_paise * self.exit_quantity // self.entry_quantity
        return self.sign * (self.exit_value_paise - entry_part)


class Trade(msgspec.Struct):
    """One admitted signal and what became of it; `id` is the public id of its `gate.decided`. Times
    µs UTC.
    """

    id: str
    strategy: str
    underlying: str
    legs: list[Leg]
    state: State | None = None
    position_seq: int = 0  # of its last position.changed
    held_at: int | None = None
    frozen_us: int = 0  # of the time held, while trading was halted
    exit_reason: str | None = None
    fees: Fees = msgspec.field(default_factory=Fees)  # of its fills so far
    slippage: Slippage = msgspec.field(default_factory=Slippage)  # likewise

    def move(self, to: State) -> None:
        """Follow an edge; raises IllegalTransitionError when there is none."""
        if (self.state, to) not in EDGES:
            raise IllegalTransitionError(f"trade {self.id}: no edge from {self.state} to {to}")
        if to is State.ARCHIVE and any(leg.open_quantity for leg in self.legs):
            raise IllegalTransitionError(f"trade {self.id}: ARCHIVE with open quantity")
        self.state = to

    def leg_of_order(self, order: str) -> tuple[Leg, bool]:
        """Return the leg an order belongs to and whether the order is its entry; KeyError when
        none.
        """
        for leg in self.legs:
            if leg.entry_order == order:
                return leg, True
            if leg.exit_order == order:
                return leg, False
        raise KeyError(order)

    def gross_paise(self) -> int:
        """Realised profit before costs, in paise."""
        return sum(leg.gross_paise() for leg in self.legs)
