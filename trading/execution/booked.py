"""What the book knows of an order that left the house, and of how it compares with the broker's."""

from __future__ import annotations

from typing import Any

import msgspec

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


class Reconciliation(msgspec.Struct):
    """Where the book stands against the broker's.

    `doubt` is why nothing may be entered, None while both agree; `seq` that of the last
    book.reconciled; `accepted` the units by which the broker may differ, by contract label, since
    somebody has accepted it.
    """

    doubt: str | None = None
    seq: int = 0
    accepted: dict[str, int] = {}
