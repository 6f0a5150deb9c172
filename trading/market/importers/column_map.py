"""A column map: a TOML file that says which columns of a CSV, Parquet or JSON file make which rows
of the store, with the unit of every number (docs/column-maps.md describes the form).

Reading one checks everything that can be wrong in it, each with one line that names the map, the
place and what was expected.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, NamedTuple

from trading.market.categories import BY_NAME, CATEGORIES, COMMON_COLUMNS, columns_of
from trading.market.importers import ImportRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT = "brahmastra-column-map-1"
KINDS = ("csv", "parquet", "candles", "columns", "objects", "keyed")
BY_CONTRACT = "by_contract"

# Hundredths of the currency in one of each unit.
MONEY = {
    "rupees": "100",
    "dollars": "100",
    "points": "100",
    "paise": "1",
    "cents": "1",
    "thousandths": "0.1",
    "lakh_rupees": "10000000",
    "crore_rupees": "1000000000",
}
QUANTITIES = {"units": "1", "thousands": "1000", "lakhs": "100000"}
CONTRACTS = {"contracts": "1", "units": "1"}
FRACTIONS = {"fraction": "1", "percent": "0.01", "ratio": "1", "points": "1"}
TIMES = ("text", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns")
STAMPS = ("start", "end")

_SOURCES = ("column", "columns", "value", "preamble", "unpivoted", "level_of", "known_at")
_KEYS = {
    *_SOURCES,
    "pattern",
    "values",
    "unit",
    "format",
    "formats",
    "zone",
    "at",
    "stamp",
    "zero",
    "lot",
    "round",
    "suffixes",
    "stated",
    "days_later",
    "optional",
}
_MAP_KEYS = {"format", "name", "title", "source", "version", "cadence_seconds", "file", "preamble"}
_FILE_KEYS = {
    "kind",
    "header",
    "more_columns",
    "header_line",
    "paths",
    "missing",
    "sessions",
    "zone",
}
_ROWS_KEYS = {"category", "legs", "unpivot", "interval", "empty", "columns"}
_PLAIN = frozenset({"exchange_token", "instrument_token", "trade_id", "seq", "number"})
_BARS = frozenset({"spot_bars", "future_bars", "option_bars"})
LEG = "leg_"
PATH = "path"  # the column of JSON files that says at which of the paths a row was found


class ColumnSpec(NamedTuple):
    """Where the values of one column come from (one of the sources, by its name in TOML) and how
    they are read; `unit` is a factor for numbers, one of TIMES for instants; with `known_at` a
    missing one is the time the user gave for the file.
    """

    source: str
    of: tuple[str, ...]
    pattern: str | None
    values: dict[str, str]
    unit: str | None
    formats: tuple[str, ...]
    zone: str | None
    at: str | None
    stamp: str | None
    zero_is_missing: bool
    lot: int | str | None
    round: bool
    suffixes: bool
    stated: str | None
    days_later: int
    known_at: bool
    optional: bool


class RowsSpec(NamedTuple):
    """One kind of row a file gives. `legs` folds two rows of a strike into one (column, text of a
    call, text of a put); `unpivot` makes a row of each column whose name matches; `interval` is the
    length of bars, `inferred` from their distances; `empty` are columns that must say nothing,
    because a row that does is of a contract the file does not name.
    """

    category: str
    columns: dict[str, ColumnSpec]
    legs: tuple[str, str, str] | None
    unpivot: str | None
    interval: str | None
    empty: tuple[str, ...]


class Preamble(NamedTuple):
    """A text that stands once in a file: in a line of its head (1-based), by the one group of a
    pattern, or in JSON at a path of keys.
    """

    line: int
    pattern: str
    key: str


class ColumnMap(NamedTuple):
    """A whole map; `header` names the columns a file must have to be recognised, and with
    `more_columns` only the first of them.
    """

    name: str
    title: str
    source: str
    version: int
    cadence_us: int | None
    kind: str
    header: tuple[str, ...]
    more_columns: bool
    header_line: int
    paths: tuple[str, ...]
    missing: tuple[str, ...]
    sessions: bool
    zone: str
    preamble: dict[str, Preamble]
    rows: tuple[RowsSpec, ...]


def read_map(path: Path) -> ColumnMap:
    """The column map of a TOML file; raises ImportRefusedError with one line for a bad one."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        detail = getattr(error, "strerror", None) or str(error).splitlines()[0]
        msg = f"{path}: not a column map in TOML: {detail}"
        raise ImportRefusedError(msg) from error
    try:
        return parse_map(tables)
    except _MapError as error:
        msg = f"{path}: {error}"
        raise ImportRefusedError(msg) from error


class _MapError(ValueError):
    """What is wrong in a map, and where."""


def parse_map(tables: Mapping[str, Any]) -> ColumnMap:
    """The column map of parsed TOML."""
    if tables.get("format") != FORMAT:
        msg = f'no column map, expected format = "{FORMAT}"'
        raise _MapError(msg)
    _check_keys(tables, {*_MAP_KEYS, "rows"}, "the map")
    name = _text(tables, "name", "the map")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        msg = f"name {name!r}, expected small letters, digits and underscores"
        raise _MapError(msg)
    file = _table(tables, "file", "the map")
    _check_keys(file, _FILE_KEYS, "[file]")
    kind = _choice(file, "kind", KINDS, "[file]", "csv")
    header = _texts(file, "header", "[file]")
    preamble = {key: _preamble(key, value) for key, value in tables.get("preamble", {}).items()}
    places = _Places(kind, header, preamble)
    sections = tables.get("rows")
    if not isinstance(sections, list) or not sections:
        msg = "no [[rows]], expected one for each category the file gives"
        raise _MapError(msg)
    return ColumnMap(
        name=name,
        title=_text(tables, "title", "the map"),
        source=_text(tables, "source", "the map"),
        version=int(tables.get("version", 1)),
        cadence_us=_cadence(tables),
        kind=kind,
        header=header,
        more_columns=bool(file.get("more_columns", False)),
        header_line=int(file.get("header_line", 1)),
        paths=tuple(str(path) for path in file.get("paths", [])),
        missing=tuple(str(value) for value in file.get("missing", [""])),
        sessions=bool(file.get("sessions", False)),
        zone=str(file.get("zone", "Asia/Kolkata")),
        preamble=preamble,
        rows=tuple(_rows(section, places) for section in sections),
    )


class _Places(NamedTuple):
    """Where columns of a file can come from."""

    kind: str
    header: tuple[str, ...]
    preamble: dict[str, Preamble]


def _rows(section: Mapping[str, Any], places: _Places) -> RowsSpec:
    category = section.get("category")
    if category not in BY_NAME:
        held = ", ".join(c.name for c in CATEGORIES)
        msg = f"[[rows]] category {category!r} is unknown, expected one of {held}"
        raise _MapError(msg)
    where = f"[[rows]] of {category}"
    _check_keys(section, _ROWS_KEYS, where)
    legs = _legs(section.get("legs"), places, where)
    columns = _table(section, "columns", where)
    parsed = {
        name: _column(category, name, spec, places, has_legs=legs is not None)
        for name, spec in columns.items()
    }
    _check_complete(category, parsed, where)
    interval = section.get("interval")
    if interval not in (None, "inferred", "1m", "5m", "1d"):
        msg = f"{where} interval {interval!r}, expected inferred, 1m, 5m or 1d"
        raise _MapError(msg)
    if category in _BARS and interval is None:
        msg = f"{where} has no interval, expected inferred, 1m, 5m or 1d"
        raise _MapError(msg)
    empty = tuple(str(column) for column in section.get("empty", ()))
    for column in empty:
        _check_column(column, places, f"{where} empty")
    return RowsSpec(category, parsed, legs, section.get("unpivot"), interval, empty)


def _column(category: str, name: str, spec: Any, places: _Places, *, has_legs: bool) -> ColumnSpec:
    where = f"column {name} of {category}"
    kinds = _kinds(category, has_legs=has_legs)
    if name not in kinds:
        msg = f"{where} is unknown, expected one of {', '.join(kinds)}"
        raise _MapError(msg)
    if not isinstance(spec, dict):
        msg = f"{where} is {spec!r}, expected a table such as {{ column = ... }}"
        raise _MapError(msg)
    _check_keys(spec, _KEYS, where)
    sources = [source for source in _SOURCES if source in spec]
    if len(sources) == 2 and sources[1] == "known_at":
        sources.pop()
    if len(sources) != 1:
        msg = f"{where} has {len(sources)} sources, expected one of {', '.join(_SOURCES)}"
        raise _MapError(msg)
    of = spec[sources[0]]
    of = tuple(str(part) for part in of) if isinstance(of, list) else (str(of),)
    named = of if sources[0] in ("column", "columns", "level_of") else ()
    for column in (*named, *([spec["stated"]] if "stated" in spec else [])):
        _check_column(column, places, where)
    if sources[0] == "preamble" and of[0] not in places.preamble:
        msg = f"{where}: preamble {of[0]!r} is unknown, expected one of {list(places.preamble)}"
        raise _MapError(msg)
    is_number = sources[0] not in ("level_of", "value", "known_at")
    return ColumnSpec(
        source=sources[0],
        of=of,
        pattern=_pattern(spec.get("pattern"), where),
        values={str(key): str(value) for key, value in spec.get("values", {}).items()},
        unit=_unit(name, kinds[name], spec, where, is_number=is_number),
        formats=tuple(spec.get("formats", [spec["format"]] if "format" in spec else [])),
        zone=spec.get("zone"),
        at=spec.get("at"),
        stamp=_stamp(category, name, spec, where),
        zero_is_missing=spec.get("zero", _default_zero(name)) == "missing",
        lot=spec.get("lot"),
        round=bool(spec.get("round", False)),
        suffixes=bool(spec.get("suffixes", False)),
        stated=spec.get("stated"),
        days_later=int(spec.get("days_later", 0)),
        known_at=bool(spec.get("known_at", False)),
        optional=bool(spec.get("optional", False)),
    )


def _kinds(category: str, *, has_legs: bool) -> dict[str, str]:
    kinds = {
        name: kind
        for name, kind in columns_of(category).items()
        if name not in COMMON_COLUMNS or name in ("as_of", "available_at")
    }
    if has_legs:
        kinds |= {
            LEG + name.removeprefix("call_"): kind
            for name, kind in kinds.items()
            if name.startswith("call_")
        }
    return kinds


def units_of(name: str, kind: str) -> dict[str, str] | None:
    """The units a column can be given in with their factors, None where it has none."""
    if name in _PLAIN or kind in ("VARCHAR", "DATE", "BOOLEAN") or _is_time(name):
        return None
    if name.endswith("_paise") or "_paise_" in name:
        return MONEY
    if name.endswith("_contracts"):
        return CONTRACTS
    if kind == "DOUBLE" and not ("interest" in name or name == "quantity"):
        return FRACTIONS
    return QUANTITIES


def _is_time(name: str) -> bool:
    return name in ("as_of", "available_at") or name.endswith(("_stamp", "_us", "_trade_at"))


def _unit(
    name: str, kind: str, spec: Mapping[str, Any], where: str, *, is_number: bool
) -> str | None:
    unit = spec.get("unit")
    if _is_time(name):
        return _choice(spec, "unit", TIMES, where, "text")
    units = units_of(name, kind)
    if units is None or not is_number:
        if units is None and unit is not None:
            msg = f"{where} has the unit {unit!r}, but it is no number"
            raise _MapError(msg)
        if unit is None:
            return "1" if kind in ("BIGINT", "DOUBLE") else None
    if unit is None:
        msg = f"{where} has no unit, expected one of {', '.join(units or ())}"
        raise _MapError(msg)
    if units is None or unit not in units:
        msg = f"{where} has the unit {unit!r}, expected one of {', '.join(units or ())}"
        raise _MapError(msg)
    lot = spec.get("lot")
    if units is CONTRACTS and unit == "units" and not (isinstance(lot, int) or lot == BY_CONTRACT):
        msg = f"{where} is given in units, expected lot = the units of a contract or {BY_CONTRACT}"
        raise _MapError(msg)
    return units[unit]


def _stamp(category: str, name: str, spec: Mapping[str, Any], where: str) -> str | None:
    if name != "as_of":
        return None
    if category in _BARS or category == "implied_volatilities":
        if "stamp" not in spec:
            msg = f"{where} does not say what a bar's time is, expected stamp = start or end"
            raise _MapError(msg)
        return _choice(spec, "stamp", STAMPS, where, None)
    return spec.get("stamp")


def _default_zero(name: str) -> str:
    return "missing" if name.endswith("_paise") or "_paise_" in name else "value"


def _check_complete(category: str, columns: Mapping[str, ColumnSpec], where: str) -> None:
    if "as_of" not in columns:
        msg = f"{where} has no as_of, expected the column that says when a row was true"
        raise _MapError(msg)
    if "underlying" in columns_of(category) and "underlying" not in columns:
        msg = f"{where} has no underlying, expected a column, a value or level_of"
        raise _MapError(msg)


def _legs(legs: Any, places: _Places, where: str) -> tuple[str, str, str] | None:
    if legs is None:
        return None
    _check_column(legs.get("column"), places, f"{where} legs")
    return str(legs["column"]), _text(legs, "call", where), _text(legs, "put", where)


def _check_column(column: Any, places: _Places, where: str) -> None:
    if column not in (*places.header, PATH):
        msg = f"{where}: column {column!r} is not in header, which has {', '.join(places.header)}"
        raise _MapError(msg)


def _preamble(key: str, value: Mapping[str, Any]) -> Preamble:
    where = f"[preamble.{key}]"
    if "key" in value:
        return Preamble(0, "", str(value["key"]))
    pattern = _pattern(value.get("pattern"), where)
    if pattern is None or not isinstance(value.get("line"), int):
        msg = f"{where} is incomplete, expected line and pattern, or key"
        raise _MapError(msg)
    return Preamble(value["line"], pattern, "")


def _pattern(pattern: Any, where: str) -> str | None:
    if pattern is None:
        return None
    try:
        groups = re.compile(pattern).groups
    except (re.error, TypeError) as error:
        msg = f"{where}: pattern {pattern!r} is no regular expression: {error}"
        raise _MapError(msg) from error
    if groups != 1:
        msg = f"{where}: pattern {pattern!r} has {groups} groups, expected one"
        raise _MapError(msg)
    return str(pattern)


def _cadence(tables: Mapping[str, Any]) -> int | None:
    seconds = tables.get("cadence_seconds")
    return None if seconds is None else int(seconds) * 1_000_000


def _check_keys(table: Mapping[str, Any], known: set[str], where: str) -> None:
    for key in table:
        if key not in known:
            msg = f"{where}: {key!r} is unknown, expected {', '.join(sorted(known))}"
            raise _MapError(msg)


def _table(table: Mapping[str, Any], key: str, where: str) -> dict[str, Any]:
    value = table.get(key)
    if not isinstance(value, dict):
        msg = f"{where} has no table {key}"
        raise _MapError(msg)
    return value


def _text(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        msg = f"{where} has no {key}, expected a text"
        raise _MapError(msg)
    return value


def _texts(table: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value = table.get(key)
    if not isinstance(value, list) or not value:
        msg = f"{where} has no {key}, expected a list of the file's columns"
        raise _MapError(msg)
    return tuple(str(item) for item in value)


def _choice(
    table: Mapping[str, Any], key: str, choices: tuple[str, ...], where: str, default: str | None
) -> str:
    value = table.get(key, default)
    if value not in choices:
        msg = f"{where}: {key} is {value!r}, expected one of {', '.join(choices)}"
        raise _MapError(msg)
    return str(value)
