"""One source into the store: read by its importer, judged row by row, written as Parquet.

What an importer has staged is held against itself and against what the store has of the same
source's kind (trading.market.agreement). A row whose key is known with another `available_at` is a
revision, and both are kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb

from trading.market import agreement
from trading.market.categories import BY_NAME, columns_of
from trading.market.day_slots import day_of, days_held, whose_of
from trading.market.importers import ImportRefusedError
from trading.market.store import (
    OTHERS,
    REJECTED,
    CategoryFile,
    Entry,
    Import,
    sql_text,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from trading.market.importers.head import SourceFile
    from trading.market.importers.registry import Importer
    from trading.market.store import MarketStore, StoredFile, StoredSource


def stage_source(
    connection: duckdb.DuckDBPyConnection, importer: Importer, source: SourceFile
) -> None:
    """Let an importer fill its staging tables. Raises ImportRefusedError when it cannot read the
    file.
    """
    for category in importer.CATEGORIES:
        connection.execute(f"DROP TABLE IF EXISTS staged_{category}")
    try:
        importer.stage(connection, source)
    except duckdb.Error as error:
        msg = f"{source.label}: cannot be read as {importer.TITLE}: {str(error).splitlines()[0]}"
        raise ImportRefusedError(msg) from error


def staged_categories(connection: duckdb.DuckDBPyConnection, importer: Importer) -> tuple[str, ...]:
    """The categories an importer has staged rows of."""
    found = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE temporary AND table_name LIKE 'staged_%'"
    ).fetchall()
    tables = {name for (name,) in found}
    return tuple(name for name in importer.CATEGORIES if f"staged_{name}" in tables)


def days_of(connection: duckdb.DuckDBPyConnection, category: str) -> dict[str, tuple[str, ...]]:
    """The IST dates a category's acceptable rows are of: when a snapshot was received, when
    anything else was true. Tables of dated figures are of no day.
    """
    if BY_NAME[category].is_dated_table:
        return {}
    rows = connection.execute(
        f"""
        SELECT {whose_of(category)} AS whose, {day_of(category)} AS day
        FROM staged_{category} WHERE outcome IS NULL GROUP BY ALL ORDER BY whose DESC, day
        """  # noqa: S608 - names of our own
    ).fetchall()
    days: dict[str, list[str]] = {}
    for whose, day in rows:
        days.setdefault(whose, []).append(day)
    return {whose: tuple(found) for whose, found in days.items()}


def refuse_mixed(
    present: Sequence[Entry], source: StoredSource, category: str, days: Mapping[str, Sequence[str]]
) -> None:
    """One market a day: recorded and synthetic data, or two synthetic markets, are never mixed.
    Raises ImportRefusedError.
    """
    for entry in present:
        recorded = not (entry.source.synthetic or source.synthetic)
        if recorded or entry.source.family == source.family:
            continue
        shared = _shared_day(entry, category, days)
        if shared:
            msg = (
                f"{source.file}: the store already holds {shared} from {entry.source.file} "
                f"({entry.source.name}); expected a day without data, or another VAR_DIR"
            )
            raise ImportRefusedError(msg)


def outcomes(
    connection: duckdb.DuckDBPyConnection, categories: Sequence[str]
) -> dict[str, dict[str, int]]:
    """How many staged rows of each category came to what; the accepted ones under the empty
    text.
    """
    return {
        category: dict(
            connection.execute(
                f"""
                SELECT coalesce(outcome, ''), count(*) FROM staged_{category}
                GROUP BY ALL ORDER BY ALL
                """  # noqa: S608 - names of our own
            ).fetchall()
        )
        for category in categories
    }


def counts_of(
    found: Mapping[str, Mapping[str, int]], *, refusals: Sequence[str], drops: Sequence[str]
) -> dict[str, Any]:
    """The counts of the catalogue, from what the staged rows came to; `refusals` and `drops` are
    the reasons of whoever staged them.
    """
    total: dict[str, int] = {}
    for by_outcome in found.values():
        for outcome, rows in by_outcome.items():
            total[outcome] = total.get(outcome, 0) + rows
    drops, refusals = (*drops, *agreement.DROPS), (*refusals, *agreement.REFUSALS)
    return {
        "read": sum(total.values()),
        "accepted": total.get("", 0),
        "rejected": {name: total[name] for name in dict.fromkeys(refusals) if name in total},
        "dropped": {name: total[name] for name in dict.fromkeys(drops) if name in total},
        "categories": {name: rows[""] for name, rows in found.items() if rows.get("")},
    }


def write_import(
    store: MarketStore,
    connection: duckdb.DuckDBPyConnection,
    *,
    source: StoredSource,
    importer: str,
    importer_version: int,
    cadence_us: int | None,
    categories: Sequence[str],
    counts: dict[str, Any],
    refusals: Sequence[str] = (),
) -> Import:
    """Write the accepted rows of each staged category, and the refused ones, and describe them; the
    caller publishes it.
    """
    files = tuple(
        _write_category(store, connection, category, source) for category in counts["categories"]
    )
    rejected = None
    if counts["rejected"]:
        rejected = _write_refused(store, connection, categories, (*refusals, *agreement.REFUSALS))
    return Import(
        source=source,
        importer=importer,
        importer_version=importer_version,
        cadence_us=cadence_us,
        files=files,
        rejected=rejected,
        counts=counts,
    )


def _write_category(
    store: MarketStore, connection: duckdb.DuckDBPyConnection, category: str, source: StoredSource
) -> CategoryFile:
    added: dict[str, str | int | None] = {
        "source_digest": source.digest,
        "synthetic": source.synthetic,
        "generator": source.generator,
        "seed": source.seed,
        "mode": source.mode,
    }
    columns = ", ".join(
        f'CAST({_literal(added[name])} AS {kind}) AS "{name}"'
        if name in added
        else f'CAST("{name}" AS {kind}) AS "{name}"'
        for name, kind in columns_of(category).items()
    )
    accepted = store.write_table(
        connection,
        f"SELECT {columns} FROM staged_{category} WHERE outcome IS NULL "  # noqa: S608 - our names
        f"ORDER BY {BY_NAME[category].order}",
        category,
    )
    first, last, first_known, last_known = connection.execute(
        f"""
        SELECT min(as_of), max(as_of), min(available_at), max(available_at)
        FROM staged_{category} WHERE outcome IS NULL
        """  # noqa: S608 - names of our own
    ).fetchall()[0]
    ranges = {"as_of": (first, last), "available_at": (first_known, last_known)}
    rows = f"(SELECT * FROM staged_{category} WHERE outcome IS NULL)"  # noqa: S608 - our names
    return CategoryFile(category, accepted, ranges, days_held(connection, category, rows))


def _write_refused(
    store: MarketStore,
    connection: duckdb.DuckDBPyConnection,
    categories: Sequence[str],
    refusals: Sequence[str],
) -> StoredFile:
    reasons = ", ".join(f"'{name}'" for name in refusals)
    staged = " UNION ALL ".join(
        f"SELECT '{category}' AS category, source_row, outcome AS reason, "  # noqa: S608
        f"coalesce(CAST(raw AS VARCHAR), CAST(to_json(t) AS VARCHAR)) AS raw "
        f"FROM staged_{category} t WHERE outcome IN ({reasons})"
        for category in categories
    )
    return store.write_table(connection, f"{staged} ORDER BY source_row, category", REJECTED)


def stored_paths(
    store: MarketStore,
    present: Sequence[Entry],
    source: StoredSource,
    category: str,
    moments: tuple[int, int] | None,
) -> list[Path]:
    """The files of a category that may hold rows of the same moments from the same kind of
    source.
    """
    if moments is None:
        return []
    return [
        store.path_of(entry.accepted)
        for entry in present
        if entry.category == category
        and entry.source.family == source.family
        and entry.ranges["available_at"][0] <= moments[1]
        and entry.ranges["available_at"][1] >= moments[0]
    ]


def moments_of(connection: duckdb.DuckDBPyConnection, category: str) -> tuple[int, int] | None:
    """The first and the last moment at which acceptable rows of a category became available."""
    first, last = connection.execute(
        f"SELECT min(available_at), max(available_at) FROM staged_{category} "  # noqa: S608
        "WHERE outcome IS NULL"
    ).fetchall()[0]
    return None if first is None else (first, last)


def _literal(value: str | int | None) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value)
    return str(value) if isinstance(value, int) else f"'{sql_text(value)}'"


def _shared_day(entry: Entry, category: str, days: Mapping[str, Sequence[str]]) -> str | None:
    """The first `underlying on date` that both have, or None."""
    for underlying, dates in days.items():
        if underlying == OTHERS and entry.category != category:
            continue
        present = set(entry.days.get(underlying, ()))
        for day in dates:
            if day in present:
                return f"{underlying} on {day}"
    return None
