"""The dated rates: one a day, none outside the table, equal to the compiled facts."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from trading.costs.rates import (
    BUY,
    EXCHANGE,
    FUTURE,
    HOLDER,
    INVESTOR_PROTECTION,
    OPTION,
    SELL,
    STAMP,
    STT,
    CostError,
    Coverage,
    Rate,
    RateTable,
    rate_table,
)
from trading.market.figures import STATUSES, table, table_path

GOVERNMENT = "GOVERNMENT"


def _rate(**changes: Any) -> Rate:
    values: dict[str, Any] = {
        "charge": STT,
        "levied_by": GOVERNMENT,
        "instrument": OPTION,
        "side": SELL,
        "base": "PREMIUM",
        "first": date(2024, 1, 1),
        "last": date(2024, 6, 30),
        "rate_e9": 1,
        "status": "CONFIRMED",
        "source": "made up",
    }
    return Rate(**values | changes)


@pytest.mark.parametrize(
    ("charge", "levied_by", "instrument", "side", "day", "rate_e9"),
    [
        (STT, GOVERNMENT, OPTION, SELL, date(2023, 4, 1), 625_000),
        (STT, GOVERNMENT, OPTION, SELL, date(2024, 9, 30), 625_000),
        (STT, GOVERNMENT, OPTION, SELL, date(2024, 10, 1), 1_000_000),
        (STT, GOVERNMENT, OPTION, SELL, date(2026, 3, 31), 1_000_000),
        (STT, GOVERNMENT, OPTION, SELL, date(2026, 4, 1), 1_500_000),
        (STT, GOVERNMENT, OPTION, HOLDER, date(2026, 3, 31), 1_250_000),
        (STT, GOVERNMENT, OPTION, HOLDER, date(2026, 4, 1), 1_500_000),
        (STT, GOVERNMENT, FUTURE, SELL, date(2024, 9, 30), 125_000),
        (STT, GOVERNMENT, FUTURE, SELL, date(2024, 10, 1), 200_000),
        (STT, GOVERNMENT, FUTURE, SELL, date(2026, 4, 1), 500_000),
        (EXCHANGE, "NSE", OPTION, BUY, date(2024, 3, 31), 500_000),
        (EXCHANGE, "NSE", OPTION, BUY, date(2024, 4, 1), 495_000),
        (EXCHANGE, "NSE", OPTION, BUY, date(2024, 10, 1), 350_300),
        (EXCHANGE, "NSE", OPTION, SELL, date(2026, 2, 28), 350_300),
        (EXCHANGE, "NSE", OPTION, SELL, date(2026, 3, 1), 355_299),
        (EXCHANGE, "NSE", FUTURE, SELL, date(2026, 3, 1), 18_299),
        (EXCHANGE, "BSE", OPTION, SELL, date(2024, 10, 1), 325_000),
        (EXCHANGE, "BSE", FUTURE, SELL, date(2024, 10, 1), 0),
        (INVESTOR_PROTECTION, "NSE", OPTION, SELL, date(2026, 2, 28), 5_000),
        (INVESTOR_PROTECTION, "NSE", OPTION, SELL, date(2026, 3, 1), 1),
        (STAMP, GOVERNMENT, OPTION, BUY, date(2026, 3, 1), 30_000),
        (STAMP, GOVERNMENT, FUTURE, BUY, date(2026, 3, 1), 20_000),
    ],
)
def test_the_rate_of_a_day(
    charge: str, levied_by: str, instrument: str, side: str, day: date, rate_e9: int
) -> None:
    rate = rate_table().find(charge, levied_by, instrument, side, day)
    assert rate is not None
    assert rate.rate_e9 == rate_e9
    assert rate.in_force(day)
    assert rate.source


def test_what_a_side_does_not_pay_has_no_rate() -> None:
    day = date(2026, 4, 7)
    assert rate_table().find(STT, GOVERNMENT, OPTION, BUY, day) is None
    assert rate_table().find(STAMP, GOVERNMENT, OPTION, SELL, day) is None
    assert rate_table().find(INVESTOR_PROTECTION, "BSE", OPTION, BUY, day) is None


def test_every_day_that_is_covered_has_every_rate_and_the_bill_is_the_bundle() -> None:
    bundles = {5_050_00: 0, 5_000_00: 0, 3_553_00: 0}  # rupees a crore of premium, in paise
    for row in rate_table().coverage:
        day = row.first
        while day <= row.last:
            found = [
                rate_table().find(charge, levied_by, instrument, side, day)
                for charge, levied_by, instrument, side in (
                    (STT, GOVERNMENT, OPTION, SELL),
                    (STT, GOVERNMENT, FUTURE, SELL),
                    (STT, GOVERNMENT, OPTION, HOLDER),
                    (EXCHANGE, row.exchange, OPTION, BUY),
                    (EXCHANGE, row.exchange, FUTURE, BUY),
                    ("SEBI", "SEBI", OPTION, BUY),
                    (STAMP, GOVERNMENT, OPTION, BUY),
                    ("GST", GOVERNMENT, OPTION, BUY),
                )
            ]
            assert None not in found, day
            if row.exchange == "NSE":
                protection = rate_table().find(INVESTOR_PROTECTION, "NSE", OPTION, BUY, day)
                exchange = found[3]
                assert protection is not None
                assert exchange is not None
                bundles[exchange.rate_e9 + protection.rate_e9] += 1
            day += timedelta(days=1)
    assert list(bundles.values()) == [366, 183, 822]


@pytest.mark.parametrize(
    ("exchange", "underlying", "day", "says"),
    [
        ("NSE", "NIFTY", date(2023, 3, 31), "2023-04-01 to 2026-12-31"),
        ("NSE", "NIFTY", date(2018, 10, 1), "no NSE rates for 2018-10-01"),
        ("NSE", "NIFTY", date(2027, 1, 1), "no NSE rates for 2027-01-01"),
        ("BSE", "SENSEX", date(2024, 9, 30), "2024-10-01 to 2026-12-31"),
        ("BSE", "NIFTY", date(2026, 4, 7), "no BSE rates for 'NIFTY'"),
        ("MCX", "GOLD", date(2026, 4, 7), "expected one of NSE, BSE"),
    ],
)
def test_outside_the_table_is_an_error(
    exchange: str, underlying: str, day: date, says: str
) -> None:
    with pytest.raises(CostError, match=says):
        rate_table().check(exchange, underlying, day)


def test_a_charge_that_exists_but_not_that_day_is_an_error_not_the_nearest_rate() -> None:
    rates = RateTable([_rate()], [])
    with pytest.raises(CostError, match="2024-01-01 to 2024-06-30"):
        rates.find(STT, GOVERNMENT, OPTION, SELL, date(2024, 7, 1))


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([_rate(), _rate(first=date(2024, 6, 30), last=None)], "two rates of"),
        ([_rate(last=None), _rate(first=date(2024, 7, 1), last=None)], "two rates of"),
        ([_rate(last=date(2023, 1, 1))], "not a rate"),
        ([_rate(rate_e9=-1)], "not a rate"),
        ([_rate(status="PROBABLY")], "not a rate"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(rows: list[Rate], says: str) -> None:
    with pytest.raises(CostError, match=says):
        RateTable(rows, [Coverage("NSE", ("NIFTY",), date(2024, 1, 1), date(2024, 12, 31))])


def test_a_rate_of_one_day_is_a_rate() -> None:
    day = date(2024, 1, 1)
    rates = RateTable([_rate(last=day), _rate(first=date(2024, 1, 2), rate_e9=2)], [])
    found = [rates.find(STT, GOVERNMENT, OPTION, SELL, date(2024, 1, each)) for each in (1, 2)]
    assert [rate.rate_e9 for rate in found if rate] == [1, 2]


def test_there_is_one_table_and_every_row_says_its_status_and_source() -> None:
    assert table_path("rates").parent.name == "costs"
    assert not (table_path("calendar").parent / "rates.toml").exists()
    for row in table("rates")["rate"]:
        assert row["status"] in STATUSES
        assert row["source"]


def test_the_table_says_what_the_compiled_facts_say(facts: dict[str, Any]) -> None:
    per_crore = facts["nse_ipft_per_crore"]
    sections = [
        (STT, GOVERNMENT, OPTION, SELL, facts["stt"]["option_sale"], 1),
        (STT, GOVERNMENT, OPTION, HOLDER, facts["stt"]["option_exercised"], 1),
        (STT, GOVERNMENT, FUTURE, SELL, facts["stt"]["futures_sale"], 1),
        (EXCHANGE, "NSE", OPTION, BUY, facts["nse_txn_charge"]["option"], 1),
        (EXCHANGE, "NSE", FUTURE, BUY, facts["nse_txn_charge"]["future"], 1),
        (INVESTOR_PROTECTION, "NSE", OPTION, BUY, per_crore["option"], 10**7),
        (INVESTOR_PROTECTION, "NSE", FUTURE, BUY, per_crore["future"], 10**7),
        ("SEBI", "SEBI", OPTION, BUY, facts["sebi_turnover_fee"], 1),
        (STAMP, GOVERNMENT, OPTION, BUY, facts["stamp_duty"]["option_buy"], 1),
        (STAMP, GOVERNMENT, FUTURE, BUY, facts["stamp_duty"]["future_buy"], 1),
        ("GST", GOVERNMENT, OPTION, BUY, facts["gst"], 1),
    ]
    compared = 0
    for charge, levied_by, instrument, side, rows, divisor in sections:
        for row in rows:
            if row["from"] is None:
                continue
            first = date.fromisoformat(row["from"])
            rate = rate_table().find(charge, levied_by, instrument, side, first)
            assert rate is not None
            assert rate.rate_e9 == Decimal(str(row["value"])) * 10**9 / divisor
            assert rate.first == first
            assert rate.last == (date.fromisoformat(row["to"]) if row["to"] else None)
            compared += 1
    assert compared == 27
