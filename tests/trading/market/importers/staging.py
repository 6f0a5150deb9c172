"""Runs one importer's `stage` on one file, as the framework would, and gives what it staged."""

from __future__ import annotations

import csv
import gzip
from typing import TYPE_CHECKING, Any, NamedTuple

import duckdb

from trading.market.store import connect

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType


class Head(NamedTuple):
    kind: str
    columns: tuple[str, ...]
    lines: tuple[str, ...]
    encoding: str | None
    members: tuple[str, ...] = ()


class Source(NamedTuple):
    path: Path
    plain: Path
    digest: str
    name: str
    head: Head
    known_at_us: int | None


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


def read_head(path: Path) -> Head:
    data = path.read_bytes()
    if data[:4] == b"PAR1":
        with duckdb.connect() as connection:
            rows = connection.execute(f"DESCRIBE FROM '{path}'").fetchall()
        return Head("parquet", tuple(row[0] for row in rows), (), None)
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    try:
        text, encoding = data.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        text, encoding = data.decode("utf-8-sig", errors="replace"), "latin-1"
    lines = tuple(text.splitlines()[:30])
    if text.lstrip()[:1] in ("{", "["):
        return Head("json", (), lines, encoding)
    first = next(csv.reader(lines[:1]), [])
    return Head("csv", tuple(name.strip() for name in first), lines, encoding)


def stage(
    importer: ModuleType, path: Path, tmp_path: Path, *, known_at_us: int | None = None
) -> Staged:
    plain = path
    if path.suffix == ".gz":
        plain = tmp_path / path.stem
        plain.write_bytes(gzip.decompress(path.read_bytes()))
    head = read_head(path)
    assert importer.recognises(head)
    with connect() as connection:
        importer.stage(connection, Source(path, plain, "0" * 64, path.name, head, known_at_us))
        found = {}
        for (name,) in connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'staged_%'"
        ).fetchall():
            result = connection.execute(f"SELECT * FROM {name}")  # noqa: S608
            columns = [column[0] for column in result.description]
            found[name.removeprefix("staged_")] = [
                dict(zip(columns, row, strict=True)) for row in result.fetchall()
            ]
    assert set(found) <= set(importer.CATEGORIES)
    return Staged(found)
