"""What the gates may know at an instant, gathered from the engine's state."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from trading.engine.book import book_lines, known, valued_book
from trading.engine.portfolio import marks_now, portfolio_now
from trading.risk.breakers import flags
from trading.risk.exposure import strike_key
from trading.risk.limits import Limits
from trading.risk.snapshot import InputAge, RiskShares, RiskSnapshot

if TYPE_CHECKING:
    from trading.engine.book import Book
    from trading.engine.state import SeenInput, UnderlyingState
    from trading.engine.step import Step
    from trading.execution.portfolio import Portfolio

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US


def limits_in_force(step: Step) -> Limits:
    """The limits the day opened with, and the changes made since the session began."""
    return msgspec.convert({**step.day.limits, **step.state.risk.limit_changes}, Limits)


class Desk(NamedTuple):
    """What the gates are asked about, worked out once: the portfolio, and the book with what works
    in it.
    """

    portfolio: Portfolio
    book: Book


def desk_now(step: Step) -> Desk:
    """The desk as it stands."""
    return Desk(portfolio_now(step, marks_now(step)), valued_book(book_lines(step), step.ts))


def risk_snapshot(step: Step, underlying: str, strategy: str, desk: Desk) -> RiskSnapshot:
    """All that the gates may know now of an order of a strategy in an underlying.

    What nothing in the house works out yet (VPIN, the regime) is not known.
    """
    seen = step.state.underlyings.get(underlying)
    risk, capital = step.state.risk, step.configuration.desk.capital_paise
    equity, opening = desk.portfolio.equity_paise, risk.opening_equity_paise
    return RiskSnapshot(
        now_us=step.ts,
        now_ist_seconds=(step.ts - step.day.midnight_us) // SECOND_US,
        today=step.day.date,
        flags=_flags(step, strategy),
        halted=seen.halted if seen else False,
        halt_reason=seen.halt_reason if seen else None,
        fresh_chains=seen.fresh_chains if seen else None,
        orders_taken=_takes_orders(step, seen),
        inputs=_inputs(step, seen),
        rung=seen.rung if seen else None,
        recent=tuple(risk.recent),
        vpin=None,
        regime=None,
        capital_paise=capital,
        day_profit_paise=None if equity is None or opening is None else equity - opening,
        equity_paise=equity,
        highest_equity_paise=risk.highest_equity_paise,
        shares=_shares(step),
        greeks=known(desk.book.greeks),
        future_equivalent=desk.book.equivalent(underlying),
        messages_last_second=sum(step.ts - at < SECOND_US for at in risk.messages_at),
        messages_last_minute=sum(step.ts - at < MINUTE_US for at in risk.messages_at),
        entries_today=risk.entries.get(strategy, 0),
        working_value_paise=_working_paise(step),
    )


def _flags(step: Step, strategy: str) -> tuple[str, ...]:
    risk = step.state.risk
    kills = (step.state.kill, step.state.strategy_kills.get(strategy))
    found = [f"set by {kill.actor}: {kill.reason}" for kill in kills if kill is not None]
    if step.state.reconciliation.doubt is not None:
        found = [*found, f"book and broker differ: {step.state.reconciliation.doubt}"]
    if strategy in risk.disabled:
        found = [*found, risk.disabled[strategy]]
    return (*found, *flags(risk.breakers, trades_open=len(step.state.trades)))


def _takes_orders(step: Step, seen: UnderlyingState | None) -> bool:
    """Whether the market takes orders now; those decided on a day's record are for its close."""
    before_the_close = step.ts < step.day.close_us
    return before_the_close and (
        step.ts >= step.day.open_us or (seen is not None and seen.shows_closes)
    )


def _inputs(step: Step, seen: UnderlyingState | None) -> dict[str, InputAge]:
    if seen is None:
        return {}
    chain_age = None if seen.chain_at is None else step.ts - seen.chain_at
    inputs = {
        "chain": InputAge(chain_age, seen.chain_limit_us, seen.chain_state, seen.chain_reason)
    }
    if seen.spot is not None:
        inputs["spot"] = _age(step, seen.spot)
    if seen.surface_at is not None:
        inputs["surface"] = InputAge(step.ts - seen.surface_at, seen.chain_limit_us, "FRESH")
    return inputs


def _age(step: Step, seen: SeenInput) -> InputAge:
    return InputAge(step.ts - seen.at, seen.limit_us, seen.state, seen.reason)


def _shares(step: Step) -> RiskShares | None:
    """What the open trades can lose, by what they are in; None when that of one is not known."""
    strategies: Counter[str] = Counter()
    expiries: Counter[str] = Counter()
    strikes: Counter[str] = Counter()
    underlyings: Counter[str] = Counter()
    expiring = 0
    for trade in step.state.trades.values():
        at_stake = step.state.risk.at_stake.get(trade.id)
        if at_stake is None:
            return None
        contracts = [leg.contract for leg in trade.legs]
        strategies[trade.strategy] += at_stake
        underlyings[trade.underlying] += at_stake
        for expiry in {contract.expiry for contract in contracts}:
            expiries[expiry] += at_stake
            expiring += at_stake if expiry == step.day.date else 0
        for strike in {strike_key(each.underlying, each.strike_paise) for each in contracts}:
            strikes[strike] += at_stake
    return RiskShares(strategies, expiries, strikes, underlyings, expiring)


def _working_paise(step: Step) -> int | None:
    """The premium of what still works of entry orders, at the mid; None without a quote."""
    total = 0
    for trade in step.state.trades.values():
        quotes = step.underlying(trade.underlying).quotes
        for leg in trade.legs:
            working = leg.ahead
            if not working:
                continue
            quote = quotes.get(leg.contract.label)
            if quote is None or quote.mid_paise is None:
                return None
            total += working * quote.mid_paise
    return total
