"""Sessions, days and the clock: opening, the minute snapshot, closing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from trading.engine.admission import standing_results
from trading.engine.breakers import cool_breakers, watch_snapshot
from trading.engine.charging import close_note, session_fees
from trading.engine.desk import equity_paise, unrealised_paise
from trading.engine.exits import cancel_entries, propose_exits
from trading.engine.frames import thaw
from trading.engine.state import DayState, Terms, dump_state, state_digest
from trading.engine.step import EngineError, Step
from trading.market.quality import State

if TYPE_CHECKING:
    from trading.execution.positions import Trade

MINUTE_US = 60_000_000


def on_session_opened(step: Step) -> None:
    """Take the session's number; the configuration was taken when the input was accepted."""
    if step.seq != 1:
        raise EngineError(f"session.opened is the first event, not seq {step.seq}")
    step.state.number = step.event.data["number"]


def on_day_opened(step: Step) -> None:
    """Start a day with the calendar, lots and limits in force as then known."""
    data = step.event.data
    previous = step.state.day
    if previous is not None and not previous.closed:
        raise EngineError(f"day {data['date']} opens while {previous.date} is open")
    calendar = data["calendar"]
    step.state.day = DayState(
        date=data["date"],
        midnight_us=calendar["midnight_us"],
        open_us=calendar["open_us"],
        close_us=calendar["close_us"],
        seq=step.seq,
        limits=data["limits"],
        lot_sizes=data["contracts"]["lot_sizes"],
        terms={
            terms["underlying"]: Terms(
                terms["freeze_quantity"], terms["tick_paise"], terms["strike_step_paise"]
            )
            for terms in data["contracts"]["terms"]
        },
        tariff=data["rates"]["tariff"],
    )
    _open_risk(step)
    step.state.orders = {}  # they were valid for their day
    step.state.snapshot_minute = -1
    for name, seen in step.state.underlyings.items():
        if seen.halted:  # a halt ends with its day
            thaw(step, name, max(seen.halted_at or 0, previous.close_us if previous else 0))
        seen.surface_at = seen.surface_slot = seen.fresh_chains = None


def _open_risk(step: Step) -> None:
    """Begin the day's account: entries start at none, and its profit from the equity last known."""
    risk, capital = step.state.risk, step.configuration.desk.capital_paise
    risk.entries = {}
    risk.opening_equity_paise = capital if risk.equity_paise is None else risk.equity_paise
    if risk.highest_equity_paise is None:
        risk.highest_equity_paise = risk.opening_equity_paise


def on_clock_tick(step: Step) -> None:
    """Once a minute snapshot the portfolio; exit what is due; at the close, close the day."""
    if step.day.closed:
        return
    minute = step.ts // MINUTE_US
    if minute != step.state.snapshot_minute:
        step.state.snapshot_minute = minute
        _mark_equity(step)
        step.state.snapshot_seq = step.emit(
            "portfolio.snapshot", _snapshot(step), cause=_snapshot_causes(step)
        )
        cool_breakers(step)
        if watch_snapshot(step, equity_paise(step)):
            cancel_entries(step, cause=step.state.snapshot_seq)
    propose_exits(step)
    if step.ts >= step.day.close_us:
        _close_day(step)


def on_session_ended(step: Step) -> None:
    """Answer with the session's totals."""
    step.state.ended = True
    counts = dict(sorted(step.state.counts.items()))
    step.emit(
        "session.closed",
        {
            "counts": counts,
            "realised_paise": step.state.realised_paise,
            "fees": session_fees(step),
            "net_paise": _net_paise(step),
            "costs": step.configuration.costs.label,
        },
        cause=(step.seq,),
    )


def _close_day(step: Step) -> None:
    """Emit day.closed with the digest of the state as the next day.opened will find it."""
    day = step.day
    day.closed = True
    note = close_note(step)
    counts = dict(sorted(step.state.counts.items()))
    after = msgspec.structs.replace(
        step.state,
        next_seq=step.state.next_seq + 1,
        counts={**step.state.counts, "day.closed": step.state.counts.get("day.closed", 0) + 1},
    )
    digest = state_digest(dump_state(after))
    step.emit(
        "day.closed",
        {
            "date": day.date,
            "state_digest": digest,
            "counts": counts,
            "note": note,
            "costs": step.configuration.costs.label,
        },
        cause=(step.seq,),
        key=day.date,
    )


def _snapshot_causes(step: Step) -> tuple[int, ...]:
    frames = {state.frame_seq for state in step.state.underlyings.values() if state.frame_seq}
    return (*sorted(frames), step.seq)


def _mark_equity(step: Step) -> None:
    """Remember equity, and its highest, while every position can be marked."""
    equity, risk = equity_paise(step), step.state.risk
    if equity is not None:
        risk.equity_paise = equity
        risk.highest_equity_paise = max(equity, risk.highest_equity_paise or equity)


def _snapshot(step: Step) -> dict[str, Any]:
    positions = [_position(step, trade) for trade in step.state.trades.values()]
    marks = [position["unrealised_paise"] for position in positions]
    unknown = any(mark is None for mark in marks)
    return {
        "realised_paise": step.state.realised_paise,
        "unrealised_paise": None if unknown else sum(marks),
        "unrealised_reason": "NO_QUOTE" if unknown else None,
        "fees": session_fees(step),
        "killed": step.state.kill is not None,
        "positions": positions,
        "equity_paise": equity_paise(step),
        "highest_equity_paise": step.state.risk.highest_equity_paise,
        "gates": [
            {"underlying": name, **result.to_data()}
            for name in sorted(step.state.underlyings)
            for strategy in step.configuration.strategies.names
            for result in standing_results(step, name, strategy)
        ],
        "costs": step.configuration.costs.label,
    }


def _net_paise(step: Step) -> int | None:
    """What is realised, after the charges of the session; None where costs are GROSS."""
    fees = session_fees(step)
    return None if fees is None else step.state.realised_paise - fees["total"]


def _position(step: Step, trade: Trade) -> dict[str, Any]:
    return {
        "trade": trade.id,
        "strategy": trade.strategy,
        "underlying": trade.underlying,
        "state": None if trade.state is None else trade.state.value,
        "gross_paise": trade.gross_paise(),
        "unrealised_paise": unrealised_paise(step, trade),
        "mark": _mark(step, trade),
    }


def _mark(step: Step, trade: Trade) -> str:
    """What the quotes a trade is marked with are worth; while trading is halted they are the last
    valid ones.
    """
    seen = step.underlying(trade.underlying)
    if seen.halted:
        return str(State.HALTED)
    if unrealised_paise(step, trade) is None:
        return str(State.MISSING)
    held = [seen.quotes[leg.contract.label].at for leg in trade.legs if leg.open_quantity]
    limit_us = max(step.day.limits["chain_age_us"], seen.chain_limit_us)
    stale = any(step.ts - at > limit_us for at in held)
    return str(State.STALE if stale else State.FRESH)
