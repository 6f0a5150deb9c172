"""What a portfolio is worth and where its profit goes, in integer paise.

What is held is marked at the price it would be closed at: the bid of what was bought, the ask of
what was sold. A figure that needs a quote nobody shows is None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trading.execution.positions import Leg
    from trading.execution.slippage import Slippage


class Exit(Protocol):
    """A contract's quote, as far as closing needs it."""

    def exit_paise(self, sign: int, *, halted: bool) -> int | None:
        """The price a holding of that sign would be closed at; None without one."""


class Mark(NamedTuple):
    """Legs as they stand. `cash_paise`: what their fills brought in less what they took;
    `realised_paise`: profit of what was closed; `value_paise`: what closing the rest now brings
    (negative where it takes), None without a quote.
    """

    cash_paise: int
    realised_paise: int
    value_paise: int | None

    @property
    def unrealised_paise(self) -> int | None:
        """Profit of closing the rest now: all that was ever made, less what is realised."""
        if self.value_paise is None:
            return None
        return self.cash_paise + self.value_paise - self.realised_paise


class Waterfall(NamedTuple):
    """From what was hoped for to what is left: expected − slippage = gross, gross − fees − funding
    = net.

    `expected_paise` is the profit had every fill met the price its order expected (the
    `unpriced_fills` expected none and count at their own). `fees` by line with their total, and
    with them funding and net, are None where costs are GROSS; what needs a missing quote is None.
    """

    expected_paise: int | None
    slippage_paise: int
    unpriced_fills: int
    gross_paise: int | None
    fees: Mapping[str, int] | None
    funding_paise: int | None
    net_paise: int | None


class Portfolio(NamedTuple):
    """A portfolio at an instant.

    `cash_paise`: capital and what all fills, charges and funding have made of it; equity is cash
    and the value of what is held, and as well capital and the waterfall's net (gross where costs
    are GROSS).
    """

    cash_paise: int
    value_paise: int | None
    realised_paise: int
    unrealised_paise: int | None
    equity_paise: int | None
    waterfall: Waterfall


class Past(NamedTuple):
    """What archived trades and gone nights have left, summed up: realised profit, slippage of all
    fills, charges by line with their total, funding. The last two are None where costs are GROSS.
    """

    realised_paise: int
    slippage: Slippage
    fees: Mapping[str, int] | None
    funding_paise: int | None


def mark_of(legs: Iterable[Leg], quotes: Mapping[str, Exit], *, halted: bool) -> Mark:
    """Mark legs at quotes by contract label; in a halt at the last there were."""
    cash = realised = value = 0
    is_known = True
    for leg in legs:
        sign = 1 if leg.side == "BUY" else -1
        cash += sign * (leg.exit_value_paise - leg.entry_value_paise)
        realised += leg.gross_paise()
        held = leg.entry_quantity - leg.exit_quantity
        if held:
            quote = quotes.get(leg.contract.label)
            price = None if quote is None else quote.exit_paise(sign, halted=halted)
            if price is None:
                is_known = False
            else:
                value += sign * held * price
    return Mark(cash, realised, value if is_known else None)


def sum_of(marks: Iterable[Mark]) -> Mark:
    """Several marks as one; its value is None as soon as that of one is."""
    cash = realised = value = 0
    is_known = True
    for mark in marks:
        cash += mark.cash_paise
        realised += mark.realised_paise
        if mark.value_paise is None:
            is_known = False
        else:
            value += mark.value_paise
    return Mark(cash, realised, value if is_known else None)


def waterfall_of(
    gross_paise: int | None,
    slippage: Slippage,
    fees: Mapping[str, int] | None,
    funding_paise: int | None = None,
) -> Waterfall:
    """The waterfall of a profit before costs; `fees` carry their `total`. Net is None without fees
    and without a gross figure; a funding of None takes nothing off.
    """
    net = None
    if gross_paise is not None and fees is not None:
        net = gross_paise - fees["total"] - (funding_paise or 0)
    return Waterfall(
        expected_paise=None if gross_paise is None else gross_paise + slippage.paise,
        slippage_paise=slippage.paise,
        unpriced_fills=slippage.unpriced_fills,
        gross_paise=gross_paise,
        fees=fees,
        funding_paise=funding_paise,
        net_paise=net,
    )


def portfolio_of(capital_paise: int, past: Past, held: Mark) -> Portfolio:
    """The portfolio of a capital, of what is past and of the open trades' mark."""
    costs = (past.fees["total"] if past.fees else 0) + (past.funding_paise or 0)
    cash = capital_paise + past.realised_paise + held.cash_paise - costs
    realised, unrealised = past.realised_paise + held.realised_paise, held.unrealised_paise
    gross = None if unrealised is None else realised + unrealised
    return Portfolio(
        cash_paise=cash,
        value_paise=held.value_paise,
        realised_paise=realised,
        unrealised_paise=unrealised,
        equity_paise=None if held.value_paise is None else cash + held.value_paise,
        waterfall=waterfall_of(gross, past.slippage, past.fees, past.funding_paise),
    )
