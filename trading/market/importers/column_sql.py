"""The SQL of one column of a column map: its value in the store's unit, and what is wrong with it.

Numbers are read as decimals from their text, so a price is exactly the integer it says; one that is
no whole number of hundredths is refused unless the map says `round`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trading.market.importers import reasons
from trading.market.importers.tabular import cell
from trading.market.importers.text import is_number, literal, literals, stripped

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trading.market.importers.column_map import ColumnMap, ColumnSpec

UNPIVOTED_NAME = "name of the column"
UNPIVOTED_VALUE = "value of the column"
BAD_VALUE = "BAD_VALUE"
BAD_RECEIPT = "BAD_RECEIPT"
NO_TIME = "NO_TIME"  # neither the file nor the user says when it was true (--known-at)

_IST = "Asia/Kolkata"
_IST_OFFSET_US = 19_800_000_000
_DECIMAL = "DECIMAL(26, 12)"
_BEYOND = r"\.[0-9]{12}[0-9]*[1-9]"  # digits a _DECIMAL has no room for
_EPOCH_US = {"epoch_s": "* 1000000", "epoch_ms": "* 1000", "epoch_us": "", "epoch_ns": "// 1000"}
_SUFFIXES = {"K": "1000", "L": "100000", "M": "1000000", "CR": "10000000", "B": "1000000000"}
_SIGNED = ("_change", "log_return", "composite_delta")
_MISSING_KEYS = {
    "underlying": reasons.BAD_UNDERLYING,
    "expiry": reasons.BAD_EXPIRY,
    "strike_paise": reasons.BAD_STRIKE,
    "right": reasons.BAD_RIGHT,
    "trade_date": reasons.BAD_DATE,
    "as_of": reasons.BAD_STAMP,
    "available_at": BAD_RECEIPT,
}


class Once(NamedTuple):
    """What is known of a whole file: the texts of its preamble, the time the user gave (µs UTC)."""

    preamble: Mapping[str, str | None]
    known_at_us: int | None


class ColumnSql(NamedTuple):
    """A column: SQL of its value, and pairs of SQL condition and reason against a row."""

    value: str
    reasons: list[tuple[str, str]]


def column_sql(name: str, kind: str, spec: ColumnSpec, of: ColumnMap, once: Once) -> ColumnSql:
    """The SQL of a column of the store by its specification."""
    text = _text(spec, of, once.preamble)
    if spec.known_at:
        return _known_at(name, kind, text, spec, of, once)
    if spec.unit is not None and (spec.unit == "text" or spec.unit in _EPOCH_US):
        return _instant(name, text, spec, of)
    if kind == "DATE":
        return _judged(name, text, _date(text, spec), spec)
    if kind == "VARCHAR":
        return _judged(name, text, text, spec)
    if kind == "BOOLEAN":
        return _judged(name, text, f"TRY_CAST({text} AS BOOLEAN)", spec)
    return _number(name, kind, text, spec)


def _known_at(
    name: str, kind: str, text: str, spec: ColumnSpec, of: ColumnMap, once: Once
) -> ColumnSql:
    """A time of the file, else the one the user gave for it: an instant or its IST date."""
    given = "NULL" if once.known_at_us is None else str(once.known_at_us)
    if kind == "DATE":
        given = f"CAST(make_timestamp({given} + {_IST_OFFSET_US}) AS DATE)"
        instant = _instant(name, text, spec, of).value
        found = f"CAST(make_timestamp({instant} + {_IST_OFFSET_US}) AS DATE)"
    else:
        found = _instant(name, text, spec, of).value
    value = found if spec.source != "known_at" else "NULL"
    value = f"coalesce({value}, {given})"
    return ColumnSql(value, [(f"({value}) IS NULL", NO_TIME)])


def _text(spec: ColumnSpec, of: ColumnMap, preamble: Mapping[str, str | None]) -> str:
    """SQL of the text a value is read from, null where it is missing."""
    if spec.source == "value":
        return literal(spec.of[0])
    if spec.source == "preamble":
        return _once(preamble[spec.of[0]], spec)
    if spec.source in ("level_of", "known_at"):
        return "CAST(NULL AS VARCHAR)"
    names = spec.of
    if spec.source == "unpivoted":
        names = (UNPIVOTED_NAME if spec.of[0] == "name" else UNPIVOTED_VALUE,)
    text = "(" + " || ' ' || ".join(_given(name, of) for name in names) + ")"
    return _changed(text, spec)


def _once(text: str | None, spec: ColumnSpec) -> str:
    """SQL of a text that stands once in the file."""
    return _changed("CAST(NULL AS VARCHAR)" if text is None else literal(text), spec)


def _changed(text: str, spec: ColumnSpec) -> str:
    """SQL of what a pattern takes of a text, and what it is called in the store."""
    if spec.pattern is not None:
        text = f"nullif(regexp_extract({text}, {literal(spec.pattern)}, 1), '')"
    if spec.values:
        branches = " ".join(
            f"WHEN {literal(old)} THEN {literal(new)}" for old, new in spec.values.items()
        )
        text = f"(CASE {text} {branches} END)"
    return text


def _given(column: str, of: ColumnMap) -> str:
    bare = stripped(cell(column))
    return f"(CASE WHEN {bare} NOT IN ({literals(('', *of.missing))}) THEN {bare} END)"


def level(column: str) -> str:
    """SQL of a level of the file in hundredths of a point."""
    decimal = f"TRY_CAST({stripped(cell(column))} AS {_DECIMAL})"
    return f"TRY_CAST(round({decimal} * CAST(100 AS DECIMAL(12, 1))) AS BIGINT)"


def _judged(name: str, text: str, value: str, spec: ColumnSpec) -> ColumnSql:
    """A value that must be readable where it is given, and given where a row hangs on it."""
    reason = _MISSING_KEYS.get(name, BAD_VALUE)
    wrong = f"({value}) IS NULL"
    if name not in _MISSING_KEYS or spec.optional:
        wrong = f"({text}) <> '' AND {wrong}"
    return ColumnSql(value, [(wrong, reason)])


def _date(text: str, spec: ColumnSpec) -> str:
    if not spec.formats:  # ISO, or the milliseconds of an epoch
        digits = f"CASE WHEN regexp_full_match({text}, '[0-9]{{12,13}}') THEN {text} END"
        epoch = f"TRY_CAST({digits} AS BIGINT)"
        local = f"CAST(make_timestamp({epoch} * 1000 + {_IST_OFFSET_US}) AS DATE)"
        return f"coalesce(TRY_CAST({text} AS DATE), {local})"
    return f"CAST(try_strptime({text}, [{literals(spec.formats)}]) AS DATE)"


def _instant(name: str, text: str, spec: ColumnSpec, of: ColumnMap) -> ColumnSql:
    """An instant in µs UTC of a text in the zone of the map or the column, or of an epoch."""
    if spec.unit in _EPOCH_US:
        value = f"TRY_CAST(TRY_CAST({text} AS DECIMAL(38, 0)) {_EPOCH_US[spec.unit]} AS BIGINT)"
        if spec.unit == "epoch_ns":
            value = f"TRY_CAST({text} AS BIGINT) // 1000"
        return _judged(name, text, value, spec)
    if any("%z" in form for form in spec.formats):
        return _judged(
            name, text, f"epoch_us(try_strptime({text}, [{literals(spec.formats)}]))", spec
        )
    stamp = (
        f"try_strptime({text}, [{literals(spec.formats)}])"
        if spec.formats
        else f"TRY_CAST({text} AS TIMESTAMP)"
    )
    if spec.days_later:
        stamp = f"({stamp} + INTERVAL {spec.days_later} DAY)"
    if spec.at is not None:
        stamp = f"(date_trunc('day', {stamp}) + CAST({literal(spec.at)} AS INTERVAL))"
    zone = spec.zone or of.zone
    if zone == _IST:
        return _judged(name, text, f"epoch_us({stamp}) - {_IST_OFFSET_US}", spec)
    return _judged(name, text, f"epoch_us(timezone({literal(zone)}, {stamp}))", spec)


def _number(name: str, kind: str, text: str, spec: ColumnSpec) -> ColumnSql:
    bare = f"replace({text}, ',', '')"
    scale = spec.unit or "1"
    if spec.suffixes:
        bare, suffix = _split_suffix(bare)
        scale = f"{scale} * {suffix}"
    found = [
        (f"NOT {is_number(bare)}", reasons.NOT_A_NUMBER),
        (f"abs(TRY_CAST({bare} AS DOUBLE)) >= 1e12", reasons.TOO_LARGE),
    ]
    if not (name.endswith(_SIGNED) or name.startswith("scenario_")):
        found.append((f"TRY_CAST({bare} AS DOUBLE) < 0", reasons.NEGATIVE))
    if kind == "DOUBLE":
        value = _real(bare, spec, scale)
    else:
        lot = f" / {spec.lot}" if isinstance(spec.lot, int) else ""
        exact = f"TRY_CAST({bare} AS {_DECIMAL}) * CAST({scale} AS DECIMAL(12, 1)){lot}"
        value = f"TRY_CAST(round({exact}) AS BIGINT)"
        found.append((f"{bare} <> '' AND {value} IS NULL", reasons.TOO_LARGE))
        if not spec.round:
            reason = reasons.NOT_A_PAISA if "_paise" in name else reasons.NOT_WHOLE
            wrong = f"({exact}) <> round({exact}) OR regexp_matches({bare}, '{_BEYOND}')"
            found.append((wrong, reason))
    if spec.zero_is_missing:
        value = f"nullif({value}, 0)"
    if name in _MISSING_KEYS and not spec.optional:
        found.insert(0, (f"coalesce({value}, 0) <= 0", _MISSING_KEYS[name]))
    return ColumnSql(value, found)


def _split_suffix(bare: str) -> tuple[str, str]:
    """A number before its suffix, and what the suffix multiplies it by."""
    letters = f"upper(regexp_extract({bare}, '[A-Za-z]*$'))"
    branches = " ".join(f"WHEN '{name}' THEN {factor}" for name, factor in _SUFFIXES.items())
    number = (
        f"CASE WHEN {letters} IN ({literals(('', *_SUFFIXES))}) "
        f"THEN regexp_replace({bare}, '[A-Za-z]+$', '') ELSE {bare} END"
    )
    return f"({number})", f"(CASE {letters} {branches} ELSE 1 END)"


def _real(bare: str, spec: ColumnSpec, scale: str) -> str:
    value = f"TRY_CAST({bare} AS DOUBLE)"
    if scale == "0.01":
        value = f"{value} / 100"
    elif scale != "1":
        value = f"{value} * {scale}"
    if isinstance(spec.lot, int):
        value = f"{value} / {spec.lot}"
    return f"({value})"
