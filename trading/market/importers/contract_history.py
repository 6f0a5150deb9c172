"""The contract-wise history of the exchange's site: the days of chosen contracts, one row a
contract and day. Names carry blanks, a dash is a missing value.

Volume is contracts, open interest units, turnover lakh rupees. It says neither lot nor token.
"""

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
from trading.market.importers.text import cleaned, day, price, scaled, whole

if TYPE_CHECKING:
    import duckdb

    from trading.market.importers.head import FileHead, SourceFile

NAME = "contract_history"
VERSION = 1
SOURCE_NAME = "nse-contract-history"
CATEGORIES = ("bhavcopy_options", "bhavcopy_futures")
TITLE = "the contract-wise history of the exchange's site"
CADENCE_US = None
REFUSALS = (
    reasons.BROKEN_ROW,
    reasons.BAD_DATE,
    reasons.BAD_UNDERLYING,
    reasons.BAD_EXPIRY,
    reasons.EXPIRED,
    reasons.BAD_STRIKE,
    reasons.BAD_RIGHT,
    *reasons.NUMBERS,
    *reasons.PUBLICATION,
    *reasons.CONFLICTS,
)
DROPS = reasons.REPETITIONS

COLUMNS = (
    "Symbol",
    "Date",
    "Expiry",
    "Option type",
    "Strike Price",
    "Open",
    "High",
    "Low",
    "Close",
    "LTP",
    "Settle Price",
    "No. of contracts",
    "Open Int",
    "Change in OI",
    "Underlying Value",
)
_PRICES = {
    "open_paise": "Open",
    "high_paise": "High",
    "low_paise": "Low",
    "close_paise": "Close",
    "last_paise": "LTP",
    "settlement_paise": "Settle Price",
    "strike_paise": "Strike Price",
    "underlying_paise": "Underlying Value",
}
_TURNOVER = "Turnover"  # begins the name; what follows has a rupee sign in some encoding
_LAKH_PAISE = 10_000_000
_DATES = ("%d-%b-%Y", "%d-%m-%Y")


def recognises(head: FileHead) -> bool:
    """Whether the header is that of the site's contract-wise history."""
    names = {" ".join(name.split()) for name in head.columns}
    return set(COLUMNS) <= names and any(name.startswith(_TURNOVER) for name in names)


def stage(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> None:
    """Fill the staged tables; see the importer protocol."""
    names = header_names(source.head.lines[0])
    turnover = cell(next(name for name in names if name.startswith(_TURNOVER)))
    load_csv(connection, source, names, clean=cleaned)
    parse(
        connection,
        names,
        {**_values(), "turnover_paise": scaled(turnover, _LAKH_PAISE)},
        reasons=[(is_broken(names), reasons.BROKEN_ROW), *_reasons()],
        numbers=Numbers(
            paise=[*(cell(name) for name in _PRICES.values()), turnover],
            whole=[cell("No. of contracts"), cell("Open Int")],
            signed_whole=[cell("Change in OI")],
        ),
        trade_date=day(cell("Date"), *_DATES),
    )
    stage_category(connection, "bhavcopy_options", where='"right" IS NOT NULL')
    stage_category(connection, "bhavcopy_futures", where='"right" IS NULL')


def _values() -> dict[str, str]:
    right = cell("Option type")
    return {
        "trade_date": day(cell("Date"), *_DATES),
        "underlying": f"nullif({cell('Symbol')}, '')",
        "expiry": day(cell("Expiry"), *_DATES),
        "right": f"CASE WHEN {right} NOT IN ('XX', '') THEN {right} END",
        **{name: price(cell(column)) for name, column in _PRICES.items()},
        "volume_contracts": whole(cell("No. of contracts")),
        "open_interest": whole(cell("Open Int")),
        "open_interest_change": whole(cell("Change in OI")),
        "settles_index": "trade_date = expiry AND settlement_paise = underlying_paise",
    }


def _reasons() -> list[tuple[str, str]]:
    return [
        ("trade_date IS NULL", reasons.BAD_DATE),
        ("underlying IS NULL", reasons.BAD_UNDERLYING),
        ("expiry IS NULL", reasons.BAD_EXPIRY),
        ("expiry < trade_date", reasons.EXPIRED),
        ('("right" IS NULL) <> (strike_paise IS NULL)', reasons.BAD_STRIKE),
        ("\"right\" NOT IN ('CE', 'PE')", reasons.BAD_RIGHT),
    ]
