"""The dated tables cannot leak: what is asked as known at an instant does not change with anything
announced later.
"""

from __future__ import annotations

import copy
from datetime import date, time, timedelta
from typing import Any

import pytest

from trading.market.calendar import Calendar, CalendarError, instant_us
from trading.market.expiries import expiry_dates
from trading.market.figures import known_from_us, table

# Around the closures announced or taken back late, a list of the year, a new rule, new hours.
KNOWN = (
    date(2013, 11, 12),
    date(2019, 3, 25),
    date(2023, 6, 26),
    date(2024, 1, 18),
    date(2025, 6, 16),
    date(2025, 12, 11),
    date(2026, 1, 11),
    date(2026, 10, 14),
)


def _dropped(tables: dict[str, Any], at_us: int) -> dict[str, Any]:
    """The tables as they would have been written at an instant."""
    told = copy.deepcopy(tables)
    for year in told["holidays"]:
        if _later(year, "announced_on", at_us):
            year["days"] = [row for row in year["days"] if row.get("fixed", False)]
    for part in ("hours", "cash", "preopen", "holiday", "special_session", "expiry"):
        told[part] = [row for row in told[part] if not _later(row, "announced_on", at_us)]
        for row in told[part]:
            if _later(row, "withdrawn_on", at_us):
                del row["withdrawn_on"]
    return told


def _crowded(tables: dict[str, Any], at_us: int) -> dict[str, Any]:
    """Announced later: every other weekday closed, evening hours, all expiries on Fridays."""
    told = copy.deepcopy(tables)
    later = date(2026, 12, 30)
    beside = {
        "announced_on": later,
        "announced_status": "CONFIRMED",
        "status": "CONFIRMED",
        "source": "a test",
    }
    taken = {row["date"] for row in told["holiday"]}
    taken |= {row["date"] for year in told["holidays"] for row in year["days"]}
    day = date(2013, 1, 1)
    while day < date(2026, 12, 31):
        if day not in taken and day.weekday() < 5 and day.toordinal() % 2:
            told["holiday"].append({"date": day, "name": "a test", **beside})
        day += timedelta(days=1)
    for row in told["holiday"]:
        if "withdrawn_on" not in row and not _later(row, "announced_on", at_us):
            row["withdrawn_on"] = later
    evening = {"open": time(18), "close": time(20), "expiry": time(19)}
    told["hours"].append({"from": date(2012, 1, 1), **evening, **beside})
    for rule in list(told["expiry"]):
        told["expiry"].append({**rule, "weekday": 4, "from": date(2012, 1, 1), **beside})
    return told


def _later(row: dict[str, Any], column: str, at_us: int) -> bool:
    return column in row and known_from_us(row[column]) > at_us


def _said(tables: dict[str, Any], at_us: int, known: date) -> list[Any]:
    """Everything the calendar says of the year around an instant."""
    calendar = Calendar(tables)
    first, last = known - timedelta(days=200), min(known + timedelta(days=170), calendar.last)
    days: list[Any] = []
    day = max(first, calendar.first)
    while day <= last:
        try:
            hours = calendar.session_hours(day, known_at_us=at_us)
            quiet = calendar.spot_quiet_from_us(day, known_at_us=at_us)
        except CalendarError:
            days.append((day, calendar.is_market_day(day, known_at_us=at_us)))
        else:
            days.append((day, hours, quiet, calendar.expires_at_us(day, known_at_us=at_us)))
        day += timedelta(days=1)
    for underlying in ("NIFTY", "BANKNIFTY"):
        rules = [rule for rule in tables["expiry"] if rule["underlying"] == underlying]
        days += expiry_dates(calendar, rules, first, last, known_at_us=at_us)
    return days


@pytest.mark.parametrize("known", KNOWN, ids=str)
@pytest.mark.parametrize("poison", [_dropped, _crowded], ids=["dropped", "crowded"])
def test_nothing_announced_later_is_seen(known: date, poison: Any) -> None:
    at_us = instant_us(known, time(12))
    tables = table("calendar")
    assert _said(poison(tables, at_us), at_us, known) == _said(tables, at_us, known)


def test_the_poison_is_one() -> None:
    at_us = instant_us(KNOWN[-1], time(12))
    tables = table("calendar")
    later = instant_us(date(2026, 12, 31), time(12))
    for poison in (_dropped, _crowded):
        assert _said(poison(tables, at_us), later, KNOWN[-1]) != _said(tables, later, KNOWN[-1])
