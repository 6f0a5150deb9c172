"""What of a broker's report the book takes, and when.

Reports come late, twice and in any order. The book takes each once, in the order's own order: a
fill when it comes, an end once all the fills it counts are there. What cannot be taken is set
aside with its reason; where it may mean that the broker holds something else than the book, nothing
is entered until both have been reconciled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from trading.engine.reconciliation import doubt
from trading.execution.booked import BookedOrder
from trading.execution.orders import FILLS, Contract

if TYPE_CHECKING:
    from trading.engine.step import Step
    from trading.execution.positions import Trade

DUPLICATE, UNKNOWN_ORDER = "DUPLICATE", "UNKNOWN_ORDER"
OVERFILL, AFTER_END = "OVERFILL", "AFTER_END"
ACKED, FILLED, PARTIALLY_FILLED = "ACKED", "FILLED", "PARTIALLY_FILLED"

Report = dict[str, Any]


def book_order(step: Step, trade: Trade) -> None:
    """Take an order into the book as it is submitted."""
    data = step.event.data
    step.state.orders[data["order"]] = BookedOrder(
        trade=trade.id,
        contract=msgspec.convert(data["contract"], Contract),
        side=data["side"],
        quantity=data["quantity"],
    )


def take_report(step: Step) -> list[Report]:
    """The reports that the book takes on the one that came, in the order's own order: none, it
    alone, or it with an end that waited for it.
    """
    report = step.event.data
    order = step.state.orders.get(report["order"])
    if order is None:
        _set_aside(step, UNKNOWN_ORDER, f"{report['status']} of an order that is not known")
        return []
    if report["id"] in order.reports:
        _set_aside(step, DUPLICATE, f"report {report['id']} came already", blocks=False)
        return []
    order.reports.append(report["id"])
    if report["status"] in FILLS:
        return _take_fill(step, order, report)
    if report["status"] == ACKED:
        return [report] if len(order.reports) == 1 else []
    return _take_end(step, order, report)


def _take_fill(step: Step, order: BookedOrder, report: Report) -> list[Report]:
    wanted = order.filled + report["quantity"]
    if wanted > order.quantity:
        _set_aside(step, OVERFILL, f"{wanted} filled of {order.quantity} ordered")
        return []
    if order.over:
        _set_aside(step, AFTER_END, f"{report['quantity']} filled of an order that is over")
        return []
    order.filled = wanted
    order.over = wanted == order.quantity
    fill = report | {"status": FILLED if order.over else PARTIALLY_FILLED}
    ending = order.ending
    if order.over or ending is None or ending["filled"] > wanted:
        return [fill]
    order.over, order.ending = True, None
    return [fill, ending]


def _take_end(step: Step, order: BookedOrder, report: Report) -> list[Report]:
    if order.over:
        _set_aside(step, AFTER_END, f"{report['status']} of an order that is over", blocks=False)
        return []
    if report["filled"] > order.filled:
        order.ending = dict(report)
        return []
    order.over = True
    return [report]


def _set_aside(step: Step, verdict: str, reason: str, *, blocks: bool = True) -> None:
    report = step.event.data
    step.emit(
        "report.set_aside",
        {
            "report": report["id"],
            "order": report["order"],
            "broker": report["broker"],
            "status": report["status"],
            "quantity": report["quantity"],
            "price_paise": report["price_paise"],
            "verdict": verdict,
            "reason": reason,
            "blocks": blocks,
        },
        cause=(step.seq,),
        key=report["order"],
    )
    if blocks:
        doubt(step, f"report {report['id']} was set aside: {reason}")
