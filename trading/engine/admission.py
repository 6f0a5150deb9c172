"""From a fired signal through the gates to order intents."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.engine.breakers import watch_gates
from trading.engine.desk import desk_now, limits_in_force, risk_snapshot
from trading.engine.intents import intend_entry
from trading.engine.proposals import entry_proposal, standing_proposal
from trading.engine.quotes import quote_of
from trading.execution.positions import Leg, Trade
from trading.risk.decision import decide, evaluate, failures
from trading.risk.snapshot import RecentOrder
from trading.risk.verdicts import Approved, GateResult, Refused

if TYPE_CHECKING:
    from trading.engine.desk import Desk
    from trading.engine.step import Step
    from trading.market.frames import MarketFrame
    from trading.risk.proposal import OrderProposal
    from trading.strategies.base import Evaluation


def decide_on(step: Step, order: OrderProposal) -> Approved | Refused:
    """Put an order before the gates; one that is let through counts from now on."""
    seen = risk_snapshot(step, order.underlying, order.strategy.name, desk_now(step))
    limits = limits_in_force(step)
    decision = decide(order, seen, limits)
    if isinstance(decision, Approved):
        risk = step.state.risk
        risk.recent = [
            each for each in risk.recent if step.ts - each.at_us < limits.duplicate_window_us
        ]
        risk.recent.append(RecentOrder(order.client, order.fingerprint, step.ts))
    return decision


def standing_results(
    step: Step, underlying: str, strategy: str, desk: Desk, margin_paise: int | None
) -> tuple[GateResult, ...]:
    """What the gates would say to an entry of a strategy now; `margin_paise` is that of the book,
    None when it cannot be had.
    """
    order = standing_proposal(underlying, strategy, margin_paise)
    seen = risk_snapshot(step, underlying, strategy, desk)
    return evaluate(order, seen, limits_in_force(step))[1]


def decision_causes(step: Step, *causes: int) -> tuple[int, ...]:
    """Return the causes of a gate decision: its own, the limits' day and the last snapshot."""
    standing = [step.day.seq]
    if step.state.snapshot_seq:
        standing.append(step.state.snapshot_seq)
    return tuple(sorted({*causes, *standing}))


def emit_decision(
    step: Step,
    decision: Approved | Refused,
    *,
    strategy: str,
    underlying: str,
    action: str,
    trade: str | None,
    reason: str | None,
    lots: int,
    causes: tuple[int, ...],
) -> int:
    """Derive the gate.decided of a signal or an exit; return its seq. `lots` are those of an
    approval.
    """
    refused = isinstance(decision, Refused)
    return step.emit(
        "gate.decided",
        {
            "strategy": strategy,
            "underlying": underlying,
            "action": action,
            "trade": trade,
            "reason": reason,
            "verdict": decision.verdict if isinstance(decision, Refused) else "pass",
            "decided_by": decision.decided_by if isinstance(decision, Refused) else None,
            "lots": 0 if refused else lots,
            "gates": [result.to_data() for result in decision.results],
        },
        cause=causes,
        key=f"{strategy}:{underlying}",
    )


def admit_signal(
    step: Step,
    evaluation: Evaluation,
    *,
    strategy: str,
    frame: MarketFrame,
    signal_seq: int,
    lots: int,
) -> None:
    """Put a fired signal before the gates; when approved, intend its orders, remember the trade."""
    quotes = {plan.contract.label: quote_of(frame, plan.contract) for plan in evaluation.legs}
    order = entry_proposal(
        step,
        evaluation.legs,
        quotes,
        strategy=strategy,
        underlying=frame.underlying,
        signal_seq=signal_seq,
        lots=lots,
    )
    decision = decide_on(step, order)
    approved = isinstance(decision, Approved)
    gate_seq = emit_decision(
        step,
        decision,
        strategy=strategy,
        underlying=frame.underlying,
        action="entry",
        trade=order.client if approved else None,
        reason=None,
        lots=decision.lots if isinstance(decision, Approved) else 0,
        causes=decision_causes(step, signal_seq),
    )
    watch_gates(step, failures(decision.results), cause=gate_seq)
    if isinstance(decision, Approved):
        known = step.underlying(frame.underlying).quotes
        known.update({label: quote.after(known.get(label)) for label, quote in quotes.items()})
        _intend_entry(step, decision, order, gate_seq)
        _throttle(step, strategy, gate_seq)


def _throttle(step: Step, strategy: str, gate_seq: int) -> None:
    """Switch a strategy off that has entered as often as it may in a day, until a person switches
    it on again.
    """
    entries, limit = step.state.risk.entries[strategy], limits_in_force(step).entries_per_day
    if entries < limit:
        return
    reason = f"{strategy} has entered {entries} times today"
    step.state.risk.disabled[strategy] = reason
    step.emit(
        "strategy.disabled",
        {"what": strategy, "before": False, "after": True, "actor": "gate 19", "reason": reason},
        cause=(gate_seq,),
    )


def _intend_entry(step: Step, approved: Approved, order: OrderProposal, gate_seq: int) -> None:
    strategy = order.strategy.name
    trade = Trade(id=order.client, strategy=strategy, underlying=order.underlying, legs=[])
    trade.position_seq = gate_seq
    step.state.trades[trade.id] = trade
    risk = step.state.risk
    risk.entries[strategy] = risk.entries.get(strategy, 0) + 1
    risk.at_stake[trade.id] = approved.lots * (order.risk.largest_loss_paise or 0)
    shows_closes = step.underlying(order.underlying).shows_closes  # then no quote is met
    for proposed in order.legs:
        lot_size = step.day.lot_sizes[order.underlying][proposed.contract.expiry]
        quantity = proposed.quantity * approved.lots // order.lots
        trade.legs.append(Leg(proposed.contract, proposed.side, quantity, lot_size))
    legs = zip(trade.legs, order.legs, strict=True)
    for leg, proposed in sorted(legs, key=lambda pair: pair[0].side == "SELL"):  # bought first
        intend_entry(
            step,
            approved,
            trade,
            leg,
            expected_paise=None if shows_closes else proposed.price_paise,
            cause=(gate_seq,),
        )
