"""Trades move only along the edges that exist, and their money adds up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from trading.execution.orders import Contract
from trading.execution.positions import (
    EDGES,
    FoundOrder,
    IllegalTransitionError,
    Leg,
    LegOrder,
    State,
    Trade,
)

CONTRACT = Contract(underlying="NIFTY", expiry="2026-03-02", strike_paise=2_530_000, right="CE")


def trade(*legs: Leg) -> Trade:
    return Trade(id="s.1", strategy="S4", underlying="NIFTY", legs=list(legs))


def leg(side: str = "BUY", quantity: int = 65) -> Leg:
    return Leg(
        contract=CONTRACT,
        side=side,  # type: ignore[arg-type]
        quantity=quantity,
        lot_size=65,
        entries=[LegOrder("s.2", quantity)],
    )


@pytest.mark.parametrize("before", [None, *State])
@pytest.mark.parametrize("to", list(State))
def test_only_the_written_edges_exist(before: State | None, to: State) -> None:
    subject = trade(leg())
    subject.state = before
    if (before, to) in EDGES:
        subject.move(to)
        assert subject.state is to
    else:
        with pytest.raises(IllegalTransitionError, match="no edge"):
            subject.move(to)
        assert subject.state is before


def test_a_trade_begins_with_nothing() -> None:
    new = trade(leg())
    assert (new.state, new.held_at, new.frozen_us, new.gross_paise()) == (None, None, 0, 0)


def test_archive_with_open_quantity_is_refused() -> None:
    subject = trade(leg())
    subject.state = State.EXIT
    subject.legs[0].entry_quantity = 65
    with pytest.raises(IllegalTransitionError, match="open quantity"):
        subject.move(State.ARCHIVE)


@given(
    entry=st.integers(1, 10**7),
    out=st.integers(1, 10**7),
    quantity=st.integers(1, 10**5),
    side=st.sampled_from(["BUY", "SELL"]),
)
def test_a_closed_leg_earns_the_difference(entry: int, out: int, quantity: int, side: str) -> None:
    subject = leg(side, quantity)
    subject.entry_quantity = subject.exit_quantity = quantity
    subject.entry_value_paise, subject.exit_value_paise = entry * quantity, out * quantity
    expected = (out - entry) * quantity * (1 if side == "BUY" else -1)
    assert subject.gross_paise() == expected


def test_orders_are_found_by_id() -> None:
    subject = trade(leg())
    own = subject.legs[0]
    own.exits = [LegOrder("s.9", 65)]
    entry, leaving = subject.find_order("s.2"), subject.find_order("s.9")
    assert (entry.leg, entry.order, entry.side) == (own, own.entries[0], "BUY")
    assert (leaving.leg, leaving.order, leaving.side) == (own, own.exits[0], "SELL")
    with pytest.raises(KeyError):
        subject.find_order("s.3")


def test_an_order_is_filled_as_its_leg_is() -> None:
    own = leg(quantity=130)
    own.exits = [LegOrder("s.9", 130)]
    entry = FoundOrder(own, own.entries[0], enters=True)
    entry.fill(65, 100)
    entry.fill(65, 110)
    FoundOrder(own, own.exits[0], enters=False).fill(30, 120)
    assert (own.entries[0].filled, own.exits[0].filled) == (130, 30)
    assert (own.entry_value_paise, own.exit_value_paise) == (65 * 210, 3_600)
    assert (own.open_quantity, own.ahead) == (100, 0)


def test_a_leg_is_entered_when_its_last_order_has_ended() -> None:
    own = leg()
    own.entries.append(LegOrder("s.3", 65))
    subject = trade(leg(), own)
    for entry in (*subject.legs[0].entries, own.entries[0]):
        entry.over = True
        assert not own.entry_over
        assert not subject.entered
    own.entries[1].over = True
    assert own.entry_over
    assert subject.entered


@pytest.mark.parametrize(
    ("filled", "uneven"),
    [
        ((0, 0), False),
        ((65, 130), False),
        ((30, 60), False),
        ((65, 65), True),
        ((0, 2), True),
        ((30, 61), True),
        ((1, 2), False),
        ((64, 127), True),
    ],
)
def test_legs_are_uneven_where_they_are_filled_in_other_proportions(
    *, filled: tuple[int, int], uneven: bool
) -> None:
    subject = trade(leg(quantity=65), leg(quantity=130))
    for own, quantity in zip(subject.legs, filled, strict=True):
        own.entry_quantity = quantity
    assert subject.uneven is uneven


def test_an_exit_works_until_its_last_order_has_ended() -> None:
    own = leg()
    assert not own.exit_works, "none is under way"
    own.exits = [LegOrder("s.8", 65), LegOrder("s.9", 65)]
    assert own.exit_works
    own.exits[0].over = True
    assert own.exit_works
    assert trade(leg(), own).exit_works
    own.exits[1].over = True
    assert not own.exit_works
    assert not trade(leg(), own).exit_works


@pytest.mark.parametrize(
    ("filled", "over", "cancelled", "short"),
    [
        (0, True, False, True),
        (64, True, False, True),
        (65, True, False, False),
        (0, False, False, False),
        (0, True, True, False),
    ],
)
def test_an_order_fell_short_when_it_ended_unfilled_and_nobody_asked(
    *, filled: int, over: bool, cancelled: bool, short: bool
) -> None:
    assert LegOrder("s.1", 65).filled == 0
    ended = LegOrder("s.1", 65, filled=filled, over=over, cancelled=cancelled)
    assert ended.fell_short is short


class LegLife(RuleBasedStateMachine):
    """Fills in any sizes and order.

    Quantities stay within what was ordered, cash is never invented.
    """

    def __init__(self) -> None:
        super().__init__()
        self.leg = leg("SELL", 650)
        self.cash = 0

    @precondition(lambda self: self.leg.entry_quantity < self.leg.quantity)
    @rule(part=st.integers(1, 650), price=st.integers(5, 10**6))
    def enter(self, part: int, price: int) -> None:
        quantity = min(part, self.leg.quantity - self.leg.entry_quantity)
        FoundOrder(self.leg, self.leg.entries[0], enters=True).fill(quantity, price)
        self.cash += quantity * price

    @precondition(lambda self: self.leg.open_quantity)
    @rule(part=st.integers(1, 650), price=st.integers(5, 10**6))
    def leave(self, part: int, price: int) -> None:
        quantity = min(part, self.leg.open_quantity)
        FoundOrder(self.leg, LegOrder("s.9", quantity), enters=False).fill(quantity, price)
        self.cash -= quantity * price

    @precondition(lambda self: self.leg.exit_quantity == self.leg.quantity)
    @rule()
    def trade_again(self) -> None:
        self.leg, self.cash = leg("SELL", 650), 0

    @invariant()
    def quantities_hold(self) -> None:
        assert 0 <= self.leg.exit_quantity <= self.leg.entry_quantity <= self.leg.quantity

    @invariant()
    def a_flat_leg_has_earned_its_cash(self) -> None:
        if self.leg.entry_quantity and not self.leg.open_quantity:
            assert self.leg.gross_paise() == self.cash


TestLegLife = LegLife.TestCase
