"""The desk's circuit breakers in the engine: what they watch, and the events of their changes."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

from trading.engine.desk import limits_in_force
from trading.execution.orders import FILLS, TERMINAL
from trading.execution.positions import State
from trading.execution.slippage import slippage_paise
from trading.risk.breakers import (
    CLOCK_SKEW,
    CONSECUTIVE_LOSSES,
    DAY_LOSS,
    GATE_FAILURE,
    HARD,
    KILL_SWITCH,
    PEAK_LOSS,
    PROFIT_JUMP,
    REJECT_RATE,
    SLIPPAGE,
    Breaker,
    Outcome,
    day_loss_trips,
    is_cooled,
    jump_trips,
    losses_trip,
    peak_loss_trips,
    rejects_trip,
    skew_trips,
    slippage_trips,
    with_figure,
)

if TYPE_CHECKING:
    from typing import Any

    from trading.engine.step import Step
    from trading.execution.orders import Side
    from trading.execution.positions import Trade
    from trading.market.frames import MarketFrame
    from trading.risk.verdicts import GateResult

ENGINE = "engine"  # who sets a breaker nobody asked for


def trip(step: Step, name: str, reason: str | None, *, cause: int) -> bool:
    """Open a breaker for a reason (None: there is none to), also one that is half open; return
    whether it did. One that is open stays as it is.
    """
    breakers = step.state.risk.breakers
    standing = breakers.get(name)
    if reason is None or (standing is not None and standing.state == "open"):
        return False
    breakers[name] = Breaker("open", step.ts, reason)
    emit_breaker(
        step, name, before=standing is not None, state="open", reason=reason, causes=(cause,)
    )
    return True


def emit_breaker(
    step: Step,
    name: str,
    *,
    before: bool,
    state: str,
    reason: str,
    causes: tuple[int, ...],
    actor: str = ENGINE,
    approver: str | None = None,
    flattens: bool | None = None,
) -> int:
    """Derive a breaker.changed; return its seq. Of the breakers only a day's loss flattens; a kill
    switch says so itself.
    """
    return step.emit(
        "breaker.changed",
        {
            "what": name,
            "before": before,
            "after": state != "closed",
            "state": state,
            "hard": name in HARD or name.startswith(KILL_SWITCH),
            "flattens": (state == "open" and name == DAY_LOSS) if flattens is None else flattens,
            "actor": actor,
            "approver": approver,
            "reason": reason,
        },
        cause=causes,
    )


def cool_breakers(step: Step) -> None:
    """Half open every soft breaker that has cooled off."""
    limits = limits_in_force(step)
    # By name: a state that was read back does not have them in the order they opened in.
    for name, breaker in sorted(step.state.risk.breakers.items(), key=itemgetter(0)):
        if is_cooled(name, breaker, step.ts, limits):
            step.state.risk.breakers[name] = Breaker("half open", step.ts, breaker.reason)
            emit_breaker(
                step,
                name,
                before=True,
                state="half open",
                reason=f"cooled off: {breaker.reason}",
                causes=(step.seq,),
            )


def watch_snapshot(step: Step, equity_paise: int | None) -> bool:
    """Judge equity at a minute's snapshot; return whether what is held must go. While it is not
    known nothing can be said, and gates 9 and 10 let nothing in.
    """
    _watch_jump(step, equity_paise)
    risk, limits = step.state.risk, limits_in_force(step)
    if equity_paise is None or risk.opening_equity_paise is None:
        return False
    lost = risk.opening_equity_paise - equity_paise
    capital, cause = step.configuration.desk.capital_paise, step.state.snapshot_seq
    highest = max(risk.highest_equity_paise or 0, equity_paise)
    trip(step, PEAK_LOSS, peak_loss_trips(equity_paise, highest, limits), cause=cause)
    return trip(step, DAY_LOSS, day_loss_trips(lost, capital, limits), cause=cause)


def watch_gates(step: Step, failed: tuple[GateResult, ...], *, cause: int) -> None:
    """A gate that could not answer opens its breaker."""
    for result in failed:
        reason = f"gate {result.number} {result.name}: {result.reason}"
        trip(step, GATE_FAILURE, reason, cause=cause)


def watch_clock(step: Step, frame: MarketFrame) -> None:
    """A stamp from the future says that one of two clocks is wrong."""
    ahead_us = frame.as_of - frame.available_at
    trip(step, CLOCK_SKEW, skew_trips(ahead_us, limits_in_force(step)), cause=step.seq)


def watch_report(step: Step, report: dict[str, Any], side: Side) -> None:
    """Judge how an order ended and what a fill cost more than was expected."""
    if report["status"] in TERMINAL:
        _watch_rejects(step, rejected=report["status"] == "REJECTED")
    if report["status"] in FILLS and report["expected_paise"] is not None:
        worse = slippage_paise(side, report["price_paise"], report["expected_paise"])
        _watch_slippage(step, worse)


def watch_outcome(step: Step, trade: Trade) -> None:
    """Count losing trades in a row, and let a trial trade close or open what is half open."""
    if not any(leg.entry_quantity for leg in trade.legs):
        return
    risk, lost = step.state.risk, trade.gross_paise() < 0
    risk.losses = risk.losses + 1 if lost else 0
    for name, breaker in sorted(risk.breakers.items(), key=itemgetter(0)):
        if breaker.state == "half open":
            _judge_trial(step, name, breaker, trade, lost=lost)
    trip(step, CONSECUTIVE_LOSSES, losses_trip(risk.losses, limits_in_force(step)), cause=step.seq)


def _judge_trial(step: Step, name: str, breaker: Breaker, trade: Trade, *, lost: bool) -> None:
    if trade.held_at is None or trade.held_at < breaker.since_us:
        return  # it was entered before: no trial
    if lost:
        trip(step, name, f"its trial trade {trade.id} lost", cause=step.seq)
        return
    del step.state.risk.breakers[name]
    reason = f"its trial trade {trade.id} did not lose"
    emit_breaker(step, name, before=True, state="closed", reason=reason, causes=(step.seq,))


def _watch_rejects(step: Step, *, rejected: bool) -> None:
    risk, limits = step.state.risk, limits_in_force(step)
    since = step.ts - limits.reject_window_us
    risk.outcomes = [each for each in risk.outcomes if each.at_us > since]
    risk.outcomes.append(Outcome(step.ts, rejected))
    trip(step, REJECT_RATE, rejects_trip(risk.outcomes, limits), cause=step.seq)


def _watch_slippage(step: Step, worse_paise: int) -> None:
    risk, limits = step.state.risk, limits_in_force(step)
    reason = slippage_trips(risk.slippage_paise, worse_paise, limits)
    risk.slippage_paise = with_figure(risk.slippage_paise, worse_paise)
    trip(step, SLIPPAGE, reason, cause=step.seq)


def _watch_jump(step: Step, equity_paise: int | None) -> None:
    """Compare a minute's change with those before it, while the same trades are held: entering and
    leaving are no move of the market.
    """
    risk = step.state.risk
    trades = step.state.trades.values()
    held = [trade.id for trade in trades if trade.state is State.HOLD]
    if len(held) < len(step.state.trades):
        held = []
    before, same = risk.minute_equity_paise, bool(held) and held == risk.minute_trades
    risk.minute_equity_paise, risk.minute_trades = equity_paise, held
    if not same or before is None or equity_paise is None:
        return
    change, capital = equity_paise - before, step.configuration.desk.capital_paise
    reason = jump_trips(risk.changes_paise, change, capital, limits_in_force(step))
    risk.changes_paise = with_figure(risk.changes_paise, change)
    trip(step, PROFIT_JUMP, reason, cause=step.state.snapshot_seq)


def forget_after_rearming(step: Step, name: str) -> None:
    """What a person has looked into does not trip the same breaker again: losses are counted from
    now on, and after a review of the peak the highest equity is today's.
    """
    risk = step.state.risk
    if name == CONSECUTIVE_LOSSES:
        risk.losses = 0
    elif name == REJECT_RATE:
        risk.outcomes = []
    elif name == PROFIT_JUMP:
        risk.changes_paise = []
    elif name == PEAK_LOSS:
        risk.highest_equity_paise = risk.equity_paise
