"""Runs one importer's `stage` on one file, as the framework would, and gives what it staged."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from trading.market.importers.head import file_head, open_sources
from trading.market.store import connect

if TYPE_CHECKING:
    from types import ModuleType

    from trading.market.importers.head import FileHead


class Staged(NamedTuple):
    """The staged rows of a file by category, as mappings."""

    rows: dict[str, list[dict[str, Any]]]

    def accepted(self, category: str) -> list[dict[str, Any]]:
        return [row for row in self.rows[category] if row["outcome"] is None]

    def outcomes(self) -> dict[str, int]:
        """How many rows of all categories were refused, by reason."""
        counts: dict[str, int] = {}
        for rows in self.rows.values():
            for row in rows:
                if row["outcome"] is not None:
                    counts[row["outcome"]] = counts.get(row["outcome"], 0) + 1
        return counts


def read_head(path: Path) -> FileHead:
    """The head of a file, unpacked where it is packed."""
    with connect() as connection:
        if path.suffix == ".gz":
            with tempfile.TemporaryDirectory() as folder:
                (source,) = open_sources(connection, path, Path(folder))
                return source.head
        return file_head(connection, path)


def stage(
    importer: ModuleType, path: Path, tmp_path: Path, *, known_at_us: int | None = None
) -> Staged:
    folder = tmp_path / "unpacked here"
    folder.mkdir(exist_ok=True)
    with connect() as connection:
        (source,) = open_sources(connection, path, folder, known_at_us=known_at_us)
        assert importer.recognises(source.head)
        importer.stage(connection, source)
        found = {}
        for (name,) in connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'staged_%'"
        ).fetchall():
            result = connection.execute(f"SELECT * FROM {name} ORDER BY source_row")  # noqa: S608
            columns = [column[0] for column in result.description]
            found[name.removeprefix("staged_")] = [
                dict(zip(columns, row, strict=True)) for row in result.fetchall()
            ]
    assert set(found) <= set(importer.CATEGORIES)
    return Staged(found)
