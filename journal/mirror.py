"""The mirror: durable log lines into the audit store, each exactly once.

One transaction a batch: take the mirror's lock, lock the session's high-water row, read on from
there (the chain is checked against the stored hash), COPY, move the row. Whatever is killed when,
the row and the lines are there together or not at all. Anything the store or the chain refuses is
an alarm; nothing is ever skipped.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
import psycopg

from journal.log.canonical import recanonical_bytes
from journal.log.errors import LogError
from journal.log.head import read_head
from journal.log.reader import LogLine, Position, hash_before, position_of, read_after
from journal.log.session import ID_STRIDE, session_directory, session_names
from journal.log.verification import verify_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from journal.log.head import Head

    Connection = psycopg.Connection[Any]

# Their rows keep a summary of `data`; the log keeps the whole (docs/foundations.md, Audit store).
SUMMARISED_KINDS = frozenset({"market.frame", "day.opened"})

ADVISORY_LOCK = 4_707_744_067_223_310_151  # "AUDITLOG" as a number: one mirror at a time
BATCH_LINES = 1024
BATCH_BYTES = 16 * 2**20  # frames are large; a batch is held in memory
POLL_SECONDS = 0.05
RETRY_SECONDS = 0.5

COPY = (
    "COPY audit.event (id, file, file_offset, length, hash, prev, raw) FROM STDIN (FORMAT binary)"
)
COPY_TYPES = ["int8", "text", "int8", "int4", "text", "text", "text"]

POSITION = (
    "SELECT s.name, p.file, p.file_offset, p.line, p.hash FROM audit.mirror_position p"
    " JOIN audit.session s USING (number) WHERE p.number = %s"
)
LOCK_POSITION = f"{POSITION} FOR UPDATE OF p"

Row = tuple[int, str, int, int, str, str, str]

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


# --- a line as a row ------------------------------------------------------------------------------


def row_of(number: int, line: LogLine) -> Row:
    """Return the store's row for a line of session `number`."""
    return (
        number * ID_STRIDE + line.line,
        line.file,
        line.offset,
        line.length,
        line.hash,
        line.prev,
        stored_text(line),
    )


def stored_text(line: LogLine) -> str:
    """Return what column `raw` holds: the line without its newline, or the line with `data`
    replaced by its summary for the kinds that are summarised.
    """
    if line.body["kind"] not in SUMMARISED_KINDS:
        return line.raw[:-1].decode()
    body = recanonical_bytes(line.body | {"data": summary(line.body["kind"], line.body["data"])})
    log = line.event[line.event.rindex(b',"log":{') :]
    tail = line.raw[len(b'{"event":') + len(line.event) : -1]
    return (b'{"event":{"body":' + body + log + tail).decode()


def summary(kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """Return what the store keeps of a summarised kind's data.

    A day's opening without history and state; a frame with each array of an expiry's block replaced
    by the number of its entries that are not null, under `counts`. A frame whose chain this version
    does not know is kept whole.
    """
    if kind == "day.opened":
        return {name: value for name, value in data.items() if name not in {"history", "state"}}
    chain = data.get("chain")
    if not isinstance(chain, list) or not all(isinstance(block, dict) for block in chain):
        return data
    return data | {"chain": [_block_summary(block) for block in chain]}


def _block_summary(block: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in block.items() if not isinstance(value, list)}
    kept["counts"] = {
        name: sum(entry is not None for entry in value)
        for name, value in block.items()
        if isinstance(value, list)
    }
    return kept


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
            _refuse_shorter_log(directory, position)
            lines = list(_next_lines(directory, position))
            if not lines:
                return 0
            _copy(connection, [row_of(number, line) for line in lines])
            _move_on(connection, number, position_of(lines[-1]))
            return len(lines)
    except LogError as error:
        raise MirrorAlarm(f"session {name}: {error}") from error
    except OSError as error:
        raise MirrorError(f"session {name}: {error}") from error
    except REFUSALS as error:
        raise MirrorAlarm(f"session {name}: the store refuses: {_first_line(error)}") from error


def _locked_position(connection: Connection, *, number: int, name: str) -> Position | None:
    position = _position(connection, number, name, lock=True)
    if position is None:
        connection.execute("SELECT audit.ensure_partition(%s, %s)", [number, name])
        position = _position(connection, number, name, lock=True)
    return position if position is not None and position.line else None


def _position(
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


def _refuse_shorter_log(directory: Path, position: Position | None) -> None:
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


def _copy(connection: Connection, rows: list[Row]) -> None:
    with connection.cursor() as cursor, cursor.copy(COPY) as copy:
        copy.set_types(COPY_TYPES)
        for row in rows:
            copy.write_row(row)


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
                report(f"the audit store is away, the logs go on: {_first_line(error)}")
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
    number, _ = identity
    with owner.transaction():
        owner.execute("SELECT pg_advisory_xact_lock(%s)", [ADVISORY_LOCK])
        owner.execute(f"DROP TABLE IF EXISTS audit.event_{number:d}")
        owner.execute("DELETE FROM audit.mirror_position WHERE number = %s", [number])
        owner.execute("DELETE FROM audit.session WHERE number = %s", [number])
    catch_up(mirror, directory)
    return verified.lines


# --- does the store equal the log? ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Comparison:
    """Whether the store equals a session's log up to its durable head.

    `rows` and `head` are what was found equal; `difference` is empty or the first that is not.
    """

    session: str
    rows: int
    head: str
    difference: str

    @property
    def equal(self) -> bool:
        return not self.difference


def compare(connection: Connection, directory: Path, *, patience_seconds: float) -> Comparison:
    """Compare every row of a session with the log's bytes: count, order, place, hashes, text and
    each generated column.

    A running engine is always some lines ahead; the durable head of this moment is what is compared
    and the mirror has `patience_seconds` to reach it.
    """
    name = directory.name
    head = read_head(directory)
    if head is None:
        return Comparison(name, 0, "", f"session {name}: the log has no published head")
    try:
        identity = session_identity(directory)
        if identity is None:
            return Comparison(name, 0, "", f"session {name}: the log is empty")
        _wait_for(connection, identity, head, patience_seconds)
        rows, difference = _first_difference(connection, directory, identity, head)
    except (LogError, MirrorError) as error:
        return Comparison(name, 0, "", f"{error}")
    return Comparison(name, rows, head.hash, difference and f"session {name}: {difference}")


def _wait_for(
    connection: Connection, identity: tuple[int, str], head: Head, patience_seconds: float
) -> None:
    deadline = time.monotonic() + patience_seconds
    while time.monotonic() < deadline:
        position = _position(connection, *identity)
        if position is not None and position.line >= head.line:
            return
        time.sleep(POLL_SECONDS)


BODY_COLUMNS = ("session", "seq", "kind", "ts", "key", "cause")
COLUMNS = ("id", "file", "file_offset", "length", "hash", "prev", "raw", *BODY_COLUMNS, "payload")
STORED = (
    f"SELECT {', '.join(COLUMNS)}::text FROM audit.event"  # noqa: S608 - the names above
    " WHERE id >= %s AND id < %s ORDER BY id"
)
NEWEST = "SELECT id FROM audit.event WHERE id >= %s AND id < %s ORDER BY id DESC LIMIT 1"


def _first_difference(
    connection: Connection, directory: Path, identity: tuple[int, str], head: Head
) -> tuple[int, str]:
    """Return (rows found equal, the first difference or nothing)."""
    number = identity[0]
    keys = [number * ID_STRIDE, (number + 1) * ID_STRIDE]
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        position = _position(connection, *identity)
        _refuse_shorter_log(directory, position)
        with connection.cursor(name="stored_events") as cursor:
            cursor.itersize = BATCH_LINES
            cursor.execute(STORED, keys)
            stored, rows = iter(cursor), 0
            for line in read_after(directory, None, max_lines=head.line):
                difference = _row_difference(next(stored, None), number, line)
                if difference:
                    return rows, difference
                rows += 1
        newest = connection.execute(NEWEST, keys).fetchone()
    high_water = position.line if position else 0
    if newest is None or newest[0] - keys[0] != high_water:
        return rows, f"the last stored line is not the high-water line {high_water}"
    return rows, ""


def _row_difference(stored: tuple[Any, ...] | None, number: int, line: LogLine) -> str:
    place = f"line {line.line} ({line.file}:{line.offset})"
    if stored is None:
        return f"{place} is in the log and not in the store"
    row = row_of(number, line)
    fields = [line.body[name] for name in BODY_COLUMNS]
    body = orjson.loads(row[-1])["event"]["body"]
    found = (*stored[:-1], orjson.loads(stored[-1]))
    for name, expected, value in zip(COLUMNS, (*row, *fields, body), found, strict=True):
        if value != expected:
            return f"{place}: {name} is {_short(value)} in the store, {_short(expected)} in the log"
    return ""


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:80]}… ({len(text)} characters)"


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def strays(connection: Connection, known: set[str]) -> list[Comparison]:
    """Return a difference for each session that the store has and that is not among `known`."""
    return [
        Comparison(name, 0, "", f"session {name}: is in the store and has no log")
        for (name,) in connection.execute("SELECT name FROM audit.session ORDER BY number")
        if name not in known
    ]
