"""The tables shipped with the program (TOML files): calendar, contracts, circuit breakers,
position limits, charges, scheduled events. A row for each announcement, available from the midnight
after it; see trading.market.reference.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trading.market.figures import table_path
from trading.market.importers import ImportRefusedError
from trading.market.reference import TABLES, reference_rows
from trading.market.staging import stage_rows

if TYPE_CHECKING:
    import duckdb

    from trading.market.importers.head import FileHead, SourceFile

NAME = "reference_tables"
VERSION = 2
SOURCE_NAME = "reference-tables"
CATEGORIES = (
    "calendar",
    "sessions",
    "holidays",
    "expiries",
    "lots",
    "freeze_quantities",
    "tick_sizes",
    "circuit_breakers",
    "position_limits",
    "rates",
    "scheduled_events",
)
TITLE = "a table of dated figures in TOML (calendar, contracts, charges, …)"
CADENCE_US = None
REFUSALS: tuple[str, ...] = ()
DROPS: tuple[str, ...] = ()

_FORMAT = 'format = "brahmastra-reference-1"'


def shipped() -> tuple[Path, ...]:
    """The files of the tables shipped with the program."""
    return tuple(table_path(name) for name in TABLES)


def recognises(head: FileHead) -> bool:
    """Whether a file says that it is one of these tables."""
    return any(line.strip() == _FORMAT for line in head.lines)


def edition(source: SourceFile) -> int:
    """Which edition of its table a file is, from 1. Raises ImportRefusedError where it does not say
    so.
    """
    said = _tables_of(source).get("edition")
    if type(said) is not int or said < 1:
        msg = f"{source.path}: edition is {said!r}, expected a whole number from 1 on"
        raise ImportRefusedError(msg)
    return said


def stage(connection: duckdb.DuckDBPyConnection, source: SourceFile) -> None:
    """Fill `staged_<category>` for each category the table has rows of.

    Raises ImportRefusedError for a file that is not such a table.
    """
    for category, rows in _rows_of(source).items():
        stage_rows(connection, category, rows)


def _rows_of(source: SourceFile) -> dict[str, list[dict[str, Any]]]:
    tables = _tables_of(source)
    try:
        return reference_rows(tables["table"], tables)
    except (KeyError, TypeError, ValueError) as error:
        raise _unlike(source, error) from error


def _tables_of(source: SourceFile) -> dict[str, Any]:
    try:
        return tomllib.loads(Path(source.plain).read_text(encoding="utf-8"))
    except ValueError as error:
        raise _unlike(source, error) from error


def _unlike(source: SourceFile, error: Exception) -> ImportRefusedError:
    return ImportRefusedError(f"{source.path}: not {TITLE}: {type(error).__name__} {error}")
