"""Packed days: the same bytes, readable by any gzip, and no flipped bit in them goes unseen."""

from __future__ import annotations

import errno
import gzip
import json
from typing import TYPE_CHECKING

import pytest

from journal.log import packing
from journal.log.chain_verification import verify_chain
from journal.log.day_file import members_of, members_path, open_day_file
from journal.log.errors import LogError, TamperedError
from journal.log.lookup import event_at, first_at_time, last_lines, line_at
from journal.log.packing import pack_closed_days, pack_day
from journal.log.reader import position_of, read_after, read_session
from journal.log.session import day_files
from journal.log.verification import verify_range, verify_session
from tests.journal.log.faulty_files import FailingFiles
from tests.journal.log_bed import open_log, signals, write_log

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def _small_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "MEMBER_BYTES", 1000)


@pytest.mark.usefixtures("_small_members")
def test_a_packed_log_reads_as_the_plain_one(tmp_path: Path) -> None:
    directory = write_log(tmp_path, days=3, events=20)
    plain = list(read_session(directory))
    content = {path.name: path.read_bytes() for path in day_files(directory)}
    before = verify_session(directory)
    made = pack_closed_days(directory)
    assert [path.name for path in made] == ["2025-08-20.jsonl.gz", "2025-08-21.jsonl.gz"]
    assert pack_closed_days(directory) == []
    assert [path.name for path in day_files(directory)] == [
        "2025-08-20.jsonl.gz",
        "2025-08-21.jsonl.gz",
        "2025-08-22.jsonl",
    ]
    for path in made:
        assert gzip.decompress(path.read_bytes()) == content[path.name.removesuffix(".gz")]
        assert len(members_of(path)) > 5
    assert list(read_session(directory)) == plain
    for line in plain[:: len(plain) // 9]:
        assert next(read_after(directory, position_of(line)), None) == next(
            (other for other in plain if other.line == line.line + 1), None
        )
        assert line_at(directory, line.line) == line
        if line.body["seq"] is not None:
            assert event_at(directory, line.body["seq"]) == line
            assert first_at_time(directory, line.body["ts"]) == line
    assert last_lines(directory, 60) == plain[-60:]
    after = verify_session(directory)
    assert [file.packed for file in after.files] == [True, True, False]
    assert (after.root, after.head, after.lines) == (before.root, before.head, before.lines)
    assert verify_chain(directory).lines == verify_chain(directory, workers=2).lines == before.lines
    with open_log(tmp_path) as writer:
        assert writer.line == before.lines


def test_a_writer_goes_on_after_a_session_whose_last_day_is_packed(tmp_path: Path) -> None:
    directory = write_log(tmp_path, days=1, events=5)
    pack_day(day_files(directory)[-1])
    with open_log(tmp_path) as writer:
        with pytest.raises(LogError, match="no day is open"):
            writer.commit(signals("day1", 7, 1))
        writer.open_day("2025-08-21")
        writer.commit(signals("day1", 7, 1))
    assert verify_session(directory).events == 7


@pytest.mark.usefixtures("_small_members")
def test_every_flipped_byte_of_a_packed_day_is_found(tmp_path: Path) -> None:
    """Also those that gzip does not notice: of a header, of the time in it."""
    with open_log(tmp_path) as writer:
        writer.open_day("2025-08-28")
        writer.commit(signals("day1", 1, 2))
        writer.open_day("2025-08-29")
    (packed,) = pack_closed_days(writer.directory)
    whole = packed.read_bytes()
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 1 + at % 255
        packed.write_bytes(changed)
        for verify in (verify_session, verify_chain):
            with pytest.raises(TamperedError, match="is not what was packed") as caught:
                verify(writer.directory)
            assert caught.value.path == packed
            assert 1 <= caught.value.line <= 3
    for damaged in (whole[:-1], whole + b"\0", whole[:40], b""):
        packed.write_bytes(damaged)
        with pytest.raises(TamperedError, match="as its index says"):
            verify_session(writer.directory)
    packed.write_bytes(whole)
    assert verify_session(writer.directory).lines == 4


@pytest.mark.usefixtures("_small_members")
@pytest.mark.parametrize("damage", [None, b"", b"\0" * 400, b"[]"])
def test_a_table_of_members_that_is_lost_is_made_again(
    tmp_path: Path, damage: bytes | None
) -> None:
    directory = write_log(tmp_path, days=2, events=20)
    (packed,) = pack_closed_days(directory)
    members = members_of(packed)
    before = list(read_session(directory))
    table = members_path(packed)
    if damage is None:
        table.unlink()
    else:
        table.write_bytes(damage)
    assert members_of(packed) == members
    assert list(read_session(directory)) == before
    packed.write_bytes(packed.read_bytes()[:-30])
    with pytest.raises(TamperedError, match=r"ends inside the member|cannot be unpacked"):
        list(read_session(directory))


def test_a_day_whose_chain_breaks_is_not_packed(tmp_path: Path) -> None:
    directory = write_log(tmp_path, days=2, events=5)
    first = day_files(directory)[0]
    content = first.read_bytes().replace(b"quiet", b"noisy", 1)
    first.write_bytes(content)
    with pytest.raises(TamperedError, match="line 3: the chain breaks"):
        pack_closed_days(directory)
    assert first.read_bytes() == content
    assert not list(directory.glob("*.gz"))


def test_packing_that_fails_at_any_operation_leaves_a_whole_log(tmp_path: Path) -> None:
    number, failed = 0, True
    while failed:
        number += 1
        directory = write_log(tmp_path / f"k{number}", days=3, events=5)
        before = list(read_session(directory))
        files = FailingFiles(number, errno.ENOSPC)
        try:
            pack_closed_days(directory, files=files)
        except OSError as error:
            assert error.errno == errno.ENOSPC  # noqa: PT017
        failed = files.failed
        assert list(read_session(directory)) == before
        pack_closed_days(directory)
        assert list(read_session(directory)) == before
        assert verify_session(directory).lines == len(before)
    assert number > 20


def test_a_reader_goes_on_through_the_packing_of_the_day_it_reads(tmp_path: Path) -> None:
    directory = write_log(tmp_path, days=2, events=20)
    whole = list(read_session(directory))
    reader = read_session(directory)
    read = [next(reader) for _ in range(5)]
    pack_closed_days(directory)
    assert read + list(reader) == whole
    # And a listing made before the packing opens what is there now.
    with open_day_file(directory / "2025-08-20.jsonl") as file:
        assert json.loads(file.readline())["event"]["log"]["line"] == 1


@pytest.mark.usefixtures("_small_members")
def test_a_range_of_a_packed_log_verifies(tmp_path: Path) -> None:
    directory = write_log(tmp_path, days=3, events=10)
    pack_closed_days(directory)
    for first, last in ((1, 5), (3, 20), (12, 13), (13, 24), (25, 36), (36, 36), (1, 36)):
        seen: list[tuple[int, int]] = []
        found = verify_range(
            directory,
            first_line=first,
            last_line=last,
            progress=lambda done, total, seen=seen: seen.append((done, total)),
        )
        assert (found.first_line, found.line, found.lines) == (first, last, last - first + 1)
        assert seen[-1] == (found.lines, found.lines)


def test_what_was_moved_aside_is_recorded_when_the_day_before_is_packed(tmp_path: Path) -> None:
    """The first line of a new day torn, and the last whole day packed: nothing to append to yet."""
    directory = write_log(tmp_path, days=1, events=5)
    pack_day(day_files(directory)[0])
    (directory / "2025-08-21.jsonl").write_bytes(b'{"event":{"body":')
    with open_log(tmp_path) as writer:
        assert writer.torn is not None
        writer.open_day("2025-08-21")
    *_, opened, recovered = read_session(directory)
    assert (opened.body["kind"], recovered.body["kind"]) == ("log.opened", "log.recovered")
    assert recovered.body["data"]["moved_to"] == writer.torn.moved_to
    assert verify_session(directory).torn == [writer.torn.moved_to]
