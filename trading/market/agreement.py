"""Rows of one key and one moment: whether they say the same, more, less, or contradict each other.

A null says nothing. So a row that gives nothing new is dropped, one that gives what was missing is
taken and completed with what is known, and only two different values are a contradiction; then all
of them are refused, because nobody can say which is right. In tables of dated figures a null says
something (`no end`, `the rest of the day`) and is a value like any other.
"""

from __future__ import annotations

import glob
from typing import TYPE_CHECKING

from trading.market.categories import BY_NAME, own_columns
from trading.market.store import sql_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import duckdb

DUPLICATE_ROW = "DUPLICATE_ROW"
CONFLICTING_ROWS = "CONFLICTING_ROWS"
ALREADY_STORED = "ALREADY_STORED"
CONFLICTS_WITH_STORE = "CONFLICTS_WITH_STORE"
DROPS = (DUPLICATE_ROW, ALREADY_STORED)
REFUSALS = (CONFLICTING_ROWS, CONFLICTS_WITH_STORE)


def mark_repeated(connection: duckdb.DuckDBPyConnection, category: str) -> None:
    """Within a file: the first row of a key and moment says what all of them say, the others are
    dropped; when they contradict each other all are refused.
    """
    staged = f"staged_{category}"
    key = _listed(_identity(category))
    repeated = connection.execute(
        f"SELECT 1 FROM {staged} WHERE outcome IS NULL GROUP BY {key} HAVING count(*) > 1 LIMIT 1"  # noqa: S608
    ).fetchone()
    if repeated is None:
        return
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE told AS
        SELECT {key}, min(source_row) AS first_row,
          {_contradicting(category)} AS contradicted, {_anything_of("t", category)}
        FROM {staged} t WHERE outcome IS NULL GROUP BY {key}
        HAVING count(*) > 1
        """  # noqa: S608 - names of our own
    )
    same = _same(staged, "told", _identity(category))
    completed = ", ".join(
        f'"{name}" = CASE WHEN told.contradicted THEN {staged}."{name}" '
        f'ELSE coalesce({staged}."{name}", told."{name}") END'
        for name in _told(category)
    )
    connection.execute(
        f"""
        UPDATE {staged} SET {completed}, outcome = CASE
          WHEN told.contradicted THEN '{CONFLICTING_ROWS}'
          WHEN {staged}.source_row > told.first_row THEN '{DUPLICATE_ROW}' END
        FROM told WHERE {staged}.outcome IS NULL AND {same}
        """  # noqa: S608 - names of our own
    )


def mark_stored(
    connection: duckdb.DuckDBPyConnection, category: str, files: Sequence[Path]
) -> None:
    """Against what the store has of the same moments: a row that adds nothing is dropped, one that
    contradicts it refused, one that adds something completed with what is stored.
    """
    if not files:
        return
    staged = f"staged_{category}"
    same = _same("s", "t", _identity(category))
    _compare(connection, category, _stored(files), same, "t.outcome IS NULL")
    connection.execute(
        f"""
        UPDATE {staged} SET outcome = CASE
          WHEN compared.contradicted THEN '{CONFLICTS_WITH_STORE}' ELSE '{ALREADY_STORED}' END
        FROM compared
        WHERE compared.row = {staged}.rowid AND (compared.contradicted OR NOT compared.adds)
        """  # noqa: S608 - names of our own
    )
    completed = ", ".join(
        f'"{name}" = coalesce({staged}."{name}", compared."{name}")' for name in _told(category)
    )
    connection.execute(
        f"""
        UPDATE {staged} SET {completed} FROM compared
        WHERE compared.row = {staged}.rowid AND {staged}.outcome IS NULL
        """  # noqa: S608 - names of our own
    )


def mark_restated(
    connection: duckdb.DuckDBPyConnection, category: str, files: Sequence[Path], known_at_us: int
) -> None:
    """Rows that contradict the store, in a file that was known later: revisions known at that
    moment, or dropped where they say what was known by then.
    """
    staged = f"staged_{category}"
    key = [name for name in BY_NAME[category].key if name != "available_at"]
    newest = f"""
        (FROM {_stored(files)} WHERE available_at <= {known_at_us}
         QUALIFY row_number() OVER (PARTITION BY {_listed(key)}
           ORDER BY available_at DESC, {silence(category)}) = 1)
    """
    refused = f"t.outcome = '{CONFLICTS_WITH_STORE}' AND t.available_at < {known_at_us}"
    _compare(connection, category, newest, _same("s", "t", key), refused)
    connection.execute(
        f"""
        UPDATE {staged} SET outcome = CASE
            WHEN NOT compared.contradicted AND NOT compared.adds THEN '{ALREADY_STORED}' END,
          available_at = {known_at_us}
        FROM compared WHERE compared.row = {staged}.rowid
        """  # noqa: S608 - names of our own
    )


def silence(category: str) -> str:
    """How many columns of a row say nothing, as SQL: of two rows of one key and one moment the one
    with fewer is the completed one.
    """
    return " + ".join(f'CAST("{name}" IS NULL AS TINYINT)' for name in _told(category))


def _identity(category: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*BY_NAME[category].key, "available_at")))


def _told(category: str) -> tuple[str, ...]:
    """What a row says of its key and moment: every column of its importer but those."""
    return tuple(name for name in own_columns(category) if name not in _identity(category))


def _compare(
    connection: duckdb.DuckDBPyConnection, category: str, stored: str, same: str, which: str
) -> None:
    """Fill `compared` with those staged rows that the stored ones speak of too."""
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE compared AS
        SELECT t.rowid AS row, coalesce(bool_or({_differing(category)}), false) AS contradicted,
          {_adding(category)} AS adds, {_anything_of("s", category)}
        FROM staged_{category} t JOIN {stored} s ON {same}
        WHERE {which} GROUP BY t.rowid
        """  # noqa: S608 - names of our own
    )


def _stored(files: Sequence[Path]) -> str:
    names = ", ".join(f"'{sql_text(glob.escape(str(path)))}'" for path in files)
    return f"read_parquet([{names}])"


def _same(one: str, other: str, names: Sequence[str]) -> str:
    return " AND ".join(f'{one}."{name}" IS NOT DISTINCT FROM {other}."{name}"' for name in names)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _contradicting(category: str) -> str:
    """Of the rows of a group: whether two of them give different values."""
    tests = [f'count(DISTINCT "{name}") > 1' for name in _told(category)]
    if BY_NAME[category].is_dated_table:
        tests += [f'count("{name}") NOT IN (0, count(*))' for name in _told(category)]
    return " OR ".join(tests)


def _differing(category: str) -> str:
    differs = "IS DISTINCT FROM" if BY_NAME[category].is_dated_table else "<>"
    return " OR ".join(f's."{name}" {differs} t."{name}"' for name in _told(category))


def _adding(category: str) -> str:
    """Of the stored rows of a staged one: whether none of them gives something that it gives."""
    return " OR ".join(
        f'bool_and(s."{name}" IS NULL AND t."{name}" IS NOT NULL)' for name in _told(category)
    )


def _anything_of(table: str, category: str) -> str:
    """The value each column has in any row of a group that gives one."""
    return ", ".join(f'any_value({table}."{name}") AS "{name}"' for name in _told(category))
