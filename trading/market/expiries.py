"""Expiry days from dated rules and a calendar: every week or the last weekday of a month, moved to
the trading day before by a holiday.
"""

from __future__ import annotations

import calendar as month_lengths
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from trading.market.figures import is_known

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from trading.market.calendar import Calendar

_WEEK = timedelta(days=7)


class Expiry(NamedTuple):
    """One expiry: the day, the day it would have been without a holiday, and the rule behind it."""

    day: date
    by_rule: date
    cycle: str  # weekly, monthly
    status: str
    source: str


def expiry_dates(
    calendar: Calendar,
    rules: Sequence[dict[str, Any]],
    first: date,
    last: date,
    *,
    known_at_us: int | None = None,
) -> tuple[Expiry, ...]:
    """The expiries of one underlying's rules from one date to another, both included, ascending, as
    known at an instant (µs UTC). Raises CalendarError outside the calendar.
    """
    known = sorted(
        (rule for rule in rules if is_known(rule, known_at_us)), key=lambda rule: rule["from"]
    )
    found: dict[date, Expiry] = {}
    # A holiday can carry an expiry a few days back, so days just after the range may expire within
    # it.
    for by_rule, rule in _by_rule(known, first, min(last + _WEEK, calendar.last)):
        day = by_rule
        while not calendar.is_expiry_day_candidate(day, known_at_us=known_at_us):
            day -= timedelta(days=1)
        if first <= day <= last:
            found[day] = Expiry(day, by_rule, rule["cycle"], rule["status"], rule["source"])
    return tuple(found[day] for day in sorted(found))


def _by_rule(
    rules: Sequence[dict[str, Any]], first: date, last: date
) -> Iterator[tuple[date, dict[str, Any]]]:
    """The days contracts expire on before holidays are looked at, each with its rule. In the week
    of a monthly there is no weekly.
    """
    day = first
    while day <= last:
        monthly = _rule_on(rules, "monthly", day)
        weekly = _rule_on(rules, "weekly", day)
        if monthly is not None and _is_last_of_month(monthly, day):
            yield day, monthly
        elif weekly is not None and weekly.get("weekday") == day.weekday():
            monday = day - timedelta(days=day.weekday())
            week = (monday + timedelta(days=number) for number in range(7))
            if monthly is None or not any(_is_last_of_month(monthly, other) for other in week):
                yield day, weekly
        day += timedelta(days=1)


def _rule_on(rules: Sequence[dict[str, Any]], cycle: str, day: date) -> dict[str, Any] | None:
    begun = [rule for rule in rules if rule["cycle"] == cycle and rule["from"] <= day]
    return begun[-1] if begun else None


def _is_last_of_month(rule: dict[str, Any], day: date) -> bool:
    last_of_month = month_lengths.monthrange(day.year, day.month)[1]
    return bool(rule["weekday"] == day.weekday() and day.day + 7 > last_of_month)
