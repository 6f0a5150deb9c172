"""Index futures of many years compiled from bhavcopies (`bhav_index.csv`): close, contracts, open
interest and, since UDiFF, the lot.

They are day bars, available as the bhavcopies were. `value` changes its unit with the form of the
bhavcopy (lakh rupees, then rupees), and `implied_lot` is computed: neither is taken. Volume is in
units and so known only where the lot is stated.
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
from trading.market.importers.text import day, iso_day, price, real, whole

if TYPE_CHECKING:
    import duckdb

    from trading.market.importers.head import FileHead, SourceFile

NAME = "index_futures"
VERSION = 1
SOURCE_NAME = "nse-index-futures"
CATEGORIES = ("future_bars",)
TITLE = "index futures compiled from bhavcopies"
CADENCE_US = None
REFUSALS = (
    reasons.BROKEN_ROW,
    reasons.BAD_DATE,
    reasons.BAD_UNDERLYING,
    reasons.BAD_EXPIRY,
    reasons.EXPIRED,
    *reasons.NUMBERS,
    *reasons.PUBLICATION,
    *reasons.CONFLICTS,
)
DROPS = reasons.REPETITIONS

COLUMNS = (
    "date",
    "symbol",
    "expiry",
    "close",
    "contracts",
    "value",
    "open_interest",
    "stated_lot",
    "implied_lot",
)


def recognises(head: FileHead) -> bool:
    """Whether the header is that of the compiled futures."""
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
            "expiry": day(cell("expiry"), "%d-%b-%Y", "%Y-%m-%d"),
            "interval": "'1d'",
            "interval_us": "closes_us - opens_us",
            "close_paise": price(cell("close")),
            "volume": f"{whole(cell('contracts'))} * {whole(cell('stated_lot'))}",
            "open_interest": real(cell("open_interest")),
        },
        reasons=[
            (is_broken(COLUMNS), reasons.BROKEN_ROW),
            ("trade_date IS NULL", reasons.BAD_DATE),
            ("underlying IS NULL", reasons.BAD_UNDERLYING),
            ("expiry IS NULL", reasons.BAD_EXPIRY),
            ("expiry < trade_date", reasons.EXPIRED),
        ],
        numbers=Numbers(
            paise=[cell("close")],
            whole=[cell("contracts"), cell("open_interest"), cell("stated_lot")],
        ),
        trade_date=trade_date,
    )
    stage_category(connection, "future_bars")
