"""What the broker says, and how trades move on it."""

from __future__ import annotations

from typing import Any

from trading.engine.admission import contract_data
from trading.engine.breakers import watch_outcome, watch_report
from trading.engine.charging import charge_fill, trade_fees_paise
from trading.engine.exits import propose_exits
from trading.engine.step import EngineError, Step
from trading.execution.orders import FILLS, OPPOSITE, TERMINAL
from trading.execution.positions import Leg, State, Trade


def on_order_submitted(step: Step) -> None:
    """The attempt is on record; nothing moves before the broker reports."""
    _trade_of(step, step.event.data["order"])


def on_broker_report(step: Step) -> None:
    """Apply a report to its leg and move the trade along."""
    report = step.event.data
    trade = _trade_of(step, report["order"])
    leg, entry = trade.leg_of_order(report["order"])
    if trade.state is None:
        _move(step, trade, State.OPEN, report)
    first = not (leg.entry_quantity if entry else leg.exit_quantity)
    filled = _apply(leg, report, entry=entry)
    if filled:
        charge_fill(step, trade, leg, report, first=first)
    if not entry and trade.state in {State.HOLD, State.OPEN}:
        _move(step, trade, State.EXIT, report)
    elif filled:
        _emit(step, trade, before=trade.state, reason=report["status"])
    watch_report(step, report, leg.side if entry else OPPOSITE[leg.side])
    _settle(step, trade, report)
    propose_exits(step)


def _trade_of(step: Step, order: str) -> Trade:
    for trade in step.state.trades.values():
        try:
            trade.leg_of_order(order)
        except KeyError:
            continue
        return trade
    raise EngineError(f"{step.event.kind} at seq {step.seq}: no open trade has order {order}")


def _apply(leg: Leg, report: dict[str, Any], *, entry: bool) -> bool:
    """Add a fill to its leg; return whether there was one."""
    over = report["status"] in TERMINAL
    filled = report["status"] in FILLS
    quantity = report["quantity"] if filled else 0
    value = quantity * report["price_paise"] if filled else 0
    if entry:
        leg.entry_quantity += quantity
        leg.entry_value_paise += value
        leg.entry_over = leg.entry_over or over
    else:
        leg.exit_quantity += quantity
        leg.exit_value_paise += value
        leg.exit_over = leg.exit_over or over
    return filled


def _settle(step: Step, trade: Trade, report: dict[str, Any]) -> None:
    """Follow the edges that the legs' quantities now demand."""
    entered = all(leg.entry_over for leg in trade.legs)
    if trade.state is State.OPEN and entered:
        if all(leg.entry_quantity == leg.quantity for leg in trade.legs):
            trade.held_at = step.ts
            _move(step, trade, State.HOLD, report)
        elif not any(leg.entry_quantity for leg in trade.legs):
            _archive(step, trade, report)
    elif trade.state is State.EXIT and entered:
        if not any(leg.open_quantity for leg in trade.legs):
            _archive(step, trade, report)
        elif all(leg.exit_over for leg in trade.legs if leg.open_quantity):
            for leg in trade.legs:
                leg.exit_order = None
            _move(step, trade, State.HOLD, report)


def _archive(step: Step, trade: Trade, report: dict[str, Any]) -> None:
    step.state.realised_paise += trade.gross_paise()
    _move(step, trade, State.ARCHIVE, report)
    watch_outcome(step, trade)
    del step.state.trades[trade.id]
    step.state.risk.at_stake.pop(trade.id, None)
    held = {leg.contract.label for other in step.state.trades.values() for leg in other.legs}
    seen = step.underlying(trade.underlying)
    seen.quotes = {label: quote for label, quote in seen.quotes.items() if label in held}


def _move(step: Step, trade: Trade, to: State, report: dict[str, Any]) -> None:
    before = trade.state
    trade.move(to)
    _emit(step, trade, before=before, reason=_reason(trade, to, report))


def _reason(trade: Trade, to: State, report: dict[str, Any]) -> str:
    if to in {State.EXIT, State.ARCHIVE} and trade.exit_reason:
        return trade.exit_reason
    return report["reason"] or str(report["status"])


def _emit(step: Step, trade: Trade, *, before: State | None, reason: str) -> None:
    gross, fees = trade.gross_paise(), trade_fees_paise(step, trade)
    trade.position_seq = step.emit(
        "position.changed",
        {
            "trade": trade.id,
            "strategy": trade.strategy,
            "underlying": trade.underlying,
            "state": _text(trade.state),
            "before": _text(before),
            "reason": reason,
            "legs": [_leg_data(leg) for leg in trade.legs],
            "gross_paise": gross,
            "fees_paise": fees,
            "net_paise": None if fees is None else gross - fees,
            "costs": step.configuration.costs.label,
        },
        cause=(step.seq,),
        key=trade.id,
    )


def _text(state: State | None) -> str | None:
    return None if state is None else state.value


def _leg_data(leg: Leg) -> dict[str, Any]:
    return {
        "contract": contract_data(leg.contract),
        "side": leg.side,
        "quantity": leg.quantity,
        "filled": leg.entry_quantity,
        "closed": leg.exit_quantity,
        "entry_value_paise": leg.entry_value_paise,
        "exit_value_paise": leg.exit_value_paise,
        "entry_paise": _average(leg.entry_value_paise, leg.entry_quantity),
        "exit_paise": _average(leg.exit_value_paise, leg.exit_quantity),
    }


def _average(value_paise: int, quantity: int) -> int | None:
    """Average price to the nearest paisa, half up; the exact value stands beside it."""
    return (2 * value_paise + quantity) // (2 * quantity) if quantity else None
