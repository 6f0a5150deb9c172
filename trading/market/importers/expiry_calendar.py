"""Expiries of an index as found in the exchange's bhavcopies, with the day each would have had by
rule and the lot of its contracts.

What a row says is known from the bhavcopy it was found in: its close is `as_of`, and it was
available at 09:00 IST of the next market day. The lot is that of the contracts on that day, and no
statement about earlier ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading.market.importers import reasons
from trading.market.importers.tabular import Numbers, cell, load_parquet, parse, stage_category
from trading.market.importers.text import day, iso_day, whole

if TYPE_CHECKING:
    import duckdb

    from trading.market.importers.head import FileHead, SourceFile

NAME = "expiry_calendar"
VERSION = 1
SOURCE_NAME = "nse-expiry-calendar"
CATEGORIES = ("expiries", "lots")
TITLE = "a calendar of expiries found in bhavcopies"
CADENCE_US = None
UNPROVEN = "UNPROVEN"
REFUSALS = (
    reasons.BAD_UNDERLYING,
    reasons.BAD_EXPIRY,
    reasons.BAD_DATE,
    UNPROVEN,
    *reasons.NUMBERS,
    *reasons.PUBLICATION,
    *reasons.CONFLICTS,
)
DROPS = reasons.REPETITIONS

COLUMNS = (
    "symbol",
    "actual_expiry_date",
    "original_scheduled_expiry",
    "expiry_type",
    "mapping_status",
    "market_lot",
    "source_id",
)


def recognises(head: FileHead) -> bool:
    """Whether a Parquet file has the columns of the calendar."""
    return head.kind == "parquet" and set(COLUMNS) <= set(head.columns)


def stage(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> None:
    """Fill the staged tables; see the importer protocol."""
    load_parquet(connection, source, COLUMNS)
    found_on = day(f"regexp_extract({cell('source_id')}, '_([0-9]{{8}})$', 1)", "%Y%m%d")
    parse(
        connection,
        COLUMNS,
        {
            "found_on": found_on,
            "underlying": f"nullif({cell('symbol')}, '')",
            "expiry": iso_day(cell("actual_expiry_date")),
            "by_rule": iso_day(cell("original_scheduled_expiry")),
            "cycle": cell("expiry_type"),
            "withdrawn": "false",
            "lot_size": whole(cell("market_lot")),
            "status": "'CONFIRMED'",
            "source": cell("source_id"),
        },
        reasons=[
            ("underlying IS NULL", reasons.BAD_UNDERLYING),
            ("expiry IS NULL OR by_rule IS NULL OR cycle IS NULL", reasons.BAD_EXPIRY),
            ("found_on IS NULL", reasons.BAD_DATE),
            (f"coalesce({cell('mapping_status')} NOT LIKE 'proven%', true)", UNPROVEN),
        ],
        numbers=Numbers(whole=[cell("market_lot")]),
        trade_date=found_on,
    )
    stage_category(connection, "expiries")
    lot = {
        "expiry_from": "expiry",
        "expiry_to": "expiry",
        "trade_from": "found_on",
        "trade_to": "found_on",
        "quarterly": "false",
    }
    stage_category(connection, "lots", lot, where="outcome IS NULL AND lot_size IS NOT NULL")
