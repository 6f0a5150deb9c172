"""Market frames: a surface when due, features, then each strategy's signal, then the gates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trading.engine.admission import admit_signal
from trading.engine.breakers import watch_clock
from trading.engine.exits import propose_exits
from trading.engine.quotes import quote_of
from trading.engine.state import SeenInput, UnderlyingState
from trading.engine.surfaces import FittedSurface, fit_due_surface
from trading.features.implied import AtmImplied, atm_implied, nearest_expiry
from trading.market.frames import MarketFrame
from trading.market.quality import Coverage, Rung, State, coverage, rung
from trading.strategies import s4_iv_reversion

if TYPE_CHECKING:
    from trading.engine.step import Step
    from trading.strategies.base import Evaluation


def on_market_frame(step: Step) -> None:
    """Fit a surface to a whole chain when one is due, compute features, let every strategy answer
    to a chain, put what fired before the gates, exit what is due.
    """
    frame = MarketFrame.from_data(step.event.data)
    seen = step.underlying(frame.underlying)
    seen.frame_seq = step.seq
    seen.as_of, seen.available_at = frame.as_of, frame.available_at
    seen.flags = list(frame.flags)
    _keep_levels(seen, frame)
    watch_clock(step, frame)
    if frame.shows_chain:
        _answer_chain(step, seen, frame)
    else:
        _emit_features(step, frame, {}, {}, None, cause=())
    propose_exits(step)


def on_market_status(step: Step) -> None:
    """A halt stops entries and exits of its underlying and the clocks of its trades until trading
    goes on; then a few fresh chains must have come before anything is entered. A gap stops nothing
    of itself: the age of what is known does.
    """
    data = step.event.data
    seen = step.underlying(data["underlying"])
    if data["status"] == "HALT" and not seen.halted:
        seen.halted_at, seen.halt_reason = step.ts, data["reason"]
    elif data["status"] == "RESUME" and seen.halted:
        thaw(step, data["underlying"], step.ts)


def thaw(step: Step, underlying: str, at_us: int) -> None:
    """Trading goes on at an instant: hold times leave out the halt, and fresh chains are
    awaited.
    """
    seen = step.underlying(underlying)
    halted_at = seen.halted_at
    assert halted_at is not None  # noqa: S101 - the callers have asked
    for trade in step.state.trades.values():
        if trade.underlying != underlying:
            continue
        if trade.held_at is not None:
            trade.frozen_us += max(0, at_us - max(halted_at, trade.held_at))
        elif trade.uneven_since is not None:
            trade.uneven_since += max(0, at_us - max(halted_at, trade.uneven_since))
    seen.halted_at, seen.halt_reason, seen.fresh_chains = None, None, 0
    queued = step.state.risk.queued
    step.state.risk.queued = [
        each
        for each in queued
        if each in step.state.trades and step.state.trades[each].underlying != underlying
    ]


def _answer_chain(step: Step, seen: UnderlyingState, frame: MarketFrame) -> None:
    _keep_quotes(step, seen, frame)
    found = _climb(step, seen, frame)
    implied = atm_implied(frame, seen.implied_window, rung=Rung(seen.rung))
    if implied.atm_iv is not None:
        seen.volatility_ppm = round(implied.atm_iv * 1_000_000)
    values = _values(implied)
    reasons = {"atm_iv": implied.atm_iv_reason, "z_score": implied.z_score_reason}
    surface = fit_due_surface(step, seen, frame)
    if surface is not None:
        values["surface_atm_iv"], reasons["surface_atm_iv"] = _of_surface(surface, implied.expiry)
    read = (surface.seq,) if surface else ()
    features_seq = _emit_features(step, frame, values, reasons, found, cause=read)
    _evaluate_s4(step, frame, implied, features_seq)
    if implied.atm_iv is not None and seen.rung in {Rung.SURFACE, Rung.ATM_ONLY}:
        seen.implied_window.append(implied.atm_iv)


def _of_surface(surface: FittedSurface, expiry: str | None) -> tuple[float | None, str | None]:
    """The surface's volatility at the money of the expiry features are of, or why there is none."""
    volatility = surface.volatilities.get(expiry or "")
    if volatility is not None:
        return volatility, None
    return None, surface.refusals.get(expiry or "", "NO_EXPIRY")


def _climb(step: Step, seen: UnderlyingState, frame: MarketFrame) -> Coverage:
    """Remember how good the chain is and on which rung of the ladder that puts the underlying."""
    quality = frame.quality.chain
    block = nearest_expiry(frame)
    found = Coverage(0, 0)
    if block is not None:
        found = coverage(block, closes=frame.is_end_of_day)
    age_us = None if seen.surface_at is None else step.ts - seen.surface_at
    seen.rung = str(rung(found, quality, surface_age_us=age_us))
    seen.chain_at = frame.available_at
    seen.chain_state, seen.chain_reason = str(quality.state), quality.reason
    seen.chain_limit_us = quality.limit_us or 0
    seen.shows_closes = frame.is_end_of_day
    if seen.rung == Rung.SURFACE:
        seen.surface_at = step.ts
    if seen.fresh_chains is not None and quality.state is State.FRESH:
        seen.fresh_chains += 1
        if seen.fresh_chains >= step.day.limits["resume_chains"]:
            seen.fresh_chains = None
    return found


def _keep_levels(seen: UnderlyingState, frame: MarketFrame) -> None:
    """Remember the index, failing that the nearest forward, and how good the index was."""
    spot = frame.quality.spot
    if spot.available_at is not None:
        seen.spot = SeenInput(spot.available_at, spot.limit_us or 0, str(spot.state), spot.reason)
    block = nearest_expiry(frame)
    seen.index_paise = frame.spot_paise or (block.forward_paise if block else seen.index_paise)


def _keep_quotes(step: Step, seen: UnderlyingState, frame: MarketFrame) -> None:
    """Remember the quotes of contracts in open trades; one the frame does not show keeps none.
    While trading is halted what was valid last stays; an end-of-day record has closes for quotes.
    """
    if seen.halted:
        return
    contracts = {
        leg.contract
        for trade in step.state.trades.values()
        if trade.underlying == frame.underlying
        for leg in trade.legs
    }
    seen.quotes = {
        contract.label: quote_of(frame, contract).after(seen.quotes.get(contract.label))
        for contract in sorted(contracts)
    }


def _values(implied: AtmImplied) -> dict[str, Any]:
    return {
        "atm_iv": implied.atm_iv,
        "mean": implied.mean,
        "deviation": implied.deviation,
        "observations": implied.observations,
        "z_score": implied.z_score,
        "forward_paise": implied.forward_paise,
        "strike_paise": implied.strike_paise,
        "expiry": implied.expiry,
    }


def _emit_features(
    step: Step,
    frame: MarketFrame,
    values: dict[str, Any],
    reasons: dict[str, str | None],
    found: Coverage | None,
    *,
    cause: tuple[int, ...],
) -> int:
    """Derive features.computed: the values, none when the frame brings no chain, and the quality of
    what they are made of. `cause` are the events that were read beside day and frame.
    """
    return step.emit(
        "features.computed",
        {
            "underlying": frame.underlying,
            "values": values,
            "reasons": {name: reason for name, reason in reasons.items() if reason},
            "quality": _quality(step, frame, found),
            "synthetic": frame.source.synthetic,
        },
        cause=tuple(sorted({step.day.seq, step.seq, *cause})),
        key=frame.underlying,
    )


def _quality(step: Step, frame: MarketFrame, found: Coverage | None) -> dict[str, Any]:
    quality = frame.quality
    inputs = {
        name: {"state": str(q.state), "age_us": q.age_us, "reason": q.reason}
        for name, q in (
            ("spot", quality.spot),
            ("future", quality.future),
            ("vix", quality.vix),
            ("prints", quality.prints),
        )
    }
    chain = quality.chain
    return inputs | {
        "chain": {
            "state": str(chain.state),
            "reason": chain.reason,
            "age_us": chain.age_us,
            "limit_us": chain.limit_us,
            "as_of": chain.as_of,
            "available_at": chain.available_at,
            "flags": list(frame.flags),
            "rung": step.underlying(frame.underlying).rung,
            "strikes_below": found.below if found else None,
            "strikes_above": found.above if found else None,
        }
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
        lacks_the_day=frame.is_end_of_day and step.is_intraday(s4.hold_minutes),
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
