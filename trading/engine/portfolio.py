"""The session's portfolio: open trades at the quotes last seen, and what is past."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from trading.costs.amounts import paise_of
from trading.costs.funding import funding_e18
from trading.engine.book import Missing
from trading.engine.charging import session_fees
from trading.execution.portfolio import Past, mark_of, portfolio_of, sum_of, waterfall_of
from trading.market.quality import State

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from trading.engine.step import Step
    from trading.execution.portfolio import Mark, Portfolio, Waterfall
    from trading.execution.positions import Trade

# What a book is marked with is worth as little as the worst of its marks.
_WORST_FIRST = (State.MISSING, State.HALTED, State.STALE)


def marks_now(step: Step) -> dict[str, Mark]:
    """The open trades, by id, at the quotes last seen; in a halt at the last there were."""
    return {trade.id: _mark(step, trade) for trade in step.state.trades.values()}


def _mark(step: Step, trade: Trade) -> Mark:
    seen = step.underlying(trade.underlying)
    return mark_of(trade.legs, seen.quotes, halted=seen.halted)


def portfolio_now(step: Step, marks: Mapping[str, Mark]) -> Portfolio:
    """The portfolio as it stands, its open trades at their marks: capital, all profit, charges and
    funding of the session.
    """
    capital = step.configuration.desk.capital_paise
    return portfolio_of(capital, _past(step), sum_of(marks.values()))


def closed_figures(step: Step) -> dict[str, Any]:
    """Realised profit of the session, and what is left of it; None where costs are GROSS."""
    past = _past(step)
    told = waterfall_of(past.realised_paise, past.slippage, past.fees, past.funding_paise)
    return {
        "realised_paise": past.realised_paise,
        "fees": past.fees,
        "funding_paise": past.funding_paise,
        "net_paise": told.net_paise,
    }


def pay_for_the_night(step: Step, previous: date) -> None:
    """Take off what the margin of trades held since the previous day's close has cost until today,
    by the calendar. A margin that was never known is not guessed: its nights are counted.
    """
    funding, rate_e9 = step.state.funding, step.day.funding_rate_e9
    if rate_e9 is None or not step.state.trades:
        return
    nights = (date.fromisoformat(step.day.date) - previous).days
    if funding.margin_paise is None:
        funding.unfunded_nights += nights
    else:
        funding.paise += paise_of(funding_e18(funding.margin_paise, nights, rate_e9))


def remember_margin(step: Step, margin_paise: int | None) -> None:
    """Keep the last known margin of what is held: the night is paid for by it."""
    if not step.state.trades:
        step.state.funding.margin_paise = None
    elif margin_paise is not None:
        step.state.funding.margin_paise = margin_paise


def snapshot_figures(step: Step, marks: Mapping[str, Mark], portfolio: Portfolio) -> dict[str, Any]:
    """The figures of a portfolio.snapshot, the book's and the gates' aside. The highest equities
    include this one.
    """
    risk, equity = step.state.risk, portfolio.equity_paise
    positions = [_position(step, trade, marks[trade.id]) for trade in step.state.trades.values()]
    return {
        "cash_paise": portfolio.cash_paise,
        "value_paise": portfolio.value_paise,
        "realised_paise": portfolio.realised_paise,
        "unrealised_paise": portfolio.unrealised_paise,
        "unrealised_reason": None if portfolio.value_paise is not None else Missing.NO_QUOTE.value,
        "mark": _worst([position["mark"] for position in positions]),
        "equity_paise": equity,
        "highest_equity_paise": risk.highest_equity_paise,
        "day_profit_paise": _less(equity, risk.opening_equity_paise),
        "day_drawdown_paise": _less(risk.day_highest_equity_paise, equity),
        "peak_drawdown_paise": _less(risk.highest_equity_paise, equity),
        "waterfall": waterfall_data(portfolio.waterfall),
        "unfunded_nights": step.state.funding.unfunded_nights,
        "killed": step.state.kill is not None,
        "positions": positions,
        "costs": step.configuration.costs.label,
    }


def waterfall_data(waterfall: Waterfall) -> dict[str, Any]:
    """A waterfall as events carry it."""
    return waterfall._asdict()


def _past(step: Step) -> Past:
    state = step.state
    gross = step.configuration.costs.gross
    return Past(
        realised_paise=state.realised_paise,
        slippage=state.slippage,
        fees=session_fees(step),
        funding_paise=None if gross else state.funding.paise,
    )


def _position(step: Step, trade: Trade, mark: Mark) -> dict[str, Any]:
    return {
        "trade": trade.id,
        "strategy": trade.strategy,
        "underlying": trade.underlying,
        "state": None if trade.state is None else trade.state.value,
        "gross_paise": mark.realised_paise,
        "value_paise": mark.value_paise,
        "unrealised_paise": mark.unrealised_paise,
        "mark": str(_quality(step, trade, mark)),
    }


def _quality(step: Step, trade: Trade, mark: Mark) -> State:
    """What the quotes a trade is marked with are worth; while trading is halted they are the last
    valid ones.
    """
    seen = step.underlying(trade.underlying)
    if mark.value_paise is None:
        return State.MISSING
    if seen.halted:
        return State.HALTED
    held = [seen.quotes[leg.contract.label].at for leg in trade.legs if leg.open_quantity]
    limit_us = max(step.day.limits["chain_age_us"], seen.chain_limit_us)
    return State.STALE if any(step.ts - at > limit_us for at in held) else State.FRESH


def _worst(marks: Collection[str]) -> str | None:
    """The worst of marks; None when nothing is held."""
    if not marks:
        return None
    return str(next((state for state in _WORST_FIRST if state in marks), State.FRESH))


def _less(from_paise: int | None, paise: int | None) -> int | None:
    return None if from_paise is None or paise is None else from_paise - paise
