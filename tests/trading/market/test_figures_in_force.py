"""The figures of a day in words, each with its status and its source."""

from __future__ import annotations

from datetime import date, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.market.calendar import CalendarError, calendar, instant_us
from trading.market.contracts import lot_size
from trading.market.figures import STATUSES, UNCONFIRMED
from trading.market.figures_in_force import FiguresInForce, figures_in_force

ORDINARY = date(2026, 2, 26)


def said(page: FiguresInForce, group: str) -> dict[str, tuple[str, str]]:
    (found,) = (each for each in page.groups if each.title == group)
    return {figure.name: (figure.value, figure.status) for figure in found.figures}


def test_an_ordinary_day() -> None:
    page = figures_in_force(ORDINARY)
    session, nifty = said(page, "Session"), said(page, "NIFTY")
    assert session["Market day"] == ("yes", "CONFIRMED")
    assert session["Hours IST"] == ("09:15–15:30", "CONFIRMED")
    # Holi, a Tuesday, moves the weekly to Monday.
    assert nifty["Expiry 2026-03-02"][0] == "weekly, moved by a holiday from 2026-03-03"
    assert nifty["Lot of 2026-03-02"][0] == "65 units"
    assert nifty["Strike step"][0] == "50.00"
    assert nifty["Tick of options"][0] == "0.05"
    assert "Futures" in {group.title for group in page.groups}
    assert said(page, "Circuit breakers")["20 %, 00:00–23:59"][0] == "halt for the rest of the day"


def test_what_nobody_confirmed_says_so() -> None:
    page = figures_in_force(date(2026, 11, 26))
    assert said(page, "NIFTY")["Freeze quantity"] == ("1,800 units", UNCONFIRMED)
    assert page.unconfirmed == sum(
        figure.status == UNCONFIRMED for group in page.groups for figure in group.figures
    )
    assert page.unconfirmed > 2


def test_a_holiday_is_named_and_has_no_hours() -> None:
    session = said(figures_in_force(date(2026, 3, 3)), "Session")
    assert session["Market day"][0] == "no: Holi"
    assert list(session) == ["Market day"]
    assert said(figures_in_force(date(2026, 2, 28)), "Session")["Market day"][0] == "no: Saturday"


def test_a_muhurat_session_has_its_own_hours_or_says_they_are_not_known() -> None:
    known = said(figures_in_force(date(2024, 11, 1)), "Session")
    assert known["Market day"][0].startswith("yes: Muhurat")
    assert known["Hours IST"][0].startswith("18:")
    unknown = said(figures_in_force(date(2026, 11, 8)), "Session")
    assert unknown["Hours IST"][0].startswith("not on record")
    assert unknown["Hours IST"][1] == UNCONFIRMED


def test_as_known_that_morning_a_later_announcement_is_not_seen() -> None:
    day = date(2026, 8, 4)  # hours until 15:40, announced on 16 January
    before = instant_us(date(2026, 1, 10), time(0))
    hours = said(figures_in_force(day, known_at_us=before), "Session")["Hours IST"][0]
    assert hours == "09:15–15:30"
    assert said(figures_in_force(day), "Session")["Hours IST"][0] == "09:15–15:40"


def test_a_rate_is_a_share_of_its_base_or_rupees_an_order() -> None:
    charges = said(figures_in_force(ORDINARY), "Charges")
    assert charges["stt, GOVERNMENT, option, sell"][0] == "0.1 % of premium"
    assert charges["brokerage, ZERODHA, option, both"][0] == "₹ 20.00 an order"


def test_outside_the_calendar_is_an_error() -> None:
    with pytest.raises(CalendarError, match="outside the trading calendar"):
        figures_in_force(date(2027, 1, 1))


@given(st.dates(date(2012, 1, 1), date(2026, 12, 31)), st.booleans())
def test_every_day_of_the_calendar_is_answered(day: date, then: bool) -> None:  # noqa: FBT001
    known_at_us = instant_us(day, time(0)) if then else None
    page = figures_in_force(day, known_at_us=known_at_us)
    for group in page.groups:
        names = [figure.name for figure in group.figures]
        assert len(names) == len(set(names)), group.title
        for figure in group.figures:
            assert figure.value
            if figure.status:
                assert figure.status in STATUSES
                assert figure.source
            else:
                assert figure.value.startswith("not on record")
    trades = calendar().is_market_day(day, known_at_us=known_at_us)
    assert said(page, "Session")["Market day"][0].startswith("yes" if trades else "no")


@given(st.dates(date(2019, 1, 1), date(2026, 10, 1)))
def test_lots_shown_are_the_lots_that_trade(day: date) -> None:
    for name, (value, _) in said(figures_in_force(day), "NIFTY").items():
        if name.startswith("Lot of "):
            expiry = date.fromisoformat(name.removeprefix("Lot of "))
            assert day <= expiry <= day + timedelta(days=60)
            assert value == f"{lot_size('NIFTY', expiry, day)} units"
