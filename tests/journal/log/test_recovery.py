"""Opening a log after a crash: a torn batch is moved aside, anything else refuses."""

from __future__ import annotations

import os
import random
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from journal.log.errors import TamperedError
from journal.log.head import read_head
from journal.log.reader import read_session
from journal.log.verification import verify_session
from tests.journal.log_bed import open_log, signals, write_log

if TYPE_CHECKING:
    from pathlib import Path


def _log_with_a_batch_in_flight(tmp_path: Path) -> tuple[Path, bytes, bytes]:
    """Return (file, its bytes up to the durable head, those of a batch nobody was told about)."""
    directory = write_log(tmp_path, events=5)
    file = directory / "2025-08-20.jsonl"
    durable, head = file.read_bytes(), (directory / "head").read_bytes()
    with open_log(tmp_path) as writer:
        writer.commit(signals("day1", 7, 3))
    batch = file.read_bytes()[len(durable) :]
    (directory / "head").write_bytes(head)
    return file, durable, batch


def _recovered(tmp_path: Path, file: Path, durable: bytes, tail: bytes) -> None:
    """Open the log with `tail` after what is durable; it must come back with all of that."""
    file.write_bytes(durable + tail)
    with open_log(tmp_path) as writer:
        torn = writer.torn
        writer.commit(signals("day1", writer_seq(file), 2))
    assert file.read_bytes().startswith(durable)
    verified = verify_session(file.parent)
    kept = sum(1 for line in read_session(file.parent) if line.body["seq"] is not None)
    assert verified.events == kept >= 8
    if torn is None:
        assert verified.torn == []
        return
    aside = file.parent / torn.moved_to
    assert tail.endswith(aside.read_bytes())
    assert (torn.file, torn.bytes) == (file.name, aside.stat().st_size)
    assert torn.sha256 == sha256(aside.read_bytes()).hexdigest()
    record = next(
        line for line in read_session(file.parent) if line.body["kind"] == "log.recovered"
    )
    assert record.body["data"] == {
        "file": torn.file,
        "moved_to": torn.moved_to,
        "bytes": torn.bytes,
        "sha256": torn.sha256,
        "reason": torn.reason,
    }
    aside.unlink()


def writer_seq(file: Path) -> int:
    """Return the seq that comes next in a log that was just opened."""
    seqs = [line.body["seq"] for line in read_session(file.parent)]
    return max(seq for seq in seqs if seq is not None) + 1


@pytest.fixture
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting for the disk: these tests put the file into the state a crash left it in."""
    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, lambda _: None)


@pytest.mark.usefixtures("_quick_disk")
def test_a_tail_torn_at_every_length_recovers(tmp_path: Path) -> None:
    file, durable, batch = _log_with_a_batch_in_flight(tmp_path)
    head = (file.parent / "head").read_bytes()
    for size in range(len(batch) + 1):
        (file.parent / "head").write_bytes(head)
        if size % 16 == 0:
            _recovered(tmp_path, file, durable, batch[:size])
            continue
        file.write_bytes(durable + batch[:size])
        with open_log(tmp_path) as writer:
            whole_lines = batch.count(b"\n", 0, size)
            assert writer.line == 7 + whole_lines + (writer.torn is not None)
            if writer.torn is not None:
                (writer.directory / writer.torn.moved_to).unlink()
        assert file.read_bytes().startswith(durable + batch[: batch.rfind(b"\n", 0, size) + 1])


@pytest.mark.usefixtures("_quick_disk")
def test_a_tail_with_holes_recovers(tmp_path: Path) -> None:
    """A power cut drops sectors of what was not synced, in any order."""
    file, durable, batch = _log_with_a_batch_in_flight(tmp_path)
    head = (file.parent / "head").read_bytes()
    chance = random.Random(11)
    for _ in range(60):
        (file.parent / "head").write_bytes(head)
        tail = bytearray(batch)
        for start in range(-len(durable) % 512, len(tail), 512):
            if chance.random() < 0.5:
                tail[start : start + 512] = bytes(len(tail[start : start + 512]))
        _recovered(tmp_path, file, durable, bytes(tail))


def test_a_tail_of_noise_recovers(tmp_path: Path) -> None:
    file, durable, _ = _log_with_a_batch_in_flight(tmp_path)
    head = (file.parent / "head").read_bytes()
    chance = random.Random(13)
    for tail in (b"\n", b"\n\n\n", b"\r\n", b"{}", b'{"event":{}}\n', chance.randbytes(3000)):
        (file.parent / "head").write_bytes(head)
        _recovered(tmp_path, file, durable, tail)


def test_without_a_head_a_torn_tail_still_recovers(tmp_path: Path) -> None:
    file, durable, batch = _log_with_a_batch_in_flight(tmp_path)
    for content in (None, b"", b"{", b"[]", b'{"file": 1}'):
        (file.parent / "head").unlink()
        if content is not None:
            (file.parent / "head").write_bytes(content)
        _recovered(tmp_path, file, durable, batch[:-5])


@pytest.mark.parametrize("with_head", [True, False])
def test_corruption_before_a_later_batch_refuses_and_changes_nothing(
    tmp_path: Path,
    with_head: bool,  # noqa: FBT001
) -> None:
    directory = write_log(tmp_path, events=20)
    file = directory / "2025-08-20.jsonl"
    whole = file.read_bytes()
    lines = whole.splitlines(keepends=True)
    if not with_head:
        (directory / "head").unlink()
    last_batch_starts = len(lines) - 5
    for number in range(last_batch_starts):
        at = sum(map(len, lines[:number])) + len(lines[number]) // 2
        damaged = bytearray(whole)
        damaged[at] ^= 0x10
        file.write_bytes(damaged)
        with pytest.raises(TamperedError) as caught:
            open_log(tmp_path)
        assert (caught.value.path, caught.value.line) == (file, number + 1)
        assert caught.value.expected
        assert file.read_bytes() == damaged
    assert list(directory.glob("*.torn-*")) == []


def test_damage_in_the_last_durable_batch_refuses(tmp_path: Path) -> None:
    directory = write_log(tmp_path, events=5)
    file = directory / "2025-08-20.jsonl"
    whole = file.read_bytes()
    for damaged in (whole[:-1], whole[:-600], whole[:-40] + bytes(40)):
        file.write_bytes(damaged)
        with pytest.raises(TamperedError, match=r"expected (prev )?[0-9a-f]{64}"):
            open_log(tmp_path)
        assert file.read_bytes() == damaged
    file.write_bytes(b"".join(whole.splitlines(keepends=True)[:-1]))
    with pytest.raises(TamperedError, match="below the durable head"):
        open_log(tmp_path)


def test_a_file_below_the_head_that_is_gone_refuses(tmp_path: Path) -> None:
    directory = write_log(tmp_path, days=2, events=5)
    (directory / "2025-08-21.jsonl").unlink()
    with pytest.raises(TamperedError, match="in a file that is gone"):
        open_log(tmp_path)


def test_a_torn_first_line_of_a_new_day_recovers(tmp_path: Path) -> None:
    directory = write_log(tmp_path, days=1, events=5)
    head = (directory / "head").read_bytes()
    with open_log(tmp_path) as writer:
        writer.open_day("2025-08-21")
    new = directory / "2025-08-21.jsonl"
    first = new.read_bytes()
    new.write_bytes(first[: len(first) // 2])
    (directory / "head").write_bytes(head)
    with open_log(tmp_path) as writer:
        assert (writer.date, new.exists()) == ("2025-08-20", False)
        writer.open_day("2025-08-21")
        writer.commit(signals("day1", 7, 1))
    verified = verify_session(directory)
    assert [file.lines for file in verified.files] == [8, 2]
    assert len(verified.torn) == 1


def test_lines_durable_and_never_acknowledged_are_part_of_the_log(tmp_path: Path) -> None:
    file, durable, batch = _log_with_a_batch_in_flight(tmp_path)
    file.write_bytes(durable + batch)
    with open_log(tmp_path) as writer:
        assert (writer.line, writer.torn) == (10, None)
    head = read_head(file.parent)
    assert head is not None
    assert head.line == 10
