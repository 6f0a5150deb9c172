"""The writer: what it acknowledges is there, whatever happens to it."""

from __future__ import annotations

import errno
import fcntl
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from journal.log.errors import CanonicalError, LogError, LogLockedError, LogPoisonedError
from journal.log.head import read_head
from journal.log.reader import read_session
from journal.log.verification import verify_session
from tests.journal.log_bed import open_log, signals, write_log

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from pathlib import Path

WRITER = """
import json, sys
from pathlib import Path
from tests.journal.log_bed import open_log, signals
with open_log(Path(sys.argv[1])) as writer:
    if writer.date is None:
        writer.open_day("2025-08-29")
    last = 0
    for raw in writer.directory.joinpath("2025-08-29.jsonl").open():
        seq = json.loads(raw)["event"]["body"]["seq"]
        last = last if seq is None else seq
    while True:
        for size in (1, 7, 40):
            line = writer.commit(signals("day1", last + 1, size))
            last += size
            print(line, last, flush=True)
"""


def _write_and_say(home: Path, said: Connection) -> None:
    """Write batches until killed, saying after each what was acknowledged."""
    with open_log(home) as writer:
        seqs = [line.body["seq"] or 0 for line in read_session(writer.directory)]
        if writer.date is None:
            writer.open_day("2025-08-29")
        last = max(seqs, default=0)
        while True:
            for size in (1, 7, 40):
                line = writer.commit(signals("day1", last + 1, size))
                last += size
                said.send((line, last))


def _killed_after(home: Path, pause: float) -> list[tuple[int, int]]:
    """Start a writer, kill it after its first word and a pause; return all it said."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    writer = context.Process(target=_write_and_say, args=(home, theirs))
    writer.start()
    theirs.close()
    said = [ours.recv()]
    time.sleep(pause)
    writer.kill()
    writer.join()
    with suppress(EOFError, OSError):  # a last word may be cut
        while True:
            said.append(ours.recv())
    ours.close()
    assert writer.exitcode == -signal.SIGKILL
    return said


@pytest.mark.slow
def test_no_acknowledged_line_is_lost_when_the_writer_is_killed(tmp_path: Path) -> None:
    """A hundred kills, five hundred in the soak; a new log after every ten."""
    chance = random.Random(7)
    for log in range(50 if os.environ.get("BRAHMASTRA_SOAK") == "1" else 10):
        home = tmp_path / f"log{log}"
        for _ in range(10):
            line, seq = _killed_after(home, chance.uniform(0, 0.02))[-1]
            with open_log(home) as reopened:
                assert reopened.line >= line
            verified = verify_session(home / "sessions" / "day1")
            assert verified.events >= seq
            assert verified.unfinished == 0


def test_a_second_writer_is_refused_and_told_who_writes(tmp_path: Path) -> None:
    with open_log(tmp_path) as writer:
        writer.open_day("2025-08-29")
        with pytest.raises(LogLockedError, match=f"written by process {os.getpid()}"):
            open_log(tmp_path)
        assert writer.commit(signals("day1", 1, 1)) == 2
    with open_log(tmp_path) as writer:
        assert writer.line == 2


def test_the_lock_of_another_process_holds_and_dies_with_it(tmp_path: Path) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert other.stdout is not None
    assert other.stdout.readline(), "the writer did not start"
    with pytest.raises(LogLockedError, match=f"written by process {other.pid}"):
        open_log(tmp_path)
    other.kill()
    other.communicate()
    with open_log(tmp_path) as writer:
        assert writer.line > 1


def test_a_day_must_follow(tmp_path: Path) -> None:
    with open_log(tmp_path) as writer:
        with pytest.raises(LogError, match="no day is open"):
            writer.commit(signals("day1", 1, 1))
        writer.open_day("2025-08-29")
        for date in ("2025-08-29", "2025-08-28"):
            with pytest.raises(LogError, match="does not follow 2025-08-29"):
                writer.open_day(date)
        writer.commit(signals("day1", 1, 1))
    assert verify_session(writer.directory).lines == 2


def test_a_batch_is_one_commit(tmp_path: Path) -> None:
    with open_log(tmp_path) as writer:
        writer.open_day("2025-08-29")
        assert writer.commit(signals("day1", 1, 3)) == 4
        assert writer.commit([]) == 4
        assert writer.commit(signals("day1", 4, 2)) == 6
    assert [line.commit for line in read_session(writer.directory)] == [1, 2, 2, 2, 5, 5]


def test_an_event_that_cannot_be_written_writes_nothing_of_its_batch(tmp_path: Path) -> None:
    with open_log(tmp_path) as writer:
        writer.open_day("2025-08-29")
        bad = signals("day1", 2, 1, name="a\x00b")
        with pytest.raises(CanonicalError, match="U\\+0000"):
            writer.commit(signals("day1", 1, 1) + bad)
        assert writer.commit(signals("day1", 1, 2)) == 3
    assert verify_session(writer.directory).events == 2


@pytest.mark.parametrize("operation", ["write", "fdatasync", "replace"])
@pytest.mark.parametrize("fault", [errno.EIO, errno.ENOSPC])
def test_a_failed_write_poisons_the_writer_and_the_next_start_recovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, operation: str, fault: int
) -> None:
    writer = open_log(tmp_path)
    writer.open_day("2025-08-29")
    writer.commit(signals("day1", 1, 3))
    head = read_head(writer.directory)

    def fail(*_: object, **__: object) -> int:
        raise OSError(fault, os.strerror(fault))

    with monkeypatch.context() as patched:
        patched.setattr(os, operation, fail)
        with pytest.raises(LogPoisonedError, match=os.strerror(fault)):
            writer.commit(signals("day1", 4, 2))
    # The fault is gone and still nothing more is accepted.
    with pytest.raises(LogPoisonedError, match="restart to recover"):
        writer.commit(signals("day1", 4, 2))
    with pytest.raises(LogPoisonedError, match="restart to recover"):
        writer.open_day("2025-08-30")
    assert read_head(writer.directory) == head
    writer.close()
    with open_log(tmp_path) as writer:
        assert writer.line in {4, 6}  # durable and not acknowledged is allowed, less is not
        writer.commit(signals("day1", writer.line, 2))
    assert verify_session(writer.directory).events == writer.line - 1


def test_every_short_write_recovers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk fills in the middle of a batch: at every byte of it."""
    writer = open_log(tmp_path)
    writer.open_day("2025-08-29")
    writer.commit(signals("day1", 1, 3))
    seq, real_write, rounds = 4, os.write, 0
    for room in range(1, 1200, 23):

        def short_write(descriptor: int, data: memoryview, room: int = room) -> int:
            if not short_write.done:  # type: ignore[attr-defined]
                short_write.done = True  # type: ignore[attr-defined]
                return real_write(descriptor, data[:room])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        short_write.done = False  # type: ignore[attr-defined]
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", short_write)
            with pytest.raises(LogPoisonedError):
                writer.commit(signals("day1", seq, 4))
        writer.close()
        writer = open_log(tmp_path)
        lines = list(read_session(writer.directory))
        seq = max(line.body["seq"] or 0 for line in lines) + 1
        writer.commit(signals("day1", seq, 1))
        seq += 1
        rounds += 1
    writer.close()
    verified = verify_session(writer.directory)
    assert verified.events == seq - 1
    assert len(verified.torn) >= rounds // 2


def test_a_day_that_cannot_be_opened_poisons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = open_log(tmp_path)
    writer.open_day("2025-08-28")
    writer.commit(signals("day1", 1, 3))
    real_open = os.open

    def full(path: object, flags: int, *mode: int) -> int:
        if flags & os.O_EXCL:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real_open(path, flags, *mode)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", full)
        with pytest.raises(LogPoisonedError, match="No space left"):
            writer.open_day("2025-08-29")
    with pytest.raises(LogPoisonedError):
        writer.commit(signals("day1", 4, 1))
    writer.close()
    with open_log(tmp_path) as writer:
        writer.open_day("2025-08-29")
        writer.commit(signals("day1", 4, 1))
    assert verify_session(writer.directory).events == 4


def test_the_name_of_a_new_day_is_durable_before_it_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut a head that names a file without an entry would refuse to start."""
    seen: list[str] = []
    real_sync, real_replace = os.fsync, os.replace

    def sync(descriptor: int) -> None:
        seen.append("directory" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")  # noqa: PTH112
        real_sync(descriptor)

    def replace(source: object, target: object) -> None:
        seen.append("head")
        real_replace(source, target)  # type: ignore[arg-type]

    with open_log(tmp_path) as writer, monkeypatch.context() as patched:
        patched.setattr(os, "fsync", sync)
        patched.setattr(os, "replace", replace)
        writer.open_day("2025-08-29")
    assert seen.index("directory") < seen.index("head")


def test_an_empty_file_of_a_day_being_opened_is_taken_up_again(tmp_path: Path) -> None:
    directory = write_log(tmp_path, days=1, events=5)
    (directory / "2025-08-21.jsonl").touch()
    with open_log(tmp_path) as writer:
        assert writer.date == "2025-08-20"
        writer.open_day("2025-08-21")
        writer.commit(signals("day1", 7, 1))
    assert [file.lines for file in verify_session(directory).files] == [7, 2]


def test_an_emptied_file_in_the_middle_is_refused_and_left(tmp_path: Path) -> None:
    directory = write_log(tmp_path, days=3, events=5)
    middle = directory / "2025-08-21.jsonl"
    middle.write_bytes(b"")
    with pytest.raises(LogError, match=r"does not continue 2025-08-21\.jsonl"):
        open_log(tmp_path)
    assert middle.exists()


def test_what_was_refused_leaves_the_lock_free(tmp_path: Path) -> None:
    directory = write_log(tmp_path, events=5)
    file = directory / "2025-08-20.jsonl"
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b"quiet", b"noisy", 1))
    with pytest.raises(LogError):
        open_log(tmp_path)
    with (directory / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    file.write_bytes(whole)
    with open_log(tmp_path) as writer:
        assert writer.line == 7
