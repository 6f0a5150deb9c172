"""Leaving trades: timed exits, the kill switch, entries that were given up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.engine.admission import decide_on, decision_causes, emit_decision
from trading.engine.breakers import watch_gates
from trading.engine.intents import intend_cancel, intend_exit, leaving_legs, leaving_now
from trading.engine.proposals import DECLARATIONS, exit_proposal
from trading.engine.unwinding import ENTRY_ABANDONED, give_up_broken
from trading.execution.positions import State, Trade
from trading.risk.breakers import DAY_LOSS
from trading.risk.decision import failures
from trading.risk.verdicts import Approved

if TYPE_CHECKING:
    from trading.engine.step import Step

MINUTE_US = 60_000_000
FLAT_BEFORE_CLOSE_US = 10 * MINUTE_US  # strategies that hold nothing overnight
URGENT = frozenset({"KILL", "DAY_LOSS"})


def propose_exits(step: Step) -> None:
    """Exit every held trade whose time has come or that the kill switch wants flat, and give up
    entries that are broken, while the market is open. In a halt time stands still, and what is
    urgent is queued, once.
    """
    if not step.market_is_open:
        return
    for trade in list(step.state.trades.values()):
        give_up_broken(step, trade)
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
        if strategy in {None, trade.strategy}:
            _cancel_entries_of(step, trade, cause=cause)


def cancel_day_entries(step: Step, *, since_us: int, cause: int) -> None:
    """Intend the cancellation of the working entry orders of trades that are not held overnight,
    where their time to leave has come after `since_us` (µs UTC): once a day.
    """
    for trade in step.state.trades.values():
        if _is_of_the_day(trade) and since_us < _flat_from_us(step, trade) <= step.ts:
            _cancel_entries_of(step, trade, cause=cause)


def _cancel_entries_of(step: Step, trade: Trade, *, cause: int) -> None:
    for leg in trade.legs:
        for order in leg.entries:
            if not order.over:
                intend_cancel(step, trade, leg, order, cause=(cause,))


def _is_of_the_day(trade: Trade) -> bool:
    return not DECLARATIONS[trade.strategy].holds_overnight


def _flat_from_us(step: Step, trade: Trade) -> int:
    """When a trade that is not held overnight begins to leave, µs UTC: by the day's own close,
    whenever that is, and sooner where one of its contracts stops trading sooner.
    """
    return (
        min(step.day.last_trade_us(leg.contract.expiry) for leg in trade.legs)
        - FLAT_BEFORE_CLOSE_US
    )


def exit_trade(step: Step, trade: Trade, reason: str) -> None:
    """Put an exit before the gates (reducing orders pass) and intend the orders that leave now."""
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
    for leg, orders in leaving_now(step, trade):
        for quantity in orders:
            intend_exit(step, decision, trade, leg, quantity, cause=(gate_seq,))


def _exit_reason(step: Step, trade: Trade) -> str | None:
    if trade.exit_works or trade.state is None or not leaving_legs(step, trade):
        return None
    if trade.state is State.OPEN:
        return trade.given_up or ENTRY_ABANDONED if trade.entered else None
    if trade.state is State.EXIT:
        return trade.exit_reason  # what has ended was not yet all of it
    if _is_flattened(step, trade.strategy):
        return "KILL"
    if DAY_LOSS in step.state.risk.breakers:
        return "DAY_LOSS"
    if _is_of_the_day(trade) and step.ts >= _flat_from_us(step, trade):
        return "FLAT_BEFORE_CLOSE"
    if trade.held_at is None:  # never whole, and an exit of it fell short
        return trade.given_up or ENTRY_ABANDONED
    s4 = step.configuration.strategies.S4
    if s4 is None:
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
