"""Exact charges of fills, orders and exercises."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.costs.amounts import E18, rupees_of_exact
from trading.costs.brokers import broker_named, custom_broker
from trading.costs.india import (
    Charges,
    Contract,
    Exercise,
    Fill,
    charges_of,
    exercise_lines,
    fill_lines,
    order_lines,
    points_e18,
)
from trading.costs.rates import BUY, SELL, CostError

ZERODHA = broker_named("ZERODHA")
UPSTOX = broker_named("UPSTOX")
DAY = date(2026, 4, 7)
CALL = Contract("NSE", "NIFTY", date(2026, 4, 7), 2_250_000, "CE")
PUT = CALL._replace(right="PE")
NOTHING_ELSE = Contract("NSE", "NIFTY", date(2026, 12, 29), 2_250_000, "CE")
FUTURE = Contract("NSE", "NIFTY", date(2026, 12, 29))
SENSEX = Contract("BSE", "SENSEX", date(2026, 12, 31), 8_000_000, "CE")

fills = st.builds(
    Fill,
    st.sampled_from([NOTHING_ELSE, FUTURE, SENSEX]),
    st.sampled_from([BUY, SELL]),
    st.integers(1, 100_000),
    st.integers(1, 10_000_000),
)
days = st.dates(date(2024, 10, 1), date(2026, 12, 29))
brokers = st.sampled_from([ZERODHA, UPSTOX])


def _rupees(charges: Charges) -> dict[str, str]:
    names = ("brokerage", "stt", "exchange", "sebi", "stamp", "gst", "total")
    return {name: rupees_of_exact(getattr(charges, name)) for name in names}


def _order(fill: Fill, day: date = DAY) -> Charges:
    return charges_of(order_lines((fill,), day, ZERODHA))


def test_an_option_sold_pays_the_tax_and_no_stamp() -> None:
    assert _rupees(_order(Fill(CALL, SELL, 65, 12_005))) == {
        "brokerage": "20.00",
        "stt": "11.704875",
        "exchange": "2.772494725",
        "sebi": "0.00780325",
        "stamp": "0.00",
        "gst": "4.1004536355",
        "total": "38.5856266105",
    }


def test_an_option_bought_pays_stamp_and_no_tax() -> None:
    charges = _rupees(_order(Fill(CALL, BUY, 65, 4_500)))
    assert charges["stt"] == "0.00"
    assert charges["stamp"] == "0.08775"
    assert charges["exchange"] == "1.0392525"


def test_one_lot_in_index_points() -> None:
    """The two examples of the house's conventions: 0.594 sold at 120, 0.383 bought at 45."""
    for side, price, points in ((SELL, 12_000, "0.594"), (BUY, 4_500, "0.383")):
        exact = points_e18(_order(Fill(CALL, side, 65, price)), 65)
        assert f"{Decimal(exact) / E18:.3f}" == points


def test_a_future_sold_pays_the_lower_of_the_share_and_the_cap() -> None:
    small = _order(Fill(FUTURE, SELL, 1, 2_251_000))
    large = _order(Fill(FUTURE, SELL, 65, 2_251_000))
    assert rupees_of_exact(small.brokerage) == "6.753"
    assert rupees_of_exact(large.brokerage) == "20.00"
    assert rupees_of_exact(large.stt) == "731.575"


def test_upstox_takes_a_larger_share_of_a_future_and_no_gst_on_investor_protection() -> None:
    fill = Fill(FUTURE, SELL, 1, 2_251_000)
    assert rupees_of_exact(charges_of(order_lines((fill,), DAY, UPSTOX)).brokerage) == "11.255"
    bought = Fill(NOTHING_ELSE, BUY, 75, 100_000)
    day = date(2025, 6, 10)
    ours = charges_of(order_lines((bought,), day, ZERODHA))
    theirs = charges_of(order_lines((bought,), day, UPSTOX))
    assert rupees_of_exact(ours.gst - theirs.gst) == "0.0675"  # 18 % of 50 rupees a crore
    assert ours.exchange == theirs.exchange


def test_an_order_of_several_fills_pays_brokerage_once() -> None:
    one = order_lines((Fill(CALL, SELL, 130, 12_005),), DAY, ZERODHA)
    two = order_lines((Fill(CALL, SELL, 65, 12_000), Fill(CALL, SELL, 65, 12_010)), DAY, ZERODHA)
    assert charges_of(one) == charges_of(two)


def test_a_fill_has_everything_but_the_brokerage_and_the_gst_on_it() -> None:
    fill = Fill(CALL, SELL, 65, 12_005)
    without, whole = charges_of(fill_lines(fill, DAY, ZERODHA)), _order(fill)
    assert without.brokerage == 0
    assert rupees_of_exact(whole.total - without.total) == "23.60"


def test_fills_of_several_orders_and_of_none() -> None:
    fill = Fill(CALL, SELL, 65, 12_005)
    three = charges_of(order_lines((fill,), DAY, ZERODHA, executed_orders=3))
    assert rupees_of_exact(three.brokerage) == "60.00"
    assert charges_of(order_lines((fill,), DAY, ZERODHA, executed_orders=0)).brokerage == 0


@pytest.mark.parametrize(
    ("side", "settlement", "stt", "brokerage"),
    [
        (BUY, 2_261_040, "10.764", "20.00"),  # held and in the money
        (SELL, 2_261_040, "0.00", "20.00"),  # assigned: the tax was paid when it was sold
        (BUY, 2_250_000, "0.00", "0.00"),  # at the strike
        (SELL, 2_249_000, "0.00", "0.00"),
    ],
)
def test_a_call_at_its_expiry(side: str, settlement: int, stt: str, brokerage: str) -> None:
    charges = charges_of(exercise_lines(Exercise(CALL, side, 65, settlement), DAY, ZERODHA))
    assert rupees_of_exact(charges.stt) == stt
    assert rupees_of_exact(charges.brokerage) == brokerage
    assert charges.exchange == charges.sebi == charges.stamp == 0


def test_a_put_pays_on_the_other_side_of_the_strike() -> None:
    assert exercise_lines(Exercise(PUT, BUY, 65, 2_261_040), DAY, ZERODHA) == ()
    (_, stt, *_) = exercise_lines(Exercise(PUT, BUY, 65, 2_240_000), DAY, ZERODHA)
    assert rupees_of_exact(stt.amount_e18) == "9.75"


def test_the_tax_of_an_exercise_on_both_sides_of_the_change() -> None:
    contract = Contract("NSE", "NIFTY", date(2026, 4, 7), 2_250_000, "CE")
    exercise = Exercise(contract, BUY, 65, 2_261_040)
    before, after = (
        charges_of(exercise_lines(exercise, day, ZERODHA))
        for day in (date(2026, 3, 31), date(2026, 4, 1))
    )
    assert rupees_of_exact(before.stt) == "8.97"  # 0.125 %
    assert rupees_of_exact(after.stt) == "10.764"  # 0.15 %


def test_a_large_exercise_is_several_orders() -> None:
    charges = charges_of(exercise_lines(Exercise(CALL, BUY, 3_510, 2_261_040, 2), DAY, ZERODHA))
    assert rupees_of_exact(charges.brokerage) == "40.00"


@pytest.mark.parametrize(
    ("first", "second", "before", "after"),
    [
        (date(2024, 3, 31), date(2024, 4, 1), ("6.25", "5.05"), ("6.25", "5.00")),
        (date(2024, 9, 30), date(2024, 10, 1), ("6.25", "5.00"), ("10.00", "3.553")),
        (date(2026, 2, 28), date(2026, 3, 1), ("10.00", "3.553"), ("10.00", "3.553")),
        (date(2026, 3, 31), date(2026, 4, 1), ("10.00", "3.553"), ("15.00", "3.553")),
    ],
)
def test_an_option_sold_on_both_sides_of_each_change(
    first: date, second: date, before: tuple[str, str], after: tuple[str, str]
) -> None:
    """Tax and exchange charge (with investor protection) of a premium of 10,000 rupees."""
    for day, expected in ((first, before), (second, after)):
        charges = _order(Fill(NOTHING_ELSE, SELL, 100, 10_000), day)
        assert (rupees_of_exact(charges.stt), rupees_of_exact(charges.exchange)) == expected


def test_bse_options_and_futures() -> None:
    option = _order(Fill(SENSEX, SELL, 20, 50_000))
    assert rupees_of_exact(option.exchange) == "3.25"  # 0.0325 % and no investor protection
    future = _order(Fill(SENSEX._replace(strike_paise=None, right=None), SELL, 20, 8_000_000))
    assert future.exchange == 0
    with pytest.raises(CostError, match="no BSE rates for 2024-09-30"):
        _order(Fill(SENSEX, SELL, 20, 50_000), date(2024, 9, 30))


def test_a_custom_broker() -> None:
    broker = custom_broker(
        order_paise=1_500,
        exercise_order_paise=500,
        future_rate_e9=200_000,
        gst_on_investor_protection=False,
    )
    option = charges_of(order_lines((Fill(CALL, SELL, 65, 12_005),), DAY, broker))
    assert rupees_of_exact(option.brokerage) == "15.00"
    future = charges_of(order_lines((Fill(FUTURE, SELL, 1, 2_251_000),), DAY, broker))
    assert rupees_of_exact(future.brokerage) == "4.502"
    exercise = charges_of(exercise_lines(Exercise(CALL, BUY, 65, 2_261_040), DAY, broker))
    assert rupees_of_exact(exercise.brokerage) == "5.00"
    free = custom_broker(
        order_paise=0, exercise_order_paise=0, future_rate_e9=0, gst_on_investor_protection=False
    )
    assert charges_of(order_lines((Fill(CALL, SELL, 65, 12_005),), DAY, free)).brokerage == 0
    with pytest.raises(CostError, match="not negative"):
        custom_broker(
            order_paise=-1,
            exercise_order_paise=0,
            future_rate_e9=0,
            gst_on_investor_protection=True,
        )


def test_the_published_sample_of_a_brokers_charges() -> None:
    """Kite's sample of July 2023: 100 puts bought at 1.50, unrounded but for the stamp duty, no GST
    on the investor protection charge.
    """
    broker = ZERODHA._replace(gst_on_investor_protection=False)
    contract = Contract("NSE", "NIFTY", date(2023, 7, 13), 1_790_000, "PE")
    charges = charges_of(order_lines((Fill(contract, BUY, 100, 150),), date(2023, 7, 10), broker))
    assert rupees_of_exact(charges.brokerage) == "20.00"
    assert rupees_of_exact(charges.exchange) == "0.07575"
    assert rupees_of_exact(charges.sebi) == "0.00015"
    assert rupees_of_exact(charges.gst) == "3.613527"
    assert charges.stt == 0
    assert rupees_of_exact(charges.stamp) == "0.0045"  # the sample has it rounded to nothing
    assert rupees_of_exact(charges.total - charges.stamp) == "23.689427"


def test_cost_stress_is_twice_or_three_times_and_nothing_else() -> None:
    charges = _order(Fill(CALL, SELL, 65, 12_005))
    assert charges.times(1) == charges
    assert charges.times(2).total == 2 * charges.total
    assert charges.times(3).stt == 3 * charges.stt
    for stress in (0, 4, -1):
        with pytest.raises(CostError, match="expected 1, 2 or 3"):
            charges.times(stress)


GOOD = Fill(CALL, SELL, 65, 12_005)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (GOOD._replace(quantity=0), "quantity 0"),
        (GOOD._replace(price_paise=0), "price 0 paise"),
        (GOOD._replace(side="HOLD"), "expected BUY or SELL"),
        (GOOD._replace(contract=CALL._replace(right="XX")), "no option and no future"),
        (GOOD._replace(contract=CALL._replace(right=None)), "no option and no future"),
        (GOOD._replace(contract=CALL._replace(strike_paise=0)), "no option and no future"),
        (GOOD._replace(contract=CALL._replace(expiry=date(2026, 4, 6))), "has expired"),
        (GOOD._replace(contract=CALL._replace(underlying="SENSEX")), "no NSE rates for 'SENSEX'"),
        (GOOD._replace(contract=CALL._replace(exchange="MCX")), "no rates for the exchange"),
    ],
)
def test_what_cannot_be_a_trade_is_refused(bad: Fill, says: str) -> None:
    with pytest.raises(CostError, match=says):
        order_lines((bad,), DAY, ZERODHA)
    with pytest.raises(CostError, match=says):
        fill_lines(bad, DAY, ZERODHA)


def test_what_cannot_be_an_order_is_refused() -> None:
    with pytest.raises(CostError, match="without a fill"):
        order_lines((), DAY, ZERODHA)
    with pytest.raises(CostError, match="one contract and one side"):
        order_lines((GOOD, GOOD._replace(side=BUY)), DAY, ZERODHA)
    with pytest.raises(CostError, match="-1 executed orders"):
        order_lines((GOOD,), DAY, ZERODHA, executed_orders=-1)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (Exercise(FUTURE, BUY, 65, 2_251_000), "is not exercised"),
        (Exercise(CALL, BUY, 65, 0), "expected both above 0"),
        (Exercise(CALL, BUY, 65, 2_251_000, 0), "expected both above 0"),
        (Exercise(CALL, BUY, 0, 2_251_000), "quantity 0"),
        (Exercise(CALL._replace(underlying="SENSEX"), BUY, 65, 2_251_000), "no NSE rates for"),
        (Exercise(CALL._replace(exchange="MCX"), BUY, 65, 2_251_000), "no rates for the exchange"),
    ],
)
def test_what_cannot_be_exercised_is_refused(bad: Exercise, says: str) -> None:
    with pytest.raises(CostError, match=says):
        exercise_lines(bad, DAY, ZERODHA)


@given(st.lists(fills, min_size=1, max_size=8), days, brokers)
def test_exact_charges_add_up_in_any_order(done: list[Fill], day: date, broker: Any) -> None:
    per_order = [charges_of(order_lines((fill,), day, broker)) for fill in done]
    lines = [line for fill in reversed(done) for line in order_lines((fill,), day, broker)]
    assert charges_of(lines).total == sum(charges.total for charges in per_order)
    assert sum(line.amount_e18 for line in lines) == charges_of(lines).total


@given(fills, days, brokers, st.data())
def test_splitting_a_fill_changes_nothing(fill: Fill, day: date, broker: Any, data: Any) -> None:
    part = data.draw(st.integers(0, fill.quantity - 1))
    parts = tuple(
        fill._replace(quantity=quantity) for quantity in (part, fill.quantity - part) if quantity
    )
    assert charges_of(order_lines(parts, day, broker)) == charges_of(
        order_lines((fill,), day, broker)
    )


@given(fills, days, brokers, st.integers(0, 1_000), st.integers(0, 1_000))
def test_more_is_never_cheaper(
    fill: Fill, day: date, broker: Any, more_units: int, more_paise: int
) -> None:
    larger = fill._replace(
        quantity=fill.quantity + more_units, price_paise=fill.price_paise + more_paise
    )
    small, large = (charges_of(order_lines((each,), day, broker)) for each in (fill, larger))
    for name in ("brokerage", "stt", "exchange", "sebi", "stamp", "gst", "total"):
        assert 0 <= getattr(small, name) <= getattr(large, name)
