"""Contract terms by date."""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from trading.market.calendar import calendar, instant_us
from trading.market.contracts import (
    ContractError,
    contract_terms,
    expiries,
    expiry_dates,
    freeze_quantity,
    future_tick,
    lot_figure,
    lot_size,
    orders_for,
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
        ("NIFTY", date(2014, 11, 27), date(2014, 10, 30), 50),  # converted that evening
        ("NIFTY", date(2014, 11, 27), date(2014, 10, 31), 25),
        ("NIFTY", date(2015, 11, 26), date(2015, 8, 28), 75),
        ("NIFTY", date(2019, 5, 23), date(2019, 5, 23), 75),
        ("NIFTY", date(2021, 7, 22), date(2021, 7, 19), 75),  # weeklies kept the old lot
        ("NIFTY", date(2021, 7, 29), date(2021, 4, 30), 50),
        ("NIFTY", date(2024, 4, 25), date(2024, 4, 25), 50),
        ("NIFTY", date(2024, 5, 30), date(2024, 4, 25), 50),
        ("NIFTY", date(2024, 5, 30), date(2024, 4, 26), 25),
        ("BANKNIFTY", date(2018, 11, 1), date(2018, 10, 25), 40),
        ("BANKNIFTY", date(2018, 11, 1), date(2018, 10, 26), 20),
        ("BANKNIFTY", date(2020, 7, 23), date(2020, 7, 21), 20),
        ("BANKNIFTY", date(2020, 7, 30), date(2020, 7, 21), 25),
        ("BANKNIFTY", date(2023, 7, 20), date(2023, 7, 18), 25),
        ("BANKNIFTY", date(2023, 7, 27), date(2023, 7, 18), 15),
        ("FINNIFTY", date(2025, 2, 25), date(2025, 2, 3), 65),
        ("MIDCPNIFTY", date(2026, 1, 27), date(2026, 1, 5), 120),
    ],
)
def test_the_lot_belongs_to_the_contract(
    underlying: str, expiry: date, trade_date: date, lot: int
) -> None:
    assert lot_size(underlying, expiry, trade_date) == lot


def test_a_lot_after_the_last_one_seen_is_unconfirmed() -> None:
    assert lot_figure("NIFTY", date(2026, 10, 27), date(2026, 10, 1)).status == "CONFIRMED"
    assert lot_figure("NIFTY", date(2026, 12, 29), date(2026, 11, 1)).status == "UNCONFIRMED"


def test_a_lot_is_not_known_before_its_circular() -> None:
    far, today = date(2026, 2, 24), date(2025, 9, 30)
    known = lot_figure("NIFTY", far, today, known_at_us=instant_us(today, time(9, 15)))
    assert (known.value, known.status) == (75, "INFERRED")
    afterwards = instant_us(date(2025, 10, 4), time(0))
    assert lot_figure("NIFTY", far, today, known_at_us=afterwards).value == 65


def test_the_tick_of_a_future_depends_on_its_price_since_april_2025() -> None:
    before, since = date(2025, 4, 11), date(2025, 4, 15)
    assert future_tick("NIFTY", before, 23_000_00).value == 5
    assert future_tick("NIFTY", since, 23_000_00).value == 10
    assert future_tick("BANKNIFTY", since, 52_000_00).value == 20
    assert future_tick("MIDCPNIFTY", since, 12_000_00).value == 5
    early = instant_us(date(2025, 3, 17), time(12))
    assert future_tick("NIFTY", since, 23_000_00, known_at_us=early).value == 5


def test_a_gap_in_the_freeze_quantities_falls_back_on_the_slabs() -> None:
    gap = date(2025, 10, 6)
    assert freeze_quantity("NIFTY", gap).status == "UNCONFIRMED"
    by_rule = freeze_quantity("BANKNIFTY", gap, previous_close_paise=55_000_00)
    assert (by_rule.value, by_rule.status) == (900, "INFERRED")
    assert freeze_quantity("BANKNIFTY", gap, previous_close_paise=55_000_05).value == 600
    # A circular that was found is not overruled.
    assert freeze_quantity("BANKNIFTY", date(2025, 9, 1), previous_close_paise=60_000_00) == (
        freeze_quantity("BANKNIFTY", date(2025, 9, 1))
    )


@given(
    lots=st.integers(1, 200),
    lot=st.sampled_from([15, 20, 25, 30, 35, 40, 50, 65, 75]),
    freeze=st.sampled_from([600, 900, 1200, 1800, 2800]),
)
def test_an_order_is_cut_into_whole_lots_below_the_limit(lots: int, lot: int, freeze: int) -> None:
    orders = orders_for(lots * lot, lot, freeze)
    assert sum(orders) == lots * lot
    assert all(order % lot == 0 and 0 < order <= freeze for order in orders)
    assert all(order > freeze - lot for order in orders[:-1])


def test_the_largest_order_is_a_whole_number_of_lots() -> None:
    assert orders_for(65 * 60, 65, 1800) == (1755, 1755, 390)


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
        (lambda: lot_size("NIFTY", date(2011, 4, 28), date(2011, 4, 4)), "from 2012-01-01"),
        (lambda: lot_size("NIFTY", date(2026, 2, 24), date(2026, 2, 25)), "has expired"),
        (lambda: freeze_quantity("NIFTY", date(2011, 7, 1)), "begins on 2012-01-01"),
        (lambda: future_tick("NIFTY", date(2011, 7, 1), 5_500_00), "no tick for a future"),
        (lambda: orders_for(70, 65, 1800), "cannot be ordered in lots of 65"),
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


def test_weeklies_begin_and_end() -> None:
    assert expiries("NIFTY", date(2019, 2, 1), date(2019, 2, 28)) == (
        date(2019, 2, 14),
        date(2019, 2, 21),
        date(2019, 2, 28),
    )
    assert expiries("BANKNIFTY", date(2016, 5, 20), date(2016, 6, 10)) == (
        date(2016, 5, 26),
        date(2016, 6, 2),
        date(2016, 6, 9),
    )
    assert expiries("BANKNIFTY", date(2024, 11, 1), date(2024, 12, 31)) == (
        date(2024, 11, 6),
        date(2024, 11, 13),
        date(2024, 11, 27),
        date(2024, 12, 24),
    )


def test_there_is_no_weekly_in_the_week_of_the_monthly() -> None:
    found = expiry_dates("BANKNIFTY", date(2024, 1, 15), date(2024, 2, 2))
    assert [(expiry.day, expiry.cycle) for expiry in found] == [
        (date(2024, 1, 17), "weekly"),  # a Wednesday
        (date(2024, 1, 25), "monthly"),  # still a Thursday
        (date(2024, 1, 31), "weekly"),
    ]


def test_the_expiry_of_june_2023_moved_with_the_holiday_the_evening_before() -> None:
    span = (date(2023, 6, 26), date(2023, 6, 30))
    monday = instant_us(date(2023, 6, 26), time(12))
    assert expiries("NIFTY", *span, known_at_us=monday) == (date(2023, 6, 29),)
    (moved,) = expiry_dates("NIFTY", *span)
    assert (moved.day, moved.by_rule) == (date(2023, 6, 28), date(2023, 6, 29))


def test_a_new_expiry_day_is_not_known_before_it_is_announced() -> None:
    span = (date(2025, 9, 22), date(2025, 9, 30))
    in_may = instant_us(date(2025, 5, 30), time(12))
    assert expiries("BANKNIFTY", *span, known_at_us=in_may) == (date(2025, 9, 25),)
    assert expiries("BANKNIFTY", *span) == (date(2025, 9, 30),)


@given(
    underlying=st.sampled_from(["NIFTY", "BANKNIFTY"]),
    first=st.dates(date(2012, 1, 1), date(2026, 11, 20)),
    known=st.one_of(st.none(), st.dates(date(2011, 1, 1), date(2027, 1, 1))),
)
@example(underlying="NIFTY", first=date(2025, 12, 29), known=date(2025, 5, 5))
@settings(deadline=None)
def test_expiries_are_full_market_days_within_the_span(
    underlying: str, first: date, known: date | None
) -> None:
    known_at_us = None if known is None else instant_us(known, time(12))
    last = first + timedelta(days=40)
    found = expiry_dates(underlying, first, last, known_at_us=known_at_us)
    assert found
    days = [expiry.day for expiry in found]
    assert days == sorted(set(days))
    for expiry in found:
        assert first <= expiry.day <= last
        assert calendar().is_expiry_day_candidate(expiry.day, known_at_us=known_at_us)
        assert timedelta(0) <= expiry.by_rule - expiry.day <= timedelta(days=5)
        between = calendar().market_days(
            expiry.day + timedelta(days=1), expiry.by_rule, known_at_us=known_at_us
        )
        assert not any(
            calendar().is_expiry_day_candidate(day, known_at_us=known_at_us) for day in between
        )
        assert lot_size(underlying, expiry.day, expiry.day, known_at_us=known_at_us) > 0


def test_an_expiry_moves_only_once_the_holiday_is_known() -> None:
    span = (date(2026, 11, 23), date(2026, 11, 24))
    in_2025 = instant_us(date(2025, 11, 3), time(10))
    assert expiries("NIFTY", *span, known_at_us=in_2025) == (date(2026, 11, 24),)
    assert expiries("NIFTY", *span) == (date(2026, 11, 23),)
