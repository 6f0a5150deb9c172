"""Whatever fails, and whenever: what was acknowledged is there, once, and nothing half."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from contextlib import suppress
from random import Random
from typing import TYPE_CHECKING

import pytest

from journal.log.errors import LogError, LogPoisonedError
from journal.log.head import read_head
from journal.log.lookup import event_at
from journal.log.packing import pack_closed_days
from journal.log.reader import read_session
from journal.log.session import day_files
from journal.log.verification import verify_session
from journal.log.writer import Durability
from tests.journal.log.faulty_files import FailingFiles, PowerCutFiles
from tests.journal.log_bed import open_log, signals

if TYPE_CHECKING:
    from pathlib import Path

    from journal.log.files import Files

DATES = ("2025-08-20", "2025-08-21", "2025-08-22")


def _work(home: Path, files: Files, acknowledged: list[int]) -> None:
    """Write three days in batches, packing what is closed; say what was acknowledged."""
    with open_log(home, files=files) as writer:
        seq = _next_seq(home)
        for date in DATES:
            if writer.date is None or writer.date < date:
                writer.open_day(date)
                pack_closed_days(writer.directory, files=files)
            for size in (1, 6, 3):
                writer.commit(signals("day1", seq, size))
                seq += size
                acknowledged.append(seq - 1)


def _next_seq(home: Path) -> int:
    seqs = [line.body["seq"] for line in read_session(home / "sessions" / "day1")]
    return max((seq for seq in seqs if seq is not None), default=0) + 1


def _holds_after(home: Path, acknowledged: list[int]) -> None:
    """Open the log again: all that was acknowledged is there, once, and it goes on."""
    with open_log(home) as writer:
        if writer.date is None or writer.date < DATES[-1]:
            writer.open_day(DATES[-1])
        pack_closed_days(writer.directory)
        seq = _next_seq(home)
        assert seq > max(acknowledged, default=0)
        writer.commit(signals("day1", seq, 1))
    directory = home / "sessions" / "day1"
    verified = verify_session(directory)
    seqs = [line.body["seq"] for line in read_session(directory) if line.body["seq"] is not None]
    assert seqs == list(range(1, seq + 1))
    assert (verified.events, verified.unfinished) == (seq, 0)
    assert not list(directory.glob(".*draft")) or read_head(directory) is not None
    for sought in {1, max(1, seq // 2), seq}:
        found = event_at(directory, sought)
        assert found is not None
        assert found.body["seq"] == sought


def _operations(home: Path) -> int:
    files = FailingFiles(fail_at=10**9)
    _work(home, files, [])
    return len(files.seen)


@pytest.mark.parametrize(
    ("fault", "short"), [(errno.EIO, False), (errno.ENOSPC, False), (errno.ENOSPC, True)]
)
def test_the_kth_operation_fails_for_every_k(
    tmp_path: Path,
    fault: int,
    short: bool,  # noqa: FBT001
) -> None:
    count = _operations(tmp_path / "whole")
    assert count > 80
    poisoned = 0
    for number in range(1, count + 1):
        home, acknowledged = tmp_path / f"k{number}", list[int]()
        files = FailingFiles(number, fault, short=short)
        try:
            _work(home, files, acknowledged)
        except LogPoisonedError:
            poisoned += 1
        except OSError as error:  # of opening or of packing: nothing was to be acknowledged
            assert error.errno == fault  # noqa: PT017 - the log's own errors are the other branch
        assert files.failed
        _holds_after(home, acknowledged)
    assert poisoned > 30


def test_the_operations_that_fail_are_all_there_are(tmp_path: Path) -> None:
    files = FailingFiles(fail_at=10**9)
    _work(tmp_path, files, [])
    with day_files(tmp_path / "sessions" / "day1")[-1].open("ab") as torn:
        torn.write(b"torn")
    with open_log(tmp_path, files=files):
        pass
    named = {"create", "open", "write", "sync", "truncate", "rename", "remove", "sync directory"}
    assert set(files.seen) == named | {"reserve"}


def test_recovery_fails_at_every_operation_and_is_tried_again(tmp_path: Path) -> None:
    """A torn tail, and the disk fails while it is moved aside: the next start still recovers."""
    number, done = 0, False
    while not done:
        number += 1
        home, acknowledged = tmp_path / f"k{number}", list[int]()
        _work(home, FailingFiles(10**9), acknowledged)
        with day_files(home / "sessions" / "day1")[-1].open("ab") as file:
            file.write(b'{"event":{"body":{"cause":[],"da')
        files = FailingFiles(number)
        with suppress(LogError, OSError), open_log(home, files=files):
            pass
        done = not files.failed
        _holds_after(home, acknowledged)
        pieces = list((home / "sessions" / "day1").glob("*.torn-*"))
        assert len(pieces) in {1, 2}  # the second when the first was not yet cut from the log
        assert all(piece.read_bytes() == b'{"event":{"body":{"cause":[],"da' for piece in pieces)
    assert number > 12


# --- the power goes -------------------------------------------------------------------------------


class _PowerCut(Exception):  # noqa: N818 - what happens, not an error of ours
    pass


def _work_until_cut(home: Path, chance: Random, mutant: str) -> list[int]:
    """Write until the power goes at a random operation, half the time before a sync, when most is
    at stake; leave the disk as it then may be.
    """
    acknowledged: list[int] = []
    counted, left = chance.choice(
        [(None, chance.randrange(1, 118)), ("sync", chance.randrange(1, 20))]
    )

    def tick(operation: str) -> None:
        nonlocal left
        left -= counted in {None, operation}
        if left <= 0:
            raise _PowerCut

    home.mkdir(exist_ok=True)
    files = PowerCutFiles(home, mutant=mutant, before=tick)
    with suppress(_PowerCut):
        _work(home, files, acknowledged)
    files.cut(chance)
    return acknowledged


def test_a_hundred_power_cuts_lose_nothing_acknowledged(tmp_path: Path) -> None:
    chance = Random(512)
    torn = 0
    cuts = 1000 if os.environ.get("BRAHMASTRA_SOAK") == "1" else 100
    for number in range(cuts):
        home = tmp_path / f"cut{number}"
        acknowledged = _work_until_cut(home, chance, mutant="")
        _holds_after(home, acknowledged)
        torn += bool(list((home / "sessions" / "day1").glob("*.torn-*")))
    assert torn >= 3, torn


def test_cut_after_cut_in_one_log(tmp_path: Path) -> None:
    """The same session through ten power cuts, one of them in the recovery from another."""
    chance = Random(10)
    acknowledged: list[int] = []
    for _ in range(10):
        acknowledged += _work_until_cut(tmp_path / "home", chance, mutant="")
    _holds_after(tmp_path / "home", acknowledged)


@pytest.mark.parametrize("mutant", ["sync", "sync_directory"])
def test_a_writer_that_does_not_sync_is_caught(tmp_path: Path, mutant: str) -> None:
    """The model has teeth: a writer that breaks one promise loses what it acknowledged."""
    chance = Random(30)
    caught = 0
    for number in range(30):
        home = tmp_path / f"cut{number}"
        acknowledged = _work_until_cut(home, chance, mutant)
        try:
            _holds_after(home, acknowledged)
        except (AssertionError, LogError):
            caught += 1
    assert caught > 5


# --- a real disk that is full ---------------------------------------------------------------------

FULL = """
import sys
from pathlib import Path
from journal.log.errors import LogPoisonedError
from tests.journal.log_bed import open_log, signals
seq = 1
with open_log(Path(sys.argv[1])) as writer:
    writer.open_day("2025-08-29")
    while True:
        try:
            writer.commit(signals("day1", seq, 7))
        except LogPoisonedError as error:
            print(seq - 1, error, flush=True)
            break
        seq += 7
"""


def _fill(home: Path, **options: object) -> tuple[int, str]:
    """Write in a child until the disk refuses; return the last acknowledged seq and its words."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(home)],
        capture_output=True,
        text=True,
        check=False,
        **options,  # type: ignore[call-overload]
    )
    assert done.returncode == 0, done.stderr
    seq, _, said = done.stdout.strip().partition(" ")
    return int(seq), said


def test_a_full_file_system_loses_nothing_acknowledged(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("no tmpfs can be mounted here: needs root with CAP_SYS_ADMIN")
    try:
        seq, said = _fill(disk)
        assert os.strerror(errno.ENOSPC) in said
        assert seq > 100
        verified = verify_session(disk / "sessions" / "day1")
        assert verified.events >= seq
        (disk / "sessions" / "day1" / "index" / "2025-08-29.lines").unlink()
        subprocess.run(["mount", "-o", "remount,size=1m", str(disk)], check=True)
        with open_log(disk) as writer:  # somebody made room
            writer.commit(signals("day1", _next_seq(disk), 1))
        assert verify_session(disk / "sessions" / "day1").unfinished == 0
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_limit_on_the_size_of_files_loses_nothing_acknowledged(tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    seq, said = _fill(tmp_path, preexec_fn=limit)
    assert os.strerror(errno.EFBIG) in said
    assert seq > 50
    with open_log(tmp_path) as writer:
        following = _next_seq(tmp_path)
        assert following > seq
        writer.commit(signals("day1", following, 1))
    verify_session(tmp_path / "sessions" / "day1")


def test_the_ballast_is_given_back_when_the_disk_is_full(tmp_path: Path) -> None:
    files = FailingFiles(10**9, errno.ENOSPC)
    with suppress(LogPoisonedError), open_log(tmp_path, files=files) as writer:
        writer.open_day("2025-08-29")
        ballast = writer.directory / "ballast"
        assert ballast.stat().st_blocks * 512 >= 4 * 2**20
        files.fail_at = len(files.seen) + 1
        with pytest.raises(LogPoisonedError, match="No space left"):
            writer.commit(signals("day1", 1, 1))
        assert not ballast.exists()
    with open_log(tmp_path) as writer:
        assert (writer.directory / "ballast").exists()
    assert not (writer.directory / "ballast").exists()  # a session at rest keeps nothing


# --- the clock goes back --------------------------------------------------------------------------


def test_a_clock_that_steps_back_changes_nothing_but_its_record(tmp_path: Path) -> None:
    times = iter([10**15, *range(10**15, 10**15 - 10**12, -(10**9))])
    with open_log(tmp_path, clock=lambda: next(times)) as writer:
        writer.open_day("2025-08-29")
        for seq in range(1, 20):
            writer.commit(signals("day1", seq, 1))
    lines = list(read_session(writer.directory))
    records = [line.rec for line in lines]
    assert records == sorted(records, reverse=True)
    assert [line.line for line in lines] == list(range(1, 21))
    assert verify_session(writer.directory).events == 19
    assert event_at(writer.directory, 19) is not None


# --- how durable ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("durability", "heads"),
    [
        (Durability.COMMIT, [2, 3, 4, 5]),
        (Durability.INTERVAL, [1, 3, 3, 5]),
        (Durability.DAY, [1, 1, 1, 1]),
    ],
)
def test_each_durability_publishes_only_what_is_synced(
    tmp_path: Path, durability: Durability, heads: list[int]
) -> None:
    now = 10**9
    published = []
    with open_log(tmp_path, durability=durability, clock=lambda: now) as writer:
        writer.open_day("2025-08-29")
        for seq in range(1, 5):
            now += 500_000
            writer.commit(signals("day1", seq, 1))
            head = read_head(writer.directory)
            assert head is not None
            published.append(head.line)
            assert head.line == writer.durable_line
        writer.sync()
        assert writer.durable_line == 5
        writer.commit(signals("day1", 5, 1))
    assert published == heads
    assert verify_session(writer.directory).lines == 6
    head = read_head(writer.directory)
    assert head is not None
    assert head.line == 6
