"""Market days and hours by date, and by what was known."""

from __future__ import annotations

from datetime import date, time

import pytest

from trading.market.calendar import (
    CalendarError,
    calendar,
    expires_at_us,
    instant_us,
    is_market_day,
    ist_date,
    next_market_day,
    session_hours,
)

BEFORE_THE_NOTICE = instant_us(date(2026, 1, 11), time(23, 59))
AFTER_THE_NOTICE = instant_us(date(2026, 1, 12), time(0))


@pytest.mark.parametrize(
    ("day", "opens", "closes"),
    [
        (date(2025, 8, 29), time(9, 15), time(15, 30)),
        (date(2026, 7, 31), time(9, 15), time(15, 30)),
        (date(2026, 8, 3), time(9, 15), time(15, 40)),
        (date(2026, 12, 4), time(9, 15), time(15, 40)),
        (date(2026, 12, 7), time(9, 15), time(15, 45)),
        (date(2026, 2, 1), time(9, 15), time(15, 30)),  # a Sunday, Budget
        (date(2025, 10, 21), time(13, 45), time(14, 45)),  # Muhurat
        (date(2024, 5, 18), time(9, 15), time(12, 30)),  # a drill in two parts
    ],
)
def test_session_hours(day: date, opens: time, closes: time) -> None:
    hours = session_hours(day)
    assert (hours.open_us, hours.close_us) == (instant_us(day, opens), instant_us(day, closes))


def test_a_drill_has_two_intervals() -> None:
    day = date(2024, 1, 20)
    assert session_hours(day).intervals == (
        (instant_us(day, time(9, 15)), instant_us(day, time(10))),
        (instant_us(day, time(11, 30)), instant_us(day, time(12, 30))),
    )


def test_every_figure_says_how_sure_it_is() -> None:
    assert session_hours(date(2026, 12, 7)).status == "SINGLE_SOURCE"
    for day in calendar().market_days(date(2024, 1, 1), date(2026, 11, 7)):
        hours = session_hours(day)
        assert hours.status in {"CONFIRMED", "SINGLE_SOURCE", "INFERRED", "UNCONFIRMED"}
        assert hours.source


@pytest.mark.parametrize(
    ("day", "open_day"),
    [
        (date(2025, 8, 27), False),  # Ganesh Chaturthi
        (date(2025, 8, 30), False),  # a Saturday
        (date(2025, 2, 1), True),  # a Saturday, Budget
        (date(2024, 11, 1), True),  # Muhurat on a holiday
        (date(2026, 11, 8), True),  # Muhurat on a Sunday
        (date(2026, 1, 15), False),
    ],
)
def test_market_days(day: date, open_day: bool) -> None:  # noqa: FBT001 - a table of cases
    assert is_market_day(day) is open_day


def test_a_closure_is_not_seen_before_it_is_announced() -> None:
    day = date(2026, 1, 15)
    assert is_market_day(day, known_at_us=BEFORE_THE_NOTICE)
    assert not is_market_day(day, known_at_us=AFTER_THE_NOTICE)
    assert next_market_day(date(2026, 1, 14), known_at_us=BEFORE_THE_NOTICE) == day
    assert next_market_day(date(2026, 1, 14), known_at_us=AFTER_THE_NOTICE) == date(2026, 1, 16)
    assert session_hours(day, known_at_us=BEFORE_THE_NOTICE).status == "CONFIRMED"


def test_longer_hours_are_not_seen_before_they_are_announced() -> None:
    expiry = date(2026, 12, 29)
    in_2025 = instant_us(date(2025, 8, 29), time(9, 16))
    in_june_2026 = instant_us(date(2026, 6, 1), time(9, 16))
    assert expires_at_us(expiry, known_at_us=in_2025) == instant_us(expiry, time(15, 30))
    assert expires_at_us(expiry, known_at_us=in_june_2026) == instant_us(expiry, time(15, 40))
    assert expires_at_us(expiry) == instant_us(
        expiry, time(15, 30)
    )  # expiring contracts stop first


def test_an_expiry_beyond_the_tables_follows_the_last_rule_known() -> None:
    expiry = date(2030, 6, 25)
    assert expires_at_us(expiry) == instant_us(expiry, time(15, 30))


def test_market_days_step_over_weekends_and_holidays() -> None:
    assert next_market_day(date(2026, 2, 27)) == date(2026, 3, 2)
    assert calendar().previous_market_day(date(2026, 3, 4)) == date(2026, 3, 2)
    assert list(calendar().market_days(date(2026, 2, 26), date(2026, 3, 2))) == [
        date(2026, 2, 26),
        date(2026, 2, 27),
        date(2026, 3, 2),
    ]


@pytest.mark.parametrize("day", [date(2023, 12, 29), date(2027, 1, 4)])
def test_a_date_outside_the_tables_names_the_range(day: date) -> None:
    for ask in (is_market_day, session_hours, next_market_day):
        with pytest.raises(CalendarError, match="2024-01-01 to 2026-12-31"):
            ask(day)


def test_hours_of_a_closed_day_and_of_an_unannounced_session_are_refused() -> None:
    with pytest.raises(CalendarError, match=r"2025-08-27 is not a market day \(Ganesh Chaturthi\)"):
        session_hours(date(2025, 8, 27))
    with pytest.raises(CalendarError, match=r"2025-08-30 is not a market day \(Saturday\)"):
        session_hours(date(2025, 8, 30))
    with pytest.raises(CalendarError, match=r"\(Muhurat\) are not announced"):
        session_hours(date(2026, 11, 8))


def test_the_ist_date_changes_at_midnight_in_india() -> None:
    midnight = instant_us(date(2026, 3, 1), time(0))
    assert ist_date(midnight) == date(2026, 3, 1)
    assert ist_date(midnight - 1) == date(2026, 2, 28)
