"""A recorded tariff charges what the tables charge, on its own day and no other."""

from __future__ import annotations

from dataclasses import astuple
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journal.log.canonical import canonical_bytes
from trading.costs.amounts import paise_of
from trading.costs.brokers import Broker, broker_named, broker_names, custom_broker
from trading.costs.fees import Fees
from trading.costs.india import (
    Charges,
    Contract,
    Exercise,
    Fill,
    charges_of,
    exercise_lines,
    order_lines,
)
from trading.costs.rates import CostError, rate_table
from trading.costs.tariff import broker_of_tariff, day_tariff

COVERED = next(row for row in rate_table().coverage if row.exchange == "NSE")
CUSTOM = custom_broker(
    order_paise=1234,
    exercise_order_paise=555,
    future_rate_e9=300_000,
    gst_on_investor_protection=False,
)
BROKERS = st.sampled_from([*map(broker_named, broker_names()), CUSTOM])
DAYS = st.dates(COVERED.first, COVERED.last)


@given(
    broker=BROKERS,
    day=DAYS,
    side=st.sampled_from(["BUY", "SELL"]),
    right=st.sampled_from(["CE", "PE", None]),
    quantity=st.integers(1, 10_000),
    price=st.integers(5, 10_000_000),
    executed=st.sampled_from([0, 1, 2]),
)
def test_an_order_costs_the_same_by_the_record_as_by_the_table(
    broker: Broker,
    day: date,
    side: str,
    right: str | None,
    quantity: int,
    price: int,
    executed: int,
) -> None:
    recorded = broker_of_tariff(day_tariff(broker, ["NIFTY", "BANKNIFTY"], day), day)
    strike = None if right is None else 2_200_000
    contract = Contract("NSE", "NIFTY", day + timedelta(days=3), strike, right)
    fills = (Fill(contract, side, quantity, price),)
    expected = order_lines(fills, day, broker, executed_orders=executed)
    assert order_lines(fills, day, recorded, executed_orders=executed) == expected


@given(
    broker=BROKERS,
    day=DAYS,
    side=st.sampled_from(["BUY", "SELL"]),
    settled=st.integers(2_000_000, 2_400_000),
)
def test_an_exercise_costs_the_same_by_the_record(
    broker: Broker, day: date, side: str, settled: int
) -> None:
    recorded = broker_of_tariff(day_tariff(broker, ["NIFTY"], day), day)
    exercise = Exercise(Contract("NSE", "NIFTY", day, 2_200_000, "CE"), side, 75, settled)
    assert exercise_lines(exercise, day, recorded) == exercise_lines(exercise, day, broker)


def test_it_can_be_recorded_and_answers_for_its_own_day_only() -> None:
    day = date(2026, 4, 1)
    data = day_tariff(broker_named("ZERODHA"), ["NIFTY"], day)
    canonical_bytes(data)
    assert data["exchanges"] == {"NSE": ["NIFTY"]}
    assert {rate["charge"] for rate in data["own"]} == {"BROKERAGE", "BROKERAGE_CAP"}
    assert all(rate["source"] and rate["status"] for rate in data["own"] + data["levies"])
    recorded = broker_of_tariff(data, day)
    later = day + timedelta(days=1)
    fill = Fill(Contract("NSE", "NIFTY", later, 2_200_000, "CE"), "BUY", 65, 100)
    with pytest.raises(CostError, match="no NSE rates for 2026-04-02"):
        order_lines((fill,), later, recorded)


@pytest.mark.parametrize(
    ("underlying", "day", "message"),
    [
        ("NIFTY", COVERED.first - timedelta(days=1), "no NSE rates for 2023-03-31"),
        ("NIFTY", COVERED.last + timedelta(days=1), "no NSE rates for"),
        ("DAX", date(2026, 4, 1), "no rates for 'DAX'"),
    ],
)
def test_a_day_or_an_index_without_rates_is_refused(
    underlying: str, day: date, message: str
) -> None:
    with pytest.raises(CostError, match=message):
        day_tariff(broker_named("ZERODHA"), [underlying], day)


@given(st.lists(st.lists(st.integers(0, 10**30), min_size=6, max_size=6), max_size=8))
def test_fees_add_up_exactly_in_any_order_and_come_back_from_their_dump(
    rows: list[list[int]],
) -> None:
    forwards, backwards = Fees(), Fees()
    for row in rows:
        forwards.add(Charges(*row))
    for row in reversed(rows):
        backwards.add(Charges(*row))
    assert forwards == backwards
    assert forwards.exact.total == sum(map(sum, rows))
    assert Fees.restore(forwards.dump()) == forwards
    assert charges_of(()) == Fees().exact
    assert astuple(forwards.paise) == tuple(map(paise_of, astuple(forwards.exact)))


def test_fees_are_told_to_the_paisa_line_by_line_half_up() -> None:
    half = 10**18 // 2
    fees = Fees(Charges(brokerage=half - 1, stt=half, gst=3 * half))
    assert fees.paise == Charges(brokerage=0, stt=1, gst=2)
