"""How a trade moves from its first order to the archive, and what is said of each move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trading.engine.breakers import watch_outcome
from trading.engine.charging import trade_fees
from trading.engine.intents import contract_data
from trading.engine.portfolio import waterfall_data
from trading.execution.portfolio import waterfall_of
from trading.execution.positions import Leg, State, Trade

if TYPE_CHECKING:
    from trading.engine.step import Step


def settle(step: Step, trade: Trade, report: dict[str, Any]) -> None:
    """Follow the edges that the legs' quantities now demand."""
    if not trade.entered:
        return
    if trade.state is State.OPEN:
        if all(leg.entry_quantity == leg.quantity for leg in trade.legs):
            trade.held_at, trade.given_up = step.ts, None
            move(step, trade, State.HOLD, report)
        elif not any(leg.entry_quantity for leg in trade.legs):
            _archive(step, trade, report)
    elif trade.state is State.EXIT and not trade.exit_works:
        _settle_exit(step, trade, report)


def _settle_exit(step: Step, trade: Trade, report: dict[str, Any]) -> None:
    """All its exit orders have ended: it is flat, or one fell short and it is held on, or more of
    it has yet to be ordered.
    """
    if not any(leg.open_quantity for leg in trade.legs):
        _archive(step, trade, report)
    elif any(order.filled < order.quantity for leg in trade.legs for order in leg.exits):
        hold_on(step, trade, report)


def hold_on(step: Step, trade: Trade, report: dict[str, Any]) -> None:
    """Hold what an exit has left; its orders have ended."""
    for leg in trade.legs:
        leg.exits = []
    move(step, trade, State.HOLD, report)


def _archive(step: Step, trade: Trade, report: dict[str, Any]) -> None:
    step.state.realised_paise += trade.gross_paise()
    move(step, trade, State.ARCHIVE, report)
    watch_outcome(step, trade)
    del step.state.trades[trade.id]
    step.state.risk.at_stake.pop(trade.id, None)
    held = {leg.contract.label for other in step.state.trades.values() for leg in other.legs}
    seen = step.underlying(trade.underlying)
    seen.quotes = {label: quote for label, quote in seen.quotes.items() if label in held}


def move(step: Step, trade: Trade, to: State, report: dict[str, Any]) -> None:
    """Follow one edge on a report, and say so; raises IllegalTransitionError when there is none."""
    before = trade.state
    trade.move(to)
    emit_position(step, trade, before=before, reason=_reason(trade, to, report))


def _reason(trade: Trade, to: State, report: dict[str, Any]) -> str:
    if to in {State.EXIT, State.ARCHIVE} and trade.exit_reason:
        return trade.exit_reason
    return report["reason"] or str(report["status"])


def emit_position(step: Step, trade: Trade, *, before: State | None, reason: str) -> None:
    """Derive the position.changed of a trade as it stands."""
    gross = trade.gross_paise()
    waterfall = waterfall_of(gross, trade.slippage, trade_fees(step, trade))
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
            "net_paise": waterfall.net_paise,
            "waterfall": waterfall_data(waterfall),
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
