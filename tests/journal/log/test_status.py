"""How a file stands by its ends: what is right, and each kind of damage, said and never raised."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from journal.log.head import Head, publish_head, read_head
from journal.log.packing import pack_closed_days
from journal.log.reader import read_file
from journal.log.session import day_files
from journal.log.status import FileStatus, Link, file_statuses
from tests.journal.log_bed import open_log, signals, write_log

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Three days of 22 lines."""
    return write_log(tmp_path, days=3, events=20)


def flip(path: Path, offset: int) -> None:
    content = bytearray(path.read_bytes())
    content[offset] ^= 1
    path.write_bytes(content)


def last_of(path: Path) -> int:
    """Return where the last line of a file begins."""
    return path.read_bytes().rstrip(b"\n").rindex(b"\n") + 1


def test_a_sound_log_is_told_file_by_file(log: Path) -> None:
    statuses = file_statuses(log)
    assert [status.file for status in statuses] == [f"2025-08-2{day}.jsonl" for day in range(3)]
    for at, (status, path) in enumerate(zip(statuses, day_files(log), strict=True)):
        lines = list(read_file(path))
        assert (status.first_line, status.last_line) == (lines[0].line, lines[-1].line)
        assert (status.first_seq, status.last_seq) == (at * 21 + 1, at * 21 + 21)
        assert status.head == lines[-1].hash
        assert status.lines == 22
        assert status.bytes_on_disk == path.stat().st_size
        assert (status.problem, status.unfinished, status.packed) == ("", 0, False)
    assert [status.link for status in statuses] == [Link.FIRST, Link.HOLDS, Link.HOLDS]


def test_a_packed_log_stands_as_it_did(log: Path) -> None:
    before = file_statuses(log)
    pack_closed_days(log)
    after = file_statuses(log)
    assert [status.packed for status in after] == [True, True, False]
    for old, new in zip(before, after, strict=True):
        assert new.bytes_on_disk <= old.bytes_on_disk
        same = {"packed": old.packed, "bytes_on_disk": old.bytes_on_disk}
        assert replace(new, **same) == old


def test_a_file_from_another_past_does_not_link(log: Path, tmp_path: Path) -> None:
    other = write_log(tmp_path / "other", days=1, events=20)
    day_files(log)[0].write_bytes(day_files(other)[0].read_bytes())
    statuses = file_statuses(log)
    assert [status.problem for status in statuses] == ["", "", ""]
    assert statuses[1].link is Link.BROKEN
    assert f"2025-08-20.jsonl ends at line 22 with {statuses[0].head}" in statuses[1].link_problem
    assert statuses[2].link is Link.HOLDS


def test_a_missing_first_file_is_noticed(log: Path) -> None:
    day_files(log)[0].unlink()
    status = file_statuses(log)[0]
    assert status.link is Link.BROKEN
    assert "2025-08-20.jsonl line 22" in status.link_problem
    assert status.link_problem.endswith("is not here")


def test_a_damaged_first_line_names_file_and_line(log: Path) -> None:
    flip(day_files(log)[1], 40)
    statuses = file_statuses(log)
    assert statuses[1].problem.startswith("2025-08-21.jsonl line 23: hash does not match its event")
    assert "expected" in statuses[1].problem
    assert statuses[2].link is Link.UNKNOWN
    assert statuses[2].link_problem == "the end of 2025-08-21.jsonl cannot be read"


@pytest.mark.parametrize("events", [20, 400])
def test_a_damaged_last_line_names_its_number(tmp_path: Path, events: int) -> None:
    log = write_log(tmp_path, days=2, events=events)
    path = day_files(log)[0]
    flip(path, last_of(path) + 30)
    assert file_statuses(log)[0].problem.startswith(f"2025-08-20.jsonl line {events + 2}: ")


def test_damage_that_starts_the_window_read_is_numbered_too(tmp_path: Path) -> None:
    log = write_log(tmp_path, days=1, events=100)
    path = day_files(log)[0]
    content = path.read_bytes()
    lines = content.splitlines(keepends=True)
    flip(path, sum(map(len, lines[:-8])) + 30)
    assert file_statuses(log)[0].problem.startswith("2025-08-20.jsonl line 95: ")


def test_a_cut_below_the_durable_head_is_said(log: Path) -> None:
    path = day_files(log)[-1]
    path.write_bytes(path.read_bytes()[: last_of(path)])
    problem = file_statuses(log)[-1].problem
    assert "2025-08-22.jsonl line 66: file ends at byte" in problem
    assert "below the durable head" in problem


def test_a_rewritten_end_does_not_fit_the_published_head(log: Path) -> None:
    head = read_head(log)
    assert head is not None
    publish_head(log, Head(file=head.file, offset=head.offset, line=head.line, hash="0" * 64))
    assert "the published head is not the hash" in file_statuses(log)[-1].problem


def test_what_follows_the_head_is_unfinished_and_not_damage(log: Path) -> None:
    with day_files(log)[-1].open("ab") as file:
        file.write(b'{"event":{"body":{"cau')
    status = file_statuses(log)[-1]
    assert (status.problem, status.unfinished, status.lines) == ("", 22, 22)


def test_a_file_after_the_head_has_no_durable_line(log: Path) -> None:
    (log / "2025-08-23.jsonl").write_bytes(b"")
    status = file_statuses(log)[-1]
    assert (status.lines, status.problem, status.link) == (None, "", Link.UNKNOWN)


def test_an_empty_file_of_the_past_is_damage(log: Path) -> None:
    day_files(log)[0].write_bytes(b"")
    assert file_statuses(log)[0].problem.startswith("2025-08-20.jsonl line 1: empty file")


def test_without_a_head_files_are_read_to_their_ends(log: Path) -> None:
    (log / "head").unlink()
    assert [status.problem for status in file_statuses(log)] == ["", "", ""]


def test_a_file_that_cannot_be_opened_is_said(log: Path) -> None:
    path = day_files(log)[0]
    path.unlink()
    path.mkdir()
    assert "Is a directory" in file_statuses(log)[0].problem


def test_torn_pieces_are_listed_with_their_file(tmp_path: Path) -> None:
    log = write_log(tmp_path, days=1, events=20)
    with day_files(log)[0].open("ab") as file:
        file.write(b"torn")
    with open_log(tmp_path) as writer:
        writer.commit(signals("day1", 22, 1))
    status = file_statuses(log)[0]
    assert [piece.bytes for piece in status.torn] == [4]
    assert status.torn[0].name.startswith("2025-08-20.jsonl.torn-")
    assert (status.last_line, status.last_seq) == (24, 22)


@pytest.mark.parametrize("garbage", [b"\n", b"{}\n", b"\xff" * 300, json.dumps({"a": 1}).encode()])
def test_any_garbage_is_described(log: Path, garbage: bytes) -> None:
    day_files(log)[0].write_bytes(garbage)
    status: FileStatus = file_statuses(log)[0]
    assert status.problem.startswith("2025-08-20.jsonl line 1: ")


def test_no_log_has_no_files(tmp_path: Path) -> None:
    assert file_statuses(tmp_path / "nothing") == []
