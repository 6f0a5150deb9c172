"""`manage.py costs`: the note as JSON and as text, and one clear line for what is wrong."""

from __future__ import annotations

import json
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

OPTION = "--leg=SELL,NIFTY,2026-04-07,22500,CE,65,120.05"
FUTURE = "--leg=SELL,NIFTY,2026-04-28,FUT,65,22510"
EXERCISE = "--exercise=BUY,NIFTY,2026-04-07,22500,CE,65,22610.4"


def _costs(*arguments: str) -> str:
    out = StringIO()
    call_command("costs", *arguments, stdout=out)
    return out.getvalue()


def _json(*arguments: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(_costs(*arguments, "--json"))
    return told


def test_the_legs_of_one_call_are_one_contract_note() -> None:
    told = _json("--date=2026-04-07", OPTION, FUTURE, EXERCISE)
    assert told["billed"]["total"] == "861.40"
    assert told["exact"]["total"] == "861.4464047105"
    assert {line["leg"] for line in told["lines"]} == {1, 2, 3}


def test_without_json_it_is_text() -> None:
    text = _costs("--date=2026-04-07", OPTION)
    assert text.startswith("contract note of 2026-04-07, ZERODHA")
    assert "total      billed ₹       38.88   exact ₹38.5856266105" in text


def test_both_sides_of_a_change_of_rates() -> None:
    leg = "--leg=SELL,NIFTY,2026-04-28,22500,CE,65,120.05"
    before, after = (_json(f"--date={day}", leg) for day in ("2026-03-31", "2026-04-01"))
    assert (before["billed"]["stt"], after["billed"]["stt"]) == ("8.00", "12.00")
    (line,) = (line for line in before["lines"] if line["charge"] == "STT")
    assert (line["from"], line["to"], line["rate"]) == ("2024-10-01", "2026-03-31", "0.1%")


def test_brokers_executed_orders_and_stress() -> None:
    day = "--date=2025-06-10"
    leg = "--leg=BUY,NIFTY,2025-06-26,25000,CE,750,200"
    zerodha, upstox = (_json(day, leg, f"--broker={name}") for name in ("zerodha", "UPSTOX"))
    assert Decimal(zerodha["exact"]["gst"]) - Decimal(upstox["exact"]["gst"]) == Decimal("0.135")
    assert _json(day, leg, "--executed-orders=3")["billed"]["brokerage"] == "60.00"
    assert _json(day, leg, "--stress=2")["billed"]["brokerage"] == "40.00"
    assert _json(day, leg, "--gst-on-ipft=no")["exact"] == upstox["exact"]


def test_a_custom_broker_and_funding() -> None:
    told = _json(
        "--date=2026-04-07",
        OPTION,
        FUTURE,
        EXERCISE,
        "--broker=custom",
        "--order-fee=15",
        "--exercise-fee=0",
        "--futures-percent=0.0005",
        "--margin=100000",
        "--days=7",
    )
    assert told["broker"] == "CUSTOM"
    assert told["billed"]["brokerage"] == "22.32"  # 15 + 0.0005 % of 14,63,150
    assert told["legs"][0]["funding_points"] == "2.065332"


def test_bse_has_its_own_rates_from_its_first_day() -> None:
    leg = "--leg=SELL,SENSEX,2026-04-09,74500,PE,20,500"
    assert _json("--date=2026-04-07", leg)["exact"]["exchange"] == "3.25"
    assert _json("--date=2026-04-07", "--exchange=bse", leg)["exact"]["exchange"] == "3.25"
    assert _json("--date=2024-10-01", leg)["exact"]["exchange"] == "3.25"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--date=2023-03-31", OPTION), "no NSE rates for 2023-03-31; the table covers 2023-04-01"),
        (("--date=2018-10-01", OPTION), "no NSE rates for 2018-10-01"),
        (("--date=2027-01-01", "--leg=SELL,NIFTY,2027-06-29,FUT,65,1"), "for 2027-01-01"),
        (("--date=2024-09-30", "--leg=SELL,SENSEX,2026-04-09,FUT,20,1"), "covers 2024-10-01"),
        (("--date=2026-04-08", OPTION), "it has expired by 2026-04-08"),
        (("--date=2026-04-08", EXERCISE), "it has expired by 2026-04-08"),
        (("--date=2026-04-07",), "nothing was done on 2026-04-07"),
        (("--date=2026-04-07", "--leg=SELL,NIFTY"), "expected SIDE,UNDERLYING,EXPIRY"),
        (("--date=2026-04-07", OPTION, "--exchange=BSE"), "no BSE rates for 'NIFTY'"),
        (("--date=2026-04-07", OPTION, "--broker=acme"), "no broker 'ACME', expected one of"),
        (("--date=2026-04-07", OPTION, "--broker=custom"), "expected --order-fee"),
        (("--date=2026-04-07", OPTION, "--order-fee=1"), "fees are given with --broker custom"),
        (("--date=2026-04-07", OPTION, "--stress=4"), "cost stress 4, expected 1, 2 or 3"),
        (("--date=2026-04-07", OPTION, "--executed-orders=0"), "expected 1 or more"),
        (("--date=2026-04-07", OPTION, "--margin=x"), "--margin 'x': expected rupees"),
        (("--date=2026-04-07", OPTION, "--margin=1", "--days=-1"), "a negative figure"),
        (("--date=07.04.2026", OPTION), "'07.04.2026' is not a date"),
    ],
)
def test_bad_input_is_one_clear_line(arguments: tuple[str, ...], says: str) -> None:
    with pytest.raises(CommandError, match=says) as raised:
        _costs(*arguments)
    assert "\n" not in str(raised.value)
