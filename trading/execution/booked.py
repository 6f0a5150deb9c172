"""What the book knows of an order that left the house, and of how it compares with the broker's."""

from __future__ import annotations

from typing import Any

import msgspec

from trading.execution.broker import Holding
from trading.execution.orders import Contract, Side


class BookedOrder(msgspec.Struct):
    """An order of the day as the book has it.

    `filled` are the units taken of its reports, `reports` the ids of these; `ending` is a report of
    its end that came before all the fills it counts; `over` says that nothing more can be taken.
    """

    trade: str
    contract: Contract
    side: Side
    quantity: int
    filled: int = 0
    reports: list[str] = []
    ending: dict[str, Any] | None = None
    over: bool = False


class Due(msgspec.Struct, frozen=True):
    """A reconciliation that has to be made: why, in a word and in a sentence, and the seq of the
    event that wants it.
    """

    why: str
    detail: str
    seq: int


class Reconciliation(msgspec.Struct):
    """Where the book stands against the broker's.

    `doubt` is why nothing may be entered, None while both agree; `due` the reconciliation that the
    broker has to be asked for; `seq` that of the last book.reconciled. `units` are those by which
    the broker's holdings differed in it and `orders` the orders that differed; `accepted_units` and
    `accepted_orders` what may differ since two people have accepted it.
    """

    doubt: str | None = None
    due: Due | None = None
    seq: int = 0
    units: list[Holding] = []
    orders: list[str] = []
    accepted_units: list[Holding] = []
    accepted_orders: list[str] = []
