"""From a fired signal through the gates to order intents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trading.execution.paper import opposite_quote
from trading.execution.positions import Leg, Trade
from trading.risk.gates import Approved, GateInputs, GateResult, Limits, Refused, decide

if TYPE_CHECKING:
    from trading.engine.step import Step
    from trading.execution.orders import Contract
    from trading.market.frames import MarketFrame
    from trading.strategies.base import Evaluation

SECOND_US = 1_000_000


def gate_inputs(step: Step, underlying: str, *, reducing: bool) -> GateInputs:
    """Return what the gates see now for an underlying."""
    seen = step.state.underlyings.get(underlying)
    received = seen.chain_at if seen else None
    kill = step.state.kill
    return GateInputs(
        now_ist_seconds=(step.ts - step.day.midnight_us) // SECOND_US,
        killed=kill is not None,
        kill_reason=f"set by {kill.actor}: {kill.reason}" if kill else None,
        halted=seen.halted if seen else False,
        fresh_chains=seen.fresh_chains if seen else None,
        chain_age_us=None if received is None else step.ts - received,
        chain_limit_us=seen.chain_limit_us if seen else 0,
        chain_state=seen.chain_state if seen else "MISSING",
        chain_reason=seen.chain_reason if seen else None,
        rung=seen.rung if seen else "NONE",
        reducing=reducing,
    )


def limits_in_force(step: Step) -> Limits:
    """Return the limits the day opened with."""
    return Limits(**step.day.limits)


def gate_results(step: Step, underlying: str) -> tuple[GateResult, ...]:
    """Return what the gates would say to an entry now."""
    inputs = gate_inputs(step, underlying, reducing=False)
    return decide(inputs, limits_in_force(step), lots=0).results


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
    causes: tuple[int, ...],
) -> int:
    """Derive the gate.decided of a signal or an exit; return its seq."""
    refused = isinstance(decision, Refused)
    return step.emit(
        "gate.decided",
        {
            "strategy": strategy,
            "underlying": underlying,
            "action": action,
            "trade": trade,
            "reason": reason,
            "verdict": "block" if refused else "pass",
            "decided_by": decision.decided_by if isinstance(decision, Refused) else None,
            "lots": 0 if isinstance(decision, Refused) else decision.lots,
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
    inputs = gate_inputs(step, frame.underlying, reducing=False)
    decision = decide(inputs, limits_in_force(step), lots=lots)
    trade_id = step.next_id()
    gate_seq = emit_decision(
        step,
        decision,
        strategy=strategy,
        underlying=frame.underlying,
        action="entry",
        trade=trade_id if isinstance(decision, Approved) else None,
        reason=None,
        causes=decision_causes(step, signal_seq),
    )
    if isinstance(decision, Approved):
        _intend_entry(step, decision, evaluation, strategy, frame, trade_id, gate_seq)


def _intend_entry(
    step: Step,
    approved: Approved,
    evaluation: Evaluation,
    strategy: str,
    frame: MarketFrame,
    trade_id: str,
    gate_seq: int,
) -> None:
    trade = Trade(id=trade_id, strategy=strategy, underlying=frame.underlying, legs=[])
    trade.position_seq = gate_seq
    step.state.trades[trade_id] = trade
    for plan in evaluation.legs:
        lot_size = step.day.lot_sizes[frame.underlying][plan.contract.expiry]
        leg = Leg(
            contract=plan.contract,
            side=plan.side,
            quantity=approved.lots * lot_size,
            lot_size=lot_size,
            entry_order=step.next_id(),
        )
        expected, _ = opposite_quote(frame, leg.contract, leg.side)
        trade.legs.append(leg)
        intend_order(
            step,
            trade,
            leg,
            purpose="entry",
            order=leg.entry_order,
            side=leg.side,
            quantity=leg.quantity,
            expected_paise=expected,
            cause=gate_seq,
        )


def intend_order(
    step: Step,
    trade: Trade,
    leg: Leg,
    *,
    purpose: str,
    order: str,
    side: str,
    quantity: int,
    expected_paise: int | None,
    cause: int,
) -> None:
    """Derive one order.intended; `purpose` is entry, exit or cancel (of the order named)."""
    step.emit(
        "order.intended",
        {
            "order": order,
            "trade": trade.id,
            "strategy": trade.strategy,
            "underlying": trade.underlying,
            "purpose": purpose,
            "leg": trade.legs.index(leg),
            "contract": contract_data(leg.contract),
            "side": side,
            "quantity": quantity,
            "lot_size": leg.lot_size,
            "limit_paise": None,
            "expected_paise": expected_paise,
        },
        cause=(cause,),
        key=order,
    )


def contract_data(contract: Contract) -> dict[str, Any]:
    """Return a contract as events carry it."""
    return {
        "underlying": contract.underlying,
        "expiry": contract.expiry,
        "strike_paise": contract.strike_paise,
        "right": contract.right,
    }
