"""A portfolio against an account kept fill by fill: cash in, cash out, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.engine.state import Quote
from trading.execution.orders import Contract
from trading.execution.portfolio import (
    Mark,
    Past,
    mark_of,
    portfolio_of,
    sum_of,
    waterfall_of,
)
from trading.execution.positions import FoundOrder, Leg, LegOrder
from trading.execution.slippage import Slippage

if TYPE_CHECKING:
    from collections.abc import Sequence

CAPITAL_PAISE = 5_000_000_000
LINES = ("brokerage", "stt", "exchange", "sebi", "stamp", "gst")


@dataclass(frozen=True)
class Fill:
    """A fill of a leg of a trade: entry while `entry`, `expected` what its order hoped for."""

    trade: int
    leg: int
    entry: bool
    quantity: int
    price: int
    expected: int | None


@dataclass
class Account:
    """Legs, slippage and fees as the engine keeps them, and cash as anyone would count it."""

    legs: dict[tuple[int, int], Leg] = field(default_factory=dict)
    slippage: Slippage = field(default_factory=Slippage)
    cash: int = 0
    hoped: int = 0  # cash had every fill met its expectation

    def take(self, fill: Fill, side: str) -> None:
        leg = self.legs.setdefault((fill.trade, fill.leg), made_leg(fill, side))
        value = fill.quantity * fill.price
        order = (leg.entries if fill.entry else leg.exits)[0]
        found = FoundOrder(leg, order, fill.entry)
        found.fill(fill.quantity, fill.price)
        own = found.side
        self.slippage.add(own, fill.quantity, fill.price, fill.expected)
        sign = 1 if own == "SELL" else -1
        self.cash += sign * value
        self.hoped += (
            sign * fill.quantity * (fill.price if fill.expected is None else fill.expected)
        )


def made_leg(fill: Fill, side: str) -> Leg:
    contract = Contract("NIFTY", "2026-03-02", 2_500_000 + 5_000 * fill.leg, "CE")
    return Leg(
        contract=contract,
        side=side,  # type: ignore[arg-type]
        quantity=10**6,
        lot_size=65,
        entries=[LegOrder("in", 10**6)],
        exits=[LegOrder("out", 10**6)],
    )


def quoted(bid: int | None, ask: int | None) -> Quote:
    return Quote(bid_paise=bid, ask_paise=ask, at=0).after(None)


@st.composite
def leg_lives(draw: st.DrawFn) -> tuple[list[Fill], dict[tuple[int, int], str]]:
    """The fills of up to four trades of up to three legs, each leg's in an order that can be."""
    fills: list[Fill] = []
    sides: dict[tuple[int, int], str] = {}
    price = st.integers(5, 2_000_000)
    for trade in range(draw(st.integers(1, 4))):
        for leg in range(draw(st.integers(1, 3))):
            sides[trade, leg] = draw(st.sampled_from(["BUY", "SELL"]))
            held = 0
            for _ in range(draw(st.integers(1, 6))):
                entry = held == 0 or draw(st.booleans())
                quantity = draw(st.integers(1, 1_800 if entry else held))
                held += quantity if entry else -quantity
                hoped = draw(st.none() | price)
                fills.append(Fill(trade, leg, entry, quantity, draw(price), hoped))
    return fills, sides


QUOTES = st.fixed_dictionaries(
    {
        f"NIFTY 2026-03-02 {25_000 + 50 * leg} CE": st.builds(
            quoted, st.integers(5, 10**6), st.integers(5, 10**6)
        )
        for leg in range(3)
    }
)
FEES = st.fixed_dictionaries({line: st.integers(0, 10**6) for line in LINES}).map(
    lambda lines: {**lines, "total": sum(lines.values())}
)


def kept(fills: Sequence[Fill], sides: dict[tuple[int, int], str]) -> Account:
    account = Account()
    for fill in fills:
        account.take(fill, sides[fill.trade, fill.leg])
    return account


def split(account: Account, quotes: dict[str, Quote]) -> tuple[int, Mark]:
    """What flat trades have realised, as the engine keeps it when it archives them, and the mark of
    the others.
    """
    archived, marks = 0, []
    for _, group in groupby(sorted(account.legs), key=lambda place: place[0]):
        legs = [account.legs[place] for place in group]
        if any(leg.open_quantity for leg in legs):
            marks.append(mark_of(legs, quotes, halted=False))
        else:
            archived += sum(leg.gross_paise() for leg in legs)
    return archived, sum_of(marks)


@given(leg_lives(), QUOTES, FEES, st.integers(0, 10**8))
def test_equity_is_the_cash_of_all_fills_and_what_closing_the_rest_brings(
    lives: tuple[list[Fill], dict[tuple[int, int], str]],
    quotes: dict[str, Quote],
    fees: dict[str, int],
    funding: int,
) -> None:
    account = kept(*lives)
    archived, held = split(account, quotes)
    past = Past(archived, account.slippage, fees, funding)
    told = portfolio_of(CAPITAL_PAISE, past, held)
    closing = 0
    for leg in account.legs.values():
        quote = quotes[leg.contract.label]
        price = quote.bid_paise if leg.side == "BUY" else quote.ask_paise
        assert price is not None
        closing += leg.sign * leg.open_quantity * price
    costs = fees["total"] + funding
    assert told.cash_paise == CAPITAL_PAISE + account.cash - costs
    assert told.value_paise == closing
    assert told.equity_paise == told.cash_paise + closing
    # Realised and unrealised part the same money, whatever each share of an entry is rounded to.
    assert told.unrealised_paise is not None
    assert told.realised_paise + told.unrealised_paise == account.cash + closing
    # The waterfall leads from what was hoped for to the same equity, to the paisa.
    fall = told.waterfall
    assert fall.expected_paise == account.hoped + closing
    assert fall.expected_paise - fall.slippage_paise == fall.gross_paise
    assert fall.gross_paise is not None
    assert fall.net_paise == fall.gross_paise - sum(fees[line] for line in LINES) - funding
    assert told.equity_paise == CAPITAL_PAISE + fall.net_paise


@given(leg_lives(), QUOTES, st.randoms(use_true_random=False))
def test_fills_of_independent_trades_may_come_in_any_order(
    lives: tuple[list[Fill], dict[tuple[int, int], str]],
    quotes: dict[str, Quote],
    chance: Any,
) -> None:
    fills, sides = lives
    waiting = {
        trade: list(group)
        for trade, group in groupby(sorted(fills, key=attrgetter("trade")), attrgetter("trade"))
    }
    mixed = []
    while any(waiting.values()):
        mixed.append(waiting[chance.choice([t for t, left in waiting.items() if left])].pop(0))
    told = []
    for order in (fills, mixed):
        account = kept(order, sides)
        archived, held = split(account, quotes)
        told.append(portfolio_of(CAPITAL_PAISE, Past(archived, account.slippage, None, None), held))
    assert told[0] == told[1]


@given(leg_lives(), QUOTES)
def test_what_is_realised_does_not_move_with_the_market(
    lives: tuple[list[Fill], dict[tuple[int, int], str]], quotes: dict[str, Quote]
) -> None:
    account = kept(*lives)
    shifted = {
        label: quoted((quote.bid_paise or 0) + 70, (quote.ask_paise or 0) + 70)
        for label, quote in quotes.items()
    }
    before = mark_of(account.legs.values(), quotes, halted=False)
    after = mark_of(account.legs.values(), shifted, halted=False)
    units = sum(leg.sign * leg.open_quantity for leg in account.legs.values())
    assert (before.cash_paise, before.realised_paise) == (after.cash_paise, after.realised_paise)
    assert before.unrealised_paise is not None
    assert after.unrealised_paise == before.unrealised_paise + 70 * units


def a_leg(side: str = "SELL") -> Leg:
    leg = made_leg(Fill(0, 0, entry=True, quantity=65, price=10_000, expected=None), side)
    leg.entry_quantity, leg.entry_value_paise = 65, 65 * 10_000
    return leg


@pytest.mark.parametrize(
    ("side", "quote", "value"),
    [
        ("SELL", quoted(None, 9_000), -65 * 9_000),
        ("SELL", quoted(9_000, None), None),
        ("BUY", quoted(9_000, None), 65 * 9_000),
        ("BUY", quoted(None, 9_000), None),
    ],
)
def test_only_the_side_it_would_be_closed_at_counts(
    side: str, quote: Quote, value: int | None
) -> None:
    leg = a_leg(side)
    mark = mark_of([leg], {leg.contract.label: quote}, halted=False)
    assert mark.value_paise == value
    assert (mark.unrealised_paise is None) == (value is None)
    assert mark_of([leg], {}, halted=False).value_paise is None


def test_without_a_quote_cash_and_what_is_past_are_still_told() -> None:
    held = mark_of([a_leg()], {}, halted=False)
    fees = dict.fromkeys(LINES, 100) | {"total": 600}
    told = portfolio_of(CAPITAL_PAISE, Past(4_000, Slippage(70, 1), fees, 9), held)
    assert told.cash_paise == CAPITAL_PAISE + 4_000 + 65 * 10_000 - 609
    assert told.realised_paise == 4_000
    assert (told.value_paise, told.unrealised_paise, told.equity_paise) == (None, None, None)
    fall = told.waterfall
    assert (fall.expected_paise, fall.gross_paise, fall.net_paise) == (None, None, None)
    assert (fall.slippage_paise, fall.unpriced_fills, fall.funding_paise) == (70, 1, 9)
    assert fall.fees == fees


def test_marks_add_up_and_one_without_a_value_takes_it_from_all() -> None:
    first, second = Mark(10, 20, 30), Mark(1, 2, 3)
    assert sum_of([]) == Mark(0, 0, 0)
    assert sum_of([first, second]) == Mark(11, 22, 33)
    assert sum_of([first, Mark(1, 2, None), second]) == Mark(12, 24, None)


def test_a_leg_that_is_flat_needs_no_quote() -> None:
    leg = a_leg()
    leg.exit_quantity, leg.exit_value_paise = 65, 65 * 9_990
    assert mark_of([leg], {}, halted=False) == Mark(650, 650, 0)


def test_in_a_halt_the_last_valid_quote_marks_and_else_it_does_not() -> None:
    leg = a_leg()
    quote = Quote(bid_paise=1, ask_paise=None, at=5).after(quoted(8_990, 9_000))
    quotes = {leg.contract.label: quote}
    assert mark_of([leg], quotes, halted=True).value_paise == -65 * 9_000
    assert mark_of([leg], quotes, halted=False).value_paise is None


def test_gross_takes_nothing_off_and_names_no_net() -> None:
    past = Past(1_000, Slippage(), None, None)
    told = portfolio_of(CAPITAL_PAISE, past, Mark(0, 0, 0))
    assert told.equity_paise == told.cash_paise == CAPITAL_PAISE + 1_000
    assert (told.waterfall.gross_paise, told.waterfall.net_paise) == (1_000, None)


def test_a_trade_s_waterfall_bears_no_funding() -> None:
    fees = dict.fromkeys(LINES, 7) | {"total": 42}
    fall = waterfall_of(-100, Slippage(-30), fees)
    assert (fall.expected_paise, fall.net_paise, fall.funding_paise) == (-130, -142, None)
