"""The mirror: durable log lines into the audit store, each exactly once.

One transaction a batch: take the mirror's lock, lock the session's high-water row, read on from
there (the chain is checked against the stored hash) and COPY while reading, move the row. Whatever
is killed when, the row and the lines are there together or not at all. Anything the store or the
chain refuses is an alarm; nothing is ever skipped.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import psycopg

from journal.log.errors import LogError
from journal.log.head import read_head
from journal.log.reader import LogLine, Position, hash_before, position_of, read_after
from journal.log.session import session_directory, session_names
from journal.log.verification import verify_session
from journal.mirror_rows import COLUMN_TYPES, COLUMNS, row_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    Connection = psycopg.Connection[Any]

ADVISORY_LOCK = 4_707_744_067_223_310_151  # "AUDITLOG" as a number: one mirror at a time
BATCH_LINES = 8192
BATCH_BYTES = 64 * 2**20  # of log; how long one transaction may take, not what it holds in memory
POLL_SECONDS = 0.05
RETRY_SECONDS = 0.5

COPY = f"COPY audit.event ({', '.join(COLUMNS)}) FROM STDIN (FORMAT binary)"
COPY_TYPES = list(COLUMN_TYPES.values())

POSITION = (
    "SELECT s.name, p.file, p.file_offset, p.line, p.hash FROM audit.mirror_position p"
    " JOIN audit.session s USING (number) WHERE p.number = %s"
)
LOCK_POSITION = f"{POSITION} FOR UPDATE OF p"

# What Postgres says when a row is not acceptable, as opposed to when it is not there to be asked.
# The last two are operational errors to psycopg, and waiting does not cure them.
REFUSALS = (
    psycopg.IntegrityError,
    psycopg.DataError,
    psycopg.errors.ProgramLimitExceeded,
    psycopg.errors.StatementTooComplex,
)


class MirrorError(Exception):
    """The mirror cannot go on; one line says what, where and what was expected."""


class MirrorAlarm(MirrorError):  # noqa: N818 - it is more than an error, and is called so
    """Log and store contradict each other, or the log contradicts itself."""


# --- one batch ------------------------------------------------------------------------------------


def mirror_batch(connection: Connection, directory: Path, *, number: int, name: str) -> int:
    """Move the next durable lines of a session into the store; return how many there were.

    Raises MirrorAlarm when chain and store contradict each other, psycopg.OperationalError when the
    server went away; in both cases nothing of the batch is stored.
    """
    try:
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [ADVISORY_LOCK])
            position = _locked_position(connection, number=number, name=name)
            refuse_shorter_log(directory, position)
            count, last = _copy(connection, number, _next_lines(directory, position))
            if last is not None:
                _move_on(connection, number, position_of(last))
            return count
    except LogError as error:
        raise MirrorAlarm(f"session {name}: {error}") from error
    except OSError as error:
        raise MirrorError(f"session {name}: {error}") from error
    except REFUSALS as error:
        raise MirrorAlarm(f"session {name}: the store refuses: {first_line(error)}") from error


def _locked_position(connection: Connection, *, number: int, name: str) -> Position | None:
    position = stored_position(connection, number, name, lock=True)
    if position is None:
        connection.execute("SELECT audit.ensure_partition(%s, %s)", [number, name])
        position = stored_position(connection, number, name, lock=True)
    return position if position is not None and position.line else None


def stored_position(
    connection: Connection, number: int, name: str, *, lock: bool = False
) -> Position | None:
    """Return how far the store has come, None when it does not know the session; line 0 when it
    knows the session and has none of its lines.
    """
    row = connection.execute(LOCK_POSITION if lock else POSITION, [number]).fetchone()
    if row is None:
        return None
    if row[0] != name:
        raise MirrorAlarm(f"session {name}: its number {number} is that of {row[0]} in the store")
    return Position(file=row[1], offset=row[2], line=row[3], hash=row[4])


def refuse_shorter_log(directory: Path, position: Position | None) -> None:
    """Refuse when the log does not hold the line the store stands at.

    A power cut may leave an old head behind lines that are durable: then the file itself is asked.
    """
    head = read_head(directory)
    if position is None or head is None or head.line > position.line:
        return
    found = head.hash if head.line == position.line else hash_before(directory, position)
    if found != position.hash:
        raise MirrorAlarm(
            f"session {directory.name}: {directory / position.file} line {position.line}: "
            f"hash {position.hash} in the store, found {found or 'no such line'}"
        )


def _next_lines(directory: Path, position: Position | None) -> Iterator[LogLine]:
    size = 0
    for line in read_after(directory, position, max_lines=BATCH_LINES):
        if line.offset == 0:
            _refuse_broken_link(directory, line, position)
        yield line
        position = position_of(line)
        size += line.length
        if size >= BATCH_BYTES:
            return


def _refuse_broken_link(directory: Path, line: LogLine, before: Position | None) -> None:
    """A file's first line starts a chain of its own; its record ties it to the file before."""
    named = line.body["data"].get("previous")
    linked = (
        {"file": named["file"], "hash": named["hash"], "line": named["line"]} if named else None
    )
    wanted = {"file": before.file, "hash": before.hash, "line": before.line} if before else None
    if line.body["kind"] != "log.opened" or linked != wanted:
        raise MirrorAlarm(
            f"session {directory.name}: {directory / line.file} line {line.line}: names the file "
            f"before it as {linked}, expected {wanted}"
        )


def _copy(
    connection: Connection, number: int, lines: Iterator[LogLine]
) -> tuple[int, LogLine | None]:
    """Store lines as they are read; return how many there were, and the last.

    The server takes rows while the next lines are read, and a batch is never held in memory.
    """
    first = next(lines, None)
    if first is None:
        return 0, None
    count, last = 0, first
    with connection.cursor() as cursor, cursor.copy(COPY) as copy:
        copy.set_types(COPY_TYPES)
        for last in chain((first,), lines):
            copy.write_row(row_of(number, last))
            count += 1
    return count, last


def _move_on(connection: Connection, number: int, position: Position) -> None:
    connection.execute(
        "UPDATE audit.mirror_position SET file = %s, file_offset = %s, line = %s, hash = %s"
        " WHERE number = %s",
        [position.file, position.offset, position.line, position.hash, number],
    )


# --- sessions -------------------------------------------------------------------------------------


def session_identity(directory: Path) -> tuple[int, str] | None:
    """Return (number, name) from a log's first record; None before anything is durable."""
    try:
        for line in read_after(directory, None, max_lines=1):
            return line.body["data"]["number"], line.body["session"]
    except (LogError, KeyError, TypeError) as error:
        raise MirrorAlarm(f"session {directory.name}: first line unreadable: {error}") from error
    return None


def catch_up(connection: Connection, directory: Path) -> int:
    """Move everything durable of a session into the store; return how many lines were new."""
    identity = session_identity(directory)
    if identity is None:
        return 0
    number, name = identity
    total = 0
    while moved := mirror_batch(connection, directory, number=number, name=name):
        total += moved
    return total


@dataclass(slots=True)
class Pass:
    """What one look at every session came to: lines moved, by session, and alarms."""

    moved: dict[str, int]
    alarms: list[str]


class Mirror:
    """Looks at every session of a `VAR_DIR` again and again; remembers which log is which."""

    def __init__(self, var_dir: Path) -> None:
        self._var_dir = var_dir
        self._identities: dict[str, tuple[int, str]] = {}

    def one_pass(self, connection: Connection) -> Pass:
        """Move one batch of each session that is behind. A session's alarm does not hold up the
        others: it is in the result, and the caller must not go on after it.
        """
        stored = {
            name: (line, digest)
            for name, line, digest in connection.execute(
                "SELECT s.name, p.line, p.hash FROM audit.mirror_position p"
                " JOIN audit.session s USING (number)"
            )
        }
        result = Pass(moved={}, alarms=[])
        for name in session_names(self._var_dir):
            directory = session_directory(self._var_dir, name)
            head = read_head(directory)
            if head is None or stored.get(name) == (head.line, head.hash):
                continue
            try:
                moved = self._batch(connection, directory)
            except MirrorError as error:
                result.alarms.append(str(error))
            else:
                if moved:
                    result.moved[name] = moved
        return result

    def _batch(self, connection: Connection, directory: Path) -> int:
        identity = self._identities.get(directory.name) or session_identity(directory)
        if identity is None:
            return 0
        self._identities[directory.name] = identity
        number, name = identity
        if name != directory.name:
            raise MirrorAlarm(f"session {directory.name}: its log says it is {name}")
        return mirror_batch(connection, directory, number=number, name=name)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, its type's name when it has none."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def follow(
    *,
    connect: Callable[[], AbstractContextManager[Connection]],
    var_dir: Path,
    stopped: Callable[[], bool],
    report: Callable[[str], None],
) -> None:
    """Mirror every session of `var_dir` until `stopped()`; a store that goes away is waited for.

    `report` gets a line when the store goes away and when it is back. Raises MirrorAlarm with every
    alarm of the pass that met one.
    """
    mirror = Mirror(var_dir)
    away = False
    while not stopped():
        try:
            with connect() as connection:
                while not stopped():
                    result = mirror.one_pass(connection)
                    if away:
                        report("the audit store is back; catching up")
                        away = False
                    if result.alarms:
                        raise MirrorAlarm("\n".join(result.alarms))
                    if not result.moved:
                        time.sleep(POLL_SECONDS)
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            if not away:
                report(f"the audit store is away, the logs go on: {first_line(error)}")
                away = True
            time.sleep(RETRY_SECONDS)


def rebuild(owner: Connection, mirror: Connection, directory: Path) -> int:
    """Drop a session's rows and fill them again from its log; return how many lines there are.

    The log is verified first: what does not hold is no ground to drop what the store has.
    """
    try:
        verified = verify_session(directory)
    except LogError as error:
        raise MirrorAlarm(f"session {directory.name}: not rebuilt: {error}") from error
    identity = session_identity(directory)
    if identity is None:
        raise MirrorError(f"session {directory.name}: not rebuilt: nothing in it is durable yet")
    forget(owner, identity[0])
    catch_up(mirror, directory)
    return verified.lines


def forget(owner: Connection, number: int) -> None:
    """Drop all the store has of a session; only the owner of the tables can."""
    with owner.transaction():
        owner.execute("SELECT pg_advisory_xact_lock(%s)", [ADVISORY_LOCK])
        owner.execute(f"DROP TABLE IF EXISTS audit.event_{number:d}")
        owner.execute("DELETE FROM audit.mirror_position WHERE number = %s", [number])
        owner.execute("DELETE FROM audit.session WHERE number = %s", [number])
