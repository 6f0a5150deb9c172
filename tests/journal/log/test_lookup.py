"""One line out of many: found by number, seq and time, whatever became of the index."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journal.log import index
from journal.log.errors import TamperedError
from journal.log.index import (
    Entry,
    first_entry,
    index_of,
    index_path,
    rebuilt_index,
    save_index,
)
from journal.log.lookup import event_at, first_at_time, last_lines, line_at
from journal.log.reader import LogLine, read_session
from journal.log.session import day_files
from tests.journal.log_bed import OPEN_US, open_log, write_log

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def long_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four days whose indexes have several entries each."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(index, "STRIDE_BYTES", 1500)
        return write_log(tmp_path_factory.mktemp("long"), days=4, events=60)


@pytest.fixture
def log(long_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it to damage."""
    monkeypatch.setattr(index, "STRIDE_BYTES", 1500)
    shutil.copytree(long_log, tmp_path / "copy")
    return tmp_path / "copy"


def _everything_is_found(directory: Path) -> None:
    lines = list(read_session(directory))
    events = [line for line in lines if line.body["seq"] is not None]
    for line in lines[::7]:
        assert line_at(directory, line.line) == line
    for line in events[::7]:
        assert event_at(directory, line.body["seq"]) == line
        assert first_at_time(directory, line.body["ts"]) == line
    assert event_at(directory, 1) == events[0]
    assert first_at_time(directory, 0) == events[0]
    for number in (0, -1, len(lines) + 1, 10**12):
        assert line_at(directory, number) is None
    assert event_at(directory, len(events) + 1) is None
    assert event_at(directory, 0) is None
    assert first_at_time(directory, events[-1].body["ts"] + 1) is None


def test_each_line_is_found(long_log: Path) -> None:
    assert all(len(index_of(path)) > 10 for path in day_files(long_log))
    _everything_is_found(long_log)


def test_the_index_of_the_writer_is_the_one_made_from_the_file(log: Path) -> None:
    for path in day_files(log):
        assert rebuilt_index(path).content == index_of(path).content
        assert first_entry(path) == rebuilt_index(path).entry(0)


def test_without_an_index_each_line_is_found(log: Path) -> None:
    shutil.rmtree(log / "index")
    _everything_is_found(log)


def test_a_short_index_costs_no_line(log: Path) -> None:
    for path in day_files(log):
        content = index_path(path).read_bytes()
        index_path(path).write_bytes(content[: len(content) // 3])
    _everything_is_found(log)


def test_noise_in_an_index_costs_no_line(log: Path) -> None:
    for number, path in enumerate(day_files(log)):
        content = bytearray(index_path(path).read_bytes())
        for at in range(number, len(content), 29):
            content[at] ^= 0x55
        index_path(path).write_bytes(content)
    _everything_is_found(log)


def test_an_index_of_another_log_costs_no_line(log: Path) -> None:
    first, second, *_ = day_files(log)
    shutil.copy(index_path(second), index_path(first))
    _everything_is_found(log)


@pytest.mark.parametrize("by", [-40, 40])
def test_an_index_that_lies_costs_no_line(log: Path, by: int) -> None:
    """Right checksums, wrong numbers: seq and time before an entry said too small or too large."""
    for path in day_files(log):
        honest = index_of(path)
        entries = [honest.entry(number) for number in range(len(honest))]
        lying = [
            Entry(entry.offset, entry.line, entry.seq_before + by, entry.ts_before + by)
            for entry in entries
        ]
        content = b"".join(index._packed(entry) for entry in lying)
        save_index(path, index.DayIndex(content))
    lines = [line for line in read_session(log) if line.body["seq"] is not None]
    for line in lines[::11]:
        assert event_at(log, line.body["seq"]) == line
        assert first_at_time(log, line.body["ts"]) == line


def test_a_writer_mends_the_index_it_takes_up(tmp_path: Path) -> None:
    directory = write_log(tmp_path, events=20)
    path = day_files(directory)[0]
    sound = index_of(path).content
    for damaged in (b"", b"torn", sound + b"x", sound[:-1] + b"\xff"):
        index_path(path).write_bytes(damaged)
        open_log(tmp_path).close()
        assert index_path(path).read_bytes() == sound
    index_path(path).unlink()
    open_log(tmp_path).close()
    assert index_path(path).read_bytes() == sound


def test_a_line_changed_in_its_place_is_refused(log: Path) -> None:
    path = day_files(log)[1]
    content = path.read_bytes()
    at = content.index(b"quiet", len(content) // 2)
    path.write_bytes(content[:at] + b"noisy" + content[at + 5 :])
    number = 62 + 1 + content.count(b"\n", 0, at)
    with pytest.raises(TamperedError, match="hash does not match"):
        line_at(log, number)


@settings(max_examples=60, deadline=None)
@given(ts=st.integers(OPEN_US - 5, OPEN_US + 260))
def test_the_first_event_at_a_time_is_the_first(long_log: Path, ts: int) -> None:
    events = [line for line in _lines(long_log) if line.body["seq"] is not None]
    wanted = next((line for line in events if line.body["ts"] >= ts), None)
    assert first_at_time(long_log, ts) == wanted


_READ: dict[Path, list[LogLine]] = {}


def _lines(directory: Path) -> list[LogLine]:
    if directory not in _READ:
        _READ[directory] = list(read_session(directory))
    return _READ[directory]


def test_nothing_past_the_head_is_found(log: Path) -> None:
    lines = list(read_session(log))
    (log / "head").unlink()
    assert line_at(log, 3) is None
    assert last_lines(log, 3) == []
    assert len(lines) > 200
