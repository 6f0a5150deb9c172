"""Any category through the machinery of imports: written, found, repeated, contradicted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from trading.market import agreement, importing
from trading.market.categories import BY_NAME, columns_of, own_columns
from trading.market.store import MarketStore, StoredSource, connect

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

    from trading.market.store import Import

SAMPLES: dict[str, Any] = {
    "BIGINT": 1_772_077_560_000_000,
    "VARCHAR": "NIFTY",
    "DATE": "2026-02-26",
    "DOUBLE": 0.25,
    "BOOLEAN": True,
}


class _Anything:
    NAME, VERSION, SOURCE_NAME, TITLE = "anything", 1, "anywhere", "anything"
    CADENCE_US = None
    REFUSALS = ("BAD",)
    DROPS = ()

    def __init__(self, category: str) -> None:
        self.CATEGORIES = (category,)


def _stage(connection: duckdb.DuckDBPyConnection, category: str, *rows: dict[str, Any]) -> None:
    kinds = columns_of(category)
    own = own_columns(category)
    types = ", ".join(f'"{name}" {kinds[name]}' for name in own)
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE staged_{category}
        ({types}, source_row BIGINT, outcome VARCHAR, raw VARCHAR)
        """
    )
    for number, row in enumerate(rows, start=1):
        values = [row.get(name, SAMPLES[kinds[name]]) for name in own]
        marks = ", ".join("?" * (len(own) + 3))
        connection.execute(
            f"INSERT INTO staged_{category} VALUES ({marks})",  # noqa: S608 - question marks
            [*values, number, row.get("outcome"), row.get("raw")],
        )


def _write(
    store: MarketStore, connection: duckdb.DuckDBPyConnection, category: str, digest: str = "d" * 64
) -> Import:
    importer = _Anything(category)
    counts = importing.counts_of(
        importing.outcomes(connection, [category]),
        refusals=importer.REFUSALS,
        drops=importer.DROPS,
    )
    with store.exclusive() as catalogue:
        made = importing.write_import(
            store,
            connection,
            source=StoredSource("anywhere", "file.csv", digest, synthetic=False),
            importer=importer.NAME,
            importer_version=1,
            cadence_us=None,
            categories=[category],
            counts=counts,
            refusals=importer.REFUSALS,
        )
        store.publish(catalogue, [made])
    return made


def _outcomes(connection: duckdb.DuckDBPyConnection, category: str) -> list[str | None]:
    rows = connection.execute(f"SELECT outcome FROM staged_{category} ORDER BY source_row")  # noqa: S608
    return [outcome for (outcome,) in rows.fetchall()]


def _other(category: str) -> tuple[str, Any]:
    """A column that is no part of the key, and another value for it."""
    kinds = BY_NAME[category].columns
    name = next(name for name in reversed(kinds) if name not in BY_NAME[category].key)
    others = {
        "BIGINT": 7,
        "VARCHAR": "other",
        "DATE": "2026-02-27",
        "DOUBLE": 0.5,
        "BOOLEAN": False,
    }
    return name, others[kinds[name]]


@pytest.mark.parametrize("category", sorted(BY_NAME))
def test_a_row_of_any_category_is_stored_with_what_every_row_carries(
    category: str, tmp_path: Path
) -> None:
    store = MarketStore(tmp_path / "market")
    with connect() as connection:
        _stage(connection, category, {}, {"outcome": "BAD", "raw": "as it was"})
        made = _write(store, connection, category)
        (file,) = made.files
        path = store.path_of(file.accepted)
        described = connection.execute(f"DESCRIBE FROM read_parquet('{path}')").fetchall()
        (kept,) = connection.execute(
            f"SELECT source_digest, synthetic, generator FROM read_parquet('{path}')"  # noqa: S608
        ).fetchall()
        assert made.rejected is not None
        refused = connection.execute(
            f"FROM read_parquet('{store.path_of(made.rejected)}')"
        ).fetchall()
    assert {name: kind for name, kind, *_ in described} == columns_of(category)
    assert kept == ("d" * 64, False, None)
    assert refused == [(category, 2, "BAD", "as it was")]
    assert made.counts["categories"] == {category: 1}


@pytest.mark.parametrize("category", sorted(BY_NAME))
def test_repeated_rows_are_dropped_and_contradictions_refused(
    category: str, tmp_path: Path
) -> None:
    name, value = _other(category)
    store = MarketStore(tmp_path / "market")
    with connect() as connection:
        _stage(connection, category, {}, {})
        agreement.mark_repeated(connection, category)
        assert _outcomes(connection, category) == [None, "DUPLICATE_ROW"]
        made = _write(store, connection, category)
        path = store.path_of(made.files[0].accepted)

        _stage(connection, category, {}, {name: value})
        agreement.mark_repeated(connection, category)
        assert _outcomes(connection, category) == ["CONFLICTING_ROWS"] * 2

        _stage(connection, category, {})
        agreement.mark_stored(connection, category, [path])
        assert _outcomes(connection, category) == ["ALREADY_STORED"]

        _stage(connection, category, {name: value})
        agreement.mark_stored(connection, category, [path])
        assert _outcomes(connection, category) == ["CONFLICTS_WITH_STORE"]


@pytest.mark.parametrize("category", sorted(set(BY_NAME) - {"fits", "surfaces"}))
def test_a_key_known_later_is_a_revision(category: str, tmp_path: Path) -> None:
    store = MarketStore(tmp_path / "market")
    name, value = _other(category)
    with connect() as connection:
        _stage(connection, category, {})
        path = store.path_of(_write(store, connection, category).files[0].accepted)
        later = SAMPLES["BIGINT"] + 1
        _stage(connection, category, {name: value, "available_at": later})
        agreement.mark_stored(connection, category, [path])
        assert _outcomes(connection, category) == [None]
