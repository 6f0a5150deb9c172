"""Open contracts of each class of participant at the end of a day: the exchange's own file of one
day, whose first line is a title with the date, or many days compiled into one. Figures are
contracts, fractions of one after a change of lot. The sums at the end of a row are not kept; a row
whose figures are further from them than rounding goes contradicts itself and is refused.
"""

from __future__ import annotations

import re
from datetime import datetime
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
from trading.market.importers.text import cleaned, iso_day, real

if TYPE_CHECKING:
    import duckdb

    from trading.market.importers.head import FileHead, SourceFile

NAME = "participant_oi"
VERSION = 1
SOURCE_NAME = "nse-participant-oi"
CATEGORIES = ("participant_oi",)
TITLE = "the exchange's open interest by participant"
CADENCE_US = None
SUMS_DIFFER = "SUMS_DIFFER"
REFUSALS = (
    reasons.BROKEN_ROW,
    reasons.BAD_DATE,
    reasons.BAD_UNDERLYING,
    *reasons.NUMBERS,
    SUMS_DIFFER,
    *reasons.PUBLICATION,
    *reasons.CONFLICTS,
)
DROPS = reasons.REPETITIONS

INSTRUMENTS = {
    "INDEX_FUTURE": "Future Index",
    "STOCK_FUTURE": "Future Stock",
    "INDEX_CALL": "Option Index Call",
    "INDEX_PUT": "Option Index Put",
    "STOCK_CALL": "Option Stock Call",
    "STOCK_PUT": "Option Stock Put",
}
_SUMS = {"Long": "Total Long Contracts", "Short": "Total Short Contracts"}
_FIGURES = tuple(f"{kind} {side}" for kind in INSTRUMENTS.values() for side in _SUMS)
COLUMNS = (*_FIGURES, *_SUMS.values())
_ROUNDING = (len(INSTRUMENTS) + 1) / 2  # of six figures and their sum to whole contracts
_TITLE = re.compile(r"Participant wise Open Interest .* as on (\w{3}) (\d{1,2}), ?(\d{4})")


def recognises(head: FileHead) -> bool:
    """Whether there is a header of every figure in the first two lines."""
    return _header_line(head) is not None


def stage(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> None:
    """Fill the staged table; see the importer protocol. Raises ImportRefusedError for a file of one
    day without its date.
    """
    number = _header_line(source.head) or 0
    names = header_names(source.head.lines[number])
    participant = "client_type" if "client_type" in names else "Client Type"
    trade_date = iso_day(cell("date")) if "date" in names else _titled_date(source)
    load_csv(connection, source, names, header_rows=number + 1, clean=cleaned)
    parse(
        connection,
        names,
        {
            "trade_date": trade_date,
            "participant": f"nullif({cell(participant)}, '')",
            **{name: real(cell(name)) for name in COLUMNS},
        },
        reasons=[
            (is_broken(names), reasons.BROKEN_ROW),
            ("trade_date IS NULL", reasons.BAD_DATE),
            ("participant IS NULL", reasons.BAD_UNDERLYING),
            (_sums_differ(), SUMS_DIFFER),
        ],
        numbers=Numbers(real=[cell(name) for name in COLUMNS]),
        trade_date=trade_date,
    )
    connection.execute(f"CREATE OR REPLACE TEMP TABLE participants AS {_by_instrument()}")
    stage_category(connection, "participant_oi", rows="participants")


def _header_line(head: FileHead) -> int | None:
    for number, line in enumerate(head.lines[:2]):
        if line.count(",") >= len(COLUMNS) and set(COLUMNS) <= set(header_names(line)):
            return number
    return None


def _titled_date(source: SourceFile) -> str:
    found = _TITLE.search(source.head.lines[0])
    try:
        if found is not None:
            day = datetime.strptime(" ".join(found.groups()), "%b %d %Y")  # noqa: DTZ007 - a date
            return f"DATE '{day.date()}'"
    except ValueError:
        pass
    msg = f"{source.path}: no date; expected a title `… as on Mon DD, YYYY` or a column `date`"
    raise ImportRefusedError(msg)


def _sums_differ() -> str:
    figures = {
        side: " + ".join(f'"{kind} {side}"' for kind in INSTRUMENTS.values()) for side in _SUMS
    }
    return " OR ".join(
        f'abs("{total}" - ({figures[side]})) > {_ROUNDING}' for side, total in _SUMS.items()
    )


def _by_instrument() -> str:
    """A row an instrument; a refused one stands once, as it was."""
    common = "as_of, available_at, trade_date, participant, source_row, outcome, raw"
    parts = [
        f"""
        SELECT {common}, '{name}' AS instrument, "{kind} Long" AS long_contracts,
          "{kind} Short" AS short_contracts
        FROM parsed WHERE outcome IS NULL {"OR true" if number == 0 else ""}
        """  # noqa: S608
        for number, (name, kind) in enumerate(INSTRUMENTS.items())
    ]
    return " UNION ALL ".join(parts)
