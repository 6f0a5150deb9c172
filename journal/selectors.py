"""Questions to the audit store: one event, its causes and effects, the sessions there are.

The store is an index of the log. A public id is (session name, seq); the store's key is
`number * 2**40 + line`, so one session is one range of keys.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from django.conf import settings
from django.db import connection

from journal.events import public_id
from journal.live import run_status
from journal.log.chain import chained_hash, split_line
from journal.log.day_file import open_day_file
from journal.log.errors import LogError
from journal.log.head import Head, read_head
from journal.log.manifest import ManifestError, read_manifest
from journal.log.reader import Position, read_after
from journal.log.session import (
    ID_STRIDE,
    day_files,
    session_directory,
    session_names,
    sessions_directory,
)
from journal.log.status import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from journal.log.manifest import RunStatus

# Facts that stand for a long time: they are shown as causes but not walked through, for behind a
# snapshot lies every trade of the day and behind a day's opening all of history.
STANDING_KINDS = (
    "session.opened",
    "day.opened",
    "portfolio.snapshot",
    "limits.changed",
    "breaker.changed",
    "clock.tick",
)
WALK_LIMIT = 400  # events in one answer; a trade of four legs with its exits is under a hundred
RAW_LIMIT = 40_000  # characters of an event shown; a frame of several expiries is longer


class UnknownEventError(LookupError):
    """No such session or event in the audit store."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as the store holds it. `ts` µs UTC; `file` is the day file and `line` its number
    across the session; `data` of a frame is its summary."""

    session: str
    line: int
    seq: int | None
    ts: int
    kind: str
    key: str | None
    cause: tuple[int, ...]
    data: dict[str, Any]
    hash: str
    prev: str
    file: str

    @property
    def public_id(self) -> str:
        return public_id(self.session, self.seq)


@dataclass(frozen=True, slots=True)
class Walk:
    """An event with all it came from and all it led to, in the order of the log."""

    asked: StoredEvent
    events: tuple[StoredEvent, ...]
    cut: bool  # there was more than one answer holds


@dataclass(frozen=True, slots=True)
class RawEvent:
    """An event with the bytes of its line. `file_line` counts from 1 in its file; `from_log` says
    that the line was read from the log itself, and `holds` that it hashes to its hash there."""

    event: StoredEvent
    text: str
    cut: bool
    file_line: int | None
    from_log: bool
    holds: bool


@dataclass(frozen=True, slots=True)
class DayRow:
    """A day file of a session."""

    file: str
    size: int


@dataclass(frozen=True, slots=True)
class MirrorLag:
    """How far the mirror is behind a session's durable head.

    `mirrored` is the last line the store has, 0 before it has any; `age_us` how long ago the oldest
    line it has not was written: 0 at the head, None when the log does not say.
    """

    session: str
    durable: int
    mirrored: int
    age_us: int | None

    @property
    def behind(self) -> int:
        """Durable lines the mirror has not taken yet."""
        return max(0, self.durable - self.mirrored)


@dataclass(frozen=True, slots=True)
class SessionRow:
    """A session: its files, its durable head, how far the mirror is behind it (None before anything
    is durable), and how its newest run stands.
    """

    name: str
    number: int
    days: tuple[DayRow, ...]
    head: Head | None
    lag: MirrorLag | None
    status: RunStatus


def session_numbers(var_dir: Path) -> dict[str, int]:
    """Return the number of every session, newest last."""
    register = sessions_directory(var_dir) / "numbers.json"
    try:
        numbers: dict[str, int] = json.loads(register.read_bytes())
    except FileNotFoundError:
        return {}
    return dict(sorted(numbers.items(), key=lambda item: item[1]))


def walk_get(*, session: str, seq: int) -> Walk:
    """Return an event, its causes down to the data and its effects up to the outcome; one query.

    Found by walking `cause` alone. Standing facts (`STANDING_KINDS`) are shown and not walked
    through. Raises UnknownEventError.
    """
    if seq >= ID_STRIDE:  # more than a session may have
        raise UnknownEventError(f"{session}.{seq}")
    with connection.cursor() as cursor:
        cursor.execute(
            _WALK,
            {
                "session": session,
                "seq": seq,
                "standing": list(STANDING_KINDS),
                "limit": WALK_LIMIT + 1,
            },
        )
        events = [stored_event(row) for row in cursor]
    asked = next((event for event in events if event.seq == seq), None)
    if asked is None:
        raise UnknownEventError(f"{session}.{seq}")
    return Walk(asked=asked, events=tuple(events[:WALK_LIMIT]), cut=len(events) > WALK_LIMIT)


def raw_event_get(*, session: str, seq: int) -> RawEvent:
    """Return an event with its line as the log's file holds it; one query.

    When the file is gone, the store's copy (a summary for frames). Raises UnknownEventError.
    """
    if seq >= ID_STRIDE:  # more than a session may have
        raise UnknownEventError(f"{session}.{seq}")
    with connection.cursor() as cursor:
        cursor.execute(_RAW, {"session": session, "seq": seq})
        row = cursor.fetchone()
    if row is None:
        raise UnknownEventError(f"{session}.{seq}")
    event = stored_event(row[:-4])
    raw, offset, length, first_line = row[-4:]
    line = line_from_log(session, event.file, offset, length)
    holds = False
    if line is not None:
        try:
            body, digest, prev = split_line(line)
            holds = chained_hash(bytes.fromhex(prev), body).hex() == digest == event.hash
        except ValueError:
            holds = False
    text = _pretty(line if line is not None else raw.encode())
    return RawEvent(
        event=event,
        text=text[:RAW_LIMIT],
        cut=len(text) > RAW_LIMIT,
        file_line=None if first_line is None else event.line - first_line + 1,
        from_log=line is not None,
        holds=holds,
    )


def session_list() -> list[SessionRow]:
    """Return every session with a log, newest first; one query."""
    var_dir = settings.VAR_DIR
    numbers = session_numbers(var_dir)
    known = [(numbers[name], name) for name in session_names(var_dir) if name in numbers]
    lags = mirror_lags([name for _number, name in known])
    rows = []
    for number, name in sorted(known, reverse=True):
        directory = session_directory(var_dir, name)
        days = tuple(
            DayRow(file=path.name, size=path.stat().st_size) for path in day_files(directory)
        )
        rows.append(
            SessionRow(
                name=name,
                number=number,
                days=days,
                head=read_head(directory),
                lag=lags.get(name),
                status=_status(directory),
            )
        )
    return rows


def _status(directory: Path) -> RunStatus:
    """Return how a session's newest run stands; a manifest that cannot be read is as none."""
    try:
        manifest = read_manifest(directory)
    except ManifestError:
        manifest = None
    return run_status(manifest, directory)


def mirror_lags(sessions: Sequence[str]) -> dict[str, MirrorLag]:
    """Return how far the mirror is behind each of the sessions that have a head; one query."""
    if not sessions:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_POSITIONS, {"sessions": list(sessions)})
        positions = {name: Position(*place) for name, *place in cursor}
    found = (_lag(name, positions.get(name)) for name in sessions)
    return {lag.session: lag for lag in found if lag is not None}


def _lag(session: str, position: Position | None) -> MirrorLag | None:
    directory = session_directory(settings.VAR_DIR, session)
    head = read_head(directory)
    if head is None:
        return None
    position = position if position is not None and position.line else None
    mirrored = position.line if position else 0
    age_us = _age_us(directory, position) if mirrored < head.line else 0
    return MirrorLag(session=session, durable=head.line, mirrored=mirrored, age_us=age_us)


def _age_us(directory: Path, position: Position | None) -> int | None:
    """Return how long ago the line after a position was written; None when it cannot be read."""
    try:
        for line in read_after(directory, position, max_lines=1):
            return max(0, time.time_ns() // 1000 - line.rec)
    except (LogError, OSError):
        return None
    return None


_POSITIONS = """
    SELECT s.name, p.file, p.file_offset, p.line, p.hash
      FROM audit.mirror_position p JOIN audit.session s USING (number)
     WHERE s.name = ANY(%(sessions)s)
"""

COLUMNS = """
    e.session, e.id & 1099511627775, e.seq, e.ts, e.kind, e.key, e.cause, e.payload->'data',
    e.hash, e.prev, e.file
"""

# The bounds keep every scan inside the session's partition.
_BOUNDS = """
    bounds AS (
        SELECT number * 1099511627776 AS first, (number + 1) * 1099511627776 AS after
          FROM audit.session WHERE name = %(session)s
    )
"""

_WALK = f"""
    WITH RECURSIVE {_BOUNDS},
    asked AS (
        SELECT e.seq, e.kind, e.cause FROM bounds, audit.event e
         WHERE e.id >= bounds.first AND e.id < bounds.after AND e.seq = %(seq)s
    ),
    down(seq) AS (
        SELECT unnest(asked.cause) FROM asked
        UNION
        SELECT unnest(e.cause) FROM down, bounds, audit.event e
         WHERE e.id >= bounds.first AND e.id < bounds.after AND e.seq = down.seq
           AND e.kind <> ALL(%(standing)s)
    ),
    up(seq) AS (
        SELECT asked.seq FROM asked WHERE asked.kind <> ALL(%(standing)s)
        UNION
        SELECT e.seq FROM up, bounds, audit.event e
         WHERE e.id >= bounds.first AND e.id < bounds.after AND e.cause @> ARRAY[up.seq]
           AND e.kind <> ALL(%(standing)s)
    )
    SELECT {COLUMNS} FROM bounds, audit.event e
     WHERE e.id >= bounds.first AND e.id < bounds.after
       AND e.seq IN (
           SELECT seq FROM asked UNION SELECT seq FROM down
           UNION (SELECT seq FROM up LIMIT %(limit)s)
       )
     ORDER BY e.id LIMIT %(limit)s
"""  # noqa: S608 - made of the constants above alone

_RAW = f"""
    WITH {_BOUNDS}
    SELECT {COLUMNS}, e.raw, e.file_offset, e.length,
           (SELECT max(o.id) & 1099511627775 FROM audit.event o
             WHERE o.id >= bounds.first AND o.id <= e.id AND o.kind = 'log.opened')
      FROM bounds, audit.event e
     WHERE e.id >= bounds.first AND e.id < bounds.after AND e.seq = %(seq)s
"""  # noqa: S608 - made of the constants above alone


def stored_event(row: tuple[Any, ...]) -> StoredEvent:
    """Return the event of a row of `COLUMNS`."""
    session, line, seq, ts, kind, key, cause, data, digest, prev, file = row
    return StoredEvent(
        session=session,
        line=line,
        seq=seq,
        ts=ts,
        kind=kind,
        key=key,
        cause=tuple(cause),
        data=orjson.loads(data) if isinstance(data, str) else data,
        hash=digest,
        prev=prev,
        file=file,
    )


def line_from_log(session: str, file: str, offset: int, length: int) -> bytes | None:
    """Return the bytes at a place of a session's log; None when the file is gone or too short."""
    try:
        with open_day_file(session_directory(settings.VAR_DIR, session) / file) as log:
            log.seek(offset)
            return log.read(length) or None
    except UNREADABLE:
        return None


def _pretty(line: bytes) -> str:
    try:
        return orjson.dumps(orjson.loads(line), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:
        return line.decode(errors="replace")
