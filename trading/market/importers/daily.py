"""When a daily publication of the exchange was true and when it could be known: the close of its
trade date's session, and 09:00 IST of the next market day.
"""

from __future__ import annotations

import functools
from datetime import date, time
from typing import TYPE_CHECKING, NamedTuple

from trading.market.calendar import CalendarError, calendar, instant_us
from trading.market.importers.reasons import (
    HOURS_UNKNOWN,
    NEXT_DAY_UNKNOWN,
    NOT_A_MARKET_DAY,
    OUTSIDE_CALENDAR,
)

if TYPE_CHECKING:
    import duckdb

_PUBLISHED = time(9)


class Publication(NamedTuple):
    """A trade date's times in µs UTC, or the reason they are not known."""

    opens_us: int | None
    closes_us: int | None
    published_us: int | None
    refusal: str | None


@functools.cache
def publication(day: date) -> Publication:
    """The times of what is published about a trade date; never a guess where the calendar cannot
    tell the session or the next market day.
    """
    days = calendar()
    if not days.first <= day <= days.last:
        return _refused(OUTSIDE_CALENDAR)
    if not days.is_market_day(day):
        return _refused(NOT_A_MARKET_DAY)
    try:
        hours = days.session_hours(day)
    except CalendarError:
        return _refused(HOURS_UNKNOWN)
    try:
        following = days.next_market_day(day)
    except CalendarError:
        return _refused(NEXT_DAY_UNKNOWN)
    return Publication(hours.open_us, hours.close_us, instant_us(following, _PUBLISHED), None)


def publish(connection: duckdb.DuckDBPyConnection, dates: str) -> None:
    """Fill the temporary table `publication` for the dates of a query of one DATE column:
    `published_day`, `opens_us`, `closes_us`, `published_us`, `refusal`.
    """
    found = (row[0] for row in connection.execute(dates).fetchall())
    days = sorted(day for day in found if day is not None)
    times = [publication(day) for day in days]
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE publication AS
        SELECT unnest($days::DATE[]) AS published_day, unnest($opens::BIGINT[]) AS opens_us,
          unnest($closes::BIGINT[]) AS closes_us, unnest($published::BIGINT[]) AS published_us,
          unnest($refusals::VARCHAR[]) AS refusal
        """,
        {
            "days": days,
            "opens": [at.opens_us for at in times],
            "closes": [at.closes_us for at in times],
            "published": [at.published_us for at in times],
            "refusals": [at.refusal for at in times],
        },
    )


def _refused(reason: str) -> Publication:
    return Publication(None, None, None, reason)
