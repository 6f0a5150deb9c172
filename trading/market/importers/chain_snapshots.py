"""Option-chain snapshots as a collector wrote them: one row a strike and receipt, calls and puts
side by side.

Two clocks, kept apart: `Fetch_Time` is the exchange's own stamp (IST, `29-Aug-2025 09:22:45`), when
the chain was true; `collection_timestamp` is the collector's (IST, `20250829_092416`), when it
could be known. Zeros mean missing. Open interest and volume are contracts, quoted quantities are
units. The change columns and the exchange's own volatility are not taken: they are derived, and the
latter disagrees between call and put of one strike.
"""

from __future__ import annotations

import glob
from typing import TYPE_CHECKING

from trading.market.categories import BY_NAME
from trading.market.importers.head import PARQUET
from trading.market.store import UNDERLYINGS, sql_text

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from trading.market.importers.head import FileHead, SourceFile

NAME = "chain_snapshots"
VERSION = 2
SOURCE_NAME = "nse-chain-collector"
TITLE = "option-chain snapshots of a collector (Parquet)"
CATEGORIES = ("chain_snapshots",)
CADENCE_US = 60_000_000
IST_OFFSET_US = 19_800_000_000

_FIELDS = {  # column of the file without its CALLS_/PUTS_, to the store's
    "Bid_Price": "bid_paise",
    "Ask_Price": "ask_paise",
    "Bid_Qty": "bid_quantity",
    "Ask_Qty": "ask_quantity",
    "LTP": "last_paise",
    "OI": "oi_contracts",
    "Volume": "volume_contracts",
}
_PRICES = ("Bid_Price", "Ask_Price", "LTP")
_WHOLE = ("Bid_Qty", "Ask_Qty", "Volume")
_VALUES = tuple(f"{side}_{field}" for side in ("CALLS", "PUTS") for field in _FIELDS)

COLUMNS = (
    "Fetch_Time",
    "collection_timestamp",
    "Symbol",
    "Expiry_Date",
    "Strike_Price",
    *_VALUES,
)

# Reasons, in the order they are looked for: a row is refused for the first that applies.
BAD_STAMP = "BAD_STAMP"
BAD_RECEIPT = "BAD_RECEIPT"
UNKNOWN_UNDERLYING = "UNKNOWN_UNDERLYING"
BAD_EXPIRY = "BAD_EXPIRY"
EXPIRED = "EXPIRED"
BAD_STRIKE = "BAD_STRIKE"
NOT_A_NUMBER = "NOT_A_NUMBER"
NEGATIVE = "NEGATIVE"
NOT_A_PAISA = "NOT_A_PAISA"
NOT_WHOLE = "NOT_WHOLE"
CONFLICTING_ROWS = "CONFLICTING_ROWS"
CONFLICTS_WITH_STORE = "CONFLICTS_WITH_STORE"
# Reasons to drop what says nothing new.
DUPLICATE_ROW = "DUPLICATE_ROW"
RESENT_SNAPSHOT = "RESENT_SNAPSHOT"
ALREADY_STORED = "ALREADY_STORED"

REFUSALS = (
    BAD_STAMP,
    BAD_RECEIPT,
    UNKNOWN_UNDERLYING,
    BAD_EXPIRY,
    EXPIRED,
    BAD_STRIKE,
    NOT_A_NUMBER,
    NEGATIVE,
    NOT_A_PAISA,
    NOT_WHOLE,
    CONFLICTING_ROWS,
    CONFLICTS_WITH_STORE,
)
DROPS = (DUPLICATE_ROW, RESENT_SNAPSHOT, ALREADY_STORED)

_LARGEST = 1e15  # a number beyond this is no price or quantity, and would not survive as an integer


def recognises(head: FileHead) -> bool:
    """Whether a file has a collector's columns; it may have others."""
    return head.kind == PARQUET and set(COLUMNS) <= set(head.columns)


def stage(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> None:
    """Read a file into `staged_chain_snapshots`."""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE parsed AS {_parse(source.plain)}")
    connection.execute(f"CREATE OR REPLACE TEMP TABLE staged_chain_snapshots AS {_convert()}")
    _mark_rows(connection)
    _mark_resent(connection)
    _keep_refused(connection, source.plain)


def compare_with_stored(connection: duckdb.DuckDBPyConnection, files: list[Path]) -> None:
    """Mark staged snapshots that stored files already hold, and those that contradict them."""
    if not files:
        return
    names = ", ".join(f"'{sql_text(glob.escape(str(path)))}'" for path in files)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE stored AS {_snapshots(f'read_parquet([{names}])', '')}"
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE offered AS {_snapshots('staged_chain_snapshots')}"
    )
    for outcome, condition in (
        (ALREADY_STORED, "s.content = o.content"),
        (CONFLICTS_WITH_STORE, "s.content <> o.content AND s.available_at = o.available_at"),
    ):
        connection.execute(
            f"""
            UPDATE staged_chain_snapshots AS staged SET outcome = $outcome FROM offered o, stored s
            WHERE staged.outcome IS NULL AND {_same_snapshot("staged", "o")}
              AND s.underlying = o.underlying AND s.as_of = o.as_of AND {condition}
            """,  # noqa: S608
            {"outcome": outcome},
        )


def _file(path: Path) -> str:
    return f"read_parquet('{sql_text(glob.escape(str(path)))}', file_row_number = true)"


def _texts(values: tuple[str, ...]) -> str:
    return ", ".join(f"'{value}'" for value in values)


def _parse(path: Path) -> str:
    """Every column in its own type, null where it does not parse; `unreadable` when a value was
    there but is no finite number.
    """
    numbers = ",\n".join(f'TRY_CAST("{name}" AS DOUBLE) AS {name}' for name in _VALUES)
    unreadable = " OR ".join(
        f'("{name}" IS NOT NULL AND coalesce(NOT isfinite(TRY_CAST("{name}" AS DOUBLE)), true))'
        for name in _VALUES
    )
    everything = ", ".join(f'"{name}"' for name in COLUMNS)
    return f"""
        SELECT file_row_number AS source_row,
          {_instant("Fetch_Time", "%d-%b-%Y %H:%M:%S")} AS as_of,
          {_instant("collection_timestamp", "%Y%m%d_%H%M%S")} AS available_at,
          CAST("Symbol" AS VARCHAR) AS underlying,
          CAST(try_strptime(CAST("Expiry_Date" AS VARCHAR), '%d-%b-%Y') AS DATE) AS expiry,
          TRY_CAST("Strike_Price" AS DOUBLE) AS strike,
          {numbers},
          {unreadable} AS unreadable,
          row_number() OVER (PARTITION BY {everything} ORDER BY file_row_number) AS occurrence
        FROM {_file(path)}
    """  # noqa: S608


def _instant(name: str, form: str) -> str:
    """µs UTC of an IST text column; null where it does not parse."""
    stamp = f"try_strptime(CAST(\"{name}\" AS VARCHAR), '{form}')"
    return f"epoch_us({stamp}) - {IST_OFFSET_US}"


def _convert() -> str:
    """The store's columns and the first reason against each row; zeros become null, prices whole
    paise.
    """
    values = ",\n".join(
        f"{_integer(name) if not name.endswith('_OI') else name} AS {_stored_name(name)}"
        for name in _VALUES
    )
    zero_as_null = ",\n".join(f"nullif({name}, 0) AS {name}" for name in _VALUES)
    negative = " OR ".join(f"coalesce({name} < 0, false)" for name in _VALUES)
    no_paisa = " OR ".join(f"NOT {_is_paise(n)}" for n in _VALUES if n.split("_", 1)[1] in _PRICES)
    fraction = " OR ".join(
        f"coalesce({n} <> floor({n}) OR {n} > {_LARGEST}, false)"
        for n in _VALUES
        if n.split("_", 1)[1] in _WHOLE
    )
    return f"""
        SELECT source_row, as_of, available_at,
          as_of AS exchange_stamp, available_at AS collection_stamp, underlying, expiry,
          {_integer("strike", 100)} AS strike_paise,
          {values},
          CAST(NULL AS BIGINT) AS spot_paise,
          CAST(NULL AS VARCHAR) AS raw,
          CASE
            WHEN as_of IS NULL THEN '{BAD_STAMP}'
            WHEN available_at IS NULL THEN '{BAD_RECEIPT}'
            WHEN coalesce(underlying NOT IN ({_texts(UNDERLYINGS)}), true)
              THEN '{UNKNOWN_UNDERLYING}'
            WHEN expiry IS NULL THEN '{BAD_EXPIRY}'
            WHEN expiry < CAST(make_timestamp(as_of + {IST_OFFSET_US}) AS DATE) THEN '{EXPIRED}'
            WHEN coalesce(NOT isfinite(strike) OR strike <= 0 OR NOT {_is_paise("strike")}, true)
              THEN '{BAD_STRIKE}'
            WHEN unreadable THEN '{NOT_A_NUMBER}'
            WHEN {negative} THEN '{NEGATIVE}'
            WHEN {no_paisa} THEN '{NOT_A_PAISA}'
            WHEN {fraction} THEN '{NOT_WHOLE}'
            WHEN occurrence > 1 THEN '{DUPLICATE_ROW}'
          END AS outcome
        FROM (SELECT * REPLACE ({zero_as_null}) FROM parsed)
    """  # noqa: S608


def _stored_name(column: str) -> str:
    side, field = column.split("_", 1)
    return f"{'call' if side == 'CALLS' else 'put'}_{_FIELDS[field]}"


def _integer(name: str, scale: int | None = None) -> str:
    field = name.split("_", 1)[-1]
    factor = scale or (100 if field in _PRICES else 1)
    return f"TRY_CAST(round({name} * {factor}) AS BIGINT)"


def _is_paise(name: str) -> str:
    """Whether a price is exactly a whole number of paise: the double nearest to that many
    hundredths.
    """
    return f"coalesce({name} <= {_LARGEST} AND round({name} * 100) / 100 = {name}, true)"


def _same_snapshot(left: str, right: str) -> str:
    return " AND ".join(
        f"{left}.{name} = {right}.{name}" for name in ("underlying", "as_of", "available_at")
    )


def _mark_rows(connection: duckdb.DuckDBPyConnection) -> None:
    """Two different rows for one strike of one snapshot: nobody can say which is right, so neither
    is taken.
    """
    key = "underlying, as_of, available_at, expiry, strike_paise"
    connection.execute(
        f"""
        UPDATE staged_chain_snapshots AS staged SET outcome = '{CONFLICTING_ROWS}' FROM (
          SELECT unnest(list(source_row)) AS source_row FROM staged_chain_snapshots
          WHERE outcome IS NULL GROUP BY {key} HAVING count(*) > 1
        ) c WHERE c.source_row = staged.source_row
        """  # noqa: S608
    )


def _mark_resent(connection: duckdb.DuckDBPyConnection) -> None:
    """A snapshot sent again: the exchange stamp and every value of one received before."""
    connection.execute(
        f"""
        UPDATE staged_chain_snapshots AS staged SET outcome = '{RESENT_SNAPSHOT}' FROM (
          SELECT *, row_number() OVER (
            PARTITION BY underlying, as_of, content ORDER BY available_at
          ) AS sending
          FROM ({_snapshots("staged_chain_snapshots")})
        ) r WHERE r.sending > 1 AND staged.outcome IS NULL AND {_same_snapshot("staged", "r")}
        """  # noqa: S608
    )


def _keep_refused(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Keep the refused rows as they were in the file."""
    connection.execute(
        f"""
        UPDATE staged_chain_snapshots AS staged SET raw = file.row FROM (
          SELECT file_row_number AS source_row, CAST(to_json(columns) AS VARCHAR) AS row
          FROM (SELECT file_row_number, columns FROM {_file(path)} columns)
          WHERE file_row_number IN (
            SELECT source_row FROM staged_chain_snapshots WHERE outcome IN ({_texts(REFUSALS)})
          )
        ) file WHERE file.source_row = staged.source_row
        """  # noqa: S608
    )


def _snapshots(table: str, condition: str = "WHERE outcome IS NULL") -> str:
    """One row a snapshot with a digest of everything a frame could show of it."""
    values = [
        name
        for name in BY_NAME[NAME].columns
        if name.startswith(("call_", "put_")) or name in {"expiry", "strike_paise", "spot_paise"}
    ]
    row = ", ".join(f"coalesce(CAST({name} AS VARCHAR), '')" for name in values)
    return f"""
        SELECT underlying, as_of, available_at,
          md5(string_agg(concat_ws(',', {row}), ';' ORDER BY expiry, strike_paise)) AS content
        FROM {table} {condition} GROUP BY underlying, as_of, available_at
    """  # noqa: S608
