"""The exchange's file of index closes (`ind_close_all`): one row an index of one day, decimals like
`.41`, a dash for what an index does not have.

Its row of India VIX goes to the category of the VIX, which has more decimals than a price.
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
from trading.market.importers.text import cleaned, day, price, real, scaled, whole

if TYPE_CHECKING:
    import duckdb

    from trading.market.importers.head import FileHead, SourceFile

NAME = "index_close"
VERSION = 1
SOURCE_NAME = "nse-index-close"
CATEGORIES = ("index_closes", "vix")
TITLE = "the exchange's file of index closes"
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
    "Index Name",
    "Index Date",
    "Open Index Value",
    "High Index Value",
    "Low Index Value",
    "Closing Index Value",
    "Points Change",
    "Change(%)",
    "Volume",
    "Turnover (Rs. Cr.)",
    "P/E",
    "P/B",
    "Div Yield",
)
VIX = "India VIX"
_VALUES = {
    "open": "Open Index Value",
    "high": "High Index Value",
    "low": "Low Index Value",
    "close": "Closing Index Value",
}
_RATIOS = {"price_earnings": "P/E", "price_book": "P/B", "dividend_yield": "Div Yield"}
_CRORE_PAISE = 1_000_000_000


def recognises(head: FileHead) -> bool:
    """Whether the header is that of the index closes."""
    return head.columns == COLUMNS


def stage(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> None:
    """Fill the staged tables; see the importer protocol."""
    load_csv(connection, source, COLUMNS, clean=cleaned)
    is_vix = f"{cell('Index Name')} = '{VIX}'"
    prices = [f"CASE WHEN NOT {is_vix} THEN {cell(column)} END" for column in _VALUES.values()]
    parse(
        connection,
        COLUMNS,
        _values(),
        reasons=[
            (is_broken(COLUMNS), reasons.BROKEN_ROW),
            ("trade_date IS NULL", reasons.BAD_DATE),
            ('"index" IS NULL', reasons.BAD_UNDERLYING),
        ],
        numbers=Numbers(
            paise=[*prices, cell("Turnover (Rs. Cr.)")],
            whole=[cell("Volume")],
            real=[cell(column) for column in _VALUES.values()],
            signed_real=[cell(column) for column in _RATIOS.values()],
        ),
        trade_date=day(cell("Index Date"), "%d-%m-%Y"),
    )
    stage_category(connection, "index_closes", where=f"coalesce(\"index\" <> '{VIX}', true)")
    stage_category(connection, "vix", {"interval": "'1d'"}, where=f"\"index\" = '{VIX}'")


def _values() -> dict[str, str]:
    return {
        "trade_date": day(cell("Index Date"), "%d-%m-%Y"),
        "index": f"nullif({cell('Index Name')}, '')",
        **{f"{name}_paise": price(cell(column)) for name, column in _VALUES.items()},
        **{name: f"nullif({real(cell(column))}, 0)" for name, column in _VALUES.items()},
        "volume": whole(cell("Volume")),
        "turnover_paise": scaled(cell("Turnover (Rs. Cr.)"), _CRORE_PAISE),
        **{name: real(cell(column)) for name, column in _RATIOS.items()},
    }
