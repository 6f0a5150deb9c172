"""The option chain of the exchange's API: its JSON (`api/option-chain-indices`), or its legs as a
collector put them into a CSV, each cell a Python dictionary.

Quoted quantities are units, open interest and volume contracts; open interest is a fraction after a
change of lot; zero is a missing value. The JSON has the exchange's stamp, when the chain was true.
When it was received it does not say: that is `--known-at`, else the stamp and the longest delay
measured between the two (139 s), for a stamp is never known at its own second. The CSV has no time
at all: `--known-at` must be given, and it was true at the last moment before that at which the
market was open. The exchange's own volatility is not taken: call and put of a strike disagree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from trading.market.calendar import CalendarError
from trading.market.importers import ImportRefusedError, reasons
from trading.market.importers.chains import Leg, last_trading_us, leg_numbers, leg_values
from trading.market.importers.tabular import cell, load_csv, parse, stage_category, unreadable
from trading.market.importers.text import day, literal, price

if TYPE_CHECKING:
    from trading.market.importers.head import FileHead, SourceFile

NAME = "api_option_chain"
VERSION = 1
SOURCE_NAME = "nse-api-option-chain"
CATEGORIES = ("chain_snapshots",)
TITLE = "an option chain of the exchange's API"
CADENCE_US = 60_000_000
REFUSALS = (
    reasons.BROKEN_ROW,
    reasons.NO_LEGS,
    reasons.BAD_UNDERLYING,
    reasons.BAD_EXPIRY,
    reasons.EXPIRED,
    reasons.BAD_STRIKE,
    *reasons.NUMBERS,
    *reasons.CONFLICTS,
)
DROPS = reasons.REPETITIONS

CSV_COLUMNS = ("strikePrice", "expiryDate", "PE", "CE")
RECEIPT_DELAY_US = 139_000_000

_SIDES = {"call": "CE", "put": "PE"}
_FIELDS = (
    "bidprice",
    "askPrice",
    "bidQty",
    "askQty",
    "lastPrice",
    "openInterest",
    "totalTradedVolume",
)
_SHARED = ("strikePrice", "expiryDate", "underlying", "underlyingValue")
_NAMES = (
    "strikePrice",
    "expiryDate",
    *(f"{side}.{name}" for side in _SIDES.values() for name in (*_SHARED, *_FIELDS)),
)
_IST_US = 19_800_000_000


def recognises(head: FileHead) -> bool:
    """Whether a JSON has the records of a chain, or a CSV is one of legs."""
    if head.kind == "json":
        start = "\n".join(head.lines)
        return '"records"' in start and '"expiryDates"' in start
    return set(head.columns) == set(CSV_COLUMNS)


def stage(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> None:
    """Fill the staged table; see the importer protocol. Raises ImportRefusedError for a file that
    is damaged or tells no time.
    """
    if source.head.kind == "json":
        _load_json(connection, source)
        stamp = _stamp(connection, source)
        as_of, known = stamp, source.known_at_us or stamp + RECEIPT_DELAY_US
        if known < stamp:
            msg = f"{source.path}: --known-at is before the file's own time"
            raise ImportRefusedError(msg)
    else:
        stamp = None
        as_of, known = _times_without_stamp(source)
        _load_legs(connection, source)
    parse(
        connection,
        _NAMES,
        {
            "as_of": str(as_of),
            "available_at": str(known),
            "exchange_stamp": "NULL" if stamp is None else str(stamp),
            "collection_stamp": "NULL" if source.known_at_us is None else str(known),
            **_values(),
        },
        reasons=_reasons(as_of),
        numbers=leg_numbers(
            (_leg(name) for name in _SIDES.values()),
            "strikePrice",
            *(f"{name}.underlyingValue" for name in _SIDES.values()),
        ),
    )
    stage_category(connection, "chain_snapshots")


def _leg(name: str) -> Leg:
    return Leg(*(f"{name}.{field}" for field in _FIELDS))


def _either(field: str) -> str:
    return f"coalesce({cell(f'CE.{field}')}, {cell(f'PE.{field}')})"


def _values() -> dict[str, str]:
    return {
        "underlying": f"nullif({_either('underlying')}, '')",
        "expiry": day(cell("expiryDate"), "%d-%b-%Y", "%d-%m-%Y"),
        "strike_paise": price(cell("strikePrice")),
        **{
            name: sql
            for side, key in _SIDES.items()
            for name, sql in leg_values(side, _leg(key)).items()
        },
        "spot_paise": price(_either("underlyingValue")),
    }


def _reasons(as_of: int) -> list[tuple[str, str]]:
    legs = list(_SIDES.values())
    no_leg = " AND ".join(f"{cell(f'{leg}.strikePrice')} IS NULL" for leg in legs)
    strikes = " OR ".join(
        f"coalesce({price(cell(f'{leg}.strikePrice'))} <> strike_paise, false)" for leg in legs
    )
    return [
        (f"{cell('')} IS NOT NULL", reasons.BROKEN_ROW),
        (no_leg, reasons.NO_LEGS),
        (
            f"underlying IS NULL OR {cell('CE.underlying')} <> {cell('PE.underlying')}",
            reasons.BAD_UNDERLYING,
        ),
        (
            f"expiry IS NULL OR {_either('expiryDate')} <> {cell('expiryDate')}",
            reasons.BAD_EXPIRY,
        ),
        (f"expiry < CAST(make_timestamp({as_of + _IST_US}) AS DATE)", reasons.EXPIRED),
        (f"strike_paise IS NULL OR {strikes}", reasons.BAD_STRIKE),
    ]


def _load_json(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> None:
    try:
        connection.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE chain AS
            SELECT json_extract_string(content, '$.records.timestamp') AS stamp,
              CAST(json_extract(content, '$.records.data') AS JSON[]) AS data
            FROM read_text({literal(str(source.plain))})
            """  # noqa: S608
        )
        _load_cells(
            connection,
            """
            SELECT row_number() OVER () AS source_row, datum->>'$.strikePrice' AS strike,
              datum->>'$.expiryDate' AS expiry, datum->'$.CE' AS "CE", datum->'$.PE' AS "PE",
              CAST(NULL AS VARCHAR) AS broken
            FROM (SELECT unnest(data) AS datum FROM chain)
            """,
        )
    except duckdb.Error as error:
        raise unreadable(source, error) from error


def _load_legs(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> None:
    names = source.head.columns
    load_csv(connection, source, names)
    connection.execute("CREATE OR REPLACE TEMP TABLE written AS FROM cells")
    legs = ", ".join(f"{_as_json(cell(name))} AS {name}" for name in _SIDES.values())
    unread = " OR ".join(
        f"({cell(name)} <> '' AND {_as_json(cell(name))} IS NULL)" for name in _SIDES.values()
    )
    broken = f"{cell(names[-1])} IS NULL OR {cell('')} IS NOT NULL OR {unread}"
    _load_cells(
        connection,
        f"""
        SELECT source_row, {cell("strikePrice")} AS strike, {cell("expiryDate")} AS expiry, {legs},
          CASE WHEN {broken} THEN 'broken' END AS broken
        FROM written
        """,  # noqa: S608
    )


def _as_json(text: str) -> str:
    """A Python dictionary of numbers and plain texts as JSON; null where it is none."""
    spelt = f"regexp_replace(replace({text}, '''', '\"'), '\\b(None|nan)\\b', 'null', 'g')"
    return f"CASE WHEN {text} LIKE '{{%}}' THEN TRY_CAST({spelt} AS JSON) END"


def _load_cells(connection: duckdb.DuckDBPyConnection, legs: str) -> None:
    fields = ", ".join(
        f"{leg}->>'$.{name}' AS {cell(f'{leg}.{name}')}"
        for leg in _SIDES.values()
        for name in (*_SHARED, *_FIELDS)
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE cells AS
        SELECT source_row, strike AS {cell("strikePrice")}, expiry AS {cell("expiryDate")},
          {fields}, broken AS {cell("")}
        FROM ({legs})
        """  # noqa: S608
    )


def _stamp(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> int:
    row = connection.execute(
        f"""
        SELECT epoch_us(try_strptime(stamp, '%d-%b-%Y %H:%M:%S')) - {_IST_US}, len(data) FROM chain
        """  # noqa: S608
    ).fetchone()
    if row is None or row[0] is None or row[1] is None:
        msg = f"{source.path}: no time or no data in its records; expected {TITLE}"
        raise ImportRefusedError(msg)
    return int(row[0])


def _times_without_stamp(source: SourceFile) -> tuple[int, int]:
    if source.known_at_us is None:
        msg = f"{source.path}: says no time; give the time it was received with --known-at"
        raise ImportRefusedError(msg)
    try:
        return last_trading_us(source.known_at_us), source.known_at_us
    except CalendarError as error:
        msg = f"{source.path}: no session before the time of --known-at: {error}"
        raise ImportRefusedError(msg) from error
