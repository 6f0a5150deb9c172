"""Series of Dhan saved as CSV (`timestamp,open,high,low,close,volume`), stamped in UTC at the start
of each bar: daily bars of an index, or five-minute bars of the option at the money.

An index is told from its levels. A daily bar is stamped at midnight in India, which is 18:30 of the
day before in UTC.

The option series goes over to another strike whenever the spot moves, so its bars have neither
strike nor expiry (null). The right and the underlying stand in no column; they are taken from the
file's name and the underlying must agree with the volumes, whose greatest common divisor is the
lot. Where name and lot do not agree every bar is refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from trading.market.calendar import CalendarError, ist_date
from trading.market.contracts import ContractError, expiries, lot_size
from trading.market.importers import reasons
from trading.market.importers.column_map import FORMAT, parse_map
from trading.market.importers.mapped import MappedImporter
from trading.market.importers.notes import clear_notes, note

if TYPE_CHECKING:
    import duckdb

    from trading.market.importers.head import FileHead, SourceFile

NAME = "dhan_series"
VERSION = 1
SOURCE_NAME = "dhan-series"
CATEGORIES = ("spot_bars", "option_bars")
TITLE = "a series of Dhan with timestamp (UTC), four prices and volume"
CADENCE_US = None
REFUSALS = MappedImporter.REFUSALS
DROPS = MappedImporter.DROPS

_HEADER = ("timestamp", "open", "high", "low", "close", "volume")
_NAMED = re.compile(r"(NIFTY|BANKNIFTY|FINNIFTY|MIDCPNIFTY)[_-]ATM[_-](CALL|PUT|CE|PE)(?![A-Z])")
_RIGHTS = {"CALL": "CE", "PUT": "PE", "CE": "CE", "PE": "PE"}


def recognises(head: FileHead) -> bool:
    """Whether the header is that of such a series."""
    return head.kind == "csv" and head.columns == _HEADER


def stage(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> None:
    """Fill the staged tables; see the importer protocol."""
    _importer("spot_bars", {"level_of": "close"}, "points").stage(connection, source)
    if _is_index(connection):
        return
    connection.execute("DROP TABLE staged_spot_bars")
    named = _NAMED.search(source.name.upper())
    underlying, right = named.groups() if named else ("", "")
    mapped = _importer("option_bars", {"value": underlying}, "rupees", right)
    mapped.stage(connection, source)
    clear_notes(connection)
    _check(connection, underlying)


def _is_index(connection: duckdb.DuckDBPyConnection) -> bool:
    return bool(
        connection.execute(
            f"""
            SELECT count(*) = 0 OR bool_or(outcome IS DISTINCT FROM '{reasons.BAD_UNDERLYING}')
            FROM staged_spot_bars WHERE coalesce(outcome, '') NOT IN ('{reasons.BROKEN_ROW}')
            """  # noqa: S608
        ).fetchall()[0][0]
    )


def _importer(
    category: str, underlying: dict[str, str], unit: str, right: str = ""
) -> MappedImporter:
    columns: dict[str, Any] = {
        "underlying": underlying,
        "as_of": {"column": "timestamp", "stamp": "start"},
        "volume": {"column": "volume", "unit": "units", "zero": "missing"},
        **{f"{n}_paise": {"column": n, "unit": unit} for n in ("open", "high", "low", "close")},
    }
    if category == "option_bars":
        columns["right"] = {"value": _RIGHTS.get(right, "")}
    section = {"category": category, "interval": "inferred", "columns": columns}
    return MappedImporter(
        parse_map(
            {
                "format": FORMAT,
                "name": NAME,
                "title": TITLE,
                "source": SOURCE_NAME,
                "file": {"header": list(_HEADER), "zone": "UTC", "sessions": True},
                "rows": [section],
            }
        )
    )


def _check(connection: duckdb.DuckDBPyConnection, underlying: str) -> None:
    """Refuse option bars whose volumes are not whole lots of the underlying in the file's name."""
    unit, first_us = connection.execute(
        "SELECT list_reduce(list(volume), lambda a, b: gcd(a, b)), min(as_of) "
        "FROM staged_option_bars WHERE outcome IS NULL AND volume IS NOT NULL"
    ).fetchall()[0]
    lot = None if unit is None else _lot(underlying, first_us)
    if unit is not None and unit == lot:
        note(
            connection,
            f"{underlying} and the right by the file's name; the volumes are lots of {unit} as its "
            "contracts have; the strike at the money changes from bar to bar and is not given",
        )
        return
    note(
        connection,
        f"the volumes are lots of {unit}, those of {underlying or 'no index in the name'} "
        f"of {lot}: name the underlying and right in a column map (--map)",
    )
    connection.execute(
        f"UPDATE staged_option_bars SET outcome = '{reasons.BAD_UNDERLYING}' WHERE outcome IS NULL"  # noqa: S608
    )


def _lot(underlying: str, at_us: int) -> int | None:
    """The lot of the nearest contract of an underlying."""
    day = ist_date(at_us)
    try:
        following = expiries(underlying, day, day.replace(year=day.year + 1, day=1))
        return lot_size(underlying, following[0], day)
    except (CalendarError, ContractError, IndexError):
        return None
