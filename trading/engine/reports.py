"""What the broker says, and how trades move on it."""

from __future__ import annotations

from typing import Any

from trading.engine.breakers import watch_report
from trading.engine.charging import charge_fill
from trading.engine.exits import propose_exits
from trading.engine.lifecycle import emit_position, move, settle
from trading.engine.orders import NOT_SENT
from trading.engine.report_intake import book_order, take_report
from trading.engine.step import EngineError, Step
from trading.engine.unwinding import watch_evenness
from trading.execution.orders import FILLS, TERMINAL, Side
from trading.execution.positions import FoundOrder, State, Trade


def on_order_submitted(step: Step) -> None:
    """The attempt is on record; nothing moves before the broker reports. A cancellation may find
    that its order has ended meanwhile.
    """
    data = step.event.data
    if data["purpose"] != "cancel":
        book_order(step, _trade_of(step, data["order"]))


def on_broker_report(step: Step) -> None:
    """Move a trade along on what the book takes of a report."""
    data = step.event.data
    # An order that was not submitted is not in the book; that is the house's own word.
    withdrawn = data["reason_code"] == NOT_SENT and data["order"] not in step.state.orders
    for report in [data] if withdrawn else take_report(step):
        apply_report(step, report)
    propose_exits(step)


def apply_report(step: Step, report: dict[str, Any]) -> None:
    """Apply a report to its leg and move its trade along."""
    trade = _trade_of(step, report["order"])
    found = trade.find_order(report["order"])
    if trade.state is None:
        move(step, trade, State.OPEN, report)
    first = not found.order.filled
    filled = _apply(found, report)
    if filled:
        charge_fill(step, trade, found, report, first=first)
        if found.enters:
            watch_evenness(step, trade)
        _count_slippage(step, trade, found.side, report)
    if not found.enters and trade.state in {State.HOLD, State.OPEN}:
        move(step, trade, State.EXIT, report)
    elif filled:
        emit_position(step, trade, before=trade.state, reason=report["status"])
    if report["reason_code"] != NOT_SENT:  # what never left says nothing of the broker
        watch_report(step, report, found.side)
    settle(step, trade, report)


def _trade_of(step: Step, order: str) -> Trade:
    for trade in step.state.trades.values():
        try:
            trade.find_order(order)
        except KeyError:
            continue
        return trade
    raise EngineError(f"{step.event.kind} at seq {step.seq}: no open trade has order {order}")


def _count_slippage(step: Step, trade: Trade, side: Side, report: dict[str, Any]) -> None:
    """Add what a fill cost beyond its order's expectation to its trade and to the session."""
    for slippage in (trade.slippage, step.state.slippage):
        slippage.add(side, report["quantity"], report["price_paise"], report["expected_paise"])


def _apply(found: FoundOrder, report: dict[str, Any]) -> bool:
    """Take a report into its order and leg; return whether it was a fill."""
    filled = report["status"] in FILLS
    if filled:
        found.fill(report["quantity"], report["price_paise"])
    found.order.over = found.order.over or report["status"] in TERMINAL
    return filled
