"""Leaving trades: timed exits, the kill switch, entries that were given up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.engine.admission import (
    decide_on,
    decision_causes,
    emit_decision,
    intend_cancel,
    intend_order,
)
from trading.engine.breakers import watch_gates
from trading.engine.proposals import DECLARATIONS, exit_proposal, leaving_legs
from trading.execution.orders import OPPOSITE
from trading.execution.positions import Leg, State, Trade
from trading.risk.breakers import DAY_LOSS
from trading.risk.decision import failures
from trading.risk.verdicts import Approved

if TYPE_CHECKING:
    from trading.engine.step import Step

MINUTE_US = 60_000_000
FLAT_BEFORE_CLOSE_US = 10 * MINUTE_US  # strategies that hold nothing overnight
URGENT = frozenset({"KILL", "DAY_LOSS"})


def propose_exits(step: Step) -> None:
    """Exit every held trade whose time has come or that the kill switch wants flat, while its
    market is open. In a halt time stands still, and what is urgent is queued, once.
    """
    if not step.market_is_open:
        return
    for trade in list(step.state.trades.values()):
        reason = _exit_reason(step, trade)
        if reason is None:
            continue
        if not step.underlying(trade.underlying).halted or (
            reason in URGENT and trade.id not in step.state.risk.queued
        ):
            exit_trade(step, trade, reason)


def cancel_entries(step: Step, *, cause: int, strategy: str | None = None) -> None:
    """Intend the cancellation of every working entry order, or of those of one strategy."""
    for trade in step.state.trades.values():
        if strategy not in {None, trade.strategy}:
            continue
        for leg in trade.legs:
            if not leg.entry_over:
                intend_cancel(step, trade, leg, cause=cause)


def flat_from_us(step: Step) -> int:
    """When strategies that hold nothing overnight begin to leave, µs UTC: by the day's own close,
    whenever that is.
    """
    return step.day.close_us - FLAT_BEFORE_CLOSE_US


def cancel_day_entries(step: Step, *, cause: int) -> None:
    """Intend the cancellation of every working entry order that would be held overnight by a
    strategy that does not.
    """
    for name in step.configuration.strategies.names:
        if not DECLARATIONS[name].holds_overnight:
            cancel_entries(step, cause=cause, strategy=name)


def exit_trade(step: Step, trade: Trade, reason: str) -> None:
    """Put an exit before the gates (reducing orders pass) and intend an order for each open leg."""
    decision = decide_on(step, exit_proposal(step, trade))
    gate_seq = emit_decision(
        step,
        decision,
        strategy=trade.strategy,
        underlying=trade.underlying,
        action="exit",
        trade=trade.id,
        reason=reason,
        lots=max(leg.open_quantity // leg.lot_size for leg in leaving_legs(step, trade)),
        causes=decision_causes(step, trade.position_seq, step.seq),
    )
    watch_gates(step, failures(decision.results), cause=gate_seq)
    if not isinstance(decision, Approved):
        if decision.verdict == "queued":
            step.state.risk.queued.append(trade.id)
        return
    trade.exit_reason = reason
    for leg in leaving_legs(step, trade):
        _intend_exit(step, decision, trade, leg, gate_seq)


def _intend_exit(step: Step, approved: Approved, trade: Trade, leg: Leg, gate_seq: int) -> None:
    side = OPPOSITE[leg.side]
    quote = step.underlying(trade.underlying).quotes.get(leg.contract.label)
    expected = None if quote is None else (quote.ask_paise if side == "BUY" else quote.bid_paise)
    leg.exit_order, leg.exit_over = step.next_id(), False
    intend_order(
        step,
        approved,
        trade,
        leg,
        purpose="exit",
        order=leg.exit_order,
        side=side,
        quantity=leg.open_quantity,
        expected_paise=expected,
        cause=gate_seq,
    )


def _exit_reason(step: Step, trade: Trade) -> str | None:
    if trade.state is not None and not leaving_legs(step, trade):
        return None
    if trade.state is State.OPEN:
        abandoned = all(leg.entry_over for leg in trade.legs) and not _exit_works(trade)
        return "ENTRY_ABANDONED" if abandoned else None
    if trade.state is not State.HOLD or _exit_works(trade):
        return None
    if _is_flattened(step, trade.strategy):
        return "KILL"
    if DAY_LOSS in step.state.risk.breakers:
        return "DAY_LOSS"
    if not DECLARATIONS[trade.strategy].holds_overnight and step.ts >= flat_from_us(step):
        return "FLAT_BEFORE_CLOSE"
    s4 = step.configuration.strategies.S4
    if s4 is None or trade.held_at is None:
        return "STRATEGY_REMOVED"
    if _expires_today(step, trade):
        return "EXPIRY_DAY"
    due = trade.held_at + trade.frozen_us + s4.hold_minutes * MINUTE_US
    return "HOLD_ELAPSED" if step.ts >= due else None


def _is_flattened(step: Step, strategy: str) -> bool:
    """Whether a kill switch wants what a strategy holds to go."""
    kills = (step.state.kill, step.state.strategy_kills.get(strategy))
    return any(kill is not None and not kill.hold for kill in kills)


def _expires_today(step: Step, trade: Trade) -> bool:
    """Whether a trade that was held over a night has a contract that stops trading today."""
    assert trade.held_at is not None  # noqa: S101 - the caller has asked
    overnight = trade.held_at < step.day.midnight_us
    return overnight and any(leg.contract.expiry == step.day.date for leg in trade.legs)


def _exit_works(trade: Trade) -> bool:
    """Whether an exit order is on its way."""
    return any(leg.exit_order is not None and not leg.exit_over for leg in trade.legs)
