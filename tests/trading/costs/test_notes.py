"""The contract note of a day: its rounding, and the figures of published notes."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trading.costs.test_india import CALL, DAY, FUTURE, UPSTOX, ZERODHA, days, fills
from trading.costs.amounts import E18, half_up, paise_of, rupees_of_paise, to_rupee
from trading.costs.india import Charges, Contract, Exercise, Fill, charges_of, order_lines
from trading.costs.notes import Order, billed_charges, contract_note
from trading.costs.rates import BUY, SELL, CostError

JUNE_2024 = date(2024, 6, 5)
JUNE_2025 = date(2025, 6, 10)


def _paise(thousandths_of_rupee: int) -> int:
    return thousandths_of_rupee * E18 // 10


def _note(*made: Fill, day: date = DAY, broker: Any = ZERODHA) -> Charges:
    return contract_note(day, broker, [Order((fill,)) for fill in made]).billed


@pytest.mark.parametrize(
    ("exact_thousandths", "rupees"),
    [(12_495, 13), (90_900, 91), (359_710, 360), (12_494, 12), (12_500, 13), (499, 1), (494, 0)],
)
def test_the_tax_is_rounded_to_the_paisa_and_then_to_the_rupee(
    exact_thousandths: int, rupees: int
) -> None:
    assert billed_charges(Charges(stt=_paise(exact_thousandths))).stt == rupees * 100


@pytest.mark.parametrize(
    ("exact_thousandths", "rupees"),
    [(7_012, 7), (5_709, 6), (350, 0), (500, 1), (499, 0), (495, 0)],
)
def test_stamp_duty_is_rounded_to_the_rupee_at_once(exact_thousandths: int, rupees: int) -> None:
    assert billed_charges(Charges(stamp=_paise(exact_thousandths))).stamp == rupees * 100


@pytest.mark.parametrize("name", ["brokerage", "exchange", "sebi"])
def test_the_other_lines_are_rounded_half_up_to_the_paisa(name: str) -> None:
    for exact_thousandths, paise in ((4, 0), (5, 1), (14, 1), (15, 2), (14_405, 1_441)):
        billed = billed_charges(Charges(**{name: _paise(exact_thousandths)}))
        assert getattr(billed, name) == paise
        assert billed.total == paise


def test_the_two_halves_of_the_gst_are_rounded_each_for_itself() -> None:
    assert billed_charges(Charges(gst=_paise(6_323))).gst == 632  # 3.16 + 3.16
    assert billed_charges(Charges(gst=_paise(6_331))).gst == 634  # 3.17 + 3.17, not 6.33


def test_gst_comes_from_unrounded_inputs() -> None:
    small = [Fill(CALL, BUY, 1, 500) for _ in range(50)]
    note = contract_note(DAY, ZERODHA, [Order((fill,), 0) for fill in small])
    assert note.billed.exchange == 9  # 50 x 0.0017765
    assert note.billed.gst == 2  # of 0.0160; of the rounded lines of each order: none
    assert note.exact.gst == 9 * note.exact.exchange // 50 + 9 * note.exact.sebi // 50


def test_a_note_of_june_2024_reproduced() -> None:
    """One future sold: tax 90.90 billed as 91, exchange charge 14.40, CGST and SGST 3.16 each,
    which fits only with GST on the investor protection charge. Its price is not published: the tax
    gives the turnover.
    """
    contract = Contract("NSE", "BANKNIFTY", date(2024, 6, 26))
    sold = Fill(contract, SELL, 15, 4_848_000)
    note = contract_note(JUNE_2024, ZERODHA, [Order((sold,))])
    assert paise_of(note.exact.stt) == 9_090
    assert note.billed == Charges(
        brokerage=2_000, stt=9_100, exchange=1_440, sebi=73, stamp=0, gst=2 * 316
    )
    assert rupees_of_paise(note.billed.total) == "132.45"
    without = ZERODHA._replace(gst_on_investor_protection=False)
    assert _note(sold, day=JUNE_2024, broker=without).gst == 2 * 310


@pytest.mark.parametrize(
    ("day", "units", "price_paise", "paise", "billed"),
    [
        (JUNE_2025, 75, 16_660, 1_250, 1_300),  # 12.495
        (JUNE_2025, 75, 479_615, 35_971, 36_000),  # 359.71
        (JUNE_2025, 75, 121_200, 9_090, 9_100),  # 90.90
    ],
)
def test_the_tax_of_options_sold_as_notes_have_it(
    day: date, units: int, price_paise: int, paise: int, billed: int
) -> None:
    contract = Contract("NSE", "NIFTY", date(2026, 12, 29), 2_000_000, "CE")
    note = contract_note(day, ZERODHA, [Order((Fill(contract, SELL, units, price_paise),))])
    assert paise_of(note.exact.stt) == paise
    assert note.billed.stt == billed


def test_a_day_is_rounded_once_and_not_each_order() -> None:
    legs = [Fill(CALL, SELL, 65, 12_005) for _ in range(4)]
    note = contract_note(DAY, ZERODHA, [Order((leg,)) for leg in legs])
    assert note.billed.stt == 4_700  # 46.8195; four times 12 would be 48
    each = sum(_note(leg).stt for leg in legs)
    assert each == 4_800


def test_legs_of_several_lots_and_kinds_are_one_note() -> None:
    old = Contract("NSE", "NIFTY", date(2025, 1, 30), 2_350_000, "PE")  # lot 25
    new = Contract("NSE", "NIFTY", date(2025, 2, 6), 2_350_000, "PE")  # lot 75
    bank = Contract("NSE", "BANKNIFTY", date(2025, 2, 27), 4_900_000, "CE")  # lot 30
    future = Contract("NSE", "NIFTY", date(2025, 1, 30))
    day = date(2025, 1, 20)
    note = contract_note(
        day,
        ZERODHA,
        [
            Order((Fill(old, SELL, 25, 20_000),)),
            Order((Fill(new, BUY, 75, 15_000),)),
            Order((Fill(bank, SELL, 30, 60_000),)),
            Order((Fill(future, BUY, 25, 2_340_000),)),
        ],
    )
    premium_sold, premium, turnover = 5_000 + 18_000, 5_000 + 11_250 + 18_000, 585_000
    assert note.billed.stt == premium_sold * 100 // 1_000 == 2_300
    assert note.billed.exchange == half_up(premium * 3_553 + turnover * 183, 10**5)
    assert note.billed.sebi == half_up((premium + turnover) * 10, 10**5)
    assert note.billed.stamp == to_rupee((11_250 * 3 + turnover * 2) // 1_000)
    assert note.billed.brokerage == 8_000


def test_trades_and_exercises_are_billed_together() -> None:
    sold = Order((Fill(CALL, SELL, 65, 12_005),))
    held = Exercise(CALL, BUY, 65, 2_261_040)
    note = contract_note(DAY, ZERODHA, [sold], [held])
    assert paise_of(note.exact.stt) == 2_247  # 11.704875 + 10.764
    assert note.billed.stt == 2_200
    assert note.billed.brokerage == 4_000
    assert [item.quantity for item in note.items] == [65, 65]


def test_an_option_that_expires_worthless_costs_nothing() -> None:
    note = contract_note(DAY, ZERODHA, [], [Exercise(CALL, BUY, 65, 2_240_000)])
    assert note.billed == Charges()
    assert note.billed.total == 0


def test_an_empty_note_is_refused() -> None:
    with pytest.raises(CostError, match="nothing was done on 2026-04-07"):
        contract_note(DAY, ZERODHA, [])


@pytest.mark.parametrize("days_of_change", [(date(2026, 3, 31), date(2026, 4, 1))])
def test_the_same_trade_on_both_sides_of_a_change(days_of_change: tuple[date, date]) -> None:
    leg = Fill(FUTURE, SELL, 65, 2_251_000)
    before, after = (_note(leg, day=day) for day in days_of_change)
    assert (before.stt, after.stt) == (29_300, 73_200)  # 0.02 % and 0.05 % of 14,63,150
    assert (before.exchange, before.gst) == (after.exchange, after.gst)


def test_the_bill_did_not_change_when_investor_protection_moved_into_the_charge() -> None:
    leg = Fill(Contract("NSE", "NIFTY", date(2026, 3, 30), 2_500_000, "CE"), SELL, 650, 20_000)
    before, after = (_note(leg, day=day) for day in (date(2026, 2, 27), date(2026, 3, 2)))
    assert before == after
    upstox = _note(leg, day=date(2026, 2, 27), broker=UPSTOX)
    assert before.gst - upstox.gst == 12  # 18 % of 0.65


@given(st.lists(fills, min_size=1, max_size=8), days)
def test_a_bill_is_near_the_exact_sum_and_adds_up(made: list[Fill], day: date) -> None:
    note = contract_note(day, ZERODHA, [Order((fill,)) for fill in made])
    lines = [line for fill in made for line in order_lines((fill,), day, ZERODHA)]
    assert note.exact == charges_of(lines)
    billed, exact = note.billed, note.exact
    assert billed.total == (
        billed.brokerage + billed.stt + billed.exchange + billed.sebi + billed.stamp + billed.gst
    )
    assert billed.stt % 100 == billed.stamp % 100 == billed.gst % 2 == 0
    assert abs(billed.stt * E18 - exact.stt) <= 50.5 * E18
    assert abs(billed.stamp * E18 - exact.stamp) <= 50 * E18
    assert 2 * abs(billed.gst * E18 - exact.gst) <= 2 * E18
    for name in ("brokerage", "exchange", "sebi"):
        assert 2 * abs(getattr(billed, name) * E18 - getattr(exact, name)) <= E18


@given(st.lists(fills, min_size=2, max_size=6), days, st.randoms(use_true_random=False))
def test_the_order_of_a_day_does_not_matter(made: list[Fill], day: date, random: Any) -> None:
    shuffled = list(made)
    random.shuffle(shuffled)
    assert _note(*made, day=day) == _note(*shuffled, day=day)
