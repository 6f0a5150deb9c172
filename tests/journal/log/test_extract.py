"""Bytes taken out of a log are the bytes of the log."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from journal.log import extract as extracts
from journal.log.errors import LogError
from journal.log.extract import (
    day_extract,
    extract_blocks,
    extract_digest,
    lines_extract,
    packed_extract,
)
from journal.log.packing import pack_day
from journal.log.reader import read_session
from journal.log.session import day_files
from tests.journal.log_bed import write_log

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write_log(tmp_path, days=3, events=20)


def test_a_day_is_its_file(log: Path) -> None:
    path = day_files(log)[1]
    extract = day_extract(log, "2025-08-21")
    content = b"".join(extract_blocks(extract))
    assert content == path.read_bytes()
    assert extract.bytes == len(content)
    assert extract_digest(extract) == sha256(content).digest()
    assert extract.name == "day1-2025-08-21.jsonl"


def test_a_damaged_day_comes_out_as_it_is(log: Path) -> None:
    path = day_files(log)[1]
    path.write_bytes(path.read_bytes()[:50] + b"\x00\xff torn")
    assert b"".join(extract_blocks(day_extract(log, "2025-08-21"))) == path.read_bytes()


@pytest.mark.parametrize(("first", "last"), [(1, 1), (5, 9), (20, 25), (22, 23), (1, 66), (66, 66)])
def test_lines_are_the_same_bytes_also_across_files(log: Path, first: int, last: int) -> None:
    wanted = b"".join(line.raw for line in read_session(log) if first <= line.line <= last)
    extract = lines_extract(log, first, last)
    assert b"".join(extract_blocks(extract)) == wanted
    assert extract.bytes == len(wanted)
    assert extract.name == f"day1-lines-{first}-{last}.jsonl"


@pytest.mark.parametrize(("first", "last"), [(0, 5), (9, 8), (60, 67), (-1, 2)])
def test_lines_that_are_not_there_are_refused(log: Path, first: int, last: int) -> None:
    with pytest.raises(LogError, match="the log ends at line 66"):
        lines_extract(log, first, last)


@pytest.mark.parametrize("day", ["2025-08-29", "", "../../etc/passwd", "head"])
def test_a_day_that_is_not_there_is_refused(log: Path, day: str) -> None:
    with pytest.raises(LogError, match="no such file"):
        day_extract(log, day)


def test_a_log_without_a_head_has_no_lines(log: Path) -> None:
    (log / "head").unlink()
    with pytest.raises(LogError, match="no durable line"):
        lines_extract(log, 1, 2)


def test_blocks_are_small_and_what_is_appended_meanwhile_stays_out(
    log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(extracts, "BLOCK_BYTES", 1000)
    extract = day_extract(log, "2025-08-22")
    before = day_files(log)[-1].read_bytes()
    with day_files(log)[-1].open("ab") as file:
        file.write(b"more")
    blocks = list(extract_blocks(extract))
    assert b"".join(blocks) == before
    assert max(map(len, blocks)) == 1000


def test_a_file_cut_meanwhile_is_an_error_and_no_short_answer(log: Path) -> None:
    extract = day_extract(log, "2025-08-22")
    path = day_files(log)[-1]
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(LogError, match=r"ends \d+ bytes before"):
        list(extract_blocks(extract))


def test_a_packed_day_comes_out_as_its_lines_and_as_its_file(log: Path) -> None:
    wanted = [path.read_bytes() for path in day_files(log)]
    lines = b"".join(line.raw for line in read_session(log) if 20 <= line.line <= 25)
    packed = pack_day(day_files(log)[0])
    assert b"".join(extract_blocks(day_extract(log, "2025-08-20"))) == wanted[0]
    assert b"".join(extract_blocks(lines_extract(log, 20, 25))) == lines
    extract = packed_extract(log, "2025-08-20")
    assert b"".join(extract_blocks(extract)) == packed.read_bytes()
    assert extract.name == "day1-2025-08-20.jsonl.gz"
    with pytest.raises(LogError, match="no such file"):
        packed_extract(log, "2025-08-21")
