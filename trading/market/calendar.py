"""The trading calendar: which days are market days, when the session opens and closes, when
contracts stop trading.

Dated tables with their status and source (`tables/calendar.toml`). `known_at_us` asks what was
known at that instant (µs UTC): a closure announced later is not seen. Without it everything in the
tables is known.
"""

from __future__ import annotations

import functools
import tomllib
from datetime import UTC, date, datetime, time, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

IST = timezone(timedelta(hours=5, minutes=30), "IST")
_TABLE = Path(__file__).parent / "tables" / "calendar.toml"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SATURDAY = 5


class CalendarError(ValueError):
    """A date the calendar cannot answer for; the text names the date and what was expected."""


class SessionHours(NamedTuple):
    """The session of one market day: its trading intervals in µs UTC, ascending, with the status
    and source of the figure.
    """

    day: date
    intervals: tuple[tuple[int, int], ...]
    name: str
    status: str
    source: str

    @property
    def open_us(self) -> int:
        """The first moment of trading, µs UTC."""
        return self.intervals[0][0]

    @property
    def close_us(self) -> int:
        """The last moment of trading, µs UTC."""
        return self.intervals[-1][1]


def instant_us(day: date, at: time) -> int:
    """The µs UTC of an IST wall-clock time."""
    return (datetime.combine(day, at, IST) - _EPOCH) // _MICROSECOND


def ist_date(at_us: int) -> date:
    """The IST date of an instant in µs UTC."""
    return (_EPOCH + at_us * _MICROSECOND).astimezone(IST).date()


class Calendar:
    """The answers to questions about days, from one set of tables."""

    def __init__(self, tables: dict[str, Any]) -> None:
        self.first: date = tables["range"]["from"]
        self.last: date = tables["range"]["to"]
        self._hours = sorted(tables["hours"], key=lambda row: row["from"])
        self._holidays = {row["date"]: row for row in tables["holiday"]}
        self._special = {row["date"]: row for row in tables["special_session"]}

    def is_market_day(self, day: date, *, known_at_us: int | None = None) -> bool:
        """Whether index derivatives trade on a day, special sessions included. Raises CalendarError
        outside the tables.
        """
        self._check_range(day)
        special = self._special.get(day)
        if special is not None and _known(special, known_at_us):
            return True
        holiday = self._holidays.get(day)
        if holiday is not None and _known(holiday, known_at_us):
            return False
        return day.weekday() < _SATURDAY

    def is_expiry_day_candidate(self, day: date, *, known_at_us: int | None = None) -> bool:
        """Whether contracts can expire on a day: a market day with a full session."""
        special = self._special.get(day)
        if special is not None and _known(special, known_at_us):
            return bool(special["counts_for_expiry"])
        return self.is_market_day(day, known_at_us=known_at_us)

    def session_hours(self, day: date, *, known_at_us: int | None = None) -> SessionHours:
        """The session of a market day. Raises CalendarError for another day, and where the hours
        are not announced.
        """
        if not self.is_market_day(day, known_at_us=known_at_us):
            holiday = self._holidays.get(day)
            why = holiday["name"] if holiday else day.strftime("%A")
            msg = f"{day} is not a market day ({why})"
            raise CalendarError(msg)
        special = self._special.get(day)
        if special is not None and _known(special, known_at_us):
            if not special["intervals"]:
                msg = f"the hours of {day} ({special['name']}) are not announced"
                raise CalendarError(msg)
            spans = [(start, stop) for start, stop in special["intervals"]]
            row = special
        else:
            row = self._hours_row(day, known_at_us)
            spans = [(row["open"], row["close"])]
        intervals = tuple((instant_us(day, start), instant_us(day, stop)) for start, stop in spans)
        return SessionHours(day, intervals, row.get("name", ""), row["status"], row["source"])

    def next_market_day(self, day: date, *, known_at_us: int | None = None) -> date:
        """The first market day after a day."""
        return self._step(day, 1, known_at_us)

    def previous_market_day(self, day: date, *, known_at_us: int | None = None) -> date:
        """The last market day before a day."""
        return self._step(day, -1, known_at_us)

    def market_days(
        self, first: date, last: date, *, known_at_us: int | None = None
    ) -> Iterator[date]:
        """The market days from one date to another, both included, ascending."""
        day = first
        while day <= last:
            if self.is_market_day(day, known_at_us=known_at_us):
                yield day
            day += timedelta(days=1)

    def expires_at_us(self, expiry: date, *, known_at_us: int | None = None) -> int:
        """When the contracts of an expiry stop trading, µs UTC; beyond the tables by the last rule
        then known.
        """
        return instant_us(expiry, self._hours_row(expiry, known_at_us)["expiry"])

    def _hours_row(self, day: date, known_at_us: int | None) -> dict[str, Any]:
        rows = [row for row in self._hours if row["from"] <= day and _known(row, known_at_us)]
        if not rows:
            msg = f"{day} is before the first session hours known, {self._hours[0]['from']}"
            raise CalendarError(msg)
        row: dict[str, Any] = rows[-1]
        return row

    def _step(self, day: date, days: int, known_at_us: int | None) -> date:
        following = day + timedelta(days=days)
        while not self.is_market_day(following, known_at_us=known_at_us):
            following += timedelta(days=days)
        return following

    def _check_range(self, day: date) -> None:
        if not self.first <= day <= self.last:
            msg = f"{day} is outside the trading calendar, {self.first} to {self.last}"
            raise CalendarError(msg)


def _known(row: dict[str, Any], known_at_us: int | None) -> bool:
    """Whether a row was public at an instant: from the start of the IST day it was announced on."""
    announced: date | None = row.get("announced_on")
    return known_at_us is None or announced is None or instant_us(announced, time(0)) <= known_at_us


@functools.cache
def calendar() -> Calendar:
    """The calendar of the tables shipped with the program."""
    return Calendar(tomllib.loads(_TABLE.read_text(encoding="utf-8")))


def is_market_day(day: date, *, known_at_us: int | None = None) -> bool:
    """Whether index derivatives trade on a day; see Calendar."""
    return calendar().is_market_day(day, known_at_us=known_at_us)


def session_hours(day: date, *, known_at_us: int | None = None) -> SessionHours:
    """The session of a market day; see Calendar."""
    return calendar().session_hours(day, known_at_us=known_at_us)


def next_market_day(day: date, *, known_at_us: int | None = None) -> date:
    """The first market day after a day; see Calendar."""
    return calendar().next_market_day(day, known_at_us=known_at_us)


def expires_at_us(expiry: date, *, known_at_us: int | None = None) -> int:
    """When the contracts of an expiry stop trading, µs UTC; see Calendar."""
    return calendar().expires_at_us(expiry, known_at_us=known_at_us)
