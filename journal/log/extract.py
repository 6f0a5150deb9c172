"""Bytes of a log taken out exactly as they are: a day, or a range of lines.

A packed day comes out as the lines it was packed from, which its chain is of; the file it is packed
in can be had too. Nothing is checked that need not be: what is damaged is evidence.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO

from journal.log.day_file import day_size, open_day_file
from journal.log.errors import LogError
from journal.log.head import read_head
from journal.log.lookup import line_at
from journal.log.session import PACKED, day_files, day_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCK_BYTES = 2**18


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes `start` to `end` (not included) of a day, by its name in the log; or of the packed file
    itself, by that name.
    """

    file: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Extract:
    """Pieces of a log one after the other, and the name of the file they make."""

    directory: Path
    name: str
    pieces: tuple[Piece, ...]

    @property
    def bytes(self) -> int:
        """How long it is."""
        return sum(piece.end - piece.start for piece in self.pieces)


def day_extract(directory: Path, day: str) -> Extract:
    """Return the whole file of an IST date (ISO text) as long as it is now.

    Raises LogError when there is none.
    """
    file = f"{day}.jsonl"
    if file not in [day_name(path) for path in day_files(directory)]:
        raise LogError(f"{file}: no such file in session {directory.name}")
    piece = Piece(file=file, start=0, end=day_size(directory / file))
    return Extract(directory=directory, name=f"{directory.name}-{file}", pieces=(piece,))


def packed_extract(directory: Path, day: str) -> Extract:
    """Return the file an IST date (ISO text) is packed in; LogError when it is not packed."""
    file = f"{day}.jsonl{PACKED}"
    if file not in [path.name for path in day_files(directory)]:
        raise LogError(f"{file}: no such file in session {directory.name}")
    piece = Piece(file=file, start=0, end=(directory / file).stat().st_size)
    return Extract(directory=directory, name=f"{directory.name}-{file}", pieces=(piece,))


def lines_extract(directory: Path, first: int, last: int) -> Extract:
    """Return the durable lines `first` to `last` of a session, both included.

    Raises LogError for a range that is empty or not in the log, TamperedError when the place of
    its ends cannot be found.
    """
    head = read_head(directory)
    if head is None or not 1 <= first <= last <= head.line:
        end = f"the log ends at line {head.line}" if head else "the log has no durable line"
        raise LogError(f"lines {first} to {last}: {end}")
    opening, closing = line_at(directory, first), line_at(directory, last)
    if opening is None or closing is None:
        raise LogError(f"lines {first} to {last}: not found in the log")
    files = [day_name(path) for path in day_files(directory)]
    pieces = tuple(
        Piece(
            file=file,
            start=opening.offset if file == opening.file else 0,
            end=closing.offset + closing.length
            if file == closing.file
            else day_size(directory / file),
        )
        for file in files
        if opening.file <= file <= closing.file
    )
    name = f"{directory.name}-lines-{first}-{last}.jsonl"
    return Extract(directory=directory, name=name, pieces=pieces)


def extract_blocks(extract: Extract) -> Iterator[bytes]:
    """Yield the bytes of an extract; one block is in memory at a time.

    Raises LogError when a file has become shorter meanwhile.
    """
    for piece in extract.pieces:
        with _opened(extract.directory / piece.file) as log:
            log.seek(piece.start)
            left = piece.end - piece.start
            while left > 0:
                block = log.read(min(BLOCK_BYTES, left))
                if not block:
                    raise LogError(f"{piece.file}: ends {left} bytes before byte {piece.end}")
                left -= len(block)
                yield block


def extract_digest(extract: Extract) -> bytes:
    """Return the SHA-256 of an extract's bytes."""
    digest = sha256()
    for block in extract_blocks(extract):
        digest.update(block)
    return digest.digest()


def _opened(path: Path) -> BinaryIO:
    return path.open("rb") if path.name.endswith(PACKED) else open_day_file(path)
