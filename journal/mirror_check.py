"""Does the audit store equal the logs? Every row of a session, or of a range of its lines."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import orjson

from journal.log.errors import LogError
from journal.log.head import read_head
from journal.log.reader import Position, hash_before, read_after
from journal.log.session import ID_STRIDE
from journal.mirror import (
    POLL_SECONDS,
    MirrorError,
    refuse_shorter_log,
    session_identity,
    stored_position,
)
from journal.mirror_rows import COLUMNS, RAW, row_of

if TYPE_CHECKING:
    from pathlib import Path

    from journal.log.head import Head
    from journal.log.reader import LogLine
    from journal.mirror import Connection

FETCH_ROWS = 1024
STORED = (
    f"SELECT {', '.join(COLUMNS)}, payload::text FROM audit.event"  # noqa: S608 - the columns' names
    " WHERE id BETWEEN %s AND %s ORDER BY id"
)
NEWEST = "SELECT id FROM audit.event WHERE id >= %s AND id < %s ORDER BY id DESC LIMIT 1"
PLACE = "SELECT file, file_offset + length, hash FROM audit.event WHERE id = %s"


@dataclass(frozen=True, slots=True)
class Range:
    """Lines of a session, both ends included; `last` None is the durable head."""

    first: int = 1
    last: int | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether the store equals a session's log, up to its durable head or in a range.

    `rows` and `head` (the hash of the last line compared) are what was found equal; `difference`
    is empty or the first that is not.
    """

    session: str
    rows: int
    head: str
    difference: str

    @property
    def equal(self) -> bool:
        return not self.difference


def compare(
    connection: Connection, directory: Path, *, patience_seconds: float, lines: Range | None = None
) -> Comparison:
    """Compare rows of a session with the log's bytes: count, order, place, hashes, text and each
    column.

    A running engine is always some lines ahead; the durable head of this moment is what is compared
    and the mirror has `patience_seconds` to reach it.
    """
    name = directory.name
    lines = lines or Range()
    head = read_head(directory)
    if head is None:
        return Comparison(name, 0, "", f"session {name}: the log has no published head")
    try:
        identity = session_identity(directory)
        if identity is None:
            return Comparison(name, 0, "", f"session {name}: the log is empty")
        last = _last_line(name, lines, head)
        _wait_for(connection, identity, last, patience_seconds)
        rows, digest, difference = _first_difference(
            connection, directory, identity, Range(lines.first, last), whole=lines.last is None
        )
    except (LogError, MirrorError) as error:
        return Comparison(name, 0, "", f"{error}")
    return Comparison(name, rows, digest, difference and f"session {name}: {difference}")


def _last_line(name: str, lines: Range, head: Head) -> int:
    last = head.line if lines.last is None else lines.last
    if not 1 <= lines.first <= last <= head.line:
        raise MirrorError(
            f"session {name}: lines {lines.first} to {last}: expected a range within 1 to "
            f"{head.line}, the durable lines"
        )
    return last


def _wait_for(
    connection: Connection, identity: tuple[int, str], line: int, patience_seconds: float
) -> None:
    deadline = time.monotonic() + patience_seconds
    while time.monotonic() < deadline:
        position = stored_position(connection, *identity)
        if position is not None and position.line >= line:
            return
        time.sleep(POLL_SECONDS)


def _first_difference(
    connection: Connection,
    directory: Path,
    identity: tuple[int, str],
    lines: Range,
    *,
    whole: bool,
) -> tuple[int, str, str]:
    """Return (rows found equal, the hash of the last, the first difference or nothing).

    `whole`: the range ends at the durable head, so the store must end at its own high-water line.
    """
    base = identity[0] * ID_STRIDE
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        position = stored_position(connection, *identity)
        refuse_shorter_log(directory, position)
        rows, digest, difference = _compare_lines(connection, directory, identity[0], lines)
        newest = connection.execute(NEWEST, [base, base + ID_STRIDE]).fetchone()
    high_water = position.line if position else 0
    if not difference and whole and (newest is None or newest[0] - base != high_water):
        difference = f"the last stored line is not the high-water line {high_water}"
    return rows, digest, difference


def _compare_lines(
    connection: Connection, directory: Path, number: int, lines: Range
) -> tuple[int, str, str]:
    base, rows, digest = number * ID_STRIDE, 0, ""
    before = _position_before(connection, directory, number, lines.first)
    with connection.cursor(name="stored_events") as cursor:
        cursor.itersize = FETCH_ROWS
        cursor.execute(STORED, [base + lines.first, base + (lines.last or 0)])
        stored = iter(cursor)
        for line in read_after(directory, before):
            if line.line < lines.first:
                continue
            if lines.last is not None and line.line > lines.last:
                break
            difference = _row_difference(next(stored, None), number, line)
            if difference:
                return rows, digest, difference
            rows, digest = rows + 1, line.hash
    return rows, digest, ""


def _position_before(
    connection: Connection, directory: Path, number: int, line: int
) -> Position | None:
    """Return where the log's line begins, when the store knows and the log says the same of the
    line before; None sends the reader to the log's beginning.
    """
    if line == 1:
        return None
    row = connection.execute(PLACE, [number * ID_STRIDE + line - 1]).fetchone()
    if row is None:
        return None
    position = Position(file=row[0], offset=row[1], line=line - 1, hash=row[2])
    return position if hash_before(directory, position) == position.hash else None


def _row_difference(stored: tuple[Any, ...] | None, number: int, line: LogLine) -> str:
    place = f"line {line.line} ({line.file}:{line.offset})"
    if stored is None:
        return f"{place} is in the log and not in the store"
    row = row_of(number, line)
    body = orjson.loads(cast("str", row[RAW]))["event"]["body"]
    found = (*stored[:-1], orjson.loads(stored[-1]))
    for name, expected, value in zip((*COLUMNS, "payload"), (*row, body), found, strict=True):
        if value != expected:
            return f"{place}: {name} is {_short(value)} in the store, {_short(expected)} in the log"
    return ""


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:80]}… ({len(text)} characters)"


def strays(connection: Connection, known: set[str]) -> list[Comparison]:
    """Return a difference for each session that the store has and that is not among `known`."""
    return [
        Comparison(name, 0, "", f"session {name}: is in the store and has no log")
        for (name,) in connection.execute("SELECT name FROM audit.session ORDER BY number")
        if name not in known
    ]
