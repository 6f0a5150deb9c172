"""The figures: plain functions, each measuring the house and, on the same input, a floor or a peer.

A floor is the least that must be done (the same bytes to the disk, the same rows into a table); a
peer is somebody else's way to the same end. Every value is a rate, so more is better.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import orjson
import rfc8785

from brahmastra_site.bench.figure import Figure
from brahmastra_site.bench.ground import Ground, cpu_seconds, seconds
from brahmastra_site.bench.import_figures import importing_a_market_day, importing_index_days
from brahmastra_site.bench.log_figures import (
    appending_through_the_tap,
    chaining,
    chaining_small_events,
    commit_latency,
    following_the_chain,
    following_with_two_processes,
    seeking,
)
from brahmastra_site.bench.mirror_figures import (
    mirror_lag,
    mirroring_a_session,
    mirroring_small_events,
)
from brahmastra_site.bench.risk_figures import deciding, marking
from brahmastra_site.bench.surface_figures import (
    fitting_beside_andreasen_huge,
    fitting_beside_arbitragerepair,
    fitting_beside_cvxpy,
    fitting_beside_svi,
    fitting_eight_expiries,
    fitting_for_the_market,
    fitting_four_expiries,
)
from brahmastra_site.bench.synthetic_figures import making_a_market
from journal.log.canonical import canonical_bytes
from journal.log.reader import read_file, read_session
from journal.log.verification import verify_session
from journal.log.writer import LogWriter
from replay.recording import read_recording
from replay.runner import DayRunner
from trading.market.calendar import ist_date
from trading.market.categories import columns_of
from trading.market.feed import frames
from trading.market.store import CHAIN_SNAPSHOTS, MarketStore, connect, sql_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from journal.log.reader import LogLine
    from trading.market.frames import MarketFrame
    from trading.market.store import Entry

_MEGABYTE = 1_000_000


def appending(ground: Ground) -> Figure:
    """Commit the session's batches to a new log; the floor writes and syncs the same bytes."""
    batches = ground.batches()
    count = sum(len(batch) for batch in batches)
    with TemporaryDirectory(dir=ground.var_dir) as name:
        ours = seconds(lambda: _append(Path(name) / "log", batches), times=2)
        written = [b"".join(line.raw for line in batch) for batch in batches]
        floor = seconds(lambda: _write_and_sync(Path(name) / "floor", written), times=2)
    beside = f"write + fdatasync of the same {len(batches)} batches"
    return Figure(
        "append a session, batch by batch", count / ours, "lines/s", beside, count / floor
    )


def _append(directory: Path, batches: list[list[LogLine]]) -> None:
    shutil.rmtree(directory, ignore_errors=True)
    with LogWriter(
        directory, session="bench", number=1, clock=lambda: time.time_ns() // 1000
    ) as log:
        log.open_day("2026-01-01")
        for batch in batches:
            log.commit([line.to_event() for line in batch])


def _write_and_sync(path: Path, batches: list[bytes]) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        for batch in batches:
            os.write(descriptor, batch)
            os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def verifying(ground: Ground) -> Figure:
    """Verify the session in full; the floor hashes its files."""
    size = sum(path.stat().st_size for path in ground.files) / _MEGABYTE
    ours = seconds(lambda: verify_session(ground.directory))
    floor = seconds(lambda: [_hash_file(path) for path in ground.files])
    return Figure(
        "verify a session in full", size / ours, "MB/s", "SHA-256 of its files", size / floor
    )


def reading(ground: Ground) -> Figure:
    """Read the session with its chain checked; the floor hashes its files."""
    size = sum(path.stat().st_size for path in ground.files) / _MEGABYTE
    ours = seconds(lambda: _exhaust(read_session(ground.directory)))
    floor = seconds(lambda: [_hash_file(path) for path in ground.files])
    return Figure(
        "read a session, chain checked", size / ours, "MB/s", "SHA-256 of its files", size / floor
    )


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def canonical_beside_reference(ground: Ground) -> Figure:
    """Encode the session's bodies canonically; the peer is the reference implementation."""
    bodies = [line.body for line in ground.lines]
    ours = seconds(lambda: _each(canonical_bytes, bodies))
    peer = seconds(lambda: _each(rfc8785.dumps, bodies), times=1)
    count = len(bodies)
    return Figure(
        "canonical bytes of every body", count / ours, "bodies/s", "rfc8785", count / peer
    )


def canonical_beside_orjson(ground: Ground) -> Figure:
    """Encode the session's bodies canonically; the floor only sorts keys."""
    bodies = [line.body for line in ground.lines]
    ours = seconds(lambda: _each(canonical_bytes, bodies))
    floor = seconds(lambda: _each(_sorted_json, bodies))
    count = len(bodies)
    beside = "orjson, keys sorted (not canonical)"
    return Figure("canonical bytes of every body", count / ours, "bodies/s", beside, count / floor)


def _sorted_json(body: dict[str, Any]) -> bytes:
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def replaying(ground: Ground) -> Figure:
    """Decide the session again, one process; the floor reads and verifies what is replayed."""
    recording = read_recording(ground.directory)

    def replay() -> None:
        for day in recording.days:
            runner = DayRunner(
                day, session=recording.session, derived_to=io.BytesIO(), progress=lambda _: None
            )
            result = runner.run(unfinished=False)
            if result.divergence is not None:
                raise RuntimeError(f"{day.date} did not replay to the same bytes: {result}")

    count = recording.events
    ours = seconds(replay, times=2)
    floor = seconds(lambda: [_exhaust(read_file(path)) for path in ground.files])
    return Figure(
        "replay a session", count / ours, "events/s", "read it, chain checked", count / floor
    )


def building_frames(ground: Ground) -> Figure:
    """Build every frame of the stored days; the floor has DuckDB read the same rows, bare."""
    entries, build, read_bare = _frame_work(ground)
    count = sum(entry.accepted.rows for entry in entries)
    ours, floor = cpu_seconds(build), cpu_seconds(read_bare)
    beside = "DuckDB reads the same rows, bare"
    return Figure("build frames from the store", count / ours, "rows/CPU s", beside, count / floor)


def building_two_expiries(ground: Ground) -> Figure:
    """Build frames of two expiries of up to 61 strikes; the floor reads every stored row, bare."""
    count = 0

    def counted(items: Iterator[MarketFrame]) -> None:
        nonlocal count
        count = sum(1 for _ in items)

    _, build, read_bare = _frame_work(ground, counted, expiries=2, strikes_each_side=30)
    ours, floor = cpu_seconds(build), cpu_seconds(read_bare)
    beside = "DuckDB reads all stored rows, bare"
    return Figure(
        "build frames of two expiries (bar 3,000)",
        count / ours,
        "frames/CPU s",
        beside,
        count / floor,
    )


def _frame_work(
    ground: Ground, take: Callable[[Iterator[MarketFrame]], None] | None = None, **shown: int
) -> tuple[list[Entry], Callable[[], None], Callable[[], None]]:
    """The chain files of the stored days, the building of their frames, and their bare reading."""
    store = MarketStore(ground.var_dir / "market")
    entries = [e for e in store.catalogue().entries if e.category == CHAIN_SNAPSHOTS]
    first = ist_date(min(entry.ranges["available_at"][0] for entry in entries))
    last = ist_date(max(entry.ranges["available_at"][1] for entry in entries))
    paths = [store.path_of(entry.accepted) for entry in entries]

    def build() -> None:
        (take or _exhaust)(frames(store, ("NIFTY", "BANKNIFTY"), first, last, **shown))

    def read_bare() -> None:
        named = ", ".join(f"'{sql_text(str(path))}'" for path in paths)
        query = f"SELECT {', '.join(columns_of(CHAIN_SNAPSHOTS))} FROM read_parquet([{named}])"  # noqa: S608
        with connect() as connection:
            connection.execute(query).fetchnumpy()

    return entries, build, read_bare


def _exhaust(items: Any) -> None:
    for _ in items:
        pass


def _each(function: Callable[[Any], object], items: list[Any]) -> None:
    for item in items:
        function(item)


FIGURES = (
    chaining,
    chaining_small_events,
    appending_through_the_tap,
    commit_latency,
    following_the_chain,
    following_with_two_processes,
    seeking,
    appending,
    reading,
    verifying,
    canonical_beside_reference,
    canonical_beside_orjson,
    replaying,
    mirroring_a_session,
    mirroring_small_events,
    mirror_lag,
    importing_a_market_day,
    importing_index_days,
    building_frames,
    making_a_market,
    building_two_expiries,
    deciding,
    marking,
    fitting_four_expiries,
    fitting_eight_expiries,
    fitting_for_the_market,
    fitting_beside_cvxpy,
    fitting_beside_svi,
    fitting_beside_andreasen_huge,
    fitting_beside_arbitragerepair,
)
