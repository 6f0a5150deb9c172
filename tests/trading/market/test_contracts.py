"""Contract terms by date."""

from __future__ import annotations

from datetime import date, time

import pytest

from trading.market.calendar import instant_us
from trading.market.contracts import (
    ContractError,
    contract_terms,
    expiries,
    freeze_quantity,
    lot_figure,
    lot_size,
    strike_step,
    tick,
)


@pytest.mark.parametrize(
    ("underlying", "expiry", "trade_date", "lot"),
    [
        ("NIFTY", date(2024, 12, 26), date(2024, 12, 20), 25),
        ("NIFTY", date(2025, 1, 2), date(2025, 1, 1), 75),
        ("NIFTY", date(2025, 1, 23), date(2025, 1, 20), 75),
        ("NIFTY", date(2025, 1, 30), date(2025, 1, 20), 25),  # the monthly kept its lot
        ("NIFTY", date(2025, 2, 6), date(2025, 1, 30), 75),
        ("NIFTY", date(2025, 6, 26), date(2024, 12, 26), 25),  # long listed, before its conversion
        ("NIFTY", date(2025, 6, 26), date(2024, 12, 27), 75),
        ("NIFTY", date(2025, 12, 30), date(2025, 12, 30), 75),
        ("NIFTY", date(2026, 1, 6), date(2025, 12, 29), 65),  # listed with the new lot
        ("NIFTY", date(2026, 3, 30), date(2025, 12, 30), 75),
        ("NIFTY", date(2026, 3, 30), date(2025, 12, 31), 65),
        ("NIFTY", date(2029, 6, 26), date(2025, 8, 29), 75),
        ("BANKNIFTY", date(2025, 1, 30), date(2025, 1, 2), 15),
        ("BANKNIFTY", date(2025, 3, 27), date(2024, 12, 24), 15),
        ("BANKNIFTY", date(2025, 3, 27), date(2024, 12, 26), 30),
        ("BANKNIFTY", date(2025, 6, 26), date(2025, 5, 2), 30),
        ("BANKNIFTY", date(2025, 9, 30), date(2025, 4, 24), 30),
        ("BANKNIFTY", date(2025, 9, 30), date(2025, 4, 25), 35),
        ("BANKNIFTY", date(2025, 7, 31), date(2025, 6, 2), 35),
        ("BANKNIFTY", date(2026, 3, 30), date(2025, 8, 29), 35),
        ("BANKNIFTY", date(2026, 1, 27), date(2025, 12, 29), 30),
    ],
)
def test_the_lot_belongs_to_the_contract(
    underlying: str, expiry: date, trade_date: date, lot: int
) -> None:
    assert lot_size(underlying, expiry, trade_date) == lot


def test_a_lot_after_the_last_one_seen_is_unconfirmed() -> None:
    assert lot_figure("NIFTY", date(2026, 10, 27), date(2026, 10, 1)).status == "CONFIRMED"
    assert lot_figure("NIFTY", date(2026, 12, 29), date(2026, 11, 1)).status == "UNCONFIRMED"


def test_terms_of_an_order() -> None:
    terms = contract_terms("BANKNIFTY", date(2026, 2, 24), date(2026, 2, 2))
    assert [figure.value for figure in terms] == [30, 100_00, 5, 600]
    assert all(figure.source for figure in terms)
    assert strike_step("NIFTY").value == 50_00
    assert tick("NIFTY").value == 5


def test_freeze_quantities_change_by_date() -> None:
    assert freeze_quantity("BANKNIFTY", date(2025, 8, 31)).value == 600
    assert freeze_quantity("BANKNIFTY", date(2025, 9, 1)).value == 900
    assert freeze_quantity("NIFTY", date(2026, 2, 27)).value == 1800
    assert freeze_quantity("NIFTY", date(2025, 10, 6)).status == "UNCONFIRMED"


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: lot_size("SENSEX", date(2026, 2, 24), date(2026, 2, 2)), "NIFTY, BANKNIFTY"),
        (lambda: lot_size("NIFTY", date(2024, 4, 25), date(2024, 4, 2)), "from 2024-05-02"),
        (lambda: lot_size("NIFTY", date(2026, 2, 24), date(2026, 2, 25)), "has expired"),
        (lambda: freeze_quantity("NIFTY", date(2024, 7, 1)), "begins on 2024-08-01"),
        (lambda: freeze_quantity("SENSEX", date(2026, 2, 2)), "NIFTY, BANKNIFTY"),
        (lambda: tick("SENSEX"), "NIFTY, BANKNIFTY"),
        (lambda: expiries("SENSEX", date(2026, 2, 2), date(2026, 2, 9)), "NIFTY, BANKNIFTY"),
    ],
)
def test_what_the_tables_do_not_cover_is_refused(ask: object, said: str) -> None:
    with pytest.raises(ContractError, match=said):
        ask()  # type: ignore[operator]


# Every NIFTY expiry from October 2024 to the end of 2026 that is not on its usual weekday.
MOVED = {
    date(2025, 4, 9),
    date(2025, 4, 30),
    date(2025, 10, 20),
    date(2026, 3, 2),
    date(2026, 3, 30),
    date(2026, 4, 13),
    date(2026, 10, 19),
    date(2026, 11, 9),
    date(2026, 11, 23),
}


def test_expiries_follow_the_weekday_of_their_time_and_move_before_holidays() -> None:
    found = expiries("NIFTY", date(2024, 10, 1), date(2026, 12, 31))
    assert len(found) == 118
    thursday, tuesday = 3, 1
    usual = {day: thursday if day < date(2025, 9, 1) else tuesday for day in found}
    assert {day for day in found if day.weekday() != usual[day]} == MOVED


def test_banknifty_has_monthlies_only() -> None:
    assert expiries("BANKNIFTY", date(2025, 7, 1), date(2025, 12, 31)) == (
        date(2025, 7, 31),
        date(2025, 8, 28),
        date(2025, 9, 30),
        date(2025, 10, 28),
        date(2025, 11, 25),
        date(2025, 12, 30),
    )
    assert expiries("BANKNIFTY", date(2026, 3, 1), date(2026, 3, 31)) == (date(2026, 3, 30),)


def test_an_expiry_moves_only_once_the_holiday_is_known() -> None:
    span = (date(2026, 11, 23), date(2026, 11, 24))
    in_2025 = instant_us(date(2025, 11, 3), time(10))
    assert expiries("NIFTY", *span, known_at_us=in_2025) == (date(2026, 11, 24),)
    assert expiries("NIFTY", *span) == (date(2026, 11, 23),)
