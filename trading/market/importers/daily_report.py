"""One member of the exchange's daily F&O report (`fo28072025.zip`): `fo….csv` holds the futures,
`op….csv` the options, names and values padded with blanks.

No column says the trade date: it stands in the member's name alone, and is taken from there. What
the rows can say against it is heard: no contract has expired before it, and it is a market day.
NO_OF_CONT is contracts, OPEN_INT* units; turnover is rupees. There is no settlement price.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING

from trading.market.importers import ImportRefusedError, reasons
from trading.market.importers.tabular import (
    Numbers,
    cell,
    header_names,
    is_broken,
    load_csv,
    parse,
    stage_category,
)
from trading.market.importers.text import day, paise, price, stripped, whole

if TYPE_CHECKING:
    import duckdb

    from trading.market.importers.head import FileHead, SourceFile

NAME = "daily_report"
VERSION = 1
SOURCE_NAME = "nse-daily-report"
CATEGORIES = ("bhavcopy_options", "bhavcopy_futures")
TITLE = "the futures or options of the exchange's daily F&O report"
CADENCE_US = None
REFUSALS = (
    reasons.BROKEN_ROW,
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

COMMON = (
    "INSTRUMENT",
    "SYMBOL",
    "EXP_DATE",
    "OPEN_PRICE",
    "HI_PRICE",
    "LO_PRICE",
    "CLOSE_PRICE",
    "OPEN_INT*",
    "TRD_QTY",
    "NO_OF_CONT",
    "NO_OF_TRADE",
)
OPTION_COLUMNS = ("STR_PRICE", "OPT_TYPE", "NOTION_VAL")
FUTURE_COLUMNS = ("TRD_VAL",)
_PRICES = {
    "open_paise": "OPEN_PRICE",
    "high_paise": "HI_PRICE",
    "low_paise": "LO_PRICE",
    "close_paise": "CLOSE_PRICE",
}
_WHOLE = {
    "open_interest": "OPEN_INT*",
    "volume_contracts": "NO_OF_CONT",
    "trades": "NO_OF_TRADE",
}
_INSTRUMENTS = {"OPTIDX": "IDO", "OPTSTK": "STO", "FUTIDX": "IDF", "FUTSTK": "STF"}
_DATED_NAME = re.compile(r"(?:fo|op)(\d{8})\.(?:csv|zip)", re.IGNORECASE)


def recognises(head: FileHead) -> bool:
    """Whether the header is that of the futures or of the options."""
    names = set(head.columns)
    kinds = (set(OPTION_COLUMNS), set(FUTURE_COLUMNS))
    return set(COMMON) <= names and any(kind <= names for kind in kinds)


def stage(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> None:
    """Fill the staged tables; see the importer protocol. Raises ImportRefusedError where no name
    tells the trade date.
    """
    names = header_names(source.head.lines[0])
    are_options = set(OPTION_COLUMNS) <= set(names)
    trade_date = f"DATE '{_trade_date(source)}'"
    load_csv(connection, source, names, clean=stripped)
    turnover = cell("NOTION_VAL" if are_options else "TRD_VAL")
    strikes = [cell("STR_PRICE")] if are_options else []
    parse(
        connection,
        names,
        {
            "trade_date": trade_date,
            **_values(),
            **(_option_values() if are_options else {}),
            "turnover_paise": paise(turnover),
        },
        reasons=[
            (is_broken(names), reasons.BROKEN_ROW),
            *_reasons(("IDO", "STO") if are_options else ("IDF", "STF")),
            *(_option_reasons() if are_options else ()),
        ],
        numbers=Numbers(
            paise=[*(cell(name) for name in _PRICES.values()), turnover, *strikes],
            whole=[cell(name) for name in (*_WHOLE.values(), "TRD_QTY")],
        ),
        trade_date=trade_date,
    )
    settles = {"settles_index": "false"}
    stage_category(connection, f"bhavcopy_{'options' if are_options else 'futures'}", settles)


def _trade_date(source: SourceFile) -> date:
    for name in (source.plain.name, source.name):
        found = _DATED_NAME.fullmatch(name)
        if found is not None:
            try:
                return datetime.strptime(found[1], "%d%m%Y").date()  # noqa: DTZ007 - a date
            except ValueError:
                continue
    msg = (
        f"{source.path}: no trade date; expected a file named as the exchange does, opDDMMYYYY.csv"
    )
    raise ImportRefusedError(msg)


def _values() -> dict[str, str]:
    kinds = " ".join(f"WHEN '{old}' THEN '{new}'" for old, new in _INSTRUMENTS.items())
    return {
        "instrument": f"CASE {cell('INSTRUMENT')} {kinds} END",
        "underlying": f"nullif({cell('SYMBOL')}, '')",
        "expiry": day(cell("EXP_DATE"), "%d/%m/%Y"),
        **{name: price(cell(column)) for name, column in _PRICES.items()},
        **{name: whole(cell(column)) for name, column in _WHOLE.items()},
    }


def _option_values() -> dict[str, str]:
    return {
        "strike_paise": price(cell("STR_PRICE")),
        "right": f"nullif({cell('OPT_TYPE')}, '')",
    }


def _reasons(instruments: tuple[str, str]) -> list[tuple[str, str]]:
    return [
        (f"coalesce(instrument NOT IN {instruments}, true)", reasons.BAD_INSTRUMENT),
        ("underlying IS NULL", reasons.BAD_UNDERLYING),
        ("expiry IS NULL", reasons.BAD_EXPIRY),
        ("expiry < trade_date", reasons.EXPIRED),
    ]


def _option_reasons() -> list[tuple[str, str]]:
    return [
        ("strike_paise IS NULL", reasons.BAD_STRIKE),
        ("coalesce(\"right\" NOT IN ('CE', 'PE'), true)", reasons.BAD_RIGHT),
    ]
