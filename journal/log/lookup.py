"""Finding single lines of a log without reading all of it with its chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from journal.log.errors import TamperedError
from journal.log.head import read_head
from journal.log.reader import LogLine, parse_line
from journal.log.session import day_files

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK = 2**16


def last_lines(directory: Path, count: int) -> list[LogLine]:
    """Return the last `count` durable lines of a session, in order.

    Each must match its own hash, and continue the one before it; TamperedError where it does not.
    """
    head = read_head(directory)
    if head is None:
        return []
    lines: list[LogLine] = []
    for path in reversed(day_files(directory)):
        if path.name > head.file:
            continue
        end = head.offset if path.name == head.file else path.stat().st_size
        lines = _tail_of(path, end, count - len(lines)) + lines
        if len(lines) >= count:
            break
    return lines


def event_at(directory: Path, seq: int) -> LogLine | None:
    """Return the durable line of the event with that seq, checked against its own hash; None when
    there is none yet.
    """
    head = read_head(directory)
    if head is None:
        return None
    needle = b',"seq":%d,"session":"' % seq
    for path in day_files(directory):
        if path.name > head.file:
            return None
        limit = head.offset if path.name == head.file else path.stat().st_size
        offset = 0
        with path.open("rb") as file:
            for raw in file:
                if offset >= limit:
                    break
                if needle in raw:
                    line = _line_alone(path, offset, raw)
                    if line.body["seq"] == seq:
                        return line
                offset += len(raw)
    return None


def _tail_of(path: Path, end: int, count: int) -> list[LogLine]:
    start, tail = end, b""
    with path.open("rb") as file:
        while start > 0 and tail.count(b"\n") <= count:
            size = min(_BLOCK, start)
            start -= size
            file.seek(start)
            tail = file.read(size) + tail
    if start > 0:  # the first piece is the end of a line whose start was not read
        cut = tail.index(b"\n") + 1
        start, tail = start + cut, tail[cut:]
    lines: list[LogLine] = []
    for raw in tail.splitlines(keepends=True):
        lines.append(_line_alone(path, start, raw, after=lines[-1] if lines else None))
        start += len(raw)
    return lines[-count:] if count > 0 else []


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
