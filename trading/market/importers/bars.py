"""What every importer of bars does with its parsed rows: tell their length, label them by their
end, hold them against the sessions of the calendar.

Vendors label a bar by its start (Kite, Upstox, Dhan) or by its end (GlobalDataFeeds); the store
labels it by its end, when it can be known. The rows are in the temporary table `parsed`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.market.calendar import CalendarError, calendar
from trading.market.importers import reasons
from trading.market.importers.daily import publish

if TYPE_CHECKING:
    from datetime import date

    import duckdb

IST_OFFSET_US = 19_800_000_000
DAY = "1d"
LENGTHS_US = {"1m": 60_000_000, "5m": 300_000_000}
BAD_INTERVAL = "BAD_INTERVAL"
REFUSALS = (
    reasons.OUTSIDE_CALENDAR,
    reasons.NOT_A_MARKET_DAY,
    reasons.HOURS_UNKNOWN,
    reasons.NEXT_DAY_UNKNOWN,
    reasons.OUTSIDE_SESSION,
    BAD_INTERVAL,
)
_IST_DAY = f"CAST(make_timestamp(as_of + {IST_OFFSET_US}) AS DATE)"
_DAY_US = 86_400_000_000


def inferred_interval(connection: duckdb.DuckDBPyConnection) -> str | None:
    """The length of the bars by their most frequent distance: 1m, 5m, 1d; None for another."""
    found = connection.execute(
        """
        SELECT mode(gap) FROM (
          SELECT as_of - lag(as_of) OVER (ORDER BY as_of) AS gap FROM (
            SELECT DISTINCT as_of FROM parsed WHERE outcome IS NULL AND as_of IS NOT NULL
          )
        ) WHERE gap > 0
        """
    ).fetchall()[0][0]
    lengths = {us: name for name, us in LENGTHS_US.items()} | {_DAY_US: DAY}
    return lengths.get(found)


def settle(
    connection: duckdb.DuckDBPyConnection, interval: str | None, *, starts: bool, sessions: bool
) -> None:
    """Give parsed bars their `interval`, `interval_us`, `as_of` and `available_at`.

    `starts` says that the file labels a bar by its start; `sessions` that those outside the
    sessions of the Indian calendar are refused. A daily bar is true at the close of its day and
    known at 09:00 of the next market day; a shorter one is both at its end.
    """
    if interval is None:
        refuse(connection, BAD_INTERVAL, "true")
    elif interval == DAY:
        _settle_days(connection)
    else:
        _settle_bars(connection, interval, LENGTHS_US[interval], starts=starts)
        if sessions:
            refuse_outside_sessions(connection, LENGTHS_US[interval])


def refuse(connection: duckdb.DuckDBPyConnection, reason: str, condition: str) -> None:
    """Refuse the parsed rows of a condition that nothing is held against yet."""
    connection.execute(
        f"UPDATE parsed SET outcome = '{reason}' WHERE outcome IS NULL AND ({condition})"  # noqa: S608
    )


def refuse_outside_sessions(connection: duckdb.DuckDBPyConnection, length_us: int) -> None:
    """Refuse parsed rows whose span, the `length_us` before as_of, is in no trading interval."""
    ist_day = f"CAST(make_timestamp(as_of - {length_us} + {IST_OFFSET_US}) AS DATE)"
    _load_sessions(connection, ist_day)
    connection.execute(
        f"""
        UPDATE parsed SET outcome = d.refusal FROM session_days d
        WHERE outcome IS NULL AND d.day = {ist_day} AND d.refusal IS NOT NULL
        """  # noqa: S608
    )
    refuse(
        connection,
        reasons.OUTSIDE_SESSION,
        f"""NOT EXISTS (
          SELECT 1 FROM session_intervals s
          WHERE s.day = {ist_day} AND parsed.as_of - {length_us} >= s.opens_us
            AND parsed.as_of <= s.closes_us
        )""",  # noqa: S608
    )


def _settle_bars(
    connection: duckdb.DuckDBPyConnection, interval: str, length_us: int, *, starts: bool
) -> None:
    shift = length_us if starts else 0
    connection.execute(
        f"""
        UPDATE parsed SET interval = '{interval}', interval_us = {length_us},
          as_of = as_of + {shift}, available_at = as_of + {shift}
        """  # noqa: S608
    )


def _settle_days(connection: duckdb.DuckDBPyConnection) -> None:
    publish(connection, f"SELECT DISTINCT {_IST_DAY} FROM parsed WHERE as_of IS NOT NULL")  # noqa: S608
    connection.execute(
        f"""
        UPDATE parsed SET interval = '{DAY}', interval_us = closes_us - opens_us,
          as_of = coalesce(closes_us, as_of), available_at = published_us,
          outcome = coalesce(outcome, refusal)
        FROM publication WHERE published_day = {_IST_DAY}
        """  # noqa: S608
    )


def _load_sessions(connection: duckdb.DuckDBPyConnection, ist_day: str) -> None:
    """Fill `session_days` (day, refusal) and `session_intervals` for the days of parsed rows."""
    found = connection.execute(
        f"SELECT DISTINCT {ist_day} FROM parsed WHERE outcome IS NULL ORDER BY 1"  # noqa: S608
    ).fetchall()
    days = [row[0] for row in found if row[0] is not None]
    refusals = [_refusal(day) for day in days]
    spans = [
        (day, opens, closes)
        for day, refusal in zip(days, refusals, strict=True)
        if refusal is None
        for opens, closes in calendar().session_hours(day).intervals
    ]
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE session_days AS
        SELECT unnest($days::DATE[]) AS day, unnest($refusals::VARCHAR[]) AS refusal
        """,
        {"days": days, "refusals": refusals},
    )
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE session_intervals AS
        SELECT unnest($days::DATE[]) AS day, unnest($opens::BIGINT[]) AS opens_us,
          unnest($closes::BIGINT[]) AS closes_us
        """,
        {
            "days": [span[0] for span in spans],
            "opens": [span[1] for span in spans],
            "closes": [span[2] for span in spans],
        },
    )


def _refusal(day: date) -> str | None:
    days = calendar()
    if not days.first <= day <= days.last:
        return reasons.OUTSIDE_CALENDAR
    if not days.is_market_day(day):
        return reasons.NOT_A_MARKET_DAY
    try:
        days.session_hours(day)
    except CalendarError:
        return reasons.HOURS_UNKNOWN
    return None
