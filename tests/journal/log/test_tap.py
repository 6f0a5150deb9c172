"""Bus and tap: what is published is in the log, in order, or its producer knows that it is not."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from journal.log.errors import CanonicalError, LogPoisonedError, WalOverflowError
from journal.log.files import Files
from journal.log.reader import read_session
from journal.log.tap import COMMIT_EVENTS, EventBus, WalTap
from journal.log.verification import verify_session
from tests.journal.log.faulty_files import FailingFiles
from tests.journal.log_bed import open_log, signals

if TYPE_CHECKING:
    from pathlib import Path

    from journal.events import Event
    from journal.log.writer import LogWriter


class _Disk(Files):
    """A disk that is stuck until it is let go."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.going = threading.Event()
        self.going.set()
        self.syncs = 0

    def sync(self, descriptor: int) -> None:
        self.reached.set()
        self.going.wait()
        self.syncs += 1
        super().sync(descriptor)


def _seqs(directory: Path) -> list[int]:
    return [line.body["seq"] for line in read_session(directory) if line.body["seq"] is not None]


async def test_what_is_committed_is_durable_and_in_order(tmp_path: Path) -> None:
    with open_log(tmp_path) as writer:
        writer.open_day("2025-08-29")
        bus = EventBus()
        async with WalTap(writer) as tap:
            bus.subscribe(tap.take)
            for seq in range(1, 200):
                bus.publish(signals("day1", seq, 1))
                if seq % 50 == 0:
                    await tap.commit()
                    assert _seqs(writer.directory) == list(range(1, seq + 1))
        assert _seqs(writer.directory) == list(range(1, 200))
    assert verify_session(writer.directory).events == 199


async def test_what_gathered_while_the_disk_was_busy_is_one_commit(tmp_path: Path) -> None:
    disk = _Disk()
    with open_log(tmp_path, files=disk) as writer:
        writer.open_day("2025-08-29")
        async with WalTap(writer) as tap:
            disk.going.clear()
            disk.reached.clear()
            tap.take(signals("day1", 1, 1))
            await asyncio.to_thread(disk.reached.wait)
            before = disk.syncs
            for seq in range(2, 302):
                tap.take(signals("day1", seq, 1))
            disk.going.set()
            await tap.commit()
            assert disk.syncs - before == 2
    commits = {line.commit for line in read_session(writer.directory)}
    assert commits == {1, 2, 3}


async def test_a_commit_holds_whole_batches_and_not_too_many(tmp_path: Path) -> None:
    disk = _Disk()
    with open_log(tmp_path, files=disk) as writer:
        writer.open_day("2025-08-29")
        async with WalTap(writer) as tap:
            disk.going.clear()
            seq = 1
            for size in (1, 700, 300, 30, 1500, 5):
                tap.take(signals("day1", seq, size))
                seq += size
            disk.going.set()
    sizes: dict[int, int] = {}
    for line in read_session(writer.directory):
        sizes[line.commit] = sizes.get(line.commit, 0) + 1
    assert max(sizes.values()) == 1500
    starts = {sum((1, 700, 300, 30, 1500, 5)[:n]) + 2 for n in range(6)}
    assert set(sizes) <= starts | {1}
    assert all(size <= COMMIT_EVENTS or size == 1500 for size in sizes.values())


async def test_a_full_queue_is_told_to_the_producer_and_drops_nothing(tmp_path: Path) -> None:
    disk = _Disk()
    with open_log(tmp_path, files=disk) as writer:
        writer.open_day("2025-08-29")
        bus = EventBus()
        async with WalTap(writer, capacity=20) as tap:
            bus.subscribe(tap.take)
            disk.going.clear()
            for seq in range(1, 21):
                bus.publish(signals("day1", seq, 1))
            with pytest.raises(WalOverflowError, match="20 events wait for the log, expected few"):
                bus.publish(signals("day1", 21, 1))
            with pytest.raises(WalOverflowError):
                tap.require_room()
            waiting = asyncio.create_task(tap.room())
            await asyncio.sleep(0)
            assert not waiting.done()
            disk.going.set()
            await waiting
            bus.publish(signals("day1", 21, 1))
        assert _seqs(writer.directory) == list(range(1, 22))


async def test_a_failed_write_reaches_the_producer_and_everybody_who_waits(tmp_path: Path) -> None:
    files = FailingFiles(10**9)
    with open_log(tmp_path, files=files) as writer:
        writer.open_day("2025-08-29")
        with pytest.raises(LogPoisonedError):
            await _write_until_the_disk_fails(writer, files)
        assert _seqs(writer.directory) == [1, 2]


async def _write_until_the_disk_fails(writer: LogWriter, files: FailingFiles) -> None:
    async with WalTap(writer) as tap:
        tap.take(signals("day1", 1, 2))
        await tap.commit()
        files.fail_at = len(files.seen) + 1
        tap.take(signals("day1", 3, 1))
        results = await asyncio.gather(tap.commit(), tap.commit(), return_exceptions=True)
        assert [type(result) for result in results] == [LogPoisonedError] * 2
        with pytest.raises(LogPoisonedError):
            tap.take(signals("day1", 4, 1))
        with pytest.raises(LogPoisonedError):
            tap.require_room()


async def test_an_event_that_cannot_be_written_takes_nothing_of_its_batch(tmp_path: Path) -> None:
    with open_log(tmp_path) as writer:
        writer.open_day("2025-08-29")
        async with WalTap(writer) as tap:
            with pytest.raises(CanonicalError):
                tap.take([*signals("day1", 1, 1), *signals("day1", 2, 1, reason="a\x00b")])
            tap.take(signals("day1", 1, 1))
        assert _seqs(writer.directory) == [1]


async def test_what_is_changed_after_it_was_taken_is_logged_as_it_was(tmp_path: Path) -> None:
    with open_log(tmp_path) as writer:
        writer.open_day("2025-08-29")
        async with WalTap(writer) as tap:
            (event,) = signals("day1", 1, 1)
            tap.take([event])
            event.data["reason"] = "changed"
        (*_, line) = read_session(writer.directory)
        assert line.body["data"]["reason"] == "₹ quiet"


def test_a_subscriber_that_refuses_stops_the_publication() -> None:
    bus = EventBus()
    seen: list[int] = []

    def refuse(batch: list[Event]) -> None:
        raise WalOverflowError("full")

    bus.subscribe(lambda batch: seen.append(len(batch)))
    bus.subscribe(refuse)
    bus.subscribe(lambda batch: seen.append(-len(batch)))
    with pytest.raises(WalOverflowError):
        bus.publish(signals("day1", 1, 3))
    assert seen == [3]
