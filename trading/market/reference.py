"""The shipped tables as rows of the store's categories, each as it was announced.

`available_at` is the midnight after an announcement, `as_of` the midnight before it: the statement
was made that day. What says no day of announcement counts from the start of the calendar, or, where
it is a rate or a limit, from the day it is in force. Of one key the latest row available holds.
"""

from __future__ import annotations

from datetime import date, time, timedelta
from typing import TYPE_CHECKING, Any

from trading.market.calendar import Calendar, CalendarError
from trading.market.expiries import Expiry, expiry_dates
from trading.market.figures import known_from_us
from trading.market.ist import instant_us
from trading.market.position_limits import CRORE_PAISE

if TYPE_CHECKING:
    from collections.abc import Iterator

Row = dict[str, Any]
TABLES = (
    "calendar",
    "contracts",
    "circuit_breakers",
    "position_limits",
    "rates",
    "scheduled_events",
)

_EPOCH = date(2012, 1, 1)  # what was always known is available from here
_REACH = timedelta(days=7)  # how far a holiday can move an expiry
_DAY_US = 86_400_000_000


def reference_rows(name: str, tables: dict[str, Any]) -> dict[str, list[Row]]:
    """The rows of one of TABLES by category of the store, without the columns the store adds."""
    rows = {
        "calendar": calendar_rows,
        "contracts": contract_rows,
        "circuit_breakers": circuit_breaker_rows,
        "position_limits": position_limit_rows,
        "rates": rate_rows,
        "scheduled_events": scheduled_event_rows,
    }
    return rows[name](tables)


# --- calendar -------------------------------------------------------------------------------------


def calendar_rows(tables: dict[str, Any]) -> dict[str, list[Row]]:
    """Rows of the categories calendar, sessions, holidays and expiries."""
    calendar = Calendar(tables)
    return {
        "calendar": list(_days(calendar, tables)),
        "sessions": list(_sessions(calendar, tables)),
        "holidays": list(_holidays(calendar)),
        "expiries": list(_expiries(calendar, tables)),
    }


def _every_day(calendar: Calendar) -> Iterator[date]:
    for number in range((calendar.last - calendar.first).days + 1):
        yield calendar.first + timedelta(days=number)


def _days(calendar: Calendar, tables: dict[str, Any]) -> Iterator[Row]:
    turns = _turns_by_day(calendar, tables)
    for day in _every_day(calendar):
        said: Row | None = None
        for announced_on in (None, *sorted(turns.get(day, ()))):
            at_us = _known_us(announced_on)
            now = _day(calendar, day, at_us)
            if now != said:
                yield {**_times(announced_on), **now}
                said = now


def _day(calendar: Calendar, day: date, known_at_us: int) -> Row:
    trades = calendar.is_market_day(day, known_at_us=known_at_us)
    about = calendar.about(day, known_at_us=known_at_us)
    return {
        "day": day,
        "trades": trades,
        "counts_for_expiry": calendar.is_expiry_day_candidate(day, known_at_us=known_at_us),
        "name": about.name,
        "status": about.status,
        "source": about.source,
    }


def _sessions(calendar: Calendar, tables: dict[str, Any]) -> Iterator[Row]:
    turns = _turns_by_day(calendar, tables)
    hours = [(row["from"], row["announced_on"]) for row in tables["hours"] if "announced_on" in row]
    for day in _every_day(calendar):
        later = {announced_on for begins, announced_on in hours if begins <= day}
        said: list[Row] = []
        for announced_on in (None, *sorted(later | turns.get(day, set()))):
            now = _session(calendar, day, _known_us(announced_on))
            if now == said:
                continue
            gone = [{**row, "opens_us": None, "closes_us": None} for row in said[len(now) :]]
            for row in (*now, *gone):
                yield {**_times(announced_on), **row}
            said = now


def _session(calendar: Calendar, day: date, known_at_us: int) -> list[Row]:
    try:
        hours = calendar.session_hours(day, known_at_us=known_at_us)
    except CalendarError:
        return []
    return [
        {
            "day": day,
            "interval": number,
            "opens_us": opens,
            "closes_us": closes,
            "name": hours.name,
            "status": hours.status,
            "source": hours.source,
        }
        for number, (opens, closes) in enumerate(hours.intervals)
    ]


def _holidays(calendar: Calendar) -> Iterator[Row]:
    for holiday in calendar.every_holiday():
        row = {
            "day": holiday.day,
            "name": holiday.name,
            "announced_on": holiday.announced_on,
            "withdrawn": False,
            "status": holiday.status,
            "source": holiday.source,
        }
        yield {**_times(holiday.announced_on), **row}
        if holiday.withdrawn_on is not None:
            taken_back = {"announced_on": holiday.withdrawn_on, "withdrawn": True}
            yield {**_times(holiday.withdrawn_on), **row, **taken_back}


def _expiries(calendar: Calendar, tables: dict[str, Any]) -> Iterator[Row]:
    """Every expiry as known at the start, then what each announcement changed."""
    rules: dict[str, list[Row]] = {}
    for rule in tables["expiry"]:
        rules.setdefault(rule["underlying"], []).append(rule)
    holidays = _spans_of_announcements(calendar, tables)
    for underlying, own in rules.items():
        spans = {on: list(parts) for on, parts in holidays.items()}
        for rule in own:
            if "announced_on" in rule:
                span = (rule["from"] - _REACH, calendar.last)
                spans.setdefault(rule["announced_on"], []).append(span)
        said: dict[date, Expiry] = {}
        for announced_on in (None, *sorted(spans)):
            known_at_us = _known_us(announced_on)
            parts = spans[announced_on] if announced_on else [(calendar.first, calendar.last)]
            first = max(min(start for start, _ in parts), calendar.first)
            last = min(max(stop for _, stop in parts), calendar.last)
            found = expiry_dates(calendar, own, first, last, known_at_us=known_at_us)
            now = {expiry.day: expiry for expiry in found}
            before = {day: expiry for day, expiry in said.items() if first <= day <= last}
            for day in sorted(now.keys() | before.keys()):
                if now.get(day) != before.get(day):
                    row = _expiry(underlying, now.get(day) or before[day], withdrawn=day not in now)
                    yield {**_times(announced_on), **row}
            said = {day: e for day, e in said.items() if day not in before} | now


def _expiry(underlying: str, expiry: Expiry, *, withdrawn: bool) -> Row:
    return {
        "underlying": underlying,
        "expiry": expiry.day,
        "by_rule": expiry.by_rule,
        "cycle": expiry.cycle,
        "withdrawn": withdrawn,
        "status": expiry.status,
        "source": expiry.source,
    }


def _turns_by_day(calendar: Calendar, tables: dict[str, Any]) -> dict[date, set[date]]:
    """By day, when something about whether it trades was announced or taken back."""
    turns: dict[date, set[date]] = {}
    for holiday in calendar.every_holiday():
        turns.setdefault(holiday.day, set()).update(
            on for on in (holiday.announced_on, holiday.withdrawn_on) if on is not None
        )
    for row in tables["special_session"]:
        turns.setdefault(row["date"], set()).add(row["announced_on"])
    return turns


def _spans_of_announcements(
    calendar: Calendar, tables: dict[str, Any]
) -> dict[date, list[tuple[date, date]]]:
    """By announcement about days, the dates on which it can have moved an expiry."""
    spans: dict[date, list[tuple[date, date]]] = {}
    for day, turns in _turns_by_day(calendar, tables).items():
        for announced_on in turns:
            spans.setdefault(announced_on, []).append((day - _REACH, day + _REACH))
    return spans


# --- contracts and the rest -----------------------------------------------------------------------


def contract_rows(tables: dict[str, Any]) -> dict[str, list[Row]]:
    """Rows of the categories lots, freeze_quantities and tick_sizes."""
    underlyings = [row["underlying"] for row in tables["strike_step"]]
    return {
        "lots": [_lot(row, tables["lot"]) for row in tables["lot"]],
        "freeze_quantities": [
            {
                **_times_in_force(row),
                "underlying": underlying,
                "from": row["from"],
                "quantity": row[underlying],
                **_figure(row),
            }
            for row in tables["freeze"]
            for underlying in underlyings
            if underlying in row
        ],
        "tick_sizes": [
            {
                **_times_in_force(row),
                "underlying": underlying,
                "instrument": row["instrument"],
                "from": row["from"],
                "above_paise": row["above_paise"],
                "tick_paise": row["paise"],
                **_figure(row),
            }
            for row in tables["tick"]
            for underlying in underlyings
        ],
    }


def _lot(row: Row, rows: list[Row]) -> Row:
    """A lot with the first trade date it holds on: after every listed contract of these expiries
    was converted to it.
    """
    converted = [
        other["trade_to"] + timedelta(days=1)
        for other in rows
        if other["underlying"] == row["underlying"]
        and "trade_to" in other
        and not other.get("quarterly", False)
        and other["expiry_from"] <= row["expiry_from"]
        and other["trade_to"] < row.get("trade_to", date.max)
    ]
    return {
        **_times(row.get("announced_on")),
        "underlying": row["underlying"],
        "expiry_from": row["expiry_from"],
        "expiry_to": row.get("expiry_to"),
        "trade_from": max(converted, default=_EPOCH),
        "trade_to": row.get("trade_to"),
        "quarterly": row.get("quarterly", False),
        "lot_size": row["lot"],
        **_figure(row),
    }


def circuit_breaker_rows(tables: dict[str, Any]) -> dict[str, list[Row]]:
    """Rows of the category circuit_breakers."""
    rows = [
        {
            **_times_in_force(row),
            "from": row["from"],
            "move_percent": row["move_percent"],
            "after_ist": row["after"].isoformat(),
            "before_ist": row["before"].isoformat(),
            "halt_minutes": row.get("halt_minutes"),
            "auction_minutes": row["auction_minutes"],
            **_figure(row),
        }
        for row in tables["circuit_breaker"]
    ]
    return {"circuit_breakers": rows}


def position_limit_rows(tables: dict[str, Any]) -> dict[str, list[Row]]:
    """Rows of the category position_limits."""
    rows = [
        {
            **_times_in_force(row),
            "from": row["from"],
            "holder": row["holder"],
            "measure": row["measure"],
            "limit_paise": row["limit_crore"] * CRORE_PAISE,
            "share_of_oi_percent": row.get("share_of_oi_percent"),
            **_figure(row),
        }
        for row in tables["position_limit"]
    ]
    return {"position_limits": rows}


def rate_rows(tables: dict[str, Any]) -> dict[str, list[Row]]:
    """Rows of the category rates."""
    columns = ("from", "charge", "levied_by", "instrument", "side", "base", "rate_e9")
    rows = [
        {
            **_times_in_force(row),
            **{column: row[column] for column in columns},
            "to": row.get("to"),
            **_figure(row),
        }
        for row in tables["rate"]
    ]
    return {"rates": rows}


def scheduled_event_rows(tables: dict[str, Any]) -> dict[str, list[Row]]:
    """Rows of the category scheduled_events."""
    columns = ("day", "name", "event", "published_on")
    rows = [
        {
            **_times(row["published_on"]),
            **{column: row[column] for column in columns},
            **_figure(row),
        }
        for row in tables["event"]
    ]
    return {"scheduled_events": rows}


def _figure(row: Row) -> Row:
    return {"status": row["status"], "source": row["source"]}


def _known_us(announced_on: date | None) -> int:
    start = instant_us(_EPOCH, time(0))
    return start if announced_on is None else max(start, known_from_us(announced_on))


def _times(announced_on: date | None) -> Row:
    available_at = _known_us(announced_on)
    return {"as_of": available_at - _DAY_US, "available_at": available_at}


def _times_in_force(row: Row) -> Row:
    """A row without a day of announcement was known on the first day it holds, at the latest."""
    if "announced_on" in row:
        return _times(row["announced_on"])
    return _times(max(row["from"] - timedelta(days=1), _EPOCH - timedelta(days=1)))
