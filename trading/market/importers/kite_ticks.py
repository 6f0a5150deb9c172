"""Ticks of Zerodha in full mode as a recorder prints them: a Python dict a line, newest first.

The text is made JSON, never evaluated. Stamps are whole seconds of the exchange; the order of the
lines is the only order of the ticks within one, so it is kept (`sequence`), and the cumulative
volume is monotone in that order alone. A tick before the first trade of a session is stamped 1970
and cannot be placed: it is refused. A tick that repeats another to the last digit is dropped.

No tick says its contract, only a token, which is used again after an expiry. It is taken from the
trading symbol the file's name begins with; without one every tick is refused.
"""

from __future__ import annotations

import glob
from typing import TYPE_CHECKING

from trading.market.importers import reasons
from trading.market.importers.notes import clear_notes, note
from trading.market.importers.tabular import Numbers, cell, parse, stage_category
from trading.market.importers.text import literal, literals, paise, price, whole
from trading.market.importers.trading_symbols import OptionContract, option_of

if TYPE_CHECKING:
    import duckdb

    from trading.market.importers.head import FileHead, SourceFile

NAME = "kite_ticks"
VERSION = 1
SOURCE_NAME = "kite-ticks"
CATEGORIES = ("ticks",)
TITLE = "ticks of Zerodha in full mode, a Python dict a line"
CADENCE_US = 1_000_000
NO_CONTRACT = "NO_CONTRACT"
REFUSALS = (
    reasons.BROKEN_ROW,
    reasons.BAD_STAMP,
    NO_CONTRACT,
    reasons.EXPIRED,
    *reasons.NUMBERS,
    *reasons.CONFLICTS,
)
DROPS = reasons.REPETITIONS

_IST_OFFSET_US = 19_800_000_000
_FIRST_YEAR_US = 946_684_800_000_000  # 2000: what is stamped before it has no stamp
_BEGINNING = "{'tradable':"
_NEW_NAMES = {  # as later versions of the vendor's library call them
    "last_quantity": "last_traded_quantity",
    "average_price": "average_traded_price",
    "volume": "volume_traded",
    "buy_quantity": "total_buy_quantity",
    "sell_quantity": "total_sell_quantity",
    "timestamp": "exchange_timestamp",
}
_FIELDS = (
    "instrument_token",
    "last_price",
    "last_trade_time",
    "oi",
    *_NEW_NAMES,
)
_PRICES = {
    "last_paise": "last_price",
    **{f"{name}_paise": f"ohlc.{name}" for name in ("open", "high", "low", "close")},
    **{
        f"{side}_paise_{level}": f"{deep}.{level}.price"
        for side, deep in (("bid", "buy"), ("ask", "sell"))
        for level in range(1, 6)
    },
}
_QUANTITIES = {
    f"{side}_{field}_{level}": f"{deep}.{level}.{field}"
    for side, deep in (("bid", "buy"), ("ask", "sell"))
    for level in range(1, 6)
    for field in ("quantity", "orders")
}
_TOTALS = {
    "instrument_token": "instrument_token",
    "last_quantity": "last_quantity",
    "volume": "volume",
    "buy_quantity": "buy_quantity",
    "sell_quantity": "sell_quantity",
    "open_interest": "oi",
}
_STAMPS = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y, %m, %d, %H, %M, %S", "%Y, %m, %d, %H, %M")
_LEVEL = '[{"price": "VARCHAR", "quantity": "VARCHAR", "orders": "VARCHAR"}]'


def recognises(head: FileHead) -> bool:
    """Whether the first line is a tick printed by Python."""
    first = head.lines[0].lstrip() if head.lines else ""
    return first.startswith(_BEGINNING) and "'depth':" in first


def stage(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> None:
    """Fill the staged tables; see the importer protocol."""
    clear_notes(connection)
    contract = option_of(source.name)
    _load(connection, source)
    parse(
        connection,
        ("line",),
        _values(contract),
        reasons=_reasons(contract),
        numbers=Numbers(
            paise=[cell(field) for field in _PRICES.values()],
            whole=[cell(field) for field in (*_QUANTITIES.values(), *_TOTALS.values())],
            real=[cell("average_price")],
        ),
    )
    _number(connection)
    stage_category(connection, "ticks")
    if contract is not None:
        note(connection, f"the contract is {' '.join(map(str, contract[:2]))} by the file's name")


def _load(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> None:
    """Fill `cells`: the line, and the fields of the tick it prints."""
    path = literal(glob.escape(str(source.plain)))
    document = "replace(line, '''', '\"')"
    stamp = r"datetime\.datetime\(([0-9, ]+)\)"
    document = f"regexp_replace({document}, '{stamp}', '\"\\1\"', 'g')"
    for python, json in (("True", "true"), ("False", "false"), ("None", "null")):
        document = rf"regexp_replace({document}, ': {python}\b', ': {json}', 'g')"
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE cells AS
        SELECT source_row, line AS {cell("line")}, {_extracted()}
        FROM (
          SELECT source_row, line, from_json(
            CASE WHEN json_valid({document}) THEN CAST({document} AS JSON) END, {literal(_shape())}
          ) AS tick
          FROM (
            SELECT row_number() OVER () AS source_row, line
            FROM read_csv({path}, columns = {{'line': 'VARCHAR'}}, auto_detect = false,
              delim = '\x01', quote = '', escape = '', header = false, parallel = false)
          )
        ) ORDER BY source_row
        """  # noqa: S608
    )


def _shape() -> str:
    """The structure the lines are read with, every number a text."""
    plain = ", ".join(f'"{name}": "VARCHAR"' for name in (*_FIELDS, *_NEW_NAMES.values()))
    prices = ", ".join(f'"{name}": "VARCHAR"' for name in ("open", "high", "low", "close"))
    return f'{{{plain}, "ohlc": {{{prices}}}, "depth": {{"buy": {_LEVEL}, "sell": {_LEVEL}}}}}'


def _extracted() -> str:
    columns = {name: f"tick.{name}" for name in _FIELDS}
    columns |= {old: f"coalesce(tick.{old}, tick.{new})" for old, new in _NEW_NAMES.items()}
    for name in ("open", "high", "low", "close"):
        columns[f"ohlc.{name}"] = f"tick.ohlc.{name}"
    for side in ("buy", "sell"):
        for level in range(1, 6):
            for field in ("price", "quantity", "orders"):
                columns[f"{side}.{level}.{field}"] = f"tick.depth.{side}[{level}].{field}"
    return ", ".join(f"{sql} AS {cell(name)}" for name, sql in columns.items())


def _instant(field: str) -> str:
    return f"epoch_us(try_strptime({cell(field)}, [{literals(_STAMPS)}])) - {_IST_OFFSET_US}"


def _values(contract: OptionContract | None) -> dict[str, str]:
    average = f"TRY_CAST({cell('average_price')} AS DECIMAL(18, 6)) * 100"
    values = {
        "as_of": _instant("timestamp"),
        "available_at": _instant("timestamp"),
        "average_paise": f"nullif(TRY_CAST(round({average}) AS BIGINT), 0)",
        "last_trade_at": _instant("last_trade_time"),
        **{name: price(cell(field)) for name, field in _PRICES.items()},
        **{name: f"nullif({whole(cell(field))}, 0)" for name, field in _QUANTITIES.items()},
        **{name: whole(cell(field)) for name, field in _TOTALS.items()},
        "line": cell("line"),
    }
    if contract is None:
        return values
    return {
        **values,
        "underlying": literal(contract.underlying),
        "expiry": f"CAST({literal(contract.expiry.isoformat())} AS DATE)",
        "strike_paise": paise(literal(f"{contract.strike_paise / 100:.2f}")),
        "right": literal(contract.right),
    }


def _reasons(contract: OptionContract | None) -> list[tuple[str, str]]:
    found = [
        (f"{cell('instrument_token')} IS NULL", reasons.BROKEN_ROW),
        (f"as_of IS NULL OR as_of < {_FIRST_YEAR_US}", reasons.BAD_STAMP),
    ]
    if contract is None:
        return [*found, ("true", NO_CONTRACT)]
    ist_day = f"CAST(make_timestamp(as_of + {_IST_OFFSET_US}) AS DATE)"
    return [*found, (f"expiry < {ist_day}", reasons.EXPIRED)]


def _number(connection: duckdb.DuckDBPyConnection) -> None:
    """Drop repeated lines and number the ticks of each stamp in the order they came."""
    connection.execute("ALTER TABLE parsed ADD COLUMN sequence BIGINT")
    backwards = connection.execute(
        """
        SELECT coalesce(arg_min(as_of, source_row) > arg_max(as_of, source_row), false)
        FROM parsed WHERE outcome IS NULL
        """
    ).fetchall()[0][0]
    arrival = "-source_row" if backwards else "source_row"
    connection.execute(
        f"""
        UPDATE parsed SET outcome = '{reasons.DUPLICATE_ROW}' FROM (
          SELECT source_row, row_number() OVER (PARTITION BY line ORDER BY {arrival}) AS place
          FROM parsed WHERE outcome IS NULL
        ) d WHERE d.source_row = parsed.source_row AND d.place > 1
        """  # noqa: S608
    )
    connection.execute(
        f"""
        UPDATE parsed SET sequence = n.place FROM (
          SELECT source_row, row_number() OVER (PARTITION BY as_of ORDER BY {arrival}) AS place
          FROM parsed WHERE outcome IS NULL
        ) n WHERE n.source_row = parsed.source_row
        """  # noqa: S608
    )
