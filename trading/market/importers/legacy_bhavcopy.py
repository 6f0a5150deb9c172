"""The exchange's F&O bhavcopy in the form before UDiFF (to 5 July 2024): one row a contract, a
comma after the last name, futures with strike 0 and type XX. A vendor's variant of it has one more
column (EXPIRY_DT_FINAL), no comma at the end, and nothing in strike and type of a future.

Open interest is units, volume contracts, turnover lakh rupees. It names neither underlying price
nor lot. On an expiry day a settlement price that is one and the same for every option of the expiry
is that of the index.
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
from trading.market.importers.text import day, literals, price, scaled, stripped, whole

if TYPE_CHECKING:
    import duckdb

    from trading.market.importers.head import FileHead, SourceFile

NAME = "legacy_bhavcopy"
VERSION = 1
SOURCE_NAME = "nse-legacy-bhavcopy"
CATEGORIES = ("bhavcopy_options", "bhavcopy_futures")
TITLE = "the exchange's F&O bhavcopy in the form before UDiFF"
CADENCE_US = None
REFUSALS = (
    reasons.BROKEN_ROW,
    reasons.BAD_DATE,
    reasons.BAD_INSTRUMENT,
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
    "INSTRUMENT",
    "SYMBOL",
    "EXPIRY_DT",
    "STRIKE_PR",
    "OPTION_TYP",
    "OPEN",
    "HIGH",
    "LOW",
    "CLOSE",
    "SETTLE_PR",
    "CONTRACTS",
    "VAL_INLAKH",
    "OPEN_INT",
    "CHG_IN_OI",
    "TIMESTAMP",
)
_PRICES = {
    "open_paise": "OPEN",
    "high_paise": "HIGH",
    "low_paise": "LOW",
    "close_paise": "CLOSE",
    "settlement_paise": "SETTLE_PR",
    "strike_paise": "STRIKE_PR",
}
_INSTRUMENTS = {"OPTIDX": "IDO", "OPTSTK": "STO", "FUTIDX": "IDF", "FUTSTK": "STF"}
_DATES = ("%d-%b-%Y", "%Y-%m-%d")
_LAKH_PAISE = 10_000_000


def recognises(head: FileHead) -> bool:
    """Whether the header has every column of the form, whatever else it has."""
    return set(COLUMNS) <= set(head.columns)


def stage(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> None:
    """Fill the staged tables; see the importer protocol."""
    names = header_names(source.head.lines[0])
    load_csv(connection, source, names, clean=stripped)
    parse(
        connection,
        names,
        _values(),
        reasons=[(is_broken(names), reasons.BROKEN_ROW), *_reasons()],
        numbers=Numbers(
            paise=[cell(name) for name in (*_PRICES.values(), "VAL_INLAKH")],
            whole=[cell("CONTRACTS"), cell("OPEN_INT")],
            signed_whole=[cell("CHG_IN_OI")],
        ),
        trade_date=day(cell("TIMESTAMP"), *_DATES),
    )
    is_future = "coalesce(instrument IN ('IDF', 'STF'), false)"
    stage_category(
        connection, "bhavcopy_options", {"settles_index": _settles()}, where=f"NOT {is_future}"
    )
    stage_category(connection, "bhavcopy_futures", {"settles_index": _settles()}, where=is_future)


def _values() -> dict[str, str]:
    kinds = " ".join(f"WHEN '{old}' THEN '{new}'" for old, new in _INSTRUMENTS.items())
    right = cell("OPTION_TYP")
    return {
        "trade_date": day(cell("TIMESTAMP"), *_DATES),
        "instrument": f"CASE {cell('INSTRUMENT')} {kinds} END",
        "underlying": f"nullif({cell('SYMBOL')}, '')",
        "expiry": day(cell("EXPIRY_DT"), *_DATES),
        "right": f"CASE WHEN {right} NOT IN ('XX', '') THEN {right} END",
        **{name: price(cell(column)) for name, column in _PRICES.items()},
        "volume_contracts": whole(cell("CONTRACTS")),
        "turnover_paise": scaled(cell("VAL_INLAKH"), _LAKH_PAISE),
        "open_interest": whole(cell("OPEN_INT")),
        "open_interest_change": whole(cell("CHG_IN_OI")),
    }


def _reasons() -> list[tuple[str, str]]:
    is_option = f"instrument IN ({literals(('IDO', 'STO'))})"
    return [
        ("trade_date IS NULL", reasons.BAD_DATE),
        ("instrument IS NULL", reasons.BAD_INSTRUMENT),
        ("underlying IS NULL", reasons.BAD_UNDERLYING),
        ("expiry IS NULL", reasons.BAD_EXPIRY),
        ("expiry < trade_date", reasons.EXPIRED),
        (f"({is_option}) = (strike_paise IS NULL)", reasons.BAD_STRIKE),
        (
            f"({is_option}) <> coalesce(\"right\" IN ('CE', 'PE'), false) "
            f'OR (NOT ({is_option}) AND "right" IS NOT NULL)',
            reasons.BAD_RIGHT,
        ),
    ]


def _settles() -> str:
    group = "(PARTITION BY trade_date, underlying, expiry)"
    return (
        "trade_date = expiry AND settlement_paise IS NOT NULL "
        f"AND min(settlement_paise) OVER {group} = max(settlement_paise) OVER {group}"
    )
