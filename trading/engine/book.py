"""What is held and what works, as lines of contracts, and what they can gain, lose and block.

A line counts a working entry as filled. Floats are worked with and rounded to whole paise; what
cannot be worked out says what is missing.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from trading.pricing.black import VolatilityStatus, implied_volatility, years_between
from trading.risk.margin import Market, Position, ranges_by_rule, span_like_margin, valued
from trading.risk.margin_rules import MarginError, margin_rules
from trading.risk.scenarios import HeldOption, future_equivalent, greeks_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from trading.engine.state import Quote, UnderlyingState
    from trading.engine.step import Step
    from trading.execution.orders import Contract
    from trading.execution.positions import Leg, Trade
    from trading.risk.proposal import FutureEquivalent, Greeks

_MILLION = 1_000_000
_Figure = TypeVar("_Figure")


class Missing(StrEnum):
    """Why a figure of a book cannot be had."""

    NO_QUOTE = "NO_QUOTE"  # a side of a contract's quote
    NO_FORWARD = "NO_FORWARD"
    NO_VOLATILITY = "NO_VOLATILITY"  # no volatility gives the contract's mid
    NO_INDEX = "NO_INDEX"  # its level, or its volatility at the money
    NO_RULES = "NO_RULES"  # the day lies outside the margin's rules
    EXPIRED = "EXPIRED"


class Line(NamedTuple):
    """Signed units of a contract and its quote (None when there is none)."""

    contract: Contract
    units: int
    quote: Quote | None


def units_at_stake(leg: Leg) -> int:
    """Signed units of a leg, what may yet be entered counted as filled."""
    return leg.sign * (leg.open_quantity + leg.ahead)


def lines_of(step: Step, trade: Trade) -> list[Line]:
    """The lines of a trade, at the quotes last seen."""
    quotes = step.underlying(trade.underlying).quotes
    return [
        Line(leg.contract, units_at_stake(leg), quotes.get(leg.contract.label))
        for leg in trade.legs
        if units_at_stake(leg)
    ]


def book_lines(step: Step, *, but: str | None = None) -> list[Line]:
    """The lines of all open trades, but one."""
    trades = step.state.trades.values()
    return [line for trade in trades if trade.id != but for line in lines_of(step, trade)]


class Book(NamedTuple):
    """Lines, and each as an option with its volatility, or why it cannot be valued."""

    lines: list[Line]
    options: list[HeldOption | Missing]

    @property
    def greeks(self) -> Greeks | Missing:
        """The greeks of all lines."""
        options = all_of(self.options)
        return options if isinstance(options, Missing) else greeks_of(options)

    def equivalent(self, underlying: str) -> FutureEquivalent | None:
        """The future equivalents of the lines of an underlying; None when one cannot be valued."""
        own = [
            option
            for line, option in zip(self.lines, self.options, strict=True)
            if line.contract.underlying == underlying
        ]
        options = all_of(own)
        return None if isinstance(options, Missing) else future_equivalent(options)


def valued_book(lines: list[Line], at_us: int) -> Book:
    """Lines valued at an instant."""
    return Book(lines, [_held_option(line, at_us) for line in lines])


def all_of(options: Iterable[HeldOption | Missing]) -> list[HeldOption] | Missing:
    """All the options; failing that why the first one cannot be valued."""
    found = []
    for option in options:
        if isinstance(option, Missing):
            return option
        found.append(option)
    return found


def known(figure: _Figure | Missing) -> _Figure | None:
    """A figure as the gates take it: what is missing is None to them."""
    return None if isinstance(figure, Missing) else figure


def margin_paise(step: Step, lines: Sequence[Line]) -> int | Missing:
    """The SPAN-like margin of lines, underlying by underlying.

    The year's volatility is that at the money, for want of the exchange's own.
    """
    total = 0
    for name in sorted({line.contract.underlying for line in lines}):
        own = [line for line in lines if line.contract.underlying == name]
        margin = _margin(step.day.date, step.underlying(name), own)
        if isinstance(margin, Missing):
            return margin
        total += margin
    return total


def _margin(day: str, seen: UnderlyingState, lines: Sequence[Line]) -> int | Missing:
    positions: list[Position] = []
    forwards: dict[date, float] = {}
    for line in _netted(lines):
        quote, expiry = line.quote, date.fromisoformat(line.contract.expiry)
        if quote is None or quote.mid_paise is None:
            return Missing.NO_QUOTE
        if quote.forward_paise is None:
            return Missing.NO_FORWARD
        forwards[expiry] = float(quote.forward_paise)
        contract = line.contract
        positions.append(
            Position(expiry, line.units, quote.mid_paise, contract.strike_paise, contract.right)
        )
    if seen.index_paise is None or seen.volatility_ppm is None:
        return Missing.NO_INDEX
    on = date.fromisoformat(day)
    try:
        ranges = ranges_by_rule(seen.index_paise, seen.volatility_ppm / _MILLION, margin_rules(on))
        market = Market(on, forwards, ranges)
        return span_like_margin(positions, market, valued(positions, market)).total_paise
    except MarginError:
        return Missing.NO_RULES


def _netted(lines: Sequence[Line]) -> list[Line]:
    """Lines of one contract made one; what nets to nothing is left out."""
    units: dict[Contract, int] = {}
    quotes: dict[Contract, Quote | None] = {}
    for line in lines:
        units[line.contract] = units.get(line.contract, 0) + line.units
        quotes[line.contract] = line.quote or quotes.get(line.contract)
    return [Line(each, units[each], quotes[each]) for each in sorted(units) if units[each]]


def _held_option(line: Line, at_us: int) -> HeldOption | Missing:
    quote, contract = line.quote, line.contract
    mid = None if quote is None else quote.mid_paise
    if quote is None or mid is None:
        return Missing.NO_QUOTE
    if quote.forward_paise is None or quote.expires_at_us is None:
        return Missing.NO_FORWARD
    years = years_between(at_us, quote.expires_at_us)
    if years <= 0:
        return Missing.EXPIRED
    solved = implied_volatility(
        mid, quote.forward_paise, contract.strike_paise, years, contract.right
    )
    volatility = solved.value
    if solved.status is VolatilityStatus.BELOW_INTRINSIC:
        volatility = 0.0  # it has no time value: what it is worth now is all it is
    if volatility is None:
        return Missing.NO_VOLATILITY
    return HeldOption(
        line.units,
        contract.strike_paise,
        contract.right,
        quote.forward_paise,
        years,
        volatility,
    )
