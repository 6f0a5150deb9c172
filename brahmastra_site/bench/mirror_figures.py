"""What the mirror costs: rows a second beside the least a COPY of the same rows can cost, and how
far it lags behind a writer.

The floor is binary COPY of the same rows, every column given, into the same partitioned table with
the same indexes and nothing else: no generated column, no constraint, no trigger, and no log read.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.types.json import JsonbBinaryDumper

from brahmastra_site.bench.figure import Figure
from brahmastra_site.launcher.environment import REPOSITORY, child_environment
from journal.events import Event
from journal.log.head import read_head
from journal.log.reader import read_session
from journal.log.session import allocate_session_number, session_directory
from journal.log.writer import LogWriter
from journal.mirror import BATCH_LINES, catch_up, forget, session_identity
from journal.mirror_rows import COLUMN_TYPES, COLUMNS, RAW, row_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from brahmastra_site.bench.ground import Ground

    Connection = psycopg.Connection[Any]

TIMES = 3  # of each, taken in turns: what disturbs one disturbs the other
SIGNALS = 100_000
SIGNALS_A_COMMIT = 500
RATE = 2_000  # events a second, the writer's pace while lag is measured
LAG_SECONDS = 10
LAG_BAR_MS = 1_000
LOOK_SECONDS = 0.002

# The columns, indexes and partition of `audit.event`, bare.
FLOOR = """
CREATE TABLE app.floor (
    id bigint PRIMARY KEY, file text NOT NULL, file_offset bigint NOT NULL,
    length integer NOT NULL, hash text NOT NULL, prev text NOT NULL, raw text NOT NULL,
    session text NOT NULL, seq bigint, kind text NOT NULL, ts bigint NOT NULL, key text,
    cause bigint[] NOT NULL, payload jsonb NOT NULL
) PARTITION BY RANGE (id);
CREATE INDEX ON app.floor (kind, id);
CREATE INDEX ON app.floor (key, id) WHERE key IS NOT NULL;
CREATE INDEX ON app.floor USING brin (ts);
CREATE INDEX ON app.floor USING gin (cause) WITH (fastupdate = off);
CREATE TABLE app.floor_rows PARTITION OF app.floor FOR VALUES FROM (MINVALUE) TO (MAXVALUE);
CREATE UNIQUE INDEX ON app.floor_rows (seq);
"""
FLOOR_COPY = f"COPY app.floor ({', '.join(COLUMNS)}, payload) FROM STDIN (FORMAT binary)"


def mirroring_a_session(ground: Ground) -> Figure:
    """Move the session, heavy with frames, into the empty audit store."""
    return _beside_the_floor(ground, "mirror a session", ground.directory)


def mirroring_small_events(ground: Ground) -> Figure:
    """Move a log of events of 400 bytes into the empty audit store."""
    directory = session_directory(ground.var_dir, "signals")
    number = allocate_session_number(ground.var_dir, "signals")
    with LogWriter(directory, session="signals", number=number, clock=_now_us) as log:
        log.open_day("2026-01-01")
        for first in range(1, SIGNALS, SIGNALS_A_COMMIT):
            log.commit([signal(seq) for seq in range(first, first + SIGNALS_A_COMMIT)])
    return _beside_the_floor(ground, "mirror events of 400 bytes", directory)


def signal(seq: int, session: str = "signals") -> Event:
    """Return an event whose canonical bytes are about 400."""
    underlying = "NIFTY" if seq % 2 else "BANKNIFTY"
    condition = {
        "name": "z",
        "value": seq / 7,
        "threshold": 2.5,
        "comparison": ">=",
        "direction": 1,
        "scale": 1.0,
        "headroom": seq / 7 - 2.5,
        "met": False,
        "reason": None,
    }
    return Event(
        session=session,
        seq=seq,
        ts=1_772_077_560_000_000 + seq,
        kind="signal.emitted",
        key=f"S4:{underlying}",
        cause=(seq - 1,) if seq > 1 else (),
        data={
            "strategy": "S4",
            "underlying": underlying,
            "fired": False,
            "direction": None,
            "conditions": [condition],
            "reason": "quiet",
            "structure": None,
            "synthetic": True,
        },
    )


def _beside_the_floor(ground: Ground, name: str, directory: Path) -> Figure:
    identity = session_identity(directory)
    if identity is None:
        raise RuntimeError(f"{directory} names no session")
    rows = _floor_rows(identity[0], directory)
    gc.freeze()  # the collector must not walk the floor's rows while the mirror works
    ours = floor = float("inf")
    with _connected(ground, "AUDIT_OWNER_URL") as owner, _connected(ground) as mirror:
        for _ in range(TIMES):
            forget(owner, identity[0])
            started = time.perf_counter()
            moved = catch_up(mirror, directory)
            ours = min(ours, time.perf_counter() - started)
            if moved != len(rows):
                raise RuntimeError(f"{moved} lines were mirrored of {len(rows)}")
            floor = min(floor, _seconds_of_floor(owner, rows))
    beside = "binary COPY of the rows, same indexes, bare"
    return Figure(name, len(rows) / ours, "rows/s", beside, len(rows) / floor)


def _floor_rows(number: int, directory: Path) -> list[tuple[Any, ...]]:
    """Return the mirror's rows, each with the text of its payload."""
    rows = []
    for line in read_session(directory):
        row = row_of(number, line)
        raw = row[RAW]
        rows.append((*row, raw[len('{"event":{"body":') : raw.rindex(',"log":{')]))
    return rows


class _JsonText(JsonbBinaryDumper):
    """Takes text that is JSON already."""

    def dump(self, obj: str) -> bytes:
        return b"\x01" + obj.encode()


def _seconds_of_floor(owner: Connection, rows: list[tuple[Any, ...]]) -> float:
    owner.execute(FLOOR)
    started = time.perf_counter()
    for first in range(0, len(rows), BATCH_LINES):
        with owner.transaction(), owner.cursor() as cursor:
            cursor.adapters.register_dumper(str, _JsonText)
            with cursor.copy(FLOOR_COPY) as copy:
                copy.set_types([*COLUMN_TYPES.values(), "jsonb"])
                for row in rows[first : first + BATCH_LINES]:
                    copy.write_row(row)
    seconds = time.perf_counter() - started
    owner.execute("DROP TABLE app.floor")
    return seconds


# --- lag ------------------------------------------------------------------------------------------


def mirror_lag(ground: Ground) -> Figure:
    """Follow a writer at 2,000 events a second for ten seconds: from each line's `rec` to the
    moment another connection sees it stored, the 99th of a hundred. Less is better; the bar beside
    it is one second.
    """
    number = allocate_session_number(ground.var_dir, "paced")
    directory = session_directory(ground.var_dir, "paced")
    with LogWriter(directory, session="paced", number=number, clock=_now_us) as log:
        log.open_day("2026-01-01")
    paced = ("-m", "brahmastra_site.bench.paced_writer", str(directory), str(number))
    with (
        _connected(ground) as looker,
        _process(ground, "manage.py", "mirror", "--follow") as follower,
    ):
        _await_all_mirrored(looker, number, follower)
        with _process(ground, *paced) as writer:
            seen = _seen_lines(looker, number, directory, writer)
    lags = sorted(_lags(directory, seen))
    p99 = lags[len(lags) * 99 // 100] / 1000
    name = f"mirror lag at {RATE:,} events/s, p99 (less is better)"
    return Figure(name, p99, "ms", "bar", LAG_BAR_MS)


def _await_all_mirrored(looker: Connection, number: int, mirror: subprocess.Popen[bytes]) -> None:
    """Wait until the mirror follows: it has the one line this session has so far."""
    query = "SELECT 1 FROM audit.mirror_position WHERE number = %s AND line > 0"
    while looker.execute(query, [number]).fetchone() is None:
        if mirror.poll() is not None:
            raise RuntimeError("the mirror ended")
        time.sleep(LOOK_SECONDS)


def _seen_lines(
    looker: Connection, number: int, directory: Path, writer: subprocess.Popen[bytes]
) -> list[tuple[int, int]]:
    """Return (µs UTC, last line stored) each time it had moved on, until `writer` has ended and all
    is stored.
    """
    seen: list[tuple[int, int]] = [(0, 0)]
    deadline = time.monotonic() + 6 * LAG_SECONDS
    query = "SELECT line FROM audit.mirror_position WHERE number = %s"
    while time.monotonic() < deadline:
        row = looker.execute(query, [number]).fetchone()
        if row is not None and row[0] > seen[-1][1]:
            seen.append((_now_us(), row[0]))
        elif writer.poll() is not None:
            head = read_head(directory)
            if head is not None and head.line == seen[-1][1]:
                return seen
        time.sleep(LOOK_SECONDS)
    raise RuntimeError(f"{directory}: the mirror stands at line {seen[-1][1]} and does not move")


def _lags(directory: Path, seen: list[tuple[int, int]]) -> Iterator[int]:
    moments = iter(seen)
    at, stored = next(moments)
    for line in read_session(directory):
        if line.line == 1:
            continue  # written before the mirror was started
        while stored < line.line:
            at, stored = next(moments)
        yield at - line.rec


@contextmanager
def _process(ground: Ground, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = child_environment(ground.environment, {"VAR_DIR": str(ground.var_dir)})
    process = subprocess.Popen(  # noqa: S603 - our own programmes
        [sys.executable, *words], cwd=REPOSITORY, env=environment
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _connected(ground: Ground, variable: str = "MIRROR_DATABASE_URL") -> Iterator[Connection]:
    with psycopg.connect(ground.environment[variable], autocommit=True) as connection:
        yield connection


def _now_us() -> int:
    return time.time_ns() // 1000
