"""The exchange's list of holidays as its site gives it (JSON, a list for each segment); the one of
equity derivatives is taken.

The list does not say when any of it was announced. A holiday was public by the day before it at the
latest, and, where the user says when the list was known (`--known-at`), by the end of that day if
that is sooner. That day stands as `announced_on`, INFERRED.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from trading.market.importers import ImportRefusedError, reasons
from trading.market.importers.tabular import Numbers, cell, parse, stage_category, unreadable
from trading.market.importers.text import day, literal
from trading.market.ist import ist_date

if TYPE_CHECKING:
    from trading.market.importers.head import FileHead, SourceFile

NAME = "holiday_master"
VERSION = 1
SOURCE_NAME = "nse-holiday-master"
CATEGORIES = ("holidays",)
TITLE = "the exchange's list of holidays"
CADENCE_US = None
WRONG_WEEKDAY = "WRONG_WEEKDAY"
REFUSALS = (reasons.BAD_DATE, WRONG_WEEKDAY, *reasons.CONFLICTS)
DROPS = reasons.REPETITIONS

SEGMENT = "FO"
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
    latest = "holiday - 1"
    if source.known_at_us is not None:
        latest = f"least(holiday - 1, DATE '{ist_date(source.known_at_us)}')"
    midnight = f"epoch_us(CAST(({latest}) AS TIMESTAMP) - INTERVAL '330 minutes')"
    parse(
        connection,
        _FIELDS,
        {
            "holiday": day(cell("tradingDate"), "%d-%b-%Y"),
            "name": cell("description"),
            "announced_on": latest,
            "withdrawn": "false",
            "status": "'INFERRED'",
            "source": literal(f"the exchange's list of holidays, segment {SEGMENT}"),
            "as_of": midnight,
            "available_at": f"{midnight} + 86400000000",
        },
        reasons=[
            ("holiday IS NULL", reasons.BAD_DATE),
            (f"dayname(holiday) <> {cell('weekDay')}", WRONG_WEEKDAY),
        ],
        numbers=Numbers(),
    )
    stage_category(connection, "holidays", {"day": "holiday"})


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
