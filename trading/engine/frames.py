"""Market frames: features, then each strategy's signal, then the gates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trading.engine.admission import admit_signal
from trading.engine.exits import propose_exits
from trading.engine.state import Quote, UnderlyingState
from trading.execution.paper import opposite_quote
from trading.features.implied import AtmImplied, atm_implied
from trading.market.frames import MarketFrame
from trading.strategies import s4_iv_reversion

if TYPE_CHECKING:
    from trading.engine.step import Step
    from trading.strategies.base import Evaluation


def on_market_frame(step: Step) -> None:
    """Compute features, let every strategy answer, put what fired before the gates, exit what is
    due.
    """
    frame = MarketFrame.from_data(step.event.data)
    seen = step.underlying(frame.underlying)
    seen.frame_seq = step.seq
    seen.as_of, seen.available_at = frame.as_of, frame.available_at
    seen.flags = list(frame.flags)
    _keep_quotes(step, seen, frame)
    implied = atm_implied(frame, seen.implied_window)
    features_seq = step.emit(
        "features.computed",
        _features(step, frame, implied),
        cause=tuple(sorted({step.day.seq, step.seq})),
        key=frame.underlying,
    )
    _evaluate_s4(step, frame, implied, features_seq)
    if implied.atm_iv is not None:
        seen.implied_window.append(implied.atm_iv)
    propose_exits(step)


def on_market_status(step: Step) -> None:
    """Remember a halt; it freezes entries and exits of its underlying until it resumes."""
    data = step.event.data
    step.underlying(data["underlying"]).halted = data["status"] == "HALT"


def _keep_quotes(step: Step, seen: UnderlyingState, frame: MarketFrame) -> None:
    """Remember the quotes of contracts in open trades; one the frame does not show keeps none."""
    contracts = {
        leg.contract
        for trade in step.state.trades.values()
        if trade.underlying == frame.underlying
        for leg in trade.legs
    }
    seen.quotes = {
        contract.label: Quote(
            bid_paise=opposite_quote(frame, contract, "SELL")[0],
            ask_paise=opposite_quote(frame, contract, "BUY")[0],
            at=frame.available_at,
        )
        for contract in sorted(contracts)
    }


def _features(step: Step, frame: MarketFrame, implied: AtmImplied) -> dict[str, Any]:
    reasons = {"atm_iv": implied.atm_iv_reason, "z_score": implied.z_score_reason}
    return {
        "underlying": frame.underlying,
        "values": {
            "atm_iv": implied.atm_iv,
            "mean": implied.mean,
            "deviation": implied.deviation,
            "observations": implied.observations,
            "z_score": implied.z_score,
            "forward_paise": implied.forward_paise,
            "strike_paise": implied.strike_paise,
            "expiry": implied.expiry,
        },
        "reasons": {name: reason for name, reason in reasons.items() if reason},
        "quality": {
            "chain": {
                "state": "FRESH" if implied.atm_iv is not None else "MISSING",
                "age_us": step.ts - frame.available_at,
                "as_of": frame.as_of,
                "available_at": frame.available_at,
                "flags": list(frame.flags),
            }
        },
        "synthetic": frame.source.synthetic,
    }


def _evaluate_s4(step: Step, frame: MarketFrame, implied: AtmImplied, features_seq: int) -> None:
    s4 = step.configuration.strategies.S4
    if s4 is None:
        return
    lots = step.day.lot_sizes.get(frame.underlying, {})
    evaluation = s4_iv_reversion.evaluate(
        frame.underlying,
        implied,
        entry_z=s4.entry_z,
        lookback_snapshots=s4.lookback_snapshots,
        open_trades=_open_trades(step, s4_iv_reversion.NAME, frame.underlying),
        lot_size=lots.get(implied.expiry or ""),
    )
    signal_seq = step.emit(
        "signal.emitted",
        _signal(s4_iv_reversion.NAME, frame, evaluation),
        cause=(features_seq,),
        key=f"{s4_iv_reversion.NAME}:{frame.underlying}",
    )
    if evaluation.fired:
        admit_signal(
            step,
            evaluation,
            strategy=s4_iv_reversion.NAME,
            frame=frame,
            signal_seq=signal_seq,
            lots=s4.lots,
        )


def _open_trades(step: Step, strategy: str, underlying: str) -> int:
    return sum(
        trade.strategy == strategy and trade.underlying == underlying
        for trade in step.state.trades.values()
    )


def _signal(strategy: str, frame: MarketFrame, evaluation: Evaluation) -> dict[str, Any]:
    structure = {
        "name": evaluation.structure,
        "legs": [leg.to_data() for leg in evaluation.legs],
    }
    return {
        "strategy": strategy,
        "underlying": frame.underlying,
        "fired": evaluation.fired,
        "direction": evaluation.direction,
        "conditions": [condition.to_data() for condition in evaluation.conditions],
        "reason": evaluation.reason,
        "structure": structure if evaluation.fired else None,
        "synthetic": frame.source.synthetic,
    }
