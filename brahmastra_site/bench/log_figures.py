"""What the log costs: encoding, appending, verifying and finding, each beside its floor.

Encoding and verifying are measured in CPU time of one thread; what waits for the disk is measured
on the clock.
"""

from __future__ import annotations

import asyncio
import os
import time
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import orjson

from brahmastra_site.bench.figure import Figure
from brahmastra_site.bench.ground import seconds
from brahmastra_site.bench.mirror_figures import signal
from journal.log.canonical import canonical_bytes
from journal.log.chain import GENESIS, TAIL_LENGTH, chained_hash, event_bytes, line_bytes
from journal.log.chain_verification import verify_chain
from journal.log.lookup import event_at, first_at_time
from journal.log.session import day_files
from journal.log.tap import CAPACITY_EVENTS, WalTap
from journal.log.writer import LogWriter

if TYPE_CHECKING:
    from collections.abc import Callable

    from brahmastra_site.bench.ground import Ground

EVENTS = 200_000
SMALL_EVENTS = 50_000
DAYS = 2
PUBLISHED = 64  # events a publication
RATE = 5_000  # events a second while latency is measured
LATENCY_SECONDS = 4
SOUGHT = 400


def chaining(ground: Ground) -> Figure:
    """Encode, chain and assemble the lines of the session; the floor sorts keys and hashes."""
    return _chaining("encode, chain and assemble", [line.body for line in ground.lines])


def chaining_small_events(ground: Ground) -> Figure:
    """The same of events of 400 bytes, where what is paid for each event weighs most."""
    del ground
    bodies = [signal(seq).body() for seq in range(1, SMALL_EVENTS)]
    return _chaining("encode, chain and assemble, 400 bytes", bodies)


def _chaining(name: str, bodies: list[dict[str, Any]]) -> Figure:
    def ours() -> None:
        previous = GENESIS
        for number, body in enumerate(bodies, 1):
            event = event_bytes(body=canonical_bytes(body), line=number, commit=number, rec=1)
            digest = chained_hash(previous, event)
            line_bytes(event=event, digest=digest, previous=previous)
            previous = digest

    def floor() -> None:
        for body in bodies:
            sha256(orjson.dumps(body, option=orjson.OPT_SORT_KEYS)).digest()

    count = len(bodies)
    beside = "orjson, keys sorted, and SHA-256"
    return Figure(
        name,
        count / cpu_seconds(ours),
        "events/CPU s",
        beside,
        count / cpu_seconds(floor),
    )


def appending_through_the_tap(ground: Ground) -> Figure:
    """Publish events of 400 bytes as fast as the tap takes them, durable at the end; the floor
    writes the same bytes in as many pieces and syncs each.
    """
    with TemporaryDirectory(dir=ground.var_dir) as name:
        directory = Path(name) / "tap"
        ours = seconds(lambda: asyncio.run(_publish(directory, EVENTS)), times=1)
        content = b"".join(path.read_bytes() for path in day_files(directory))
        floor = seconds(lambda: _write_in_pieces(Path(name) / "floor", content), times=1)
    return Figure(
        "append through the tap",
        EVENTS / ours,
        "events/s",
        "write + fdatasync of the same bytes, 1,024 events at a time",
        EVENTS / floor,
    )


async def _publish(directory: Path, count: int) -> None:
    with LogWriter(directory, session="signals", number=1, clock=_now_us) as log:
        log.open_day("2026-01-01")
        async with WalTap(log) as tap:
            for first in range(1, count, PUBLISHED):
                await tap.room()
                tap.take([signal(seq) for seq in range(first, first + PUBLISHED)])
            await tap.commit()


def _write_in_pieces(path: Path, content: bytes) -> None:
    size = len(content) * 1024 // EVENTS
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        for start in range(0, len(content), size):
            os.write(descriptor, content[start : start + size])
            os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


def commit_latency(ground: Ground) -> Figure:
    """The 99th percentile from publishing an event to its being durable at 5,000 events/s; the
    floor is that of one write + fdatasync of as many bytes on this disk.
    """
    with TemporaryDirectory(dir=ground.var_dir) as name:
        ours = asyncio.run(_latencies(Path(name) / "log"))
        floor = _sync_latencies(Path(name) / "floor", len(ours))
    return Figure(
        "commit p99 at 5,000 events/s",
        _percentile(ours) * 1000,
        "ms",
        "p99 of write + fdatasync of 2 kB",
        _percentile(floor) * 1000,
    )


async def _latencies(directory: Path) -> list[float]:
    found: list[float] = []
    batch = RATE // 1000  # a publication each millisecond
    with LogWriter(directory, session="signals", number=1, clock=_now_us) as log:
        log.open_day("2026-01-01")
        async with WalTap(log, capacity=CAPACITY_EVENTS) as tap:
            started = time.perf_counter()
            for number in range(1000 * LATENCY_SECONDS):
                first = number * batch + 1
                taken = time.perf_counter()
                tap.take([signal(seq) for seq in range(first, first + batch)])
                await tap.commit()
                found.append(time.perf_counter() - taken)
                await asyncio.sleep(max(0.0, started + (number + 1) / 1000 - time.perf_counter()))
    return found


def _sync_latencies(path: Path, count: int) -> list[float]:
    found = []
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        for _ in range(count):
            started = time.perf_counter()
            os.write(descriptor, bytes(2048))
            os.fdatasync(descriptor)
            found.append(time.perf_counter() - started)
    finally:
        os.close(descriptor)
    return found


def following_the_chain(ground: Ground) -> Figure:
    """Verify the chain of events of 400 bytes; the floor slices each line and hashes it."""
    directory = _long_log(ground)
    size = sum(path.stat().st_size for path in day_files(directory)) / 1e6
    ours = cpu_seconds(lambda: verify_chain(directory))
    floor = cpu_seconds(lambda: [_slice_and_hash(path) for path in day_files(directory)])
    return Figure(
        "verify a chain", size / ours, "MB/CPU s", "slice and hash each line", size / floor
    )


def following_with_two_processes(ground: Ground) -> Figure:
    """Verify the chain of two day files with two processes; the peer is one process."""
    directory = _long_log(ground)
    size = sum(path.stat().st_size for path in day_files(directory)) / 1e6
    ours = seconds(lambda: verify_chain(directory, workers=2))
    peer = seconds(lambda: verify_chain(directory))
    return Figure("verify a chain, 2 processes", size / ours, "MB/s", "1 process", size / peer)


def seeking(ground: Ground) -> Figure:
    """Find events by seq and by time in a long log; the floor reads one block of 64 KiB there."""
    directory = _long_log(ground)
    seqs = range(1, ground.long_log_events, ground.long_log_events // SOUGHT)
    ours = seconds(lambda: [_sought(directory, seq) for seq in seqs], times=1) / (2 * len(seqs))
    path = day_files(directory)[0]
    floor = seconds(lambda: [_read_block(path, seq) for seq in seqs]) / len(seqs)
    return Figure(
        f"find an event by seq or time among {ground.long_log_events:,}",
        1 / ours,
        "finds/s",
        "open and read 64 KiB",
        1 / floor,
    )


def _sought(directory: Path, seq: int) -> None:
    by_seq = event_at(directory, seq)
    by_time = first_at_time(directory, signal(seq).ts)
    if by_seq is None or by_seq != by_time:
        raise RuntimeError(f"{directory}: event {seq} was not found")


def _read_block(path: Path, place: int) -> bytes:
    with path.open("rb") as file:
        file.seek(place * 400)
        return file.read(2**16)


def _long_log(ground: Ground) -> Path:
    """Return a log of two days of events of 400 bytes, written the first time it is asked for."""
    directory = ground.var_dir / "long"
    if day_files(directory):
        return directory
    a_day = ground.long_log_events // DAYS
    with LogWriter(directory, session="signals", number=1, clock=_now_us) as log:
        for day in range(DAYS):
            log.open_day(f"2026-01-0{day + 1}")
            for first in range(day * a_day + 1, (day + 1) * a_day, 1000):
                log.commit([signal(seq) for seq in range(first, first + 1000)])
    return directory


def _slice_and_hash(path: Path) -> bytes:
    previous = GENESIS
    with path.open("rb") as file:
        for raw in file:
            previous = sha256(previous + raw[9:-TAIL_LENGTH]).digest()
    return previous


def cpu_seconds(work: Callable[[], object], *, times: int = 3) -> float:
    """Return the least CPU time of this process that `work` took in several runs."""
    best = float("inf")
    for _ in range(times):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best


def _percentile(values: list[float], share: float = 0.99) -> float:
    return sorted(values)[int(len(values) * share)]


def _now_us() -> int:
    return time.time_ns() // 1000
