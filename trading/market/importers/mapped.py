"""Importers made of column maps: `MappedImporter` keeps the importer protocol for one map,
`built_in()` gives those shipped with the program (`maps/*.toml`).
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import TYPE_CHECKING

from trading.market.calendar import CalendarError
from trading.market.categories import own_columns
from trading.market.contracts import ContractError, lot_size
from trading.market.importers import ImportRefusedError, bars, levels, reasons
from trading.market.importers.column_map import BY_CONTRACT, LEG, ColumnMap, RowsSpec, read_map
from trading.market.importers.column_sql import (
    BAD_RECEIPT,
    BAD_VALUE,
    NO_TIME,
    UNPIVOTED_NAME,
    UNPIVOTED_VALUE,
    Once,
    column_sql,
    level,
)
from trading.market.importers.json_cells import json_text, load_json, value_at
from trading.market.importers.notes import clear_notes, note
from trading.market.importers.tabular import (
    cell,
    header_names,
    is_broken,
    load_csv,
    load_parquet,
)
from trading.market.importers.text import literal, quoted

if TYPE_CHECKING:
    from datetime import date

    import duckdb

    from trading.market.importers.head import FileHead, SourceFile

_MAPS = Path(__file__).parent / "maps"
_BARS = frozenset({"spot_bars", "future_bars", "option_bars"})
_JSON = frozenset({"candles", "columns", "objects", "keyed"})
# The file names no contract for a row that has what only contracts have.
NO_CONTRACT = "NO_CONTRACT"
NO_LOT = "NO_LOT"  # the contract tables have no lot for its expiry


class MappedImporter:
    """One column map as an importer of the protocol."""

    REFUSALS = (
        reasons.BROKEN_ROW,
        reasons.BAD_STAMP,
        BAD_RECEIPT,
        reasons.BAD_DATE,
        reasons.BAD_UNDERLYING,
        reasons.BAD_EXPIRY,
        reasons.EXPIRED,
        reasons.BAD_STRIKE,
        reasons.BAD_RIGHT,
        NO_TIME,
        NO_CONTRACT,
        NO_LOT,
        BAD_VALUE,
        *reasons.NUMBERS,
        *bars.REFUSALS,
        *reasons.CONFLICTS,
    )
    DROPS = reasons.REPETITIONS

    def __init__(self, column_map: ColumnMap) -> None:
        self.map = column_map
        self.NAME = column_map.name
        self.VERSION = column_map.version
        self.SOURCE_NAME = column_map.source
        self.TITLE = column_map.title
        self.CADENCE_US = column_map.cadence_us
        self.CATEGORIES = tuple(dict.fromkeys(rows.category for rows in column_map.rows))

    def recognises(self, head: FileHead) -> bool:
        """Whether a file has the columns of the map."""
        if self.map.kind in _JSON:
            return head.kind == "json" and self._is_such_json(head)
        if head.kind != self.map.kind:
            return False
        if self.map.kind == "parquet":
            return set(self.map.header) <= set(head.columns)
        return self._holds(_header(head.lines, self.map.header_line))

    def stage(self, connection: duckdb.DuckDBPyConnection, source: SourceFile) -> None:
        """Fill `staged_<category>` for every category of the map; see the importer protocol."""
        clear_notes(connection)
        for category in self.CATEGORIES:
            connection.execute(f"DROP TABLE IF EXISTS staged_{category}")
        if self.map.kind in _JSON:
            names: tuple[str, ...] = self.map.header
            whole = load_json(connection, source, self.map.kind, names, self.map.paths)
            found = {key: value_at(whole, at.key) for key, at in self.map.preamble.items()}
        else:
            names = self._load(connection, source)
            found = self._preamble(source)
        for rows in self.map.rows:
            self._stage_rows(connection, rows, names, Once(found, source.known_at_us))

    def _is_such_json(self, head: FileHead) -> bool:
        text = json_text(head)
        if self.map.kind == "candles":
            return re.search(r'"candles"\s*:\s*\[', text) is not None
        bracket = r"\s*:\s*\[" if self.map.kind == "columns" else r"\s*:"
        keys = {key for name in self._keys() for key in name.split(".")}
        paths = {key for path in self.map.paths for key in path.split(".")}
        return all(re.search(f'"{re.escape(key)}"{bracket}', text) for key in keys) and all(
            re.search(rf'"{re.escape(key)}"\s*:\s*\{{', text) for key in paths
        )

    def _keys(self) -> tuple[str, ...]:
        """The names that must stand in a JSON file; the key of `keyed` is no name."""
        return self.map.header[1:] if self.map.kind == "keyed" else self.map.header

    def _holds(self, names: tuple[str, ...]) -> bool:
        if self.map.more_columns:
            return names[: len(self.map.header)] == self.map.header
        return names == self.map.header

    def _load(self, connection: duckdb.DuckDBPyConnection, source: SourceFile) -> tuple[str, ...]:
        """Fill `cells`; gives the names of its columns."""
        if self.map.kind == "parquet":
            load_parquet(connection, source, self.map.header)
            return self.map.header
        names = _header(source.head.lines, self.map.header_line)
        before = source.head.lines[: self.map.header_line]
        blank = sum(not line.strip() for line in before)  # no rows for the reader
        load_csv(
            connection,
            source,
            names,
            header_rows=len(before) - blank,
            encoding=source.head.encoding or "utf-8",
        )
        if blank:
            connection.execute(f"UPDATE cells SET source_row = source_row + {blank}")  # noqa: S608
        return names

    def _preamble(self, source: SourceFile) -> dict[str, str | None]:
        found: dict[str, str | None] = {}
        for key, preamble in self.map.preamble.items():
            lines = source.head.lines
            line = lines[preamble.line - 1] if len(lines) >= preamble.line else ""
            match = re.search(preamble.pattern, line)
            if match is None:
                msg = (
                    f"{source.path}: line {preamble.line} has no {key}, "
                    f"expected {self.TITLE} (pattern {preamble.pattern})"
                )
                raise ImportRefusedError(msg)
            found[key] = match.group(1)
        return found

    def _stage_rows(
        self,
        connection: duckdb.DuckDBPyConnection,
        rows: RowsSpec,
        names: tuple[str, ...],
        once: Once,
    ) -> None:
        table = self._unpivot(connection, rows, names)
        self._parse(connection, rows, names, once, table)
        self._settle(connection, rows)
        _settle_lots(connection, rows)
        self._identify(connection, rows)
        if rows.legs is not None:
            _fold_legs(connection, rows)
        _stage(connection, rows.category)

    def _unpivot(
        self, connection: duckdb.DuckDBPyConnection, rows: RowsSpec, names: tuple[str, ...]
    ) -> str:
        """The table of cells to read: for `unpivot` a row of each matching column."""
        if rows.unpivot is None:
            return "cells"
        pattern = re.compile(rows.unpivot)
        matching = [name for name in names if pattern.fullmatch(name)]
        if not matching:
            msg = f"no column matches {rows.unpivot}; expected {self.TITLE}"
            raise ImportRefusedError(msg)
        pairs = ", ".join(f"{{'n': {literal(n)}, 'v': {cell(n)}}}" for n in matching)
        connection.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE unpivoted AS
            SELECT * EXCLUDE (pair), pair.n AS {cell(UNPIVOTED_NAME)},
              pair.v AS {cell(UNPIVOTED_VALUE)}
            FROM (SELECT *, unnest([{pairs}]) AS pair FROM cells)
            """  # noqa: S608
        )
        return "unpivoted"

    def _parse(
        self,
        connection: duckdb.DuckDBPyConnection,
        rows: RowsSpec,
        names: tuple[str, ...],
        once: Once,
        table: str,
    ) -> None:
        """Fill `parsed`: every column of the category, `source_row`, `outcome`, `raw`, and the side
        and leg columns of a chain in long form.
        """
        kinds = _kinds(rows)
        found = {
            name: column_sql(name, kinds[name], spec, self.map, once)
            for name, spec in rows.columns.items()
        }
        columns = {name: column.value for name, column in found.items()}
        columns.setdefault("available_at", columns["as_of"])
        columns["available_at"] = f"greatest({columns['available_at']}, {columns['as_of']})"
        judged = [
            (condition, reason)
            for name, column in found.items()
            if rows.columns[name].source != "level_of"
            for condition, reason in column.reasons
        ]
        judged.extend((f"{_says(column)}", NO_CONTRACT) for column in rows.empty)
        if self.map.kind == "csv":
            judged.insert(0, (is_broken(names), reasons.BROKEN_ROW))
        branches = " ".join(
            f"WHEN coalesce({condition}, false) THEN '{reason}'" for condition, reason in judged
        )
        values = ",\n".join(
            f"CAST({columns.get(name, 'NULL')} AS {kind}) AS {quoted(name)}"
            for name, kind in kinds.items()
        )
        fields = ", ".join(f"{literal(name)}, {cell(name)}" for name in _shown(rows, names))
        connection.execute(
            f"""
            CREATE OR REPLACE TEMP TABLE parsed AS
            SELECT CAST(source_row AS BIGINT) AS source_row, {values},
              {_side(rows)} AS side, {_stated(rows)} AS stated, {_level(rows)} AS level,
              CAST(CASE {branches} END AS VARCHAR) AS outcome,
              CAST(json_object({fields}) AS VARCHAR) AS raw
            FROM {table}
            """  # noqa: S608
        )
        if "expiry" in rows.columns:
            bars.refuse(connection, reasons.EXPIRED, f"expiry < {self._local_day()}")

    def _local_day(self) -> str:
        """SQL of the date of as_of where the market is."""
        if self.map.zone == "Asia/Kolkata":
            return f"CAST(make_timestamp(as_of + {bars.IST_OFFSET_US}) AS DATE)"
        return f"CAST(timezone({literal(self.map.zone)}, to_timestamp(as_of / 1e6)) AS DATE)"

    def _settle(self, connection: duckdb.DuckDBPyConnection, rows: RowsSpec) -> None:
        """Bars and what is given by bars: their length, their end, the sessions."""
        if rows.interval is None:
            return
        interval = rows.interval
        if interval == "inferred":
            interval = bars.inferred_interval(connection) or ""
        bars.settle(
            connection,
            interval or None,
            starts=rows.columns["as_of"].stamp == "start",
            sessions=self.map.sessions,
        )

    def _identify(self, connection: duckdb.DuckDBPyConnection, rows: RowsSpec) -> None:
        """The underlying by its level, where the map says so."""
        spec = rows.columns.get("underlying")
        if spec is None or spec.source != "level_of":
            return
        identify_by_level(connection)


def identify_by_level(connection: duckdb.DuckDBPyConnection) -> None:
    """Give the parsed rows the underlying that their `level` and their `stated` name tell, with a
    note; or refuse them all.
    """
    ranges = levels.ranges_of(connection)
    if not ranges:
        return
    told = connection.execute("SELECT DISTINCT stated FROM parsed WHERE outcome IS NULL").fetchall()
    found = levels.identify(ranges, levels.names(row[0] for row in told))
    note(connection, found.remark)
    if found.underlying is None:
        bars.refuse(connection, reasons.BAD_UNDERLYING, "true")
    else:
        connection.execute("UPDATE parsed SET underlying = $name", {"name": found.underlying})


@functools.cache
def built_in() -> tuple[MappedImporter, ...]:
    """The importers of the maps shipped with the program, those that ask for most first."""
    maps = [read_map(path) for path in sorted(_MAPS.glob("*.toml"))]
    return tuple(MappedImporter(one) for one in sorted(maps, key=lambda one: -len(one.header)))


def _header(lines: tuple[str, ...], number: int) -> tuple[str, ...]:
    """The names of a header's line; a name that comes again is numbered."""
    if len(lines) < number or not lines[number - 1].strip():
        return ()
    seen: dict[str, int] = {}
    names = []
    for name in header_names(lines[number - 1]):
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name} {seen[name]}")
    return tuple(names)


def _kinds(rows: RowsSpec) -> dict[str, str]:
    """The columns of `parsed` with their types."""
    kinds = own_columns(rows.category)
    if rows.legs is not None:
        kinds |= {LEG + name: kinds[f"call_{name}"] for name in _legs(kinds)}
    return kinds


def _legs(kinds: dict[str, str]) -> list[str]:
    return [name.removeprefix("call_") for name in kinds if name.startswith("call_")]


def _shown(rows: RowsSpec, names: tuple[str, ...]) -> tuple[str, ...]:
    """The cells a refused row is shown by."""
    if rows.unpivot is None:
        return names
    pattern = re.compile(rows.unpivot)
    kept = tuple(name for name in names if not pattern.fullmatch(name))
    return (*kept, UNPIVOTED_NAME, UNPIVOTED_VALUE)


def _side(rows: RowsSpec) -> str:
    if rows.legs is None:
        return "CAST(NULL AS VARCHAR)"
    column, call, put = rows.legs
    return (
        f"CASE {cell(column)} WHEN {literal(call)} THEN 'call' WHEN {literal(put)} THEN 'put' END"
    )


def _stated(rows: RowsSpec) -> str:
    spec = rows.columns.get("underlying")
    if spec is None or spec.stated is None:
        return "CAST(NULL AS VARCHAR)"
    return f"nullif(trim({cell(spec.stated)}), '')"


def _level(rows: RowsSpec) -> str:
    spec = rows.columns.get("underlying")
    if spec is None or spec.source != "level_of":
        return "CAST(NULL AS BIGINT)"
    return level(spec.of[0])


def _says(column: str) -> str:
    """Whether a cell holds more than nothing or nought."""
    return f"coalesce(TRY_CAST({cell(column)} AS DOUBLE) <> 0, {cell(column)} <> '')"


def _settle_lots(connection: duckdb.DuckDBPyConnection, rows: RowsSpec) -> None:
    """Units into contracts, by the lot of each expiry on the day."""
    kinds = own_columns(rows.category)
    columns = [name for name, spec in rows.columns.items() if spec.lot == BY_CONTRACT]
    if not columns:
        return
    day = f"CAST(make_timestamp(as_of + {bars.IST_OFFSET_US}) AS DATE)"
    contracts = connection.execute(
        f"SELECT DISTINCT underlying, expiry, {day} FROM parsed WHERE outcome IS NULL"  # noqa: S608
    ).fetchall()
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE lots (underlying VARCHAR, expiry DATE, day DATE, lot BIGINT)"
    )
    for contract in contracts:
        connection.execute("INSERT INTO lots VALUES (?, ?, ?, ?)", [*contract, _lot(*contract)])
    same = f"l.underlying = parsed.underlying AND l.expiry = parsed.expiry AND l.day = {day}"
    bars.refuse(connection, NO_LOT, f"(SELECT any_value(lot) FROM lots l WHERE {same}) IS NULL")  # noqa: S608
    for name in columns:
        if kinds[name] == "BIGINT":
            wrong = f"EXISTS (SELECT 1 FROM lots l WHERE {same} AND {name} % lot <> 0)"  # noqa: S608
            bars.refuse(connection, reasons.NOT_WHOLE, wrong)
        division = "//" if kinds[name] == "BIGINT" else "/"
        connection.execute(
            f"UPDATE parsed SET {name} = {name} {division} lot FROM lots l WHERE {same}"  # noqa: S608
        )


def _lot(underlying: str, expiry: date, day: date) -> int | None:
    try:
        return lot_size(underlying, expiry, day)
    except (ContractError, CalendarError):
        return None


def _fold_legs(connection: duckdb.DuckDBPyConnection, rows: RowsSpec) -> None:
    """Fold the call and the put of a strike, two parsed rows, into one."""
    bars.refuse(connection, reasons.BAD_RIGHT, "side IS NULL")
    kinds = own_columns(rows.category)
    legs = _legs(kinds)
    key = ", ".join(quoted(n) for n in kinds if not n.startswith(("call_", "put_")))
    content = ", ".join(quoted(LEG + name) for name in legs)
    connection.execute(
        f"""
        UPDATE parsed SET outcome = CASE
            WHEN d.contents > 1 THEN '{reasons.CONFLICTING_ROWS}'
            WHEN d.place > 1 THEN '{reasons.DUPLICATE_ROW}' END
        FROM (
          SELECT source_row,
            row_number() OVER (PARTITION BY {key}, side ORDER BY source_row) AS place,
            dense_rank() OVER (PARTITION BY {key}, side ORDER BY {content})
              + dense_rank() OVER (PARTITION BY {key}, side ORDER BY {_reversed(legs)}) - 1
              AS contents
          FROM parsed WHERE outcome IS NULL
        ) d WHERE d.source_row = parsed.source_row AND parsed.outcome IS NULL
        """  # noqa: S608
    )
    folded = ", ".join(
        f"max({quoted(LEG + name)}) FILTER (side = '{side}') AS {side}_{name}"
        for side in ("call", "put")
        for name in legs
    )
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE folded AS
        SELECT {key}, {folded}, min(source_row) AS source_row, CAST(NULL AS VARCHAR) AS outcome,
          CAST(NULL AS VARCHAR) AS raw
        FROM parsed WHERE outcome IS NULL GROUP BY {key}
        UNION ALL BY NAME
        SELECT {key}, source_row, outcome, raw FROM parsed WHERE outcome IS NOT NULL
        """  # noqa: S608
    )
    connection.execute("CREATE OR REPLACE TEMP TABLE parsed AS FROM folded")


def _reversed(legs: list[str]) -> str:
    return ", ".join(f"{quoted(LEG + name)} DESC NULLS FIRST" for name in legs)


def _stage(connection: duckdb.DuckDBPyConnection, category: str) -> None:
    """Put `parsed` into `staged_<category>`, after what an earlier section put there."""
    columns = ", ".join(quoted(name) for name in own_columns(category))
    rows = f"""
        SELECT {columns}, source_row, outcome, CASE WHEN outcome IS NOT NULL THEN raw END AS raw
        FROM parsed
    """  # noqa: S608
    connection.execute(
        f"CREATE TEMP TABLE IF NOT EXISTS staged_{category} AS SELECT * FROM ({rows}) LIMIT 0"  # noqa: S608
    )
    connection.execute(f"INSERT INTO staged_{category} BY NAME {rows}")
