"""What a file is, as far as its first bytes tell, and its plain bytes for DuckDB to read."""

from __future__ import annotations

import csv
import gzip
import shutil
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

import duckdb

from trading.market.importers import ImportRefusedError
from trading.market.store import file_digest, sql_text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PARQUET, CSV, JSON, TEXT, BINARY = "parquet", "csv", "json", "text", "binary"

_PARQUET_MAGIC = b"PAR1"
_GZIP_MAGIC = b"\x1f\x8b"
_ZIP_MAGIC = b"PK\x03\x04"
_LOOKED_AT_BYTES = 1 << 16
_LOOKED_AT_LINES = 30
_ENCODINGS = ("utf-8-sig", "cp1252", "latin-1")


class FileHead(NamedTuple):
    """How a file begins. `columns` are the fields of its first line that holds any, stripped of
    blanks and byte-order mark, or a Parquet file's columns; `lines` its first lines as text.
    """

    kind: str
    columns: tuple[str, ...]
    lines: tuple[str, ...]
    encoding: str


class SourceFile(NamedTuple):
    """A file to import: where it is, its plain bytes, the SHA-256 of its own bytes, which file of a
    zip it is when that holds several, how it begins, and, where the user said so, when it was known
    (µs UTC).
    """

    path: Path
    plain: Path
    digest: str
    member: str
    head: FileHead
    known_at_us: int | None = None

    @property
    def name(self) -> str:
        """The file's own name; for what a name alone says, never for what the file is."""
        return PurePosixPath(self.member).name or self.path.name

    @property
    def label(self) -> str:
        """What to call it in a line for people."""
        return f"{self.path}/{self.member}" if self.member else str(self.path)


def open_sources(
    connection: duckdb.DuckDBPyConnection,
    path: Path,
    scratch: Path,
    *,
    known_at_us: int | None = None,
) -> Iterator[SourceFile]:
    """A file as sources to import: itself, or each file of a zip; what is packed is unpacked into
    `scratch`.

    Raises ImportRefusedError for a file that cannot be read or unpacked.
    """
    try:
        digest = file_digest(path)
        for plain, member in _plain_files(path, scratch):
            head = file_head(connection, plain)
            yield SourceFile(path, plain, digest, member, head, known_at_us)
    except (zipfile.BadZipFile, gzip.BadGzipFile, EOFError, zlib.error) as error:
        msg = f"{path}: damaged archive ({error}); expected a whole gzip or zip file"
        raise ImportRefusedError(msg) from error
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror or error}"
        raise ImportRefusedError(msg) from error
    except duckdb.Error as error:
        msg = f"{path}: damaged Parquet file ({str(error).splitlines()[0]})"
        raise ImportRefusedError(msg) from error


def file_head(connection: duckdb.DuckDBPyConnection, plain: Path) -> FileHead:
    """How a plain file begins. Raises duckdb.Error for a damaged Parquet file."""
    with plain.open("rb") as stream:
        start = stream.read(_LOOKED_AT_BYTES)
    if start.startswith(_PARQUET_MAGIC):
        described = connection.execute(f"DESCRIBE FROM read_parquet('{sql_text(str(plain))}')")
        return FileHead(PARQUET, tuple(str(row[0]) for row in described.fetchall()), (), "")
    if b"\x00" in start:
        return FileHead(BINARY, (), (), "")
    text, encoding = _decoded(start)
    encoding = encoding.removesuffix("-sig")
    lines = tuple(text.splitlines()[:_LOOKED_AT_LINES])
    first = next((line for line in lines if line.strip(" ,\t")), "")
    if first.lstrip()[:1] in {"{", "["}:
        return FileHead(JSON, (), lines, encoding)
    columns = tuple(field.strip() for field in next(csv.reader([first]), []))
    return FileHead(CSV if len(columns) > 1 else TEXT, columns, lines, encoding)


def _plain_files(path: Path, scratch: Path) -> Iterator[tuple[Path, str]]:
    with path.open("rb") as stream:
        magic = stream.read(4)
    if magic.startswith(_GZIP_MAGIC):
        plain = scratch / "unpacked"
        with gzip.open(path, "rb") as packed, plain.open("wb") as stream:
            shutil.copyfileobj(packed, stream, 1 << 20)
        yield plain, ""
    elif magic == _ZIP_MAGIC:
        yield from _members(path, scratch)
    else:
        yield path, ""


def _members(path: Path, scratch: Path) -> Iterator[tuple[Path, str]]:
    with zipfile.ZipFile(path) as archive:
        members = [info for info in archive.infolist() if not info.is_dir()]
        for info in members:
            plain = scratch / "unpacked"
            with archive.open(info) as packed, plain.open("wb") as stream:
                shutil.copyfileobj(packed, stream, 1 << 20)
            yield plain, info.filename if len(members) > 1 else ""


def _decoded(start: bytes) -> tuple[str, str]:
    """The text of a file's start, which may end inside a character, and its encoding."""
    for encoding in _ENCODINGS:
        try:
            return start.decode(encoding), encoding
        except UnicodeDecodeError as error:
            if encoding == "utf-8-sig" and error.start > len(start) - 4 >= 0:
                return start[: error.start].decode(encoding), encoding
    raise AssertionError("latin-1 decodes every byte")
