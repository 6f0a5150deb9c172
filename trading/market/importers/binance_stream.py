"""A raw stream of Binance as a recorder writes it: `<nanoseconds> <JSON>`, one message a line.

Its trades are prints; the other messages (book, depth) have no category of the store and are passed
over. `m` says that the buyer was the maker, so the seller took the trade. A trade is true at the
exchange's time `T`. The recorder's clock can run behind the exchange's (1.27 seconds in one known
recording), and nothing is known before it happens: a row is available at the later of the two, and
a note counts those whose receipt had to be raised. Prices are hundredths of the quoted currency,
quantities coins (spot) or contracts (futures on coins).
"""

from __future__ import annotations

import glob
import re
from typing import TYPE_CHECKING

from trading.market.importers import reasons
from trading.market.importers.notes import clear_notes, note
from trading.market.importers.tabular import Numbers, cell, parse, stage_category
from trading.market.importers.text import given, literal, price, real, whole

if TYPE_CHECKING:
    import duckdb

    from trading.market.importers.head import FileHead, SourceFile

NAME = "binance_stream"
VERSION = 1
SOURCE_NAME = "binance-stream"
CATEGORIES = ("prints",)
TITLE = "a raw stream of Binance, nanoseconds and JSON on each line"
CADENCE_US = None
BAD_RECEIPT = "BAD_RECEIPT"
REFUSALS = (
    reasons.BROKEN_ROW,
    reasons.BAD_STAMP,
    BAD_RECEIPT,
    reasons.BAD_INSTRUMENT,
    *reasons.NUMBERS,
    *reasons.CONFLICTS,
)
DROPS = reasons.REPETITIONS

_LINE = re.compile(r'[0-9]{19} \{"(stream|lastUpdateId|e)"')
_FIELDS = {
    "e": "kind",
    "s": "symbol",
    "t": "trade",
    "p": "price",
    "q": "quantity",
    "T": "time",
    "m": "maker",
}


_AGGRESSOR = f"CASE {cell('maker')} WHEN 'true' THEN 'SELL' WHEN 'false' THEN 'BUY' END"


def recognises(head: FileHead) -> bool:
    """Whether the first line is a message of such a stream."""
    return bool(head.lines) and _LINE.match(head.lines[0]) is not None


def stage(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> None:
    """Fill the staged tables; see the importer protocol."""
    clear_notes(connection)
    _load(connection, source)
    parse(
        connection,
        ("line",),
        {
            "received_us": f"TRY_CAST({cell('received')} AS BIGINT) // 1000",
            "as_of": f"TRY_CAST({cell('time')} AS BIGINT) * 1000",
            "available_at": "greatest(received_us, as_of)",
            "instrument": given(cell("symbol")),
            "trade_id": whole(cell("trade")),
            "price_paise": price(cell("price")),
            "quantity": real(cell("quantity")),
            "aggressor": _AGGRESSOR,
        },
        reasons=[
            (f"{cell('kind')} IS NULL", reasons.BROKEN_ROW),
            ("as_of IS NULL", reasons.BAD_STAMP),
            ("received_us IS NULL", BAD_RECEIPT),
            ("instrument IS NULL OR trade_id IS NULL", reasons.BAD_INSTRUMENT),
        ],
        numbers=Numbers(paise=[cell("price")], whole=[cell("trade")], real=[cell("quantity")]),
    )
    _note(connection)
    stage_category(connection, "prints")


def _load(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> None:
    """Fill `cells` with the trades, and with the lines that are no message at all."""
    path = literal(glob.escape(str(source.plain)))
    fields = ", ".join(
        f"json_extract_string(document, '$.data.{key}') AS {cell(name)}"
        for key, name in _FIELDS.items()
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE messages AS
        SELECT source_row, line, split_part(line, ' ', 1) AS received,
          substr(line, strpos(line, ' ') + 1) AS document
        FROM (
          SELECT row_number() OVER () AS source_row, line
          FROM read_csv({path}, columns = {{'line': 'VARCHAR'}}, auto_detect = false,
            delim = '\x01', quote = '', escape = '', header = false, parallel = false)
        )
        """  # noqa: S608
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE cells AS
        SELECT source_row, line AS {cell("line")}, received AS {cell("received")}, {fields}
        FROM (
          SELECT * REPLACE (CASE WHEN json_valid(document) THEN document END AS document)
          FROM messages WHERE contains(document, '"e":"trade"') OR NOT json_valid(document)
        ) ORDER BY source_row
        """  # noqa: S608
    )


def _note(connection: duckdb.DuckDBPyConnection) -> None:
    early, all_of, median_us, others = connection.execute(
        """
        SELECT count(*) FILTER (received_us < as_of), count(*), median(as_of - received_us),
          (SELECT count(*) FROM messages) - (SELECT count(*) FROM cells)
        FROM parsed WHERE outcome IS NULL
        """
    ).fetchall()[0]
    if early:
        note(
            connection,
            f"the recorder's clock is behind the exchange's in {early} of {all_of} trades "
            f"(median {median_us / 1e6:.2f} s): available when they happened",
        )
    if others:
        note(connection, f"{others} messages that are no trades (book, depth) are passed over")
