"""The exchange's list of holidays as its site gives it (JSON, a list for each segment); the one of
equity derivatives is taken.

The list does not say when any of it was announced. It was known when the user says it was
(`--known-at`), and no row of it before the end of the day on which its closure was announced, where
the calendar has that on record. Where nobody says when the list was known, a row counts from then,
and one without such a record from the end of the holiday itself: never too early. `announced_on` is
the day on record, else the latest it can have been, INFERRED.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from trading.market.calendar import calendar, ist_date
from trading.market.importers import ImportRefusedError, reasons
from trading.market.importers.tabular import Numbers, cell, parse, stage_category, unreadable
from trading.market.importers.text import day, literal

if TYPE_CHECKING:
    from trading.market.importers.head import FileHead, SourceFile

NAME = "holiday_master"
VERSION = 2
SOURCE_NAME = "nse-holiday-master"
CATEGORIES = ("holidays",)
TITLE = "the exchange's list of holidays"
CADENCE_US = None
WRONG_WEEKDAY = "WRONG_WEEKDAY"
REFUSALS = (reasons.BAD_DATE, WRONG_WEEKDAY, *reasons.CONFLICTS)
DROPS = reasons.REPETITIONS

SEGMENT = "FO"
_DAY_US = 86_400_000_000
_FIELDS = ("tradingDate", "weekDay", "description")


def recognises(head: FileHead) -> bool:
    """Whether a JSON file speaks of trading dates and their weekdays, and of nothing else."""
    start = "\n".join(head.lines)
    return head.kind == "json" and all(f'"{name}"' in start for name in _FIELDS)


def stage(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> None:
    """Fill the staged table; see the importer protocol. Raises ImportRefusedError for a file that
    is damaged, or has no list of equity derivatives.
    """
    _load(connection, source)
    _put_on_record(connection)
    holiday = day(cell("tradingDate"), "%d-%b-%Y")
    known_at_us = source.known_at_us
    told_on = "coalesce(announced, holiday)"
    if known_at_us is not None:
        told_on = f"greatest(announced, DATE '{ist_date(known_at_us)}')"
    midnight = "epoch_us(CAST(told_on AS TIMESTAMP) - INTERVAL '330 minutes')"
    over = "epoch_us(CAST(announced + 1 AS TIMESTAMP) - INTERVAL '330 minutes')"
    known = f"greatest({known_at_us}, {over})" if known_at_us else f"{midnight} + {_DAY_US}"
    parse(
        connection,
        _FIELDS,
        {
            "holiday": holiday,
            "told_on": told_on,
            "name": cell("description"),
            "announced_on": "CASE WHEN by_law THEN NULL ELSE coalesce(announced, told_on) END",
            "withdrawn": "false",
            "status": "'INFERRED'",
            "source": literal(f"the exchange's list of holidays, segment {SEGMENT}"),
            "as_of": midnight,
            "available_at": known,
        },
        reasons=[
            ("holiday IS NULL", reasons.BAD_DATE),
            (f"dayname(holiday) <> {cell('weekDay')}", WRONG_WEEKDAY),
        ],
        numbers=Numbers(),
        join=f"LEFT JOIN on_record ON closed_on = {holiday}",
    )
    stage_category(connection, "holidays", {"day": "holiday"})


def _put_on_record(connection: duckdb.DuckDBPyConnection) -> None:
    """Fill the temporary table `on_record`: when each closure of the calendar was announced, or
    that law fixes it.
    """
    closures = calendar().every_holiday()
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE on_record AS
        SELECT unnest($days::DATE[]) AS closed_on, unnest($announced::DATE[]) AS announced,
          announced IS NULL AS by_law
        """,
        {
            "days": [closure.day for closure in closures],
            "announced": [closure.announced_on for closure in closures],
        },
    )


def _load(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> None:
    fields = ", ".join(f"holiday->>'$.{name}' AS {cell(name)}" for name in _FIELDS)
    path = literal(str(source.plain))
    try:
        connection.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE cells AS
            SELECT row_number() OVER () AS source_row, {fields} FROM (
              SELECT unnest(CAST(json_extract(content, '$.{SEGMENT}') AS JSON[])) AS holiday
              FROM read_text({path})
            )
            """  # noqa: S608
        )
    except duckdb.Error as error:
        raise unreadable(source, error) from error
    if connection.execute("SELECT count(*) FROM cells").fetchone() == (0,):
        msg = f"{source.path}: no holidays of the segment {SEGMENT}; expected {TITLE}"
        raise ImportRefusedError(msg)
