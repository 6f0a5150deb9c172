"""Where to look in a day file: a sparse index by line, seq and time.

An entry stands for a line that starts about every 64 KiB, and says which seq and which time come
before it. All three only grow, so each can be searched by halving. The index is no evidence: it is
a hint that is never synced. Each entry carries a checksum, a line that is found is checked for
being the one that was asked for, and an index that leads astray is made again from the file.
"""

from __future__ import annotations

import os
import struct
import zlib
from bisect import bisect_left
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

from journal.log.chain import event_end
from journal.log.day_file import open_day_file
from journal.log.errors import TamperedError
from journal.log.files import FILES, Files
from journal.log.session import day_date, day_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

STRIDE_BYTES = 2**16
NO_TIME = -(2**62)  # before the first event
_ENTRY = struct.Struct("<qqqq")
_CHECK = struct.Struct("<I")
_SIZE = _ENTRY.size + _CHECK.size


@dataclass(frozen=True, slots=True)
class Entry:
    """A line's start in its file (bytes) and number, with the last seq and `ts` (µs UTC) before
    it: 0 and `NO_TIME` when there are none.
    """

    offset: int
    line: int
    seq_before: int
    ts_before: int


@dataclass(frozen=True, slots=True)
class DayIndex:
    """The entries of one day file, in order."""

    content: bytes

    def __len__(self) -> int:
        return len(self.content) // _SIZE

    def entry(self, number: int) -> Entry:
        """Return an entry by its number, from 0, or from the end as lists count.

        Raises IndexDamagedError when it does not match its checksum.
        """
        place = (number % len(self)) * _SIZE
        return _unpacked(self.content[place : place + _SIZE])

    def is_sound(self) -> bool:
        """Tell whether it has entries and each matches its checksum."""
        try:
            entries = [self.entry(number) for number in range(len(self))]
        except IndexDamagedError:
            return False
        return bool(entries) and len(self.content) % _SIZE == 0

    def at_or_before(self, is_before: Callable[[Entry], bool]) -> Entry:
        """Return the last entry that is before what is sought, else the first."""
        count = count_where(len(self), lambda number: is_before(self.entry(number)))
        return self.entry(max(0, count - 1))


def count_where(count: int, holds: Callable[[int], bool]) -> int:
    """Return for how many of the numbers from 0 on something holds that, once it does not, holds
    for none after.
    """
    return bisect_left(range(count), 1, key=lambda number: 0 if holds(number) else 1)


class IndexDamagedError(Exception):
    """The index is not what its writer wrote; it can be made again."""


def _packed(entry: Entry) -> bytes:
    content = _ENTRY.pack(*astuple(entry))
    return content + _CHECK.pack(zlib.crc32(content))


def _unpacked(content: bytes) -> Entry:
    if _CHECK.pack(zlib.crc32(content[: _ENTRY.size])) != content[_ENTRY.size :]:
        raise IndexDamagedError
    return Entry(*_ENTRY.unpack_from(content))


def index_path(path: Path) -> Path:
    """Return where the index of a day file is kept."""
    return path.parent / "index" / f"{day_date(path)}.lines"


def first_entry(path: Path) -> Entry:
    """Return the entry of a day file's first line, reading no more than that."""
    try:
        with index_path(path).open("rb") as file:
            content = file.read(_SIZE)
    except FileNotFoundError:
        content = b""
    if len(content) == _SIZE:
        return _unpacked(content)
    return rebuilt_index(path).entry(0)


def index_of(path: Path) -> DayIndex:
    """Return a day file's index as it is kept; made again when there is none."""
    try:
        content = index_path(path).read_bytes()
    except FileNotFoundError:
        content = b""
    whole = len(content) - len(content) % _SIZE  # a writer may be appending, or have died
    return DayIndex(content[:whole]) if whole else rebuilt_index(path)


def rebuilt_index(path: Path) -> DayIndex:
    """Make a day file's index from the file; TamperedError when its first line is none."""
    content = b"".join(_packed(entry) for entry in _entries(path))
    if not content:
        raise TamperedError(path=path, line=1, reason="no log line", expected="log.opened")
    return DayIndex(content)


def save_index(path: Path, index: DayIndex, *, files: Files = FILES) -> None:
    """Keep an index that was made again."""
    index_path(path).parent.mkdir(exist_ok=True)
    files.replace(index_path(path), index.content)


def mended_index(path: Path, *, end: int, files: Files = FILES) -> Entry:
    """Bring the kept index of a day file of `end` bytes in order, as its writer may; return its
    last entry.
    """
    try:
        content = index_path(path).read_bytes()
    except FileNotFoundError:
        content = b""
    index = DayIndex(content)
    if not index.is_sound() or not _stands(path, index.entry(-1), end):
        index = rebuilt_index(path)
        save_index(path, index, files=files)
    return index.entry(-1)


def _stands(path: Path, entry: Entry, end: int) -> bool:
    if entry.offset >= end:
        return False
    with open_day_file(path) as file:
        file.seek(entry.offset)
        found = event_end(file.readline())
    return found is not None and found.line == entry.line


def _entries(path: Path) -> Iterator[Entry]:
    seq, ts = last_event_before(path)
    offset, due = 0, 0
    with open_day_file(path) as file:
        for raw in file:
            end = event_end(raw)
            if end is None:
                return
            if offset >= due:
                yield Entry(offset, end.line, seq, ts)
                due = offset + STRIDE_BYTES
            if end.seq is not None:
                seq, ts = end.seq, end.ts
            offset += len(raw)


def last_event_before(path: Path) -> tuple[int, int]:
    """Return (seq, ts) of the last event in the day files before one; (0, NO_TIME) when none."""
    for before in reversed(day_files(path.parent)):
        if day_date(before) < day_date(path):
            last = last_event_in(before)
            if last is not None:
                return last
    return 0, NO_TIME


def last_line_before(path: Path) -> int:
    """Return the number of the last line in the day files before one; 0 when none."""
    for before in reversed(day_files(path.parent)):
        if day_date(before) < day_date(path):
            end = event_end(next(lines_backwards(before), b""))
            return end.line if end is not None else 0
    return 0


def last_event_in(path: Path, end: int | None = None) -> tuple[int, int] | None:
    """Return (seq, ts) of the last event that ends at or before byte `end` of a day file (None: in
    all of it); None when there is no event.
    """
    for raw in lines_backwards(path, end):
        found = event_end(raw)
        if found is not None and found.seq is not None:
            return found.seq, found.ts
    return None


def lines_backwards(path: Path, end: int | None = None) -> Iterator[bytes]:
    """Yield the stored lines of a day file, the last first, from byte `end` (None: from its
    end).
    """
    with open_day_file(path) as file:
        start = file.seek(0, os.SEEK_END) if end is None else end
        rest = b""
        while start > 0:
            size = min(STRIDE_BYTES, start)
            start -= size
            file.seek(start)
            lines = split_lines(file.read(size) + rest)
            rest = lines.pop(0) if start > 0 else b""
            yield from reversed(lines)


def split_lines(content: bytes) -> list[bytes]:
    """Return the lines of some bytes, newlines kept; only a newline ends a line."""
    pieces = content.split(b"\n")
    last = pieces.pop()
    return [piece + b"\n" for piece in pieces] + ([last] if last else [])


class IndexWriter:
    """Appends the entries of the day file that is being written.

    What fails here costs nothing but speed, so it is given up without a word: an index that ends
    early makes a look-up read on from its last entry.
    """

    def __init__(self, path: Path, *, files: Files) -> None:
        self._files = files
        self._pending = b""
        self._due = 0
        self._descriptor = -1
        kept = index_path(path)
        try:
            kept.parent.mkdir(exist_ok=True)
            self._descriptor = files.open_append(kept) if kept.exists() else files.create(kept)
        except OSError:
            self.close()

    def continue_after(self, entry: Entry) -> None:
        """Take up after an entry that is kept already."""
        self._due = entry.offset + STRIDE_BYTES

    def note(self, entry: Entry) -> None:
        """Take the entry of a line that is due."""
        self._pending += _packed(entry)
        self._due = entry.offset + STRIDE_BYTES

    def is_due(self, offset: int) -> bool:
        """Tell whether the line that starts at `offset` is to be noted."""
        return offset >= self._due

    def flush(self) -> None:
        """Append what was noted; lines it stands for must be in the file by now."""
        if self._pending and self._descriptor >= 0:
            try:
                self._files.write_all(self._descriptor, self._pending)
            except OSError:
                self.close()
        self._pending = b""

    def close(self) -> None:
        """Release the file; what is noted afterwards is not kept."""
        if self._descriptor >= 0:
            self._files.close(self._descriptor)
            self._descriptor = -1
