"""How each day file of a session stands, by its two ends alone.

Cheap on purpose: a page asks it of every file. That the ends are sound says nothing of the lines
between them; that is what verification is for.
"""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import IO, TYPE_CHECKING

from journal.log.chain import GENESIS, split_line
from journal.log.day_file import open_day_file
from journal.log.errors import LogError, TamperedError
from journal.log.head import Head, read_head
from journal.log.index import lines_backwards
from journal.log.reader import LogLine, parse_line
from journal.log.session import day_files, day_name

if TYPE_CHECKING:
    from pathlib import Path

_LINES_FOR_A_SEQ = 8  # bookkeeping lines that may stand before the first event or after the last
_BLOCK = 2**16
UNREADABLE = (LogError, OSError, EOFError, zlib.error)


class Link(StrEnum):
    """Whether a file's first line names the file before it as that file really ends."""

    FIRST = "first"
    HOLDS = "holds"
    BROKEN = "broken"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TornPiece:
    """What a recovery moved aside: its file and its size in bytes."""

    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class FileStatus:
    """A day file by its ends.

    `file` is its name in the log (`YYYY-MM-DD.jsonl`, packed or not), `bytes_on_disk` what it takes
    there; lines count across the session; `head` is the hash of its last durable line;
    `unfinished` the bytes after the durable head; `problem` says where and why an end cannot be
    read, and is empty when both can.
    """

    file: str
    packed: bool
    bytes_on_disk: int
    first_line: int | None = None
    last_line: int | None = None
    first_seq: int | None = None
    last_seq: int | None = None
    head: str = ""
    link: Link = Link.UNKNOWN
    link_problem: str = ""
    unfinished: int = 0
    problem: str = ""
    torn: tuple[TornPiece, ...] = ()

    @property
    def day(self) -> str:
        """Its IST date, ISO text."""
        return self.file.removesuffix(".jsonl")

    @property
    def lines(self) -> int | None:
        """How many durable lines it has."""
        if self.first_line is None or self.last_line is None:
            return None
        return self.last_line - self.first_line + 1


@dataclass(frozen=True, slots=True)
class _Ends:
    """The durable lines at the start and at the end of a file, and what follows the durable end."""

    first: tuple[LogLine, ...] = ()
    last: tuple[LogLine, ...] = ()
    unfinished: int = 0


def file_statuses(directory: Path) -> list[FileStatus]:
    """Return every day file of a session in date order; damage is described, never raised."""
    head = read_head(directory)
    statuses: list[FileStatus] = []
    for path in day_files(directory):
        statuses.append(_status(path, head, statuses[-1] if statuses else None))
    return statuses


def without_directory(error: Exception, directory: Path) -> str:
    """Return what an error says, files named without their directory."""
    return str(error).replace(f"{directory}/", "")


def _status(path: Path, head: Head | None, before: FileStatus | None) -> FileStatus:
    file, size, torn = day_name(path), 0, _torn_pieces(path)
    number = 1 if before is None or before.last_line is None else before.last_line + 1
    try:
        size = path.stat().st_size
        ends = _read_ends(path, head, number)
    except UNREADABLE as error:
        return FileStatus(
            file=file,
            packed=file != path.name,
            bytes_on_disk=size,
            problem=without_directory(error, path.parent) or type(error).__name__,
            torn=torn,
        )
    link, link_problem = _link(ends, before)
    return FileStatus(
        file=file,
        packed=file != path.name,
        bytes_on_disk=size,
        first_line=ends.first[0].line if ends.first else None,
        last_line=ends.last[-1].line if ends.last else None,
        first_seq=next((line.body["seq"] for line in ends.first if line.body["seq"]), None),
        last_seq=next((line.body["seq"] for line in ends.last[::-1] if line.body["seq"]), None),
        head=ends.last[-1].hash if ends.last else "",
        link=link,
        link_problem=link_problem,
        unfinished=ends.unfinished,
        torn=torn,
    )


def _torn_pieces(path: Path) -> tuple[TornPiece, ...]:
    found = sorted(path.parent.glob(f"{day_name(path)}.torn-*"))
    return tuple(TornPiece(name=piece.name, bytes=piece.stat().st_size) for piece in found)


def _link(ends: _Ends, before: FileStatus | None) -> tuple[Link, str]:
    """Compare what a file's first line says of the file before with how that one ends."""
    if not ends.first:
        return Link.UNKNOWN, "no durable line yet"
    named = ends.first[0].body["data"].get("previous")
    if before is None:
        return (Link.FIRST, "") if named is None else (Link.BROKEN, f"{_named(named)} is not here")
    if before.problem or before.last_line is None:
        return Link.UNKNOWN, f"the end of {before.file} cannot be read"
    found = {"file": before.file, "hash": before.head, "line": before.last_line}
    if isinstance(named, dict) and {name: named.get(name) for name in found} == found:
        return Link.HOLDS, ""
    ending = f"{before.file} ends at line {before.last_line} with {before.head}"
    return Link.BROKEN, f"names {_named(named)}, but {ending}"


def _named(previous: object) -> str:
    if not isinstance(previous, dict):
        return "no file before it"
    return f"{previous.get('file')} line {previous.get('line')} with {previous.get('hash')}"


def _read_ends(path: Path, head: Head | None, number: int) -> _Ends:
    """Read a file's ends, each line against its own hash; `number` is that of its first line."""
    with open_day_file(path) as log:
        size = log.seek(0, os.SEEK_END)
        end = _durable_end(path, size, head)
        if end == 0:
            return _Ends(unfinished=size)
        first = _first_lines(log, path, end, number)
        last = _last_lines(log, path, end, first[0].line)
    if head is not None and head.file == day_name(path) and last[-1].hash != head.hash:
        raise TamperedError(
            path=path,
            line=last[-1].line,
            reason="the published head is not the hash of the line it names",
            expected=head.hash,
            found=last[-1].hash,
        )
    return _Ends(first=first, last=last, unfinished=size - end)


def _durable_end(path: Path, size: int, head: Head | None) -> int:
    """Return where a file's durable bytes end."""
    file = day_name(path)
    if head is None:
        return size
    if file > head.file:
        return 0
    if file == head.file and size < head.offset:
        raise TamperedError(
            path=path,
            line=head.line,
            reason=f"file ends at byte {size}, below the durable head at byte {head.offset}",
            expected=head.hash,
        )
    if size == 0:
        raise TamperedError(path=path, line=1, reason="empty file", expected="log.opened")
    return head.offset if file == head.file else size


def _first_lines(log: IO[bytes], path: Path, end: int, number: int) -> tuple[LogLine, ...]:
    """Return the lines up to the first event."""
    log.seek(0)
    lines: list[LogLine] = []
    offset, previous = 0, GENESIS.hex()
    while offset < end and len(lines) < _LINES_FOR_A_SEQ:
        raw = log.readline()
        line = parse_line(path, offset=offset, raw=raw, number=number, previous=previous)
        lines.append(line)
        if line.body["seq"] is not None:
            break
        offset, number, previous = offset + len(raw), line.line + 1, line.hash
    return tuple(lines)


def _last_lines(log: IO[bytes], path: Path, end: int, first_number: int) -> tuple[LogLine, ...]:
    """Return the last durable lines; what is wrong with one is said with its number."""
    pieces = list(islice(lines_backwards(path, end), _LINES_FOR_A_SEQ))[::-1]
    offset = end - sum(map(len, pieces))
    lines: list[LogLine] = []
    for raw in pieces:
        try:
            previous = lines[-1].hash if lines else _own_prev(raw)
            number = lines[-1].line + 1 if lines else 0
            lines.append(parse_line(path, offset=offset, raw=raw, number=number, previous=previous))
        except TamperedError as error:
            raise TamperedError(
                path=path,
                line=error.line or first_number + _lines_before(log, offset),
                reason=error.reason,
                expected=error.expected,
                found=error.found,
            ) from None
        offset += len(raw)
    return tuple(lines)


def _own_prev(raw: bytes) -> str:
    """Return the prev a line names; zeros where it names none, which parse_line then refuses."""
    try:
        previous = split_line(raw)[2]
        bytes.fromhex(previous)
    except ValueError:
        return GENESIS.hex()
    return previous


def _lines_before(log: IO[bytes], offset: int) -> int:
    """Count the lines before an offset: as long as the file, and asked of damaged ones only."""
    log.seek(0)
    count = 0
    while offset > 0 and (block := log.read(min(_BLOCK, offset))):
        count += block.count(b"\n")
        offset -= len(block)
    return count
