"""What an importer asks of a file: its head, by which it knows it, and its plain bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path


class FileHead(Protocol):
    """The beginning of a file. `columns` are the names of its first line or of its Parquet schema,
    stripped; `lines` the first thirty, decoded.
    """

    @property
    def kind(self) -> str: ...
    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def lines(self) -> tuple[str, ...]: ...
    @property
    def encoding(self) -> str | None: ...


class SourceFile(Protocol):
    """A file to import: where it lies, its uncompressed bytes, its name, its head, and when the
    user says it was known (µs UTC).
    """

    @property
    def path(self) -> Path: ...
    @property
    def plain(self) -> Path: ...
    @property
    def name(self) -> str: ...
    @property
    def head(self) -> FileHead: ...
    @property
    def known_at_us(self) -> int | None: ...
