"""The history of India VIX of the exchange's site: one row a day, names with blanks at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.market.importers import reasons
from trading.market.importers.tabular import (
    Numbers,
    cell,
    header_names,
    is_broken,
    load_csv,
    parse,
    stage_category,
)
from trading.market.importers.text import cleaned, day, real

if TYPE_CHECKING:
    import duckdb

    from trading.market.importers.head import FileHead, SourceFile

NAME = "india_vix"
VERSION = 1
SOURCE_NAME = "nse-india-vix"
CATEGORIES = ("vix",)
TITLE = "the exchange's history of India VIX"
CADENCE_US = None
REFUSALS = (
    reasons.BROKEN_ROW,
    reasons.BAD_DATE,
    *reasons.NUMBERS,
    *reasons.PUBLICATION,
    *reasons.CONFLICTS,
)
DROPS = reasons.REPETITIONS

COLUMNS = ("Date", "Open", "High", "Low", "Close", "Prev. Close", "Change", "% Change")
_VALUES = {
    "open": "Open",
    "high": "High",
    "low": "Low",
    "close": "Close",
    "previous_close": "Prev. Close",
}


def recognises(head: FileHead) -> bool:
    """Whether the header is that of the VIX history."""
    return head.columns == COLUMNS


def stage(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> None:
    """Fill the staged table; see the importer protocol."""
    names = header_names(source.head.lines[0])
    load_csv(connection, source, names, clean=cleaned)
    trade_date = day(cell("Date"), "%d-%b-%Y")
    parse(
        connection,
        names,
        {
            "trade_date": trade_date,
            **{name: f"nullif({real(cell(column))}, 0)" for name, column in _VALUES.items()},
        },
        reasons=[
            (is_broken(names), reasons.BROKEN_ROW),
            ("trade_date IS NULL", reasons.BAD_DATE),
        ],
        numbers=Numbers(real=[cell(column) for column in _VALUES.values()]),
        trade_date=trade_date,
    )
    stage_category(connection, "vix", {"interval": "'1d'"})
