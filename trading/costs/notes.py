"""The contract note of a day: everything done that day under one broker, billed once.

Rounding is of the day's sums, never of an order: STT to the paisa and then to the rupee, stamp duty
to the rupee, the rest to the paisa, always half-up; GST from unrounded inputs, its two halves (CGST
and SGST) each for itself; the total is the sum of the rounded lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trading.costs.amounts import E18, PAISE_IN_RUPEE, half_up, paise_of, to_rupee
from trading.costs.india import Charges, charges_of, exercise_lines, order_lines
from trading.costs.rates import CostError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from trading.costs.brokers import Broker
    from trading.costs.india import Exercise, Fill, Line


class Order(NamedTuple):
    """The fills of an order (see order_lines for `executed_orders`)."""

    fills: tuple[Fill, ...]
    executed_orders: int = 1


class NoteItem(NamedTuple):
    """One order or exercise of a note, with the exact lines it costs."""

    item: Order | Exercise
    lines: tuple[Line, ...]

    @property
    def quantity(self) -> int:
        """Its units."""
        if isinstance(self.item, Order):
            return sum(fill.quantity for fill in self.item.fills)
        return self.item.quantity


class ContractNote(NamedTuple):
    """A day's note: `exact` in 10^-18 paise, `billed` in paise."""

    day: date
    items: tuple[NoteItem, ...]
    exact: Charges
    billed: Charges


def contract_note(
    day: date, broker: Broker, orders: Iterable[Order], exercises: Iterable[Exercise] = ()
) -> ContractNote:
    """The note of what was done on a day. Raises CostError for an empty note, and for what the
    tables do not answer for.
    """
    items = (
        *(
            NoteItem(
                order,
                order_lines(order.fills, day, broker, executed_orders=order.executed_orders),
            )
            for order in orders
        ),
        *(NoteItem(exercise, exercise_lines(exercise, day, broker)) for exercise in exercises),
    )
    if not items:
        msg = f"nothing was done on {day}: no order and no exercise"
        raise CostError(msg)
    exact = charges_of(line for item in items for line in item.lines)
    return ContractNote(day, items, exact, billed_charges(exact))


def billed_charges(exact: Charges) -> Charges:
    """What a note bills (paise) of the exact charges (10^-18 paise) of its day."""
    return Charges(
        brokerage=paise_of(exact.brokerage),
        stt=to_rupee(paise_of(exact.stt)),
        exchange=paise_of(exact.exchange),
        sebi=paise_of(exact.sebi),
        stamp=half_up(exact.stamp, PAISE_IN_RUPEE * E18) * PAISE_IN_RUPEE,
        gst=2 * half_up(exact.gst, 2 * E18),
    )
