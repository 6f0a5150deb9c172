"""The trading calendar: which days are market days, when the session opens and closes, when
contracts stop trading, when the spot index stands still.

Dated tables with their status and source (`tables/calendar.toml`). `known_at_us` asks what was
known at that instant (µs UTC): a closure announced later is not seen, one taken back later still
stands. Without it everything in the tables is known.
"""

from __future__ import annotations

import functools
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from trading.market.figures import CONFIRMED, is_known, table
from trading.market.ist import IST, instant_us, ist_date

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "IST",
    "Calendar",
    "CalendarError",
    "DayNote",
    "Holiday",
    "PreOpen",
    "SessionHours",
    "calendar",
    "expires_at_us",
    "instant_us",
    "is_market_day",
    "ist_date",
    "next_market_day",
    "session_hours",
]

_SATURDAY = 5
_YEARS_FIGURES = ("announced_on", "announced_status", "announced_source", "status", "source")


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


class Holiday(NamedTuple):
    """A closure: `announced_on` is None where it is fixed by law and so always known,
    `withdrawn_on` the day it was taken back.
    """

    day: date
    name: str
    announced_on: date | None
    announced_status: str
    withdrawn_on: date | None
    status: str
    source: str


class DayNote(NamedTuple):
    """What is said of a day: its name (empty for an ordinary one), how sure that is, and whence."""

    name: str
    status: str
    source: str


class PreOpen(NamedTuple):
    """The phases before an open, µs UTC: orders are entered, then matched, then nothing happens
    until the buffer ends. Options have none.
    """

    entry_from_us: int
    entry_until_us: int
    matching_until_us: int
    buffer_until_us: int
    status: str
    source: str


class Calendar:
    """The answers to questions about days, from one set of tables."""

    def __init__(self, tables: dict[str, Any]) -> None:
        self.first: date = tables["range"]["from"]
        self.last: date = tables["range"]["to"]
        self._hours = _by_date(tables["hours"])
        self._cash = _by_date(tables["cash"])
        self._preopen = _by_date(tables["preopen"])
        self._closures = {row["date"]: row for row in _closures(tables)}
        self._special: dict[date, list[dict[str, Any]]] = {}
        for row in sorted(tables["special_session"], key=lambda row: row["announced_on"]):
            self._special.setdefault(row["date"], []).append(row)

    def is_market_day(self, day: date, *, known_at_us: int | None = None) -> bool:
        """Whether index derivatives trade on a day, special sessions included. Raises CalendarError
        outside the tables.
        """
        self._check_range(day)
        if self._special_session(day, known_at_us) is not None:
            return True
        return not self._is_closed(day, known_at_us) and day.weekday() < _SATURDAY

    def is_expiry_day_candidate(self, day: date, *, known_at_us: int | None = None) -> bool:
        """Whether contracts can expire on a day: a market day with a full session."""
        special = self._special_session(day, known_at_us)
        if special is not None:
            return bool(special["counts_for_expiry"])
        return self.is_market_day(day, known_at_us=known_at_us)

    def session_hours(self, day: date, *, known_at_us: int | None = None) -> SessionHours:
        """The session of a market day. Raises CalendarError for another day, and where the hours
        are not announced.
        """
        if not self.is_market_day(day, known_at_us=known_at_us):
            why = self._closures[day]["name"] if day in self._closures else day.strftime("%A")
            msg = f"{day} is not a market day ({why})"
            raise CalendarError(msg)
        row = self._special_session(day, known_at_us)
        if row is None:
            row = self._row_of(self._hours, day, known_at_us)
            spans = [(row["open"], row["close"])]
        elif row["intervals"]:
            spans = [(start, stop) for start, stop in row["intervals"]]
        else:
            msg = f"the hours of {day} ({row['name']}) are not known"
            raise CalendarError(msg)
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
        return instant_us(expiry, self._row_of(self._hours, expiry, known_at_us)["expiry"])

    def spot_quiet_from_us(self, day: date, *, known_at_us: int | None = None) -> int:
        """When the spot index of a market day stops moving with every trade, µs UTC: the close, or
        sooner where the cash market goes into its closing auction before derivatives stop.
        """
        hours = self.session_hours(day, known_at_us=known_at_us)
        if self._special_session(day, known_at_us) is not None:
            return hours.close_us
        row = self._row_of(self._cash, day, known_at_us)
        return min(hours.close_us, instant_us(day, row["continuous_until"]))

    def preopen(
        self, day: date, instrument: str, *, known_at_us: int | None = None
    ) -> PreOpen | None:
        """The phases before the open of a market day with ordinary hours, for `FUTURE` or `SPOT`;
        None where there are none or they are not on record.
        """
        self.session_hours(day, known_at_us=known_at_us)
        rows = [row for row in self._preopen if row["instrument"] == instrument]
        special = self._special_session(day, known_at_us)
        if special is not None or not _in_force(rows, day, known_at_us):
            return None
        row = self._row_of(rows, day, known_at_us)
        entry_from, entry_until = row["entry"]
        return PreOpen(
            instant_us(day, entry_from),
            instant_us(day, entry_until),
            instant_us(day, row["matching_until"]),
            instant_us(day, row["buffer_until"]),
            row["status"],
            row["source"],
        )

    def holidays(self, *, known_at_us: int | None = None) -> tuple[Holiday, ...]:
        """Every closure known at an instant, ascending; one taken back is no longer among them."""
        rows = (row for row in self._closures.values() if is_known(row, known_at_us))
        return tuple(_holiday(row) for row in sorted(rows, key=lambda row: row["date"]))

    def every_holiday(self) -> tuple[Holiday, ...]:
        """Every closure ever announced, ascending, those taken back among them."""
        return tuple(_holiday(self._closures[day]) for day in sorted(self._closures))

    def about(self, day: date, *, known_at_us: int | None = None) -> DayNote:
        """Why a day trades or does not, as known at an instant: its special session, its closure,
        or the ordinary week.
        """
        row = self._special_session(day, known_at_us)
        if row is None and self._is_closed(day, known_at_us):
            row = self._closures[day]
        if row is None:
            return DayNote("", CONFIRMED, "the ordinary week")
        return DayNote(row["name"], row["status"], row["source"])

    def _special_session(self, day: date, known_at_us: int | None) -> dict[str, Any] | None:
        known = [row for row in self._special.get(day, ()) if is_known(row, known_at_us)]
        return known[-1] if known else None

    def _is_closed(self, day: date, known_at_us: int | None) -> bool:
        return day in self._closures and is_known(self._closures[day], known_at_us)

    def _row_of(
        self, rows: list[dict[str, Any]], day: date, known_at_us: int | None
    ) -> dict[str, Any]:
        found = _in_force(rows, day, known_at_us)
        if not found:
            msg = f"{day} is before the first session hours known, {rows[0]['from']}"
            raise CalendarError(msg)
        return found[-1]

    def _step(self, day: date, days: int, known_at_us: int | None) -> date:
        following = day + timedelta(days=days)
        while not self.is_market_day(following, known_at_us=known_at_us):
            following += timedelta(days=days)
        return following

    def _check_range(self, day: date) -> None:
        if not self.first <= day <= self.last:
            msg = f"{day} is outside the trading calendar, {self.first} to {self.last}"
            raise CalendarError(msg)


def _by_date(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: row["from"])


def _in_force(
    rows: list[dict[str, Any]], day: date, known_at_us: int | None
) -> list[dict[str, Any]]:
    return [row for row in rows if row["from"] <= day and is_known(row, known_at_us)]


def _closures(tables: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every closure as one row: a year's list lends its days what they do not say themselves."""
    for year in tables["holidays"]:
        lent = {column: year[column] for column in _YEARS_FIGURES}
        for row in year["days"]:
            closure = {**lent, **row}
            if closure.get("fixed", False):
                del closure["announced_on"]
            yield closure
        own = [row for row in tables["holiday"] if row["date"].year == year["year"]]
        yield from ({**lent, **row} for row in own)


def _holiday(row: dict[str, Any]) -> Holiday:
    return Holiday(
        row["date"],
        row["name"],
        row.get("announced_on"),
        row["announced_status"],
        row.get("withdrawn_on"),
        row["status"],
        row["source"],
    )


@functools.cache
def calendar() -> Calendar:
    """The calendar of the tables shipped with the program."""
    return Calendar(table("calendar"))


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
