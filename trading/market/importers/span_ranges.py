"""SPAN price scan ranges of many days (`span_psr.csv`), one row an underlying and day, with the
price of the future they were worked out on. The clearing house's file of a day is taken as known
like every daily publication: not before the next market day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.market.importers import reasons
from trading.market.importers.tabular import (
    Numbers,
    cell,
    is_broken,
    load_csv,
    parse,
    stage_category,
)
from trading.market.importers.text import iso_day, price, real

if TYPE_CHECKING:
    import duckdb

    from trading.market.importers.head import FileHead, SourceFile

NAME = "span_ranges"
VERSION = 1
SOURCE_NAME = "nse-span-ranges"
CATEGORIES = ("span_ranges",)
TITLE = "SPAN price scan ranges"
CADENCE_US = None
REFUSALS = (
    reasons.BROKEN_ROW,
    reasons.BAD_DATE,
    reasons.BAD_UNDERLYING,
    *reasons.NUMBERS,
    *reasons.PUBLICATION,
    *reasons.CONFLICTS,
)
DROPS = reasons.REPETITIONS

COLUMNS = (
    "date",
    "symbol",
    "expiry",
    "futures_price",
    "price_scan",
    "price_scan_pct",
    "vol_scan",
)


def recognises(head: FileHead) -> bool:
    """Whether the header is that of the scan ranges."""
    return head.columns == COLUMNS


def stage(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> None:
    """Fill the staged table; see the importer protocol."""
    load_csv(connection, source, COLUMNS)
    trade_date = iso_day(cell("date"))
    parse(
        connection,
        COLUMNS,
        {
            "trade_date": trade_date,
            "underlying": f"nullif({cell('symbol')}, '')",
            "price_scan_fraction": f"{real(cell('price_scan_pct'))} / 100",
            "price_scan_paise": price(cell("price_scan")),
            "volatility_scan_fraction": real(cell("vol_scan")),
            "future_paise": price(cell("futures_price")),
        },
        reasons=[
            (is_broken(COLUMNS), reasons.BROKEN_ROW),
            ("trade_date IS NULL", reasons.BAD_DATE),
            ("underlying IS NULL", reasons.BAD_UNDERLYING),
        ],
        numbers=Numbers(
            paise=[cell("futures_price"), cell("price_scan")],
            real=[cell("price_scan_pct"), cell("vol_scan")],
        ),
        trade_date=trade_date,
    )
    stage_category(connection, "span_ranges")
