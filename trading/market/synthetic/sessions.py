"""The days a synthetic market lives through: the dated calendar's, or any others."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

from trading.market.calendar import CalendarError, calendar
from trading.market.synthetic.parameters import FIRST_DAY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

MINUTE_US = 60_000_000
_SPECIAL_MINUTES = 60


class TradingDay(NamedTuple):
    """A market day and its trading intervals in µs UTC."""

    date: date
    intervals: tuple[tuple[int, int], ...]

    @property
    def minutes(self) -> int:
        """The whole minutes of trading."""
        return sum((stop - start) // MINUTE_US for start, stop in self.intervals)

    @property
    def open_us(self) -> int:
        """The first moment of trading, µs UTC."""
        return self.intervals[0][0]

    @property
    def close_us(self) -> int:
        """The last moment of trading, µs UTC."""
        return self.intervals[-1][1]

    def minute_ends(self) -> list[int]:
        """The end of each minute of trading, µs UTC."""
        return [
            at
            for start, stop in self.intervals
            for at in range(start + MINUTE_US, stop + 1, MINUTE_US)
        ]


def trading_days(last: date) -> tuple[TradingDay, ...]:
    """The market days from FIRST_DAY to a date, as the calendar has them; a session whose hours are
    not announced is passed over. Raises CalendarError.
    """
    return tuple(_trading_days(last))


def _trading_days(last: date) -> Iterator[TradingDay]:
    for day in calendar().market_days(FIRST_DAY, last):
        with contextlib.suppress(CalendarError):
            yield TradingDay(day, calendar().session_hours(day).intervals)


def coming_minutes(day: date, until: date, known_at_us: int) -> list[tuple[date, int]]:
    """The market days after a day up to another, as then known, with their minutes of trading.

    A special session whose hours are not announced yet is thought to last an hour.
    """
    return [
        (coming, _known_minutes(coming, known_at_us))
        for coming in calendar().market_days(day, until, known_at_us=known_at_us)
        if coming > day
    ]


def _known_minutes(day: date, known_at_us: int) -> int:
    try:
        hours = calendar().session_hours(day, known_at_us=known_at_us)
    except CalendarError:
        return _SPECIAL_MINUTES
    return TradingDay(day, hours.intervals).minutes
