"""Sessions, days and the clock: opening, the minute snapshot, closing."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec

from trading.engine.admission import standing_results
from trading.engine.book import Missing, book_lines, known, margin_paise, valued_book
from trading.engine.breakers import cool_breakers, watch_snapshot
from trading.engine.charging import close_note
from trading.engine.desk import Desk
from trading.engine.exits import (
    cancel_day_entries,
    cancel_entries,
    propose_exits,
)
from trading.engine.frames import thaw
from trading.engine.portfolio import (
    closed_figures,
    marks_now,
    pay_for_the_night,
    portfolio_now,
    remember_margin,
    snapshot_figures,
)
from trading.engine.settlement import tell_unsettled
from trading.engine.state import DayState, Terms, dump_state, state_digest
from trading.engine.step import EngineError, Step

if TYPE_CHECKING:
    from trading.risk.proposal import Greeks

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
        expiring_close_us=calendar["expiring_close_us"],
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
        funding_rate_e9=data["rates"]["funding_rate_e9"],
    )
    if previous is not None:
        pay_for_the_night(step, date.fromisoformat(previous.date))
    _open_risk(step)
    step.state.orders = {}  # they were valid for their day
    step.state.reconciliation.accepted_orders = []
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
    risk.day_highest_equity_paise = risk.opening_equity_paise


def on_clock_tick(step: Step) -> None:
    """Once a minute snapshot the portfolio; exit what is due; at the close, close the day."""
    if step.day.closed:
        return
    minute = step.ts // MINUTE_US
    before = step.state.snapshot_minute
    if minute != before:
        step.state.snapshot_minute = minute
        equity_paise = _take_snapshot(step)
        cool_breakers(step)
        if watch_snapshot(step, equity_paise):
            cancel_entries(step, cause=step.state.snapshot_seq)
        cancel_day_entries(step, since_us=before * MINUTE_US, cause=step.state.snapshot_seq)
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
            **closed_figures(step),
            "costs": step.configuration.costs.label,
        },
        cause=(step.seq,),
    )


def _close_day(step: Step) -> None:
    """Say what expired unsettled, then emit day.closed with the digest of the state as the next
    day.opened will find it.
    """
    day = step.day
    day.closed = True
    tell_unsettled(step)
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


def _take_snapshot(step: Step) -> int | None:
    """Derive the minute's portfolio.snapshot; return its equity."""
    marks = marks_now(step)
    portfolio = portfolio_now(step, marks)
    _remember_equity(step, portfolio.equity_paise)
    desk = Desk(portfolio, valued_book(book_lines(step), step.ts))
    margin = margin_paise(step, desk.book.lines)
    remember_margin(step, known(margin))
    step.state.snapshot_seq = step.emit(
        "portfolio.snapshot",
        snapshot_figures(step, marks, portfolio)
        | _book_figures(desk.book.greeks, margin)
        | {"gates": _gates(step, desk, known(margin))},
        cause=_snapshot_causes(step),
    )
    return portfolio.equity_paise


def _remember_equity(step: Step, equity_paise: int | None) -> None:
    """Remember equity, and its highest, while every position can be marked."""
    risk = step.state.risk
    if equity_paise is None:
        return
    risk.equity_paise = equity_paise
    risk.highest_equity_paise = max(equity_paise, risk.highest_equity_paise or equity_paise)
    risk.day_highest_equity_paise = max(equity_paise, risk.day_highest_equity_paise or equity_paise)


def _book_figures(greeks: Greeks | Missing, margin: int | Missing) -> dict[str, Any]:
    return {
        "greeks": None if isinstance(greeks, Missing) else greeks.to_data(),
        "greeks_reason": greeks.value if isinstance(greeks, Missing) else None,
        "margin_paise": known(margin),
        "margin_reason": margin.value if isinstance(margin, Missing) else None,
    }


def _gates(step: Step, desk: Desk, margin: int | None) -> list[dict[str, Any]]:
    return [
        {"underlying": name, **result.to_data()}
        for name in sorted(step.state.underlyings)
        for strategy in step.configuration.strategies.names
        for result in standing_results(step, name, strategy, desk, margin)
    ]
