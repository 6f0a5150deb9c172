"""The history of one index as the exchange's site gives it: one row a day, newest first.

No column says which index: that stands in the file's name alone, as the site gives it
(`NIFTY 50-14-02-2025-to-14-02-2026.csv`), and is taken from there as it is spelt. The name also
says the first and last day asked for; a file with a day outside of them is not the one its name
says, and is refused.
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
from trading.market.importers.text import cleaned, day, literal, price, scaled, whole

if TYPE_CHECKING:
    import duckdb

    from trading.market.importers.head import FileHead, SourceFile

NAME = "index_history"
VERSION = 1
SOURCE_NAME = "nse-index-history"
CATEGORIES = ("index_closes",)
TITLE = "the exchange's history of an index"
CADENCE_US = None
REFUSALS = (
    reasons.BROKEN_ROW,
    reasons.BAD_DATE,
    *reasons.NUMBERS,
    *reasons.PUBLICATION,
    *reasons.CONFLICTS,
)
DROPS = reasons.REPETITIONS

COLUMNS = ("Date", "Open", "High", "Low", "Close", "Shares Traded")
_TURNOVER = "Turnover"  # begins the name; what follows has a rupee sign in some encoding
_CRORE_PAISE = 1_000_000_000
_SITE_NAME = re.compile(r"(.+?)-(\d{2}-\d{2}-\d{4})-to-(\d{2}-\d{2}-\d{4})( ?\(\d+\))?\.csv(\.gz)?")


def recognises(head: FileHead) -> bool:
    """Whether the header is that of the site's history of an index."""
    *names, last = head.columns or ("",)
    return tuple(names) == COLUMNS and last.startswith(_TURNOVER)


def stage(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> None:
    """Fill the staged table; see the importer protocol. Raises ImportRefusedError for a file whose
    name does not tell the index, or tells other days than the file has.
    """
    index, first, last = _asked_for(source)
    names = header_names(source.head.lines[0])
    load_csv(connection, source, names, clean=cleaned)
    trade_date = day(cell("Date"), "%d-%b-%Y")
    _check_days(connection, source, trade_date, first, last)
    turnover = cell(names[-1])
    prices = {f"{name.lower()}_paise": cell(name) for name in ("Open", "High", "Low", "Close")}
    parse(
        connection,
        names,
        {
            "trade_date": trade_date,
            "index": literal(index),
            **{name: price(text) for name, text in prices.items()},
            "volume": whole(cell("Shares Traded")),
            "turnover_paise": scaled(turnover, _CRORE_PAISE),
        },
        reasons=[
            (is_broken(names), reasons.BROKEN_ROW),
            ("trade_date IS NULL", reasons.BAD_DATE),
        ],
        numbers=Numbers(paise=[*prices.values(), turnover], whole=[cell("Shares Traded")]),
        trade_date=trade_date,
    )
    stage_category(connection, "index_closes")


def _asked_for(source: SourceFile) -> tuple[str, date, date]:
    found = _SITE_NAME.fullmatch(source.plain.name) or _SITE_NAME.fullmatch(source.name)
    try:
        if found is not None:
            first, last = (_date(text) for text in found.group(2, 3))
            return found[1], first, last
    except ValueError:
        pass
    msg = (
        f"{source.path}: no column says which index this is; expected a file named as the site "
        "does, INDEX-DD-MM-YYYY-to-DD-MM-YYYY.csv"
    )
    raise ImportRefusedError(msg)


def _check_days(
    connection: duckdb.DuckDBPyConnection,
    source: SourceFile,
    trade_date: str,
    first: date,
    last: date,
) -> None:
    row = connection.execute(
        f"SELECT min(day), max(day) FROM (SELECT {trade_date} AS day FROM cells)"  # noqa: S608
    ).fetchone()
    if row is None or row[0] is None:
        return
    if row[0] < first or row[1] > last:
        msg = f"{source.path}: has days {row[0]} to {row[1]}, its name says {first} to {last}"
        raise ImportRefusedError(msg)


def _date(text: str) -> date:
    return datetime.strptime(text, "%d-%m-%Y").date()  # noqa: DTZ007 - a date has no zone
