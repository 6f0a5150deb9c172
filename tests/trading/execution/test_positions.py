"""Trades move only along the edges that exist, and their money adds up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from trading.execution.orders import Contract
from trading.execution.positions import EDGES, IllegalTransitionError, Leg, State, Trade

CONTRACT = Contract(underlying="NIFTY", expiry="2026-03-02", strike_paise=2_530_000, right="CE")


def trade(*legs: Leg) -> Trade:
    return Trade(id="s.1", strategy="S4", underlying="NIFTY", legs=list(legs))


def leg(side: str = "BUY", quantity: int = 65) -> Leg:
    return Leg(contract=CONTRACT, side=side, quantity=quantity, lot_size=65, entry_order="s.2")  # type: ignore[arg-type]


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
    subject.legs[0].exit_order = "s.9"
    assert subject.leg_of_order("s.2") == (subject.legs[0], True)
    assert subject.leg_of_order("s.9") == (subject.legs[0], False)
    with pytest.raises(KeyError):
        subject.leg_of_order("s.3")


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
        self.leg.entry_quantity += quantity
        self.leg.entry_value_paise += quantity * price
        self.cash += quantity * price

    @precondition(lambda self: self.leg.open_quantity)
    @rule(part=st.integers(1, 650), price=st.integers(5, 10**6))
    def leave(self, part: int, price: int) -> None:
        quantity = min(part, self.leg.open_quantity)
        self.leg.exit_quantity += quantity
        self.leg.exit_value_paise += quantity * price
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
