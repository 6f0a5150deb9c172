"""Importers: files of others into rows of the store. What a file is, is told by its header, never
by its name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from trading.market.importers import chain_snapshots

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

PARQUET_MAGIC = b"PAR1"


class ImportRefusedError(Exception):
    """A source that cannot be imported; the text is one line saying what, where, and what was
    expected.
    """


def is_parquet(path: Path) -> bool:
    """Whether the file begins as Parquet does; raises ImportRefusedError when it cannot be read."""
    try:
        with path.open("rb") as stream:
            return stream.read(len(PARQUET_MAGIC)) == PARQUET_MAGIC
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}"
        raise ImportRefusedError(msg) from error


def detect(connection: duckdb.DuckDBPyConnection, path: Path) -> ModuleType:
    """The importer for a file, by its columns; raises ImportRefusedError for none."""
    expected = "expected a Parquet file of option-chain snapshots"
    if not is_parquet(path):
        msg = f"{path}: not a Parquet file; {expected}"
        raise ImportRefusedError(msg)
    try:
        header = chain_snapshots.header(connection, path)
    except duckdb.Error as error:
        msg = f"{path}: damaged Parquet file ({_first_line(error)}); {expected}"
        raise ImportRefusedError(msg) from error
    missing = [name for name in chain_snapshots.COLUMNS if name not in header]
    if not missing:
        return chain_snapshots
    columns = ", ".join(chain_snapshots.COLUMNS)
    msg = f"{path}: wrong columns, {', '.join(missing)} missing; {expected} with {columns}"
    raise ImportRefusedError(msg)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
