"""A trade and its legs from the first working order to the flat, immutable archive.

States: OPEN (entry working or partly filled), HOLD (filled), EXIT (exit working), ARCHIVE (flat,
never changes again). Edges are those of `EDGES`; anything else raises.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

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


class LegOrder(msgspec.Struct):
    """One order of a leg: units ordered, and filled so far; `over` when it can fill no more,
    `cancelled` when the house asked for that.
    """

    order: str
    quantity: int
    filled: int = 0
    over: bool = False
    cancelled: bool = False

    @property
    def fell_short(self) -> bool:
        """Whether it ended unfilled without having been asked to."""
        return self.over and self.filled < self.quantity and not self.cancelled


class Leg(msgspec.Struct):
    """One contract of a trade, entered and left in one order or several.

    Quantities in units; values are sums of quantity × price in paise. `exits` are the orders of the
    exit that is under way.
    """

    contract: Contract
    side: Side
    quantity: int
    lot_size: int
    entries: list[LegOrder] = []
    exits: list[LegOrder] = []
    entry_quantity: int = 0
    entry_value_paise: int = 0
    exit_quantity: int = 0
    exit_value_paise: int = 0

    @property
    def open_quantity(self) -> int:
        """Units still held (positive for either side)."""
        return self.entry_quantity - self.exit_quantity

    @property
    def entry_over(self) -> bool:
        """Whether all its entry orders have ended."""
        return all(order.over for order in self.entries)

    @property
    def exit_works(self) -> bool:
        """Whether an order that closes it has not ended."""
        return not all(order.over for order in self.exits)

    @property
    def ahead(self) -> int:
        """Units that may yet be entered."""
        return sum(order.quantity - order.filled for order in self.entries if not order.over)

    @property
    def sign(self) -> int:
        """+1 when the leg was bought, −1 when it was sold."""
        return 1 if self.side == "BUY" else -1

    def gross_paise(self) -> int:
        """Realised profit of the closed part, before costs; entry value counts in proportion."""
        if not self.exit_quantity:
            return 0
        entry_part = self.entry_value_paise * self.exit_quantity // self.entry_quantity
        return self.sign * (self.exit_value_paise - entry_part)


class FoundOrder(NamedTuple):
    """An order of a trade, its leg, and whether it enters it."""

    leg: Leg
    order: LegOrder
    enters: bool

    @property
    def side(self) -> Side:
        return self.leg.side if self.enters else OPPOSITE[self.leg.side]

    def fill(self, quantity: int, price_paise: int) -> None:
        """Add a fill to the order and its leg."""
        self.order.filled += quantity
        if self.enters:
            self.leg.entry_quantity += quantity
            self.leg.entry_value_paise += quantity * price_paise
        else:
            self.leg.exit_quantity += quantity
            self.leg.exit_value_paise += quantity * price_paise


class Trade(msgspec.Struct):
    """One admitted signal and what became of it; `id` is the public id of its `gate.decided`. Times
    µs UTC. `given_up` is why its entry will not be whole.
    """

    id: str
    strategy: str
    underlying: str
    legs: list[Leg]
    state: State | None = None
    position_seq: int = 0  # of its last position.changed
    held_at: int | None = None
    frozen_us: int = 0  # of the time held, while trading was halted
    uneven_since: int | None = None  # while its entry works; later by as long as trading was halted
    given_up: str | None = None
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

    @property
    def entered(self) -> bool:
        """Whether every entry order has ended."""
        return all(leg.entry_over for leg in self.legs)

    @property
    def uneven(self) -> bool:
        """Whether one leg is filled further, in proportion, than another."""
        first = self.legs[0]
        return any(
            leg.entry_quantity * first.quantity != first.entry_quantity * leg.quantity
            for leg in self.legs
        )

    @property
    def exit_works(self) -> bool:
        """Whether an order that closes some of it has not ended."""
        return any(leg.exit_works for leg in self.legs)

    def find_order(self, order: str) -> FoundOrder:
        """Return an order by its id; KeyError when the trade has none of it."""
        for leg in self.legs:
            for orders, enters in ((leg.entries, True), (leg.exits, False)):
                for each in orders:
                    if each.order == order:
                        return FoundOrder(leg, each, enters)
        raise KeyError(order)

    def gross_paise(self) -> int:
        """Realised profit before costs, in paise."""
        return sum(leg.gross_paise() for leg in self.legs)
