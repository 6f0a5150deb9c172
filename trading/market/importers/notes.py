"""Remarks of an importer on a whole file, for the person who imports it: the temporary table
`import_notes`, one line each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


def clear_notes(connection: duckdb.DuckDBPyConnection) -> None:
    """Begin a file without remarks."""
    connection.execute("CREATE OR REPLACE TEMP TABLE import_notes (note VARCHAR)")


def note(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    """Add one remark, once."""
    connection.execute(
        "INSERT INTO import_notes SELECT $text WHERE $text NOT IN (SELECT note FROM import_notes)",
        {"text": text},
    )


def notes(connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """The remarks on the file staged last, in the order they were made."""
    held = connection.execute(
        "SELECT 1 FROM duckdb_tables() WHERE table_name = 'import_notes'"
    ).fetchall()
    if not held:
        return ()
    return tuple(str(row[0]) for row in connection.execute("FROM import_notes").fetchall())
