"""A file of a test handed to an importer as the framework would."""

from __future__ import annotations

import csv
import gzip
import hashlib
from pathlib import Path
from typing import NamedTuple

import duckdb


class Head(NamedTuple):
    kind: str
    columns: tuple[str, ...]
    lines: tuple[str, ...]
    encoding: str = "utf-8"
    members: tuple[str, ...] = ()


class Source(NamedTuple):
    path: Path
    plain: Path
    digest: str
    name: str
    head: Head
    known_at_us: int | None = None


def source_of(path: Path, tmp: Path, known_at_us=None) -> Source:
    data = path.read_bytes()
    plain = path
    if data[:2] == b"\x1f\x8b":
        plain = tmp / (path.name + ".plain")
        plain.write_bytes(gzip.decompress(data))
        body = plain.read_bytes()
    else:
        body = data
    if data[:4] == b"PAR1":
        head = Head("parquet", tuple(r[0] for r in duckdb.execute(f"describe from '{plain}'").fetchall()), ())
    else:
        text = body[:400000].decode("utf-8", "replace")
        lines = tuple(text.splitlines()[:30])
        kind = "json" if text.lstrip()[:1] in "{[" and not text.startswith("{'") else "csv"
        columns = tuple(c.strip() for c in next(csv.reader([lines[0]]))) if lines and lines[0] else ()
        head = Head(kind, columns, lines)
    return Source(path, plain, hashlib.sha256(data).hexdigest(), path.name, head, known_at_us)
