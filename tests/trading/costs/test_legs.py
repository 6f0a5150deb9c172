"""Legs as a person writes them."""

from __future__ import annotations

from datetime import date

import pytest

from trading.costs.india import Contract, Exercise, Fill
from trading.costs.legs import exercise_of, fill_of, paise_of_rupees, rate_e9_of_percent
from trading.costs.rates import BUY, SELL, CostError

DAY = date(2026, 4, 7)


def test_an_option_a_future_and_the_exchange_of_the_underlying() -> None:
    option = Contract("NSE", "NIFTY", DAY, 2_250_000, "CE")
    assert fill_of("SELL,NIFTY,2026-04-07,22500,CE,65,120.05") == Fill(option, SELL, 65, 12_005)
    future = Contract("NSE", "NIFTY", date(2026, 4, 28))
    assert fill_of("buy, nifty, 2026-04-28, fut, 65, 22510") == Fill(future, BUY, 65, 2_251_000)
    sensex = Contract("BSE", "SENSEX", date(2026, 4, 9), 7_450_050, "PE")
    assert fill_of("SELL,SENSEX,2026-04-09,74500.5,PE,20,3") == Fill(sensex, SELL, 20, 300)
    assert fill_of("SELL,NIFTY,2026-04-07,22500,CE,65,1", "BSE").contract.exchange == "BSE"
    assert str(option) == "NIFTY 2026-04-07 22500 CE"
    assert str(sensex) == "SENSEX 2026-04-09 74500.50 PE"
    assert str(future) == "NIFTY 2026-04-28 FUT"


@pytest.mark.parametrize(
    ("quantity", "orders"),
    [("65", 1), ("1755", 1), ("1820", 2), ("3575", 3), ("66", 1)],
)
def test_an_exercise_is_as_many_orders_as_the_freeze_quantity_makes(
    quantity: str, orders: int
) -> None:
    text = f"BUY,NIFTY,2026-04-07,22500,CE,{quantity},22610.4"
    contract = Contract("NSE", "NIFTY", DAY, 2_250_000, "CE")
    assert exercise_of(text, DAY) == Exercise(contract, BUY, int(quantity), 2_261_040, orders)


def test_where_no_freeze_quantity_is_on_record_an_exercise_is_one_order() -> None:
    assert exercise_of("BUY,SENSEX,2026-04-09,74500,CE,9000,75000", DAY).orders == 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("SELL,NIFTY", "expected SIDE,UNDERLYING,EXPIRY"),
        ("SELL,NIFTY,2026-04-07,22500,CE,65", "expected SIDE,UNDERLYING,EXPIRY"),
        ("SHORT,NIFTY,2026-04-07,22500,CE,65,120", "side 'SHORT', expected BUY or SELL"),
        ("SELL,DAX,2026-04-07,22500,CE,65,120", "no rates for 'DAX'"),
        ("SELL,NIFTY,07-Apr-2026,22500,CE,65,120", "expected YYYY-MM-DD"),
        ("SELL,NIFTY,2026-04-07,-1,CE,65,120", "strike '-1': expected rupees"),
        ("SELL,NIFTY,2026-04-07,22500,CALL,65,120", "right 'CALL', expected CE or PE"),
        ("SELL,NIFTY,2026-04-07,22500,CE,0,120", "quantity '0', expected whole units above 0"),
        ("SELL,NIFTY,2026-04-07,22500,CE,6.5,120", "quantity '6.5'"),
        ("SELL,NIFTY,2026-04-07,22500,CE,65,120.055", "price '120.055': expected rupees"),
        ("SELL,NIFTY,2026-04-07,22500,CE,65,1e3", "price '1e3'"),
        ("SELL,NIFTY,2026-04-07,22500,CE,65,nan", "price 'nan'"),
        ("SELL,NIFTY,2026-04-07,22500,CE,65,١٢", "price '١٢'"),
    ],
)
def test_a_leg_that_cannot_be_read_is_one_clear_line(text: str, says: str) -> None:
    with pytest.raises(CostError, match=says) as raised:
        fill_of(text)
    assert "\n" not in str(raised.value)


def test_rupees_and_per_cent_are_read_exactly() -> None:
    assert [paise_of_rupees(text, "price") for text in ("1", "1.5", "1.05", "1.0500")] == [
        100,
        150,
        105,
        105,
    ]
    assert rate_e9_of_percent("0.03", "share") == 300_000
    assert rate_e9_of_percent("7", "share") == 70_000_000
    with pytest.raises(CostError, match="seven decimals"):
        rate_e9_of_percent("-1", "share")
