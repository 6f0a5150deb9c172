"""Market days and hours by date, and by what was known."""

from __future__ import annotations

from datetime import date, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from trading.market.figures import STATUSES, known_from_us

HOURS_NOT_KNOWN = [
    date(2012, 1, 7),
    date(2012, 3, 3),
    date(2012, 4, 28),
    date(2012, 9, 8),
    date(2013, 5, 11),
    date(2013, 11, 3),
    date(2014, 10, 23),
    date(2015, 11, 11),
    date(2026, 11, 8),
]
# The hour of the notice of 12 January is not on record, so it counts from the midnight after it.
BEFORE_THE_NOTICE = instant_us(date(2026, 1, 12), time(23, 59, 59))
AFTER_THE_NOTICE = instant_us(date(2026, 1, 13), time(0))


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
    day = date(2024, 5, 18)
    assert session_hours(day).intervals == (
        (instant_us(day, time(9, 15)), instant_us(day, time(10))),
        (instant_us(day, time(11, 30)), instant_us(day, time(12, 30))),
    )


def test_a_drill_became_a_full_session_the_evening_before() -> None:
    day = date(2024, 1, 20)
    friday = instant_us(date(2024, 1, 19), time(15))
    drill = session_hours(day, known_at_us=friday)
    assert len(drill.intervals) == 2
    assert drill.close_us == instant_us(day, time(12, 30))
    assert not calendar().is_expiry_day_candidate(day, known_at_us=friday)
    opening = instant_us(day, time(9))
    assert session_hours(day, known_at_us=opening) == session_hours(day)
    assert session_hours(day).intervals == (
        (instant_us(day, time(9, 15)), instant_us(day, time(15, 30))),
    )
    assert calendar().is_expiry_day_candidate(day)
    assert not is_market_day(date(2024, 1, 22))
    assert is_market_day(date(2024, 1, 22), known_at_us=friday)


def test_a_holiday_moved_by_a_day_is_closed_and_open_as_it_was_known() -> None:
    first, second = date(2023, 6, 28), date(2023, 6, 29)
    monday = instant_us(date(2023, 6, 26), time(12))
    assert [is_market_day(day, known_at_us=monday) for day in (first, second)] == [False, True]
    assert [is_market_day(day) for day in (first, second)] == [True, False]
    assert first not in {holiday.day for holiday in calendar().holidays()}
    withdrawn = [h for h in calendar().holidays(known_at_us=monday) if h.day == first]
    assert [holiday.withdrawn_on for holiday in withdrawn] == [date(2023, 6, 27)]


def test_a_years_list_is_not_known_before_it_is_published_but_fixed_days_are() -> None:
    autumn = instant_us(date(2025, 11, 20), time(12))
    assert is_market_day(date(2026, 3, 3), known_at_us=autumn)
    assert not is_market_day(date(2026, 3, 3))
    assert not is_market_day(date(2026, 1, 26), known_at_us=autumn)


def test_every_figure_says_how_sure_it_is() -> None:
    assert session_hours(date(2026, 12, 7)).status == "SINGLE_SOURCE"
    unknown = []
    for day in calendar().market_days(calendar().first, calendar().last):
        try:
            hours = session_hours(day)
        except CalendarError:
            unknown.append(day)
            continue
        assert hours.status in STATUSES
        assert hours.source
    assert unknown == HOURS_NOT_KNOWN
    for holiday in calendar().holidays():
        assert holiday.status in STATUSES
        assert holiday.announced_status in STATUSES
        assert holiday.source
        assert holiday.announced_on is None or holiday.announced_on < holiday.day


def test_spot_stands_still_before_derivatives_stop() -> None:
    assert _clock(date(2026, 7, 31)) == time(15, 30)
    assert _clock(date(2026, 8, 3)) == time(15, 15)
    assert _clock(date(2026, 12, 7)) == time(15, 30)
    assert _clock(date(2025, 10, 21)) == time(14, 45)  # Muhurat: to its end
    in_2025 = instant_us(date(2025, 8, 29), time(12))
    later = date(2026, 8, 3)
    assert calendar().spot_quiet_from_us(later, known_at_us=in_2025) == instant_us(
        later, time(15, 30)
    )


def _clock(day: date) -> time:
    quiet = calendar().spot_quiet_from_us(day)
    return next(
        at for at in (time(14, 45), time(15, 15), time(15, 30)) if instant_us(day, at) == quiet
    )


def test_futures_have_a_preopen_since_december_2025_and_options_never() -> None:
    assert calendar().preopen(date(2025, 12, 5), "FUTURE") is None
    assert calendar().preopen(date(2025, 12, 8), "OPTION") is None
    day = date(2025, 12, 8)
    legs = calendar().preopen(day, "FUTURE")
    assert legs is not None
    assert legs[:4] == tuple(
        instant_us(day, at) for at in (time(9), time(9, 8), time(9, 12), time(9, 15))
    )
    assert calendar().preopen(date(2025, 10, 21), "SPOT") is None  # Muhurat: not on record


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


@given(day=st.dates(date(2012, 1, 8), date(2026, 12, 20)), known=st.dates(date(2011, 1, 1)))
def test_next_and_previous_undo_each_other(day: date, known: date) -> None:
    for known_at_us in (None, instant_us(known, time(12))):
        after = calendar().next_market_day(day, known_at_us=known_at_us)
        before = calendar().previous_market_day(day, known_at_us=known_at_us)
        assert before < day < after
        if is_market_day(day, known_at_us=known_at_us):
            assert calendar().previous_market_day(after, known_at_us=known_at_us) == day
            assert calendar().next_market_day(before, known_at_us=known_at_us) == day


@given(
    day=st.dates(date(2012, 1, 1), date(2026, 12, 31)),
    known=st.lists(st.dates(date(2011, 1, 1), date(2027, 1, 1)), min_size=2, max_size=2),
)
def test_knowledge_only_grows(day: date, known: list[date]) -> None:
    """A closure seen at one instant is seen at every later one, unless it is on record as taken
    back in between; and what is known last is what is true.
    """
    sooner, later = (instant_us(at, time(12)) for at in sorted(known))
    seen = {holiday for holiday in calendar().holidays(known_at_us=sooner) if holiday.day == day}
    still = set(calendar().holidays(known_at_us=later))
    for holiday in seen - still:
        assert holiday.withdrawn_on is not None
        assert sooner < known_from_us(holiday.withdrawn_on) <= later
    at_the_end = instant_us(date(2027, 1, 1), time(0))
    assert is_market_day(day, known_at_us=at_the_end) is is_market_day(day)


@given(day=st.dates(date(2012, 1, 1), date(2026, 12, 31)))
def test_nothing_about_a_day_is_announced_after_it(day: date) -> None:
    opening = instant_us(day, time(9))
    assert is_market_day(day, known_at_us=opening) is is_market_day(day)
    if is_market_day(day) and day not in HOURS_NOT_KNOWN:
        assert session_hours(day, known_at_us=opening) == session_hours(day)


def test_market_days_step_over_weekends_and_holidays() -> None:
    assert next_market_day(date(2026, 2, 27)) == date(2026, 3, 2)
    assert calendar().previous_market_day(date(2026, 3, 4)) == date(2026, 3, 2)
    assert list(calendar().market_days(date(2026, 2, 26), date(2026, 3, 2))) == [
        date(2026, 2, 26),
        date(2026, 2, 27),
        date(2026, 3, 2),
    ]


@pytest.mark.parametrize("day", [date(2011, 12, 30), date(2027, 1, 4)])
def test_a_date_outside_the_tables_names_the_range(day: date) -> None:
    for ask in (is_market_day, session_hours, next_market_day):
        with pytest.raises(CalendarError, match="2012-01-01 to 2026-12-31"):
            ask(day)


def test_hours_of_a_closed_day_and_of_an_unannounced_session_are_refused() -> None:
    with pytest.raises(CalendarError, match=r"2025-08-27 is not a market day \(Ganesh Chaturthi\)"):
        session_hours(date(2025, 8, 27))
    with pytest.raises(CalendarError, match=r"2025-08-30 is not a market day \(Saturday\)"):
        session_hours(date(2025, 8, 30))
    with pytest.raises(CalendarError, match=r"\(Muhurat\) are not known"):
        session_hours(date(2026, 11, 8))


def test_the_ist_date_changes_at_midnight_in_india() -> None:
    midnight = instant_us(date(2026, 3, 1), time(0))
    assert ist_date(midnight) == date(2026, 3, 1)
    assert ist_date(midnight - 1) == date(2026, 2, 28)
