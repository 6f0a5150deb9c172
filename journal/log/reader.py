"""Reading a session's log:

Whole files with the chain checked, or onwards from a position up to the durable head.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from journal.events import Event, event_from_body
from journal.log.chain import GENESIS, TAIL_LENGTH, chained_hash, split_line, tail_hash
from journal.log.day_file import open_day_file
from journal.log.errors import TamperedError
from journal.log.head import Head, read_head
from journal.log.session import day_files, day_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BODY_START = len(b'{"body":')
_LOG_FIELDS = {"commit", "line", "rec"}
_BODY_TYPES: dict[str, tuple[type, ...]] = {
    "cause": (list,),
    "data": (dict,),
    "key": (str, type(None)),
    "kind": (str,),
    "seq": (int, type(None)),
    "session": (str,),
    "ts": (int,),
    "v": (int,),
}


@dataclass(frozen=True, slots=True)
class LogLine:
    """One stored line: where it is, its bytes, its place in the chain and its parsed event.

    `file` and `offset` are those of the plain day file, also when the day is packed.
    """

    file: str
    offset: int
    raw: bytes  # newline included
    event: bytes
    hash: str
    prev: str
    parsed: dict[str, Any]

    @property
    def length(self) -> int:
        return len(self.raw)

    @property
    def body(self) -> dict[str, Any]:
        return self.parsed["body"]  # type: ignore[no-any-return]

    @property
    def line(self) -> int:
        return self.parsed["log"]["line"]  # type: ignore[no-any-return]

    @property
    def commit(self) -> int:
        return self.parsed["log"]["commit"]  # type: ignore[no-any-return]

    @property
    def rec(self) -> int:
        return self.parsed["log"]["rec"]  # type: ignore[no-any-return]

    @property
    def body_bytes(self) -> bytes:
        """The canonical bytes of the body, sliced out of the line."""
        return self.event[_BODY_START : self.event.rindex(b',"log":{')]

    def to_event(self) -> Event:
        return event_from_body(self.body)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a reader stands: `file` name, `offset` of the next line, and the chain up to there."""

    file: str
    offset: int
    line: int
    hash: str


def read_file(
    path: Path, *, first_line: int | None = None, limit: int | None = None
) -> Iterator[LogLine]:
    """Yield the lines of a day file, each checked against the chain.

    `first_line` is the line number the file must start with (not checked when None), `limit` the
    byte offset to stop at (the durable head). Raises TamperedError at the first line that
    contradicts the chain, an unterminated last line included.
    """
    start = Position(file=day_name(path), offset=0, line=(first_line or 1) - 1, hash=GENESIS.hex())
    return read_file_after(path, start, limit=limit, check_line=first_line is not None)


def read_session(directory: Path) -> Iterator[LogLine]:
    """Yield every line of a session in order, up to the published head when there is one."""
    yield from read_after(directory, None)


def first_opening(directory: Path) -> dict[str, Any] | None:
    """Return the data of the session's session.opened, None when the log has none yet."""
    for path in day_files(directory)[:1]:
        for line in read_file(path):
            if line.body["kind"] == "session.opened":
                return line.to_event().data
    return None


def read_after(
    directory: Path, position: Position | None, *, max_lines: int | None = None
) -> Iterator[LogLine]:
    """Yield the durable lines after a position (None: from the start), across day files, at most
    `max_lines`.

    Nothing is yielded before the writer published a head. Raises TamperedError as `read_file` does,
    and where the log ends before its head.
    """
    head = read_head(directory)
    if head is None:
        return
    count = 0
    next_line = position.line + 1 if position else 1
    end = (position.file, position.offset) if position else ("", 0)
    for path in day_files(directory):
        name = day_name(path)
        if name > head.file or (position is not None and name < position.file):
            continue
        if position is not None and name == position.file:
            start = position
        else:
            start = Position(file=name, offset=0, line=next_line - 1, hash=GENESIS.hex())
        limit = head.offset if name == head.file else None
        end = (name, start.offset)
        for line in read_file_after(path, start, limit=limit):
            yield line
            next_line = line.line + 1
            end = (name, line.offset + line.length)
            count += 1
            if count == max_lines:
                return
    if end < (head.file, head.offset):
        raise ends_too_early(directory, head, next_line)


def ends_too_early(directory: Path, head: Head, line: int) -> TamperedError:
    """Return the error of a log that ends, before line `line`, short of its durable head."""
    return TamperedError(
        path=directory / head.file,
        line=line,
        reason=f"the log ends before its durable head, line {head.line} at byte {head.offset}",
        expected=head.hash,
    )


def position_of(line: LogLine) -> Position:
    """Return the position just after a line."""
    return Position(
        file=line.file, offset=line.offset + line.length, line=line.line, hash=line.hash
    )


def head_position(head: Head) -> Position:
    """Return the position of the durable end."""
    return Position(file=head.file, offset=head.offset, line=head.line, hash=head.hash)


def hash_before(directory: Path, position: Position) -> str | None:
    """Return the hash of the stored line that ends at a position, None when no line ends there.

    It looks past the published head, which a power cut may leave behind lines that are durable.
    """
    try:
        with open_day_file(directory / position.file) as file:
            file.seek(max(0, position.offset - TAIL_LENGTH))
            return tail_hash(file.read(min(position.offset, TAIL_LENGTH)))
    except FileNotFoundError:
        return None


def last_hash(path: Path) -> str | None:
    """Return the hash of a day file's last line; None when it has none, or is gone."""
    try:
        with open_day_file(path) as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - TAIL_LENGTH))
            return tail_hash(file.read(TAIL_LENGTH))
    except FileNotFoundError:
        return None


def read_file_after(
    path: Path, start: Position, *, limit: int | None = None, check_line: bool = True
) -> Iterator[LogLine]:
    """Yield the lines of a day file after a position in it, as `read_file` does."""
    offset, number, previous = start.offset, start.line, start.hash
    with open_day_file(path) as file:
        file.seek(offset)
        for raw in file:
            if limit is not None and offset >= limit:
                return
            number += 1
            line = parse_line(path, offset=offset, raw=raw, number=number, previous=previous)
            if check_line and line.line != number:
                raise TamperedError(
                    path=path,
                    line=number,
                    reason=f"holds line number {line.line}",
                    expected=f"line number {number}",
                )
            yield line
            offset += len(raw)
            number, previous = line.line, line.hash


def parse_line(path: Path, *, offset: int, raw: bytes, number: int, previous: str) -> LogLine:
    """Return a stored line after checking it against the hash of the line before (64 hex digits).

    Raises TamperedError naming the file, the line and the hash that was expected.
    """
    try:
        event, digest, prev = split_line(raw)
    except ValueError as error:
        raise TamperedError(
            path=path, line=number, reason=f"not a log line ({error})", expected=f"prev {previous}"
        ) from None
    if prev != previous:
        raise TamperedError(
            path=path,
            line=number,
            reason="prev does not continue the chain",
            expected=previous,
            found=prev,
        )
    computed = chained_hash(bytes.fromhex(previous), event).hex()
    if computed != digest:
        raise TamperedError(
            path=path,
            line=number,
            reason="hash does not match its event",
            expected=computed,
            found=digest,
        )
    try:
        parsed = orjson.loads(event)
    except orjson.JSONDecodeError as error:
        raise TamperedError(
            path=path, line=number, reason=f"not JSON ({error})", expected=digest
        ) from None
    problem = _shape_problem(parsed)
    if problem:
        raise TamperedError(path=path, line=number, reason=problem, expected=digest)
    name = day_name(path)
    return LogLine(
        file=name,
        offset=offset,
        raw=raw,
        event=event,
        hash=digest,
        prev=prev,
        parsed=parsed,
    )


def _shape_problem(parsed: Any) -> str | None:
    """Say what keeps a parsed event from being one, so that every reader may rely on its fields."""
    if type(parsed) is not dict or set(parsed) != {"body", "log"}:
        return "an event has exactly body and log"
    body, log = parsed["body"], parsed["log"]
    if type(log) is not dict or set(log) != _LOG_FIELDS:
        return "log has exactly commit, line and rec"
    if any(type(value) is not int for value in log.values()):
        return "commit, line and rec are integers"
    if type(body) is not dict or set(body) != set(_BODY_TYPES):
        return f"a body has exactly {', '.join(_BODY_TYPES)}"
    for name, types in _BODY_TYPES.items():
        if type(body[name]) not in types:
            return f"{name} is a {type(body[name]).__name__}"
    if any(type(cause) is not int for cause in body["cause"]):
        return "causes are integers"
    return None
