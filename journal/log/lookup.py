"""Finding single lines of a log by number, seq or time without reading all of it.

Days are found by halving over the first entries of their indexes, the place in a day by halving
over its index, and from there at most a stride is read. What is found is checked for being the line
that was asked for; where the index led astray, it is made again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from journal.log.chain import TAIL_LENGTH, EventEnd, event_end, hash_holds, tail_hash
from journal.log.day_file import day_size, open_day_file
from journal.log.errors import LogError, TamperedError
from journal.log.head import Head, read_head
from journal.log.index import (
    Entry,
    IndexDamagedError,
    count_where,
    first_entry,
    index_of,
    last_event_before,
    last_event_in,
    last_line_before,
    lines_backwards,
    rebuilt_index,
)
from journal.log.reader import LogLine, ends_too_early, parse_line
from journal.log.session import day_files, day_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from journal.log.index import DayIndex


def line_at(directory: Path, number: int) -> LogLine | None:
    """Return the durable line of that number, checked against its own hash; None when there is
    none.
    """
    if number < 1:
        return None
    sought = _Sought(lambda entry: entry.line <= number, lambda end: end.line >= number)
    found = _find(directory, sought)
    if found is not None and found.line != number:
        raise _gap(directory, found, f"line {number}")
    return found


def event_at(directory: Path, seq: int) -> LogLine | None:
    """Return the durable line of the event with that seq, checked against its own hash; None when
    there is none yet.
    """
    if seq < 1:
        return None
    sought = _Sought(
        lambda entry: entry.seq_before < seq,
        lambda end: end.seq is not None and end.seq >= seq,
    )
    found = _find(directory, sought)
    if found is not None and found.body["seq"] != seq:
        raise _gap(directory, found, f"seq {seq}")
    return found


def _gap(directory: Path, found: LogLine, missing: str) -> TamperedError:
    return TamperedError(
        path=directory / found.file,
        line=found.line,
        reason=f"follows where {missing} should be",
        expected=f"prev of {missing}",
        found=found.prev,
    )


def first_at_time(directory: Path, ts: int) -> LogLine | None:
    """Return the first durable event at or after a time (µs UTC), checked against its own hash;
    None when all are earlier.
    """
    sought = _Sought(
        lambda entry: entry.ts_before < ts,
        lambda end: end.seq is not None and end.ts >= ts,
    )
    return _find(directory, sought)


def last_lines(directory: Path, count: int) -> list[LogLine]:
    """Return the last `count` durable lines of a session, in order.

    Each must match its own hash, and continue the one before it; TamperedError where it does not.
    """
    head = read_head(directory)
    lines: list[LogLine] = []
    for path in reversed(_durable_files(directory, head)):
        end = head.offset if head is not None and day_name(path) == head.file else None
        lines = _last_of(path, end, count - len(lines)) + lines
        if len(lines) >= count:
            break
    return lines


def last_of_kind(directory: Path, kind: str) -> LogLine | None:
    """Return the last durable line of a kind, None when there is none; reads back no further.

    From the durable head back to it each line must match its hash and be continued by the next, in
    each day file; TamperedError where one does not.
    """
    head = read_head(directory)
    paths = _durable_files(directory, head)
    if head is not None and (not paths or day_name(paths[-1]) != head.file):
        raise ends_too_early(directory, head, 1)
    for path in reversed(paths):
        is_last = head is not None and day_name(path) == head.file
        found = _last_of_kind_in(path, kind, head if is_last else None)
        if found is not None:
            return found
    return None


def _last_of_kind_in(path: Path, kind: str, head: Head | None) -> LogLine | None:
    mark = b'"kind":"%b"' % kind.encode()
    end = day_size(path) if head is None else head.offset
    expected = None if head is None else head.hash
    for raw in lines_backwards(path, end):
        end -= len(raw)
        if not hash_holds(raw):
            _line_alone(path, end, raw)
        _refuse_discontinued(path, raw, expected)
        if mark in raw:  # which a text of its data may hold too
            line = _line_alone(path, end, raw)
            if line.body["kind"] == kind:
                return line
        expected = _own_prev(raw)
    return None


def _refuse_discontinued(path: Path, raw: bytes, expected: str | None) -> None:
    """Refuse a line that does not end with the hash the next one continues."""
    found, end = tail_hash(raw[-TAIL_LENGTH:]), event_end(raw)
    if expected not in (None, found):
        raise TamperedError(
            path=path,
            line=end.line if end is not None else 0,
            reason="is not the line that is continued",
            expected=expected or "",
            found=found or "",
        )


def last_kind(directory: Path) -> str | None:
    """Return the kind of the last durable line; None when the log does not say."""
    try:
        lines = last_lines(directory, 1)
    except (LogError, OSError):
        return None
    return str(lines[0].body["kind"]) if lines else None


@dataclass(frozen=True, slots=True)
class _Sought:
    """What is looked for: entries `before` it, and the first line that has `reached` it."""

    before: Callable[[Entry], bool]
    reached: Callable[[EventEnd], bool]


def _durable_files(directory: Path, head: Head | None) -> list[Path]:
    return [] if head is None else [p for p in day_files(directory) if day_name(p) <= head.file]


def _find(directory: Path, sought: _Sought) -> LogLine | None:
    """Return the first durable line that has reached what is sought."""
    try:
        return _find_with(directory, sought, first_entry, index_of)
    except (_AstrayError, IndexDamagedError):
        return _find_with(
            directory, sought, lambda path: rebuilt_index(path).entry(0), rebuilt_index
        )


def _find_with(
    directory: Path,
    sought: _Sought,
    first: Callable[[Path], Entry],
    index: Callable[[Path], DayIndex],
) -> LogLine | None:
    head = read_head(directory)
    paths = _durable_files(directory, head)
    if head is None or not paths:
        return None
    count = count_where(len(paths), lambda number: sought.before(first(paths[number])))
    expected: int | None = None  # number of the next file's first line
    for path in paths[max(0, count - 1) :]:
        entry = index(path).at_or_before(sought.before)
        if expected is not None and first(path).line != expected:
            raise _AstrayError(path, expected, 0)
        scan = _Scan(path, entry, head)
        for end in scan:
            if sought.reached(end):
                return scan.line()
        expected = scan.number
    if day_name(paths[-1]) != head.file:
        raise ends_too_early(directory, head, expected or 1)
    return None


class _Scan:
    """Goes over a day file's durable lines from an index entry on, by the numbers at their ends."""

    def __init__(self, path: Path, entry: Entry, head: Head) -> None:
        self._path = path
        self._entry = entry
        self._head = head
        self._offset, self._raw = entry.offset, b""
        self._passed = False  # an event that is before what is sought
        self.number = entry.line  # of the line that comes next

    def __iter__(self) -> Iterator[EventEnd]:
        limit = self._head.offset if day_name(self._path) == self._head.file else None
        with open_day_file(self._path) as file:
            file.seek(self._offset)
            for self._raw in file:
                if limit is not None and self._offset >= limit:
                    break
                end = event_end(self._raw)
                if end is None or end.line != self.number:
                    raise _AstrayError(self._path, self.number, self._offset)
                if not hash_holds(self._raw):  # else a changed seq or time would hide a line
                    _line_alone(self._path, self._offset, self._raw)
                yield end
                self._passed = self._passed or end.seq is not None
                self._offset += len(self._raw)
                self.number += 1
        if limit is not None and self._offset != limit:
            raise ends_too_early(self._path.parent, self._head, self.number)

    def line(self) -> LogLine:
        """Return the line it stands at, checked against its own hash."""
        if not self._passed:
            _refuse_astray(self._path, self._entry)
        return _line_alone(self._path, self._offset, self._raw)


def _refuse_astray(path: Path, entry: Entry) -> None:
    """Refuse an entry that lies, when the first event after it is the answer."""
    before = last_event_in(path, entry.offset) or last_event_before(path)
    continues = entry.offset > 0 or entry.line == last_line_before(path) + 1
    if not continues or before != (entry.seq_before, entry.ts_before):
        raise _AstrayError(path, entry.line, entry.offset)


class _AstrayError(TamperedError):
    """An index entry does not stand for the line it names; or the log does not."""

    def __init__(self, path: Path, line: int, offset: int) -> None:
        super().__init__(
            path=path,
            line=line,
            reason=f"byte {offset} does not start this line",
            expected=f"line number {line}",
        )


def _last_of(path: Path, end: int | None, count: int) -> list[LogLine]:
    raws: list[bytes] = []
    for raw in lines_backwards(path, end):
        if len(raws) >= count:
            break
        raws.insert(0, raw)
    with open_day_file(path) as file:
        offset = (file.seek(0, 2) if end is None else end) - sum(map(len, raws))
    lines: list[LogLine] = []
    for raw in raws:
        lines.append(_line_alone(path, offset, raw, after=lines[-1] if lines else None))
        offset += len(raw)
    return lines


def _line_alone(path: Path, offset: int, raw: bytes, after: LogLine | None = None) -> LogLine:
    """Return a line checked against its own hash, and against the line before when it is known."""
    previous = after.hash if after is not None else _own_prev(raw)
    number = after.line + 1 if after is not None else 0
    try:
        return parse_line(path, offset=offset, raw=raw, number=number, previous=previous)
    except TamperedError as error:
        raise TamperedError(
            path=path,
            line=error.line,
            reason=f"at byte {offset}: {error.reason}",
            expected=error.expected,
            found=error.found,
        ) from None


def _own_prev(raw: bytes) -> str:
    """Return the prev a line names; any text where it names none, which parse_line then refuses."""
    named = raw[-67:-3].decode("ascii", errors="replace")
    return named if all(digit in "0123456789abcdef" for digit in named) else "0" * 64
